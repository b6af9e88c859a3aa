"""A chapter says what it is in one cell, and all that is told of it elsewhere is made from that."""

import json
import shutil
import tomllib

import pytest

from pgcourse.tools import chapters
from pgcourse.tools.course import NUMBERED, OWN_TASK, ROOT, pages
from tests.budgets import shrink

PATHS = sorted((ROOT / "notebooks").glob(NUMBERED))
STUB = """
title = "A stub"
papers = ["Nobody 2026, arXiv 2601.00001", "Somebody 2026"]
blurb = "Nothing yet."
result = "nothing"
start = "For nobody."
reading = 5
running = 1
core = "10 min"
[goals]
"1" = "say what a stub is"
"2, 3" = "write one"
[small]
"STEPS = 9_000" = "STEPS = 90"
"""


def notebook(cell=STUB, code="STEPS = 9_000\n", tags=("chapter",)):
    cells = [{"cell_type": "code", "metadata": {}, "source": code}]
    comment = f"<!-- What it is\n{cell}-->"
    cells += [{"cell_type": "markdown", "metadata": {"tags": list(tags)}, "source": comment}]
    return json.dumps({"cells": cells})


@pytest.fixture
def course(tmp_path):
    """The course's tables, notebooks and module, with a stub of a chapter 99."""
    shutil.copy(ROOT / "README.md", tmp_path)
    for folder in ("notebooks", "pgcourse"):
        there = ("evidence", "__pycache__", ".ipynb_checkpoints")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns(*there))
    (tmp_path / "notebooks" / "99_stub.ipynb").write_text(notebook())
    (tmp_path / "pgcourse" / "agents" / "stub.py").write_text('"""A stub."""\n')
    (tmp_path / "pgcourse" / "studies" / "chapter_99.py").write_text('"""A stub."""\n')
    exercise = "## Exercise 1 · Do nothing *(25 min, 2 points)*"
    sheet = json.dumps({"cells": [{"cell_type": "markdown", "metadata": {}, "source": exercise}]})
    for folder in ("solutions", "exercises"):
        (tmp_path / "notebooks" / folder / "99_stub.ipynb").write_text(sheet)
    return tmp_path


def test_the_tables_are_what_the_chapters_say():
    assert chapters.fill(check=True) == []


def test_a_new_chapter_stands_everywhere_without_an_edit(course):
    assert chapters.fill(course, check=True) == ["README.md", "TEACHING.md"]
    assert chapters.fill(course) == ["README.md", "TEACHING.md"]
    assert chapters.fill(course) == []
    readme = (course / "README.md").read_text(encoding="utf-8")
    link = "Nobody 2026, [arXiv 2601.00001](https://arxiv.org/abs/2601.00001); Somebody 2026"
    assert f"| [99 A stub](notebooks/99_stub.ipynb) | {link} | 5 min, 1 min | nothing |" in readme
    assert "\n- **99** Nothing yet.\n" in readme
    assert "`ppo.py`, `stub.py` |" in readme and "`chapter_08.py`, `chapter_99.py` |" in readme
    guide = (course / "notebooks" / "TEACHING.md").read_text(encoding="utf-8")
    assert "After chapter 99 a student can" in guide and "| 2, 3 | write one |" in guide
    assert "\n| 99 | 5 min | 1 min | 10 min | 25 min |\n| museum of bugs" in guide
    found = chapters.chapters(course)
    card = ":::{grid-item-card} 99 · A stub\n:link: 99_stub\n:link-type: doc\n\nFor nobody.\n:::"
    assert chapters.cards(found).endswith(card) and chapters.cards(found).count("item-card") == 4
    assert "(99_stub.ipynb) | Nothing yet. | 5, 1&nbsp;min |" in chapters.overview(found)
    assert chapters.contents(found, course).endswith("99_stub\nexercises/99_stub")
    assert found[-1].goal_after() == {1: "say what a stub is", 3: "write one"}


@pytest.mark.parametrize(
    ("cell", "tags", "said"),
    [
        (STUB, ("other",), r"^99_stub.ipynb: 0 cells are tagged 'chapter'; expected one"),
        (STUB.replace("reading = 5\n", ""), ("chapter",), r"'reading'; expected title, papers,"),
        ('colour = "red"' + STUB, ("chapter",), r"^99_stub.ipynb: its cell 'chapter': .*colour"),
        ("title = ", ("chapter",), r"^99_stub.ipynb: its cell 'chapter': Invalid value"),
    ],
)
def test_a_chapter_that_does_not_say_what_it_is_is_named(tmp_path, cell, tags, said):
    (tmp_path / "99_stub.ipynb").write_text(notebook(cell, tags=tags))
    with pytest.raises(ValueError, match=said):
        chapters.read(tmp_path / "99_stub.ipynb")


def test_a_mark_that_is_missing_is_named(course):
    (course / "README.md").write_text("# pgcourse\n")
    with pytest.raises(ValueError, match=r"^<!-- chapters --> .* should stand there once"):
        chapters.fill(course)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_the_goals_name_sections_and_small_budgets_lines_of_the_chapter(path):
    one, cells = chapters.read(path), json.loads(path.read_text(encoding="utf-8"))["cells"]
    heads = ["".join(c["source"]).splitlines()[0] for c in cells if c["cell_type"] == "markdown"]
    for section in one.goal_after():
        assert any(head.startswith(f"## {section}. ") for head in heads), section
    small = json.loads(shrink(path.stem, path.read_text(encoding="utf-8")))
    code = "\n".join("".join(c["source"]) for c in small["cells"] if c["cell_type"] == "code")
    assert all(new in code and old not in code for old, new in one.small.items())


def test_a_budget_that_is_not_there_once_is_named():
    assert "STEPS = 90\n" in json.loads(shrink("99_stub", notebook()))["cells"][0]["source"]
    for code in ("STEPS = 5\n", "STEPS = 9_000\n" * 2):
        with pytest.raises(ValueError, match="99_stub: 'STEPS = 9_000' should stand in it once"):
            shrink("99_stub", notebook(code=code))
    assert tomllib.loads(STUB)["small"]


def test_the_page_that_is_no_chapter_is_run_whole_and_told_of_nowhere_as_one():
    text = (ROOT / "notebooks" / OWN_TASK).read_text(encoding="utf-8")
    assert shrink("own_task", text) == text
    assert pages() == [*PATHS, ROOT / "notebooks" / OWN_TASK]
    assert [f"{one.name}.ipynb" for one in chapters.chapters()] == [path.name for path in PATHS]
