"""What several checks of chapter 03, and of later ones, use."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from pgcourse import Batch, DDPGAgent, make_env
from pgcourse.exercises.grading import Hint, expect, number, raised


def array(name: str, answer: Any, shape: tuple) -> np.ndarray:
    """Return an answer as a float64 array of a given shape; a hint if it is none."""
    try:
        if isinstance(answer, torch.Tensor):
            answer = answer.detach().cpu()
        found = np.asarray(answer, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError):
        expect(False, f"{name} should return numbers of shape {shape}; got {answer!r}.")
        raise
    expect(found.shape == shape, f"{name} should return shape {shape}; yours is {found.shape}.")
    return found


def close(a: Any, b: Any, gap: float = 1e-4) -> bool:
    """Whether two arrays agree within `gap`."""
    return bool(np.allclose(a, b, rtol=gap, atol=gap))


def near(found: float, wanted: float) -> bool:
    """Whether a number is another one, rounded to three digits."""
    return abs(found - wanted) <= 0.004 * abs(wanted)


def tell(name: str, found: float, wanted: float, slips: dict[float, str], hint: str) -> None:
    """Give the hint of the slip that leads to a number, if it is not the wanted one."""
    if not near(found, wanted):
        for slip, why in slips.items():
            expect(not near(found, slip), f"{name}: {why}")
        rounded = abs(found - wanted) < 0.02 * abs(wanted)
        expect(not rounded, f"{name}: nearly; give three digits, or more. Yours is {found:g}.")
        expect(False, f"{name}: {hint} Yours is {found:g}.")


def attempt(what: str, function: Callable, *arguments: Any, **options: Any) -> Any:
    """Call something of the learner's on the very arguments; a hint if it raises."""
    try:
        return function(*arguments, **options)
    except Exception as error:
        raise Hint(raised(what, error)) from None


def make(kind: type, seed: int = 0, **changes: Any) -> Any:
    """Return a small agent of the learner's class; a hint if that fails."""
    expect(isinstance(kind, type) and issubclass(kind, DDPGAgent), "Derive from DDPGAgent.")
    options = {"initial_random_steps": 50, "seed": seed} | changes
    env = make_env("Pendulum-v1")
    with torch.random.fork_rng(devices=[]):  # one outcome, also if new layers are not seeded
        torch.manual_seed(seed)
        return attempt(f"{kind.__name__}(...)", kind, env, 500, 16, 1.0, 0.1, **options)


def flat(network: nn.Module) -> torch.Tensor:
    """Return a copy of all weights of a network in one tensor."""
    return torch.cat([p.detach().flatten().clone() for p in network.parameters()])


def shake(network: nn.Module, seed: int) -> None:
    """Add noise to the weights of a network, so that it agrees with no other."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in network.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=rng)


def rows(rng: np.random.Generator) -> Batch:
    """Return a batch of 20 to 39 random transitions as tensors; one in four rows terminated.

    Rewards are as large as the pendulum's, so that a target that is clipped shows.
    """
    n = int(rng.integers(20, 40))
    columns = [
        rng.normal(size=(n, 3)), rng.uniform(-1, 1, (n, 1)), rng.normal(size=n, scale=8),
        rng.normal(size=(n, 3)), rng.permutation(n) % 4 == 0,
    ]  # fmt: skip
    return Batch(*(torch.tensor(column, dtype=torch.float32) for column in columns))


def verdict(answer: Callable, draw: Callable) -> bool:
    """Return what a learner's judge says; a hint if that is no yes or no."""
    try:
        found = answer(draw)
    except Hint:
        raise
    except Exception as error:
        raise Hint(raised("is_right", error)) from None
    expect(found is not None and found is not ..., "is_right returns nothing yet.")
    plain = number("What is_right returns", found)
    expect(plain in (0.0, 1.0), f"is_right should return True or False; got {found!r}.")
    return bool(plain)


def told_apart(
    good: list[bool], wrong: list[bool], one: str, many: str, refuses: str, strict: str
) -> None:
    """Give the hint that fits a judge who does not tell right ones from wrong ones.

    Args:
        good, wrong: what it says of right and of wrong ones.
        one, many: what it judges.
        refuses, strict: what to think of if it refuses all of them, or some right ones.
    """
    expect(not (all(good) and all(wrong)), f"Yours accepts every {one}, also the wrong ones.")
    expect(any(good) or any(wrong), f"Yours refuses every {one}, also the right ones. {refuses}")
    expect(any(good) or not all(wrong), "It is upside down: True is for a right one.")
    count = good.count(False)
    expect(not count, f"It calls {count} of {len(good)} right {many} wrong. {strict}")
