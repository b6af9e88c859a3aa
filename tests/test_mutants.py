import pytest

from tests.mutants import MUTANTS, copy_project, mutate


@pytest.mark.parametrize("name", MUTANTS)
def test_every_mutant_still_fits_the_module_and_compiles(tmp_path, name):
    copy_project(tmp_path)
    mutate(tmp_path, name)
    path = tmp_path / "pgcourse" / f"{MUTANTS[name][0]}.py"
    compile(path.read_text(encoding="utf-8"), str(path), "exec")
