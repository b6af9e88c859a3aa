"""The equations of the course, one pure function each."""

import torch
from torch import Tensor, nn

from pgcourse import checks


def td_target(reward: Tensor, next_q: Tensor, terminated: Tensor, gamma: float) -> Tensor:
    """Return the TD target, 03 Eq. 6: y = r + γ (1 − terminated) Q'(s', μ'(s')).

    Args:
        reward: (B,).
        next_q: (B,), the target critic's value of the next state.
        terminated: (B,), 1.0 where the episode truly ended; a time limit is 0.0.
        gamma: discount per step.

    Returns:
        (B,), without a gradient: the target is data, not something to be learned.

    Raises:
        ValueError: the three shapes are not one and the same (B,).
    """
    check_same_shape(reward=reward, next_q=next_q, terminated=terminated)
    return (reward + gamma * (1.0 - terminated) * next_q).detach()


def critic_loss(q: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared TD error, 03 Eq. 7.

    Args:
        q: (B,), the critic's value of the stored action.
        target: (B,), from `td_target`.

    Raises:
        ValueError: the two shapes are not one and the same (B,).
    """
    check_same_shape(q=q, target=target)
    return ((q - target) ** 2).mean()


def actor_loss(q: Tensor) -> Tensor:
    """Return minus the mean value of the actor's own actions, 03 Eq. 8.

    Args:
        q: (B,), the critic's value of (s, μ(s)), differentiable through the action.

    Raises:
        ValueError: q is not (B,).
    """
    check_same_shape(q=q)
    return -q.mean()


def soft_update(target: nn.Module, source: nn.Module, tau: float) -> None:
    """Move each target weight towards its source, 03 Eq. 9: θ' ← θ' + τ (θ − θ').

    Args:
        target: the slow network, changed in place.
        source: the trained network, left as it is.
        tau: fraction of the distance covered, in [0, 1].

    Raises:
        TypeError, ValueError: tau is not such a number, or the networks differ in shape.
    """
    tau = checks.real("tau", tau, 0.0, 1.0)
    with torch.no_grad():
        for slow, fast in zip(target.parameters(), source.parameters(), strict=True):
            slow.lerp_(fast, tau)


def check_same_shape(**tensors: Tensor) -> None:
    """Refuse anything but equal shapes (B,): (B,) with (B, 1) would broadcast to (B, B)."""
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape in shapes.values()):
        got = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"{got}: expected one shape (B,) for each")
