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


def vector(
    name: str, value: np.ndarray, dim: int | tuple[int, ...], limit: float = math.inf
) -> np.ndarray:
    """Return `value` as float32 (dim,), or of a shape, finite, within ±limit; else an error."""
    shape = dim if isinstance(dim, tuple) else (dim,)
    try:
        array = np.asarray(value, dtype=np.float32)
        largest = np.abs(array).max(initial=0.0)  # nan if there is one
    except (TypeError, ValueError):
        largest = None
    if largest is None or array.shape != shape or not largest <= min(limit, FLOAT32_MAX):
        bound = f" in [{-limit:g}, {limit:g}]" if limit < math.inf else ""
        expected = f"expected {math.prod(shape)} finite numbers{bound}, shape {shape}"
        if largest is None:
            raise TypeError(f"{name}: got {value!r}; {expected}")
        got = repr(value) if array.shape == shape or not array.ndim else f"shape {array.shape}"
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
    """Check what a function of equations is given, outside of its body, and say so in its help.

    Args:
        wanted: for each argument a shape in letters, such as "B" or "B A" (one letter is one
            size, and no tensor is broadcast), a range (low, high), or `nn.Module`, of which all
            must have weights of the same shapes.

    Raises:
        TypeError, ValueError: from the function, when an argument is something else.
    """
    shapes = {name: want.split() for name, want in wanted.items() if isinstance(want, str)}
    ranges = {name: want for name, want in wanted.items() if isinstance(want, tuple)}
    networks = [name for name, want in wanted.items() if isinstance(want, type)]

    def check(given: dict[str, Any]) -> None:
        letters: dict[str, int] = {}
        for name, want in shapes.items():
            instance(name, given.get(name), Tensor, f"a tensor {_tuple(want)}")
        for name, want in shapes.items():
            found = given[name].shape
            if len(found) != len(want) or any(
                letters.setdefault(letter, size) != size
                for letter, size in zip(want, found, strict=True)
            ):
                got = ", ".join(f"{key} {tuple(given[key].shape)}" for key in shapes)
                expected = ", ".join(map(_tuple, shapes.values()))
                raise ValueError(f"{got}: expected {expected}, with one size for each letter")
        for name, limits in ranges.items():
            if name in given:  # else it has a default
                real(name, given[name], *limits)
        weights = []
        for name in networks:
            instance(name, given.get(name), wanted[name], "a network")
            weights.append([weight.shape for weight in given[name].parameters()])
            if weights[-1] != weights[0]:
                raise ValueError(
                    f"{name}: got {given[name]}; expected the shapes of {networks[0]}, "
                    f"{given[networks[0]]}"
                )

    def decorate(function: Callable) -> Callable:
        names = list(inspect.signature(function).parameters)
        said = [f"{name} {_tuple(want)}" for name, want in shapes.items()]
        said += [f"{name} in [{low:g}, {high:g}]" for name, (low, high) in ranges.items()]
        said += [f"{' and '.join(networks)} with weights of the same shapes"] * bool(networks)

        @functools.wraps(function)
        def checked(*args, **kwargs):
            check(dict(zip(names, args, strict=False)) | kwargs)
            return function(*args, **kwargs)

        checked.__doc__ = f"{inspect.getdoc(function)}\n\nRaises:\n    " + (
            f"TypeError, ValueError: anything but {', '.join(said)}."
        )
        return checked

    return decorate


def _tuple(letters: list[str]) -> str:
    """Write a shape as Python does: B is (B,), B A is (B, A)."""
    return str(tuple(letters)).replace("'", "")
