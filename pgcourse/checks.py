"""One clear error for each kind of bad argument: its name, what came, what would do."""

import math
import numbers

import numpy as np
import torch

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
    expected = f"expected a finite number in [{low:g}, {high:g}]"
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name}: got {value!r}; {expected}")
    if not (math.isfinite(value) and low <= value <= high):
        raise ValueError(f"{name}: got {value!r}; {expected}")
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
    expected = f"expected {dim} finite numbers, shape ({dim},)"
    try:
        array = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: got {value!r}; {expected}") from None
    if array.shape != (dim,):
        raise ValueError(f"{name}: got shape {array.shape}; {expected}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: got {value!r}; {expected}")
    if limit < math.inf and np.abs(array).max() > limit:
        raise ValueError(f"{name}: got {value!r}; {expected} in [{-limit:g}, {limit:g}]")
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
