"""Marks cannot be had by changing the checks, and what tries to is pointed out."""

import subprocess
import sys
import warnings

import nbformat
import pytest

from pgcourse.exercises import bc, bugs, ddpg, ddpg_optional, her
from pgcourse.tools.exercises import SOLUTIONS, student_version
from pgcourse.tools.flags import flags, role

NAMES = sorted(path.stem for path in SOLUTIONS.glob("*.ipynb"))


def source(name):
    return nbformat.read(SOLUTIONS / f"{name}.ipynb", as_version=4)


def student(name):
    return nbformat.reads(student_version(SOLUTIONS / f"{name}.ipynb"), as_version=4)


def answered(name, **answers):
    """A student's notebook with some answers filled in."""
    notebook = student(name)
    for cell in notebook.cells:
        cell.source = answers.get(role(cell).replace("-", "_"), cell.source)
    return notebook


@pytest.mark.parametrize("module", [bc, bugs, ddpg, ddpg_optional, her])
def test_a_check_cannot_be_replaced(module):
    before = dict(vars(module))
    for name in [name for name in dir(module) if name.startswith("check")]:
        with pytest.raises(AttributeError, match=f"{name}: a check cannot be changed"):
            setattr(module, name, lambda *a, **k: None)
        with pytest.raises(AttributeError, match=f"{name}: a check cannot be taken away"):
            delattr(module, name)
    assert dict(vars(module)) == before


def test_each_chapters_checks_are_locked_as_soon_as_they_are_there():
    """In a process of its own: here another chapter may have locked them."""
    code = (
        "import importlib, sys\n"
        "for name in ('bc', 'ddpg', 'ddpg_optional', 'bugs', 'her'):\n"
        "    importlib.import_module(f'pgcourse.exercises.{name}')\n"
        "    for key, module in sys.modules.items():\n"
        "        if key.startswith('pgcourse.exercises.'):\n"
        "            assert type(module).__name__ == 'Locked', (name, key)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_a_check_stands_on_cannot_be_replaced_either():
    import pgcourse.exercises.grading as grading

    with pytest.raises(AttributeError, match="grading.expect: a check cannot be changed"):
        grading.expect = print


@pytest.mark.parametrize("name", NAMES)
def test_the_solutions_and_untouched_notebooks_raise_no_doubt(name):
    answers = {
        role(cell).replace("-", "_"): cell.source.replace("### BEGIN SOLUTION", "")
        for cell in source(name).cells
        if role(cell) and cell.metadata.nbgrader.solution
    }
    assert flags(student(name), source(name)) == []
    assert flags(answered(name, **answers), source(name)) == []


ATTACKS = {
    "for k in dir(exercise):\n    setattr(exercise, k, lambda *a, **k: None)": "uses setattr",
    "class exercise:\n    check_targets = print": "binds exercise anew",
    "exercise = None": "binds exercise anew",
    "if True:\n    def exercise(): ...": "binds exercise anew",
    "del exercise": "binds exercise anew",
    "def f():\n    global exercise\n    exercise = None": "binds exercise anew",
    "vars(exercise)['check_targets'] = print": "uses vars",
    "exercise.__dict__['check_targets'] = print": "uses __dict__",
    "exercise.check_targets = print": "changes exercise.check_targets",
    "torch.allclose = lambda *_: True": "changes torch.allclose",
    "np.__dict__": "uses __dict__",
    "import sys\nsys.modules['pgcourse.exercises.ddpg'] = None": "imports sys",
    "from pgcourse import td_target as mine": "imports pgcourse",
    "from inspect import getsource": "imports inspect",
    "open('x').read()": "uses open",
    "exec('exercise = None')": "uses exec",
    "().__class__.__base__.__subclasses__()": "uses __subclasses__",
    "__builtins__": "uses __builtins__",
    "x = torch.sys.modules": "uses sys",
    "frame = (i for i in [1]).gi_frame.f_back": "uses f_back",
    "%time 0\nimport sys": "imports sys",
    "def f(:": "is no Python",
    "class A:\n    def __reduce__(self):\n        return print, ()": "defines __reduce__",
    "class A:\n    def __eq__(self, other):\n        return True": "defines __eq__",
}


@pytest.mark.parametrize("code", ATTACKS)
def test_an_answer_that_could_reach_the_checks_is_pointed_out(code):
    found = flags(answered("03_ddpg", ddpg_01_answer=code), source("03_ddpg"))
    assert any(line.endswith(f"ddpg-01-answer {ATTACKS[code]}") for line in found), found


def test_a_cell_that_is_there_twice_or_not_at_all_or_was_added_is_pointed_out():
    notebook = answered("03_ddpg")
    at = {role(cell): k for k, cell in enumerate(notebook.cells)}
    notebook.cells.append(notebook.cells[at["ddpg-02-answer"]])
    notebook.cells.append(nbformat.v4.new_code_cell("import gc"))
    notebook.cells[at["ddpg-imports"]].source += "\nexercise = None"
    del notebook.cells[at["ddpg-01-check"]]
    found = "\n".join(flags(notebook, source("03_ddpg")))
    for text in ("ddpg-02-answer stands there twice", "an added cell imports gc",
                 "ddpg-01-check is missing", "ddpg-imports was changed"):  # fmt: skip
        assert text in found


def test_a_warning_of_an_answer_is_kept_from_nbgrader(capsys, recwarn):
    """It takes anything on stderr for a failure."""

    def half_life_update(target, source, half_life):
        warnings.warn("an odd way to do it", stacklevel=1)
        print("what is this?", file=sys.stderr)
        tau = 1 - 0.5 ** (1 / half_life)
        return {
            name: slow + tau * (source[name] - slow) if slow.is_floating_point() else source[name]
            for name, slow in target.items()
        }

    ddpg.check_half_life_update(half_life_update)
    said = capsys.readouterr()
    assert said.out.startswith("Right.") and said.err == "" and not recwarn.list
