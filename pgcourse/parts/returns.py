"""What on-policy agents learn from: returns, advantages, and a policy's density and loss."""

import math

import torch
from torch import Tensor

from pgcourse.checks import arguments
from pgcourse.parts.equations import FROM_0_TO_1

ROWS = {name: "T N" for name in ("reward", "next_value", "terminated", "truncated")}


@arguments(**ROWS, gamma=FROM_0_TO_1)
def discounted_returns(
    reward: Tensor, next_value: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    """Return what is still to come, 01 Eq. 6: G = r + γ G', (T, N).

    Where an episode ends, and at the last row, V(s') stands for G'; after a true end it is 0.

    Args:
        reward: of T steps in N environments.
        next_value: V(s') of each step; zeros where no value is learned.
        terminated: 1.0 where the episode truly ended.
        truncated: 1.0 where it was only cut, by a time limit say.
        gamma: discount per step.
    """
    goes_on = (1.0 - terminated) * (1.0 - truncated)
    bootstrap = reward + gamma * (1.0 - terminated) * (1.0 - goes_on) * next_value
    return backwards(bootstrap, gamma * goes_on, next_value[-1:])


@arguments(**ROWS, value="T N", gamma=FROM_0_TO_1, lam=FROM_0_TO_1)
def gae(
    reward: Tensor, next_value: Tensor, terminated: Tensor, truncated: Tensor, value: Tensor,
    gamma: float, lam: float,
) -> Tensor:  # fmt: skip
    """Return generalised advantages, 01 Eqs. 9 and 10: A = δ + γ λ A', (T, N).

    δ is r + γ V(s') − V(s), without V(s') where the episode truly ended. A' counts while the
    episode goes on: neither a true end nor a time limit is stepped over.

    Args:
        reward, next_value, terminated, truncated, gamma: as for `discounted_returns`.
        value: V(s) of each step.
        lam: λ; 0 is the TD error, 1 the return minus V(s).
    """
    delta = reward + gamma * (1.0 - terminated) * next_value - value
    weight = gamma * lam * (1.0 - terminated) * (1.0 - truncated)
    return backwards(delta, weight, torch.zeros_like(delta[-1:]))


def backwards(now: Tensor, weight: Tensor, last: Tensor) -> Tensor:
    """Return x = now + weight · x', (T, N), from the last row on, which `last` follows, (1, N)."""
    found = list(last)
    for row, share in zip(reversed(now), reversed(weight), strict=True):
        found.append(row + share * found[-1])
    return torch.stack(found[:0:-1]) if len(now) else now.clone()


@arguments(advantage="B")
def normalized(advantage: Tensor) -> Tensor:
    """Return advantages with mean 0 and deviation 1, 01 Eq. 12."""
    centered = advantage - advantage.mean()
    return centered / (centered.std(correction=0) + 1e-8)


@arguments(action="B A", mean="B A", log_std="A")
def gaussian_log_density(action: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Return log π(a|s), (B,), of a Gaussian policy, 01 Eq. 2.

    Args:
        action: as it was drawn, not as the environment clips it.
        log_std: logarithm of the deviation, the same in every state.
    """
    z = (action - mean) * (-log_std).exp()
    return (-0.5 * z**2 - log_std - 0.5 * math.log(2.0 * math.pi)).sum(dim=1)


@arguments(log_density="B", advantage="B")
def policy_gradient_loss(log_density: Tensor, advantage: Tensor) -> Tensor:
    """Return −mean(log π · A), whose gradient is minus the policy's, 01 Eq. 8.

    Args:
        log_density: of the actions taken, differentiable.
        advantage: data: no gradient goes through it.
    """
    return -(log_density * advantage.detach()).mean()


@arguments(log_density="B", old_log_density="B", advantage="B", clip=(0.0, math.inf))
def clipped_objective(
    log_density: Tensor, old_log_density: Tensor, advantage: Tensor, clip: float
) -> Tensor:
    """Return min(ρ A, clip(ρ, 1 − c, 1 + c) A), (B,), 02 Eqs. 1 and 3.

    Args:
        log_density: of the actions taken, under the policy that learns.
        old_log_density: under the one that drew them; ρ is the ratio of the two densities.
        advantage: A; neither it nor the old density carries a gradient.
        clip: c, how far ρ may go from 1 with a gain.
    """
    advantage = advantage.detach()
    ratio = (log_density - old_log_density.detach()).exp()
    return torch.minimum(ratio * advantage, ratio.clamp(1.0 - clip, 1.0 + clip) * advantage)


@arguments(log_density="B", old_log_density="B")
def kl_estimate(log_density: Tensor, old_log_density: Tensor) -> Tensor:
    """Return the mean of ρ − 1 − log ρ, (), 02 Eq. 5: KL(old, new) from old draws.

    Args:
        log_density, old_log_density: as for `clipped_objective`.
    """
    log_ratio = log_density - old_log_density
    return (log_ratio.exp() - 1.0 - log_ratio).mean()
