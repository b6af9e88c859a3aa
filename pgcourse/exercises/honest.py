"""What a learner's function may not do: look at how the checked thing is written."""

from collections.abc import Callable, Iterator
from types import CodeType, FunctionType

# Whoever asks for these looks at an agent's class, its source or the program's own state.
LOOKS = frozenset(
    "type isinstance issubclass vars dir getattr setattr delattr hasattr repr id globals "
    "exec eval compile open input breakpoint inspect sys gc os io dis ast traceback importlib "
    "builtins ctypes pickle operator subprocess types weakref EXHIBITS exercises bugs "
    "exhibits exhibits_on_policy exhibits_replay".split()
)


def codes(function: Callable, seen: set | None = None) -> Iterator[CodeType]:
    """Yield the code of a function or class, and of the learner's own that it uses."""
    seen = set() if seen is None else seen
    if isinstance(function, type):
        for method in vars(function).values():
            yield from codes(method, seen)
    if not isinstance(function, FunctionType) or function.__code__ in seen:
        return
    held = [cell.cell_contents for cell in function.__closure__ or ()]
    held += [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    waiting = [function.__code__]
    while waiting:
        code = waiting.pop()
        seen.add(code)
        yield code
        waiting += [part for part in code.co_consts if isinstance(part, CodeType)]
        held += [function.__globals__.get(name) for name in code.co_names]
    for other in held:  # helpers in other cells, not the course's functions
        if getattr(other, "__module__", None) == function.__module__:
            yield from codes(other, seen)


def suspicious(function: Callable) -> str | None:
    """Return the first name in a function that looks at how something is written, or None."""
    for code in codes(function):
        words = [*code.co_names, *code.co_freevars]
        # A docstring may say what it likes; a hidden name is one word.
        words += [part for part in code.co_consts if isinstance(part, str) and " " not in part]
        for word in words:
            parts = word.split(".")
            if any(part in LOOKS or part.startswith("__") for part in parts):
                return word
    return None
