"""The students' notebooks: made from the solutions, without them, and marked by nbgrader."""

import json
import re
import shutil

import nbformat
import pytest

from pgcourse.tools.exercises import (
    EXERCISES,
    ROOT,
    SOLUTIONS,
    fill,
    write,
)
from pgcourse.tools.marking import mark
from tests.exercises.students import needs_bwrap
from tests.exercises.teacher import grade

NAMES = sorted(path.stem for path in SOLUTIONS.glob("*.ipynb"))
HIDDEN = re.compile(r"### BEGIN (SOLUTION|HIDDEN TESTS)\n(.*?)### END \1", re.DOTALL)


def cells(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def role(cell):
    return cell["metadata"].get("nbgrader", {})


def test_the_committed_exercises_are_what_the_solutions_give():
    assert write(check=True) == [] and fill(check=True) == []
    assert {path.stem for path in EXERCISES.glob("*.ipynb")} == set(NAMES)


def test_a_changed_character_is_noticed(tmp_path):
    name = NAMES[0]
    text = (EXERCISES / f"{name}.ipynb").read_text(encoding="utf-8")
    (tmp_path / f"{name}.ipynb").write_text(text.replace("dots", "dost", 1), encoding="utf-8")
    assert f"{name}.ipynb" in write(exercises=tmp_path, check=True)
    assert "dost" in (tmp_path / f"{name}.ipynb").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_no_solution_is_in_the_students_files(name):
    solved = cells(SOLUTIONS / f"{name}.ipynb")
    texts = ["".join(cell["source"]) for cell in solved]
    answers = [block for text in texts for _, block in HIDDEN.findall(text)]
    answers += [text for text, cell in zip(texts, solved, strict=True)
                if role(cell).get("solution") and cell["cell_type"] == "markdown"]  # fmt: skip
    # A line that also stands in a task, a docstring or the module is no secret.
    rooms = [p for p in ROOT.glob("pgcourse/*/*.py") if p.parent.name not in ("exercises", "tools")]
    public = "".join(path.read_text(encoding="utf-8") for path in rooms)
    open_part = public + "".join(HIDDEN.sub("", text) for text in texts if text not in answers)
    secret = {line.strip() for answer in answers for line in answer.splitlines()}
    secret = {line for line in secret if len(line) >= 16 and line not in open_part}
    given = "\n".join("".join(cell["source"]) for cell in cells(EXERCISES / f"{name}.ipynb"))
    checks = "".join(p.read_text(encoding="utf-8") for p in ROOT.glob("pgcourse/exercises/*.py"))
    assert len(secret) > 20
    assert [line for line in secret if line in given] == []
    assert [line for line in secret if line in checks and len(line) >= 36] == []
    assert "BEGIN SOLUTION" not in given and "HIDDEN TESTS" not in given


@pytest.mark.parametrize("name", NAMES)
def test_checks_are_locked_and_nothing_was_run(name):
    for cell in cells(EXERCISES / f"{name}.ipynb"):
        if role(cell).get("grade") and not role(cell).get("solution"):
            assert cell["metadata"]["editable"] is False and role(cell)["checksum"]
        assert not cell.get("outputs") and cell.get("execution_count") is None


def exercise(cell):
    """Of a cell such as "ddpg-11-agent-check": "ddpg-11"."""
    return "-".join(cell.split("-")[:2])


def half_solved(name):
    """A student's notebook with every second answer filled in, and a check tampered with.

    And the exercises, such as "ddpg-01", that are answered.
    """
    notebook = json.loads((EXERCISES / f"{name}.ipynb").read_text(encoding="utf-8"))
    answers = {role(c)["grade_id"]: c["source"] for c in cells(SOLUTIONS / f"{name}.ipynb")
               if role(c).get("solution")}  # fmt: skip
    exercises = sorted(set(map(exercise, answers)))[::2]
    for cell in notebook["cells"]:
        given = role(cell).get("grade_id", "")
        if given in answers and exercise(given) in exercises:
            cell["source"] = answers[given]
    check = next(c for c in notebook["cells"] if role(c).get("grade_id", "").endswith("-check"))
    check["source"] = "pass  # a student's idea of a check"
    return json.dumps(notebook), exercises


@pytest.fixture(scope="module")
def marks(tmp_path_factory):
    """All notebooks, solved and half solved, marked by nbgrader at once, for real."""
    folder = tmp_path_factory.mktemp("marks")
    source, submitted = folder / "source", folder / "submitted"
    source.mkdir(), submitted.mkdir()
    for name in NAMES:
        solution = (SOLUTIONS / f"{name}.ipynb").read_text(encoding="utf-8")
        for copy, text in {"solved": solution, "half": half_solved(name)[0]}.items():
            shutil.copy(SOLUTIONS / f"{name}.ipynb", source / f"{copy}-{name}.ipynb")
            (submitted / f"{copy}-{name}.ipynb").write_text(text, encoding="utf-8")
    return grade(submitted, source)


@pytest.mark.parametrize("name", NAMES)
def test_nbgrader_gives_all_points_for_a_solution_and_none_for_nothing(marks, name):
    solved, half = marks[f"solved-{name}"], marks[f"half-{name}"]
    assert len(solved) >= 8 and all(points == most > 0 for points, most in solved.values())
    answered = half_solved(name)[1]
    given = {check: most if exercise(check) in answered else 0.0
             for check, (_, most) in half.items()}  # fmt: skip
    assert {check: points for check, (points, _) in half.items()} == given


@needs_bwrap
def test_a_class_is_marked_as_nbgrader_marks_it(marks, tmp_path):
    name = "08_her"
    submitted = nbformat.reads(half_solved(name)[0], as_version=4)
    found = mark(submitted, nbformat.read(SOLUTIONS / f"{name}.ipynb", as_version=4), tmp_path)
    given = {one.cell: (one.points, one.most) for one in found if one.cell.endswith("-check")}
    assert given == marks[f"half-{name}"]
