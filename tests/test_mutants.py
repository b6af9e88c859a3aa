import ast

import pytest

from tests.mutants import MUTANTS, OWN, ROOT, TESTS, mutated, rewritten

SOURCE = '''
@checked(x="B")
def f(x):
    """Return something."""
    a = g(x,
          1.0)  # a comment
    a += 1
    return (a) * a


class C:
    def f(self):
        self.a = 1
        self.b = self.a
        return self.a
'''


@pytest.mark.parametrize("name", MUTANTS)
def test_every_mutant_still_fits_the_module_and_compiles(name):
    compile(mutated(name), name, "exec")


def test_no_mutant_stands_there_twice():
    texts = {(MUTANTS[name].file, mutated(name)): name for name in MUTANTS}
    assert len(texts) == len(MUTANTS), set(MUTANTS) - set(texts.values())


def test_every_agent_has_mutants_and_every_mutant_tests_of_its_own():
    agents = {f"agents/{file.stem}" for file in (ROOT / "pgcourse/agents").glob("[!_]*.py")}
    assert agents <= {mutant.file for mutant in MUTANTS.values()}
    for mutant in MUTANTS.values():
        assert OWN.get(mutant.file, mutant.file.rpartition("/")[2]) in TESTS, mutant


@pytest.mark.parametrize(
    ("where", "old", "new", "count", "there"),
    [
        ("f", "g(x, 1.0)", "g(x)", 1, "a = g(x)\n"),
        ("f", "a * a", "a", 1, "return a\n"),
        ("f", "a = g(x, 1.0)\na += 1", "a = 2", 1, "a = 2\n    return a * a\n"),
        ("f", "a += 1", None, 1, "pass\n    return a * a\n"),
        ("f", "checked(x='B')", "checked()", 1, "@checked()\n"),
        ("C.f", "self.a", "self.c", 3, "self.c = 1\n        self.b = self.c\n"),
        ("C", "self.b = self.a", "self.b = 0\nself.d = 0", 1, "self.b = 0\n        self.d = 0\n"),
    ],
)
def test_code_is_found_by_its_syntax(where, old, new, count, there):
    found = rewritten(SOURCE, where, old, new, count)
    assert there in found and there not in ast.unparse(ast.parse(SOURCE))


@pytest.mark.parametrize(
    ("where", "old", "new", "count", "said"),
    [
        ("f", "g(x, 1)", "g(x)", 1, "stands 0 times, not 1, in f"),
        ("f", "self.a", "self.c", 1, "stands 0 times, not 1, in f"),
        ("C.f", "self.a", "self.c", 1, "stands 3 times, not 1, in C.f"),
        ("C.f", "self.a", "self.c", 4, "stands 3 times, not 4, in C.f"),
        ("C.g", "self.a", "self.c", 1, "C.g stands 0 times, not once"),
        ("f", "g(x, 1.0)", "g(x, (1.0))", 1, "would stay what it is"),
    ],
)
def test_code_that_is_gone_is_an_error(where, old, new, count, said):
    with pytest.raises(ValueError, match=said):
        rewritten(SOURCE, where, old, new, count)
