"""What every check uses: an answer is right, or it gets a hint."""

import contextlib
import copy
import functools
import importlib
import io
import linecache
import sys
import traceback
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import torch


class Locked(ModuleType):
    """A module whose names stay what they are, so that no answer replaces its own check."""

    def __setattr__(self, name: str, value: Any):
        raise AttributeError(f"{self.__name__}.{name}: a check cannot be changed")

    def __delattr__(self, name: str):
        raise AttributeError(f"{self.__name__}.{name}: a check cannot be taken away")

    def __reduce__(self):
        return importlib.import_module, (self.__name__,)  # as any module is pickled


def quiet(check: Callable) -> Callable:
    """Return a check without the warnings of an answer: nbgrader takes any for a failure."""

    @functools.wraps(check)
    def run(*answers: Any, **options: Any) -> Any:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            return check(*answers, **options)

    return run


def lock() -> None:
    """Lock the modules of checks that are loaded; a chapter's module calls it when it is ready."""
    for key, module in sys.modules.items():
        if key.startswith("pgcourse.exercises.") and not isinstance(module, Locked):
            for name in [name for name in vars(module) if name.startswith("check_")]:
                setattr(module, name, quiet(getattr(module, name)))
            module.__class__ = Locked


def fresh() -> np.random.Generator:
    """Return a generator that nobody can foresee, so that no table of a check's numbers helps."""
    return np.random.default_rng()


class Hint(AssertionError):
    """What a check says about an answer that is not right."""

    def _render_traceback_(self) -> list[str]:
        return [f"Not yet. {self}"]  # what IPython shows, in place of the check's own lines


def expect(ok: bool, hint: str) -> None:
    """Give a hint unless `ok`: Hint, whose text the learner and nbgrader see."""
    if not ok:
        raise Hint(hint) from None


def raised(what: str, error: Exception) -> str:
    """Return a hint for an answer that raised, with the learner's own line."""
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_globals.get("__name__") == "__main__":
            text = linecache.getline(frame.f_code.co_filename, line).strip()
            place = f" (line {line} of its cell{text and ': '}{text})"
    return f"{what} raised {type(error).__name__}: {error}{place}"


def right(what: str) -> None:
    """Say that an answer is right, and what it shows."""
    print(f"Right. {what}")


def number(name: str, answer: Any) -> float:
    """Return an answer as a float; a hint if it is missing or no number."""
    expect(answer is not ... and answer is not None, f"{name} has no answer yet.")
    try:
        if isinstance(answer, str):
            raise TypeError
        return float(answer.item() if isinstance(answer, torch.Tensor | np.ndarray) else answer)
    except (TypeError, ValueError, RuntimeError):
        expect(False, f"{name} should be a number; got {answer!r}.")
        raise


def call(function: Callable, *arguments: Any, **options: Any) -> Any:
    """Call a learner's function on copies of the arguments.

    A hint if it raises, returns nothing, or changes what it was given.
    """
    name = getattr(function, "__name__", "your function")
    given = copy.deepcopy((arguments, options))
    try:
        answer = function(*given[0], **given[1])
    except Exception as error:
        raise Hint(raised(name, error)) from None
    expect(answer is not None and answer is not ..., f"{name} returns nothing yet.")
    expect(same(given, (arguments, options)), f"{name} changes its arguments; work on copies.")
    return answer


def same(a: Any, b: Any) -> bool:
    """Whether two nested structures of numbers, arrays and tensors are equal."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b)
    if isinstance(a, torch.nn.Module):
        return same(a.state_dict(), b.state_dict())
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return not isinstance(a, int | float | str | bool) or a == b
