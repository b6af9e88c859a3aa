"""Check of chapter 02's exercise on mistakes: what a rollout's lesson is made of."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pgcourse.exercises.ddpg_kit import close
from pgcourse.exercises.grading import call, expect, fresh, right
from pgcourse.exercises.policy_gradient_update import rollout
from pgcourse.exercises.ppo_update import twin
from pgcourse.parts.gaussian import GaussianPolicy
from pgcourse.parts.networks import Value
from pgcourse.parts.returns import gae, gaussian_log_density, normalized
from pgcourse.parts.rollout import Steps

NAMES = "log-densities", "advantages", "targets"


def check_lesson(answer: Callable) -> None:
    """Grade a repaired function: old log-densities, advantages, the values' targets."""
    rng = fresh()
    for k in range(3):
        steps, agent = rollout(rng), twin(seed=k)
        gamma, lam = int(rng.integers(45, 61)) / 64, int(rng.integers(20, 50)) / 64
        goes_on = torch.maximum(steps.terminated, steps.truncated)[:-1, :, None] == 0
        below = torch.where(goes_on, steps.obs[1:], steps.next_obs[:-1])
        following = torch.cat([below, steps.next_obs[-1:]])
        steps = steps._replace(action=2.0 * steps.action, next_obs=following)  # many out of bounds
        found = call(answer, agent.actor, agent.critic, steps, gamma, lam)
        grade(found, agent.actor, agent.critic, steps, gamma, lam)
    right("None of the five raised an error or a warning. Only numbers that are known show them.")


def grade(
    found: Any, actor: GaussianPolicy, critic: Value, steps: Steps, gamma: float, lam: float
) -> None:
    """Give the hint of the first mistake that is left in what a function returned."""
    expect(
        isinstance(found, tuple | list) and len(found) == 3,
        "Return three things, as before: log-densities, advantages, targets.",
    )
    for name, each in zip(NAMES, found, strict=True):
        expect(isinstance(each, Tensor), f"The {name} should stay a tensor; got {type(each)}.")
        shape, rows = tuple(each.shape), steps.reward.numel()
        expect(shape == (rows,), f"The {name} should have shape ({rows},); yours have {shape}.")
    density, advantage, target = (each.detach() for each in found)
    none, ended = torch.zeros_like(steps.reward), torch.maximum(steps.terminated, steps.truncated)
    with torch.no_grad():
        value, later = critic(steps.obs), critic(steps.next_obs)
        below = torch.cat([value[1:], later[-1:]])

        def weigh(after: Tensor = later, end: Tensor = steps.terminated,
                  cut: Tensor = steps.truncated) -> Tensor:  # fmt: skip
            return gae(steps.reward, after, end, cut, value, gamma, lam).flatten()

        @torch.no_grad()
        def density_of(action: Tensor) -> Tensor:
            columns = action.flatten(0, 1), actor(steps.obs.flatten(0, 1))
            return gaussian_log_density(*columns, actor.log_std)

    explain("advantages", advantage, normalized(weigh()), {
        "is there nothing to come after a time limit?": weigh(end=ended),
        "what follows a step that was an episode's last? Not the row below it.": weigh(below),
        "nothing comes after a true end.": weigh(end=none, cut=ended),
        "none reaches over an end, of either kind.": weigh(cut=none),
    }, normalized)  # fmt: skip
    expect(
        not close(advantage, weigh(), 1e-6),
        "The advantages: 01 Eq. 12 is missing. The policy's are normalised.",
    )
    unless(advantage, normalized(weigh()), "advantages")
    for slip, hint in (
        (normalized(weigh()) + value.flatten(), "they are sums of rewards, in the rewards' scale."),
        (normalized(weigh() + value.flatten()), "they are sums of rewards, in the rewards' scale."),
        (weigh(), "what is added to an advantage to make a return?"),
    ):
        expect(not close(target, slip, 1e-6), f"The targets: {hint}")
    unless(target, weigh() + value.flatten(), "targets")
    expect(
        not close(density, density_of(steps.action.clamp(-1, 1)), 1e-6),
        "The log-densities: of which actions? Of those that the policy drew.",
    )
    unless(density, density_of(steps.action), "log-densities")
    expect(
        not any(each.requires_grad for each in found),
        "All numbers are right, but they are meant as data. Which of them could still be learned?",
    )


def explain(
    name: str, found: Tensor, wanted: Tensor, slips: dict[str, Tensor], after: Callable
) -> None:
    """Give the hint of the slip that leads to what was found, as it is or after a change."""
    if not close(found, wanted, 1e-6):
        for hint, slip in slips.items():
            slipped = close(found, slip, 1e-6) or close(found, after(slip), 1e-6)
            expect(not slipped, f"The {name}: {hint}")


def unless(found: Tensor, wanted: Tensor, name: str) -> None:
    """Say by how much rows are off, unless they are right."""
    gap = np.abs((found - wanted).numpy()).max()
    expect(close(found, wanted, 1e-6), f"The {name} are others, by up to {gap:.2g}.")
