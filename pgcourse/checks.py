"""One clear error for each kind of bad argument: its name, what came, what would do."""

import functools
import inspect
import math
import numbers
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

FLOAT32_MAX = float(np.finfo(np.float32).max)


def integer(name: str, value: int, low: int = 1) -> int:
    """Return `value` as an int of at least `low`; TypeError or ValueError otherwise."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name}: got {value!r}; expected an integer of at least {low}")
    if value < low:
        raise ValueError(f"{name}: got {value!r}; expected an integer of at least {low}")
    return int(value)


def real(name: str, value: float, low: float = -math.inf, high: float = math.inf) -> float:
    """Return `value` as a finite float in [low, high]; TypeError or ValueError otherwise."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool | np.bool_):
        raise TypeError(f"{name}: got {value!r}; expected a finite number in [{low:g}, {high:g}]")
    if not (low <= value <= high and math.isfinite(value)):
        raise ValueError(f"{name}: got {value!r}; expected a finite number in [{low:g}, {high:g}]")
    return float(value)


def flag(name: str, value: bool) -> bool:
    """Return `value` as a bool; TypeError for anything but True and False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name}: got {value!r}; expected True or False")
    return bool(value)


def instance(name: str, value, kind: type | tuple[type, ...], expected: str) -> None:
    """Refuse a value of another kind; TypeError."""
    if not isinstance(value, kind):
        raise TypeError(f"{name}: got {value!r}; expected {expected}")


def sizes(name: str, values) -> tuple[int, ...]:
    """Return the sizes of hidden layers as a tuple; TypeError or ValueError otherwise."""
    instance(name, values, list | tuple, "sizes such as (128, 128)")
    return tuple(integer(name, value) for value in values)


def start_seeds(name: str, values) -> list[int]:
    """Return start seeds as a list of at least one; TypeError or ValueError otherwise."""
    try:
        found = [integer(name, value, low=0) for value in values]
    except TypeError:
        raise TypeError(f"{name}: got {values!r}; expected integers of at least 0") from None
    if not found:
        raise ValueError(f"{name}: got none; expected at least one integer")
    return found


def vector(name: str, value: np.ndarray, dim: int, limit: float = math.inf) -> np.ndarray:
    """Return `value` as float32 (dim,), finite and within ±limit; TypeError or ValueError."""
    try:
        array = np.asarray(value, dtype=np.float32)
        largest = np.abs(array).max(initial=0.0)  # nan if there is one
    except (TypeError, ValueError):
        largest = None
    if largest is None or array.shape != (dim,) or not largest <= min(limit, FLOAT32_MAX):
        bound = f" in [{-limit:g}, {limit:g}]" if limit < math.inf else ""
        expected = f"expected {dim} finite numbers{bound}, shape ({dim},)"
        if largest is None:
            raise TypeError(f"{name}: got {value!r}; {expected}")
        got = f"shape {array.shape}" if array.shape != (dim,) else repr(value)
        raise ValueError(f"{name}: got {got}; {expected}")
    return array


def device(name: str, value: str | torch.device | None) -> torch.device:
    """Return a device that this machine has, None being the CPU; ValueError otherwise."""
    try:
        found = torch.device("cpu" if value is None else value)
        torch.empty(1, device=found)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise ValueError(
            f"{name}: got {value!r}; expected None or a device of this machine, such as 'cpu'"
        ) from error
    return found


def arguments(**wanted: str | tuple[float, float] | type) -> Callable:
    """Check what a function of equations is given, outside of its body.

    Args:
        wanted: for each argument a shape in letters, such as "B" or "B A" (one letter is one
            size, and no tensor is broadcast), a range (low, high), or `nn.Module`, of which all
            must have weights of the same shapes.

    Raises:
        TypeError, ValueError: from the function, when an argument is something else.
    """

    def decorate(function: Callable) -> Callable:
        names = list(inspect.signature(function).parameters)

        @functools.wraps(function)
        def checked(*args, **kwargs):
            given = dict(zip(names, args, strict=False)) | kwargs
            _check(wanted, given)
            return function(*args, **kwargs)

        return checked

    return decorate


def _check(wanted: dict[str, Any], given: dict[str, Any]) -> None:
    sizes: dict[str, int] = {}
    fits, weights = True, []
    for name, want in wanted.items():
        value = given.get(name)
        if isinstance(want, tuple):
            if name in given:  # else it has a default
                real(name, value, *want)
        elif isinstance(want, str):
            instance(name, value, Tensor, f"a tensor {_tuple(want)}")
            letters = want.split()
            fits &= len(letters) == value.ndim and all(
                sizes.setdefault(letter, size) == size
                for letter, size in zip(letters, value.shape, strict=True)
            )
        else:
            instance(name, value, want, "a network")
            weights.append((name, [p.shape for p in value.parameters()]))
    if not fits:
        shapes = {name: want for name, want in wanted.items() if isinstance(want, str)}
        got = ", ".join(f"{name} {tuple(given[name].shape)}" for name in shapes)
        expected = ", ".join(map(_tuple, shapes.values()))
        raise ValueError(f"{got}: expected {expected}, with one size for each letter")
    for name, shapes in weights[1:]:
        if shapes != weights[0][1]:
            raise ValueError(
                f"{name}: got {given[name]}; expected the shapes of {weights[0][0]}, "
                f"{given[weights[0][0]]}"
            )


def _tuple(letters: str) -> str:
    """Write a shape as Python does: "B" is (B,), "B A" is (B, A)."""
    return str(tuple(letters.split())).replace("'", "")
