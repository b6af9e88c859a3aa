import pytest

from tests.mutants import MUTANTS, mutated


@pytest.mark.parametrize("name", MUTANTS)
def test_every_mutant_still_fits_the_module_and_compiles(name):
    compile(mutated(name), name, "exec")
