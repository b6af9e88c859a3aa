"""Check of chapter 01's exercise on wrong signs: a judge of losses that nobody can look into."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from torch import Tensor

from pgcourse.exercises.ddpg_kit import told_apart, verdict
from pgcourse.exercises.grading import expect, fresh, right


class Signs(NamedTuple):
    """Where a loss of the policy has a sign to get wrong."""

    square: int = -1  # of ½ ((a − mean) / σ)²
    log_std: int = -1  # of log σ
    whole: int = -1  # of the mean
    returns: int = 1
    value: int = -1


GOOD = (Signs(), Signs(whole=1, returns=-1, value=1), Signs(square=1, log_std=1, whole=1))
WRONG = {
    Signs(whole=1): "that goes the wrong way altogether. What it comes to says nothing of that.",
    Signs(returns=-1, value=1): "whose advantage is turned. What it comes to says nothing of that.",
    Signs(log_std=1): "that moves the mean as it should, and the deviation not for each draw.",
    Signs(square=1): "that moves the mean the wrong way, and the deviation for some draws only.",
    Signs(value=1): "whose value is added to the return. Do your rows have values and returns?",
}


def loss_of(signs: Signs, rng: np.random.Generator) -> Callable:
    """Return a loss with these signs, times a positive number, plus any."""
    factor, shift = float(np.exp(rng.uniform(-2.0, 2.0))), float(rng.normal(scale=30.0))

    def loss(
        mean: Tensor, log_std: Tensor, action: Tensor, returns: Tensor, value: Tensor
    ) -> Tensor:
        shapes = [tuple(each.shape) for each in (mean, log_std, action, returns, value)]
        b = len(returns)
        expect(
            shapes == [(b, 1), (1,), (b, 1), (b,), (b,)],
            f"A loss takes the shapes (B, 1), (1,), (B, 1), (B,) and (B,); got {shapes}.",
        )
        z = (action - mean) / log_std.exp()
        density = (signs.square * 0.5 * z**2 + signs.log_std * log_std).sum(dim=1)
        advantage = signs.returns * returns.detach() + signs.value * value.detach()
        return factor * signs.whole * (density * advantage).mean() + shift

    return loss


def check_signs(answer: Callable) -> None:
    """Grade a function that decides whether a loss of the policy has a wrong sign."""
    rng = fresh()
    kinds = [*GOOD, *WRONG] * 3
    said: dict[Signs, list[bool]] = {}
    for k in rng.permutation(len(kinds)):
        said.setdefault(kinds[k], []).append(verdict(answer, loss_of(kinds[k], rng)))
    good = [each for kind in GOOD for each in said.pop(kind)]
    wrong = [each for several in said.values() for each in several]
    told_apart(
        good, wrong, "loss", "losses",
        "A positive factor and an added number make no sign wrong.",
        "A positive factor and an added number make no sign wrong, and two wrong signs may cancel.",
    )  # fmt: skip
    for kind, hint in WRONG.items():
        expect(not any(said[kind]), f"Yours accepts a loss {hint}")
    right("No training was needed: a gradient tells at once what returns would show late.")
