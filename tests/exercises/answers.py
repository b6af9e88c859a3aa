"""Tests that every file of right and wrong answers has: it calls these with its two tables."""

import json
from collections.abc import Callable

import pytest

from pgcourse.tools.exercises import SOLUTIONS


def judged(right: list[tuple], wrong: list[tuple]) -> tuple[Callable, Callable]:
    """Return a test that right answers are accepted, and one that wrong ones get their hint.

    Args:
        right: (check, answers, name) each.
        wrong: (check, answers, words of the hint, name) each.
    """

    @pytest.mark.parametrize(
        ("check", "answers"),
        [pytest.param(c, a, id=f"{c.__name__[6:]}-{name}") for c, a, name in right],
    )
    def accepted(check, answers, capsys):
        check(*answers)
        assert capsys.readouterr().out.startswith("Right.")

    @pytest.mark.parametrize(
        ("check", "answers", "hint"),
        [pytest.param(c, a, hint, id=f"{c.__name__[6:]}-{name}") for c, a, hint, name in wrong],
    )
    def hinted(check, answers, hint):
        with pytest.raises(AssertionError, match=hint):
            check(*answers)

    return accepted, hinted


def counted(chapter: str, right: list[tuple], wrong: list[tuple]) -> None:
    """Every check that a chapter's solutions call has three right answers and ten wrong ones."""
    cells = json.loads((SOLUTIONS / f"{chapter}.ipynb").read_text(encoding="utf-8"))["cells"]
    called = ["".join(cell["source"]) for cell in cells if cell["id"].endswith("-check")]
    names = {text.removeprefix("exercise.").partition("(")[0] for text in called}
    assert names
    for table, least in ((right, 3), (wrong, 10)):
        counts = {name: sum(row[0].__name__ == name for row in table) for name in names}
        assert min(counts.values()) >= least, counts
