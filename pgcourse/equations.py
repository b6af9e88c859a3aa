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
    gamma = checks.real("gamma", gamma, 0.0, 1.0)
    return (reward + gamma * (1.0 - terminated) * next_q).detach()


def clip_target(target: Tensor, gamma: float) -> Tensor:
    """Return targets within the returns of rewards in [-1, 0], 08 Eq. 4: [−1 / (1 − γ), 0].

    Args:
        target: (B,), from `td_target`.
        gamma: discount per step, below 1.

    Raises:
        ValueError: target is not (B,), or gamma is 1 and no bound exists.
    """
    check_same_shape(target=target)
    gamma = checks.real("gamma", gamma, 0.0, 1.0)
    if gamma == 1.0:
        raise ValueError("gamma: got 1.0; expected a number below 1: returns have no bound at 1")
    return target.clamp(-1.0 / (1.0 - gamma), 0.0)


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
    checks.instance("target", target, nn.Module, "a network")
    checks.instance("source", source, nn.Module, "a network")
    slow, fast = list(target.parameters()), list(source.parameters())
    if [p.shape for p in slow] != [p.shape for p in fast]:
        raise ValueError(f"source: got {source}; expected the shapes of target, {target}")
    with torch.no_grad():
        torch._foreach_lerp_(slow, fast, tau)


def q_filter(demo_q: Tensor, policy_q: Tensor) -> Tensor:
    """Return where the demonstrated action beats the policy's, 07 Eq. 3.

    Args:
        demo_q: (N_D,), the critic's value of the demonstrated action.
        policy_q: (N_D,), its value of the policy's own action in the same state.

    Returns:
        (N_D,), 1.0 where demo_q > policy_q, else 0.0; without a gradient.

    Raises:
        ValueError: the two shapes are not one and the same (N_D,).
    """
    check_same_shape(demo_q=demo_q, policy_q=policy_q)
    return (demo_q > policy_q).float()


def bc_loss(action: Tensor, demo_action: Tensor, mask: Tensor) -> Tensor:
    """Return the behavior cloning loss, 07 Eq. 2: the masked squared distance over N_D.

    The sum is divided by N_D and not by the number of rows that pass, so that a filter
    that lets nothing through gives exactly zero.

    Args:
        action: (N_D, act_dim), the policy's.
        demo_action: (N_D, act_dim), the demonstrator's.
        mask: (N_D,), 1.0 for the rows that count, else 0.0.

    Raises:
        ValueError: the shapes do not fit together.
    """
    for name, x in (("action", action), ("demo_action", demo_action), ("mask", mask)):
        checks.instance(name, x, Tensor, "a tensor")
    if action.ndim != 2 or action.shape != demo_action.shape or mask.shape != action.shape[:1]:
        raise ValueError(
            f"action: got {tuple(action.shape)}, demo_action {tuple(demo_action.shape)}, mask "
            f"{tuple(mask.shape)}; expected (N_D, act_dim), the same, and (N_D,)"
        )
    return (mask * ((action - demo_action) ** 2).sum(dim=1)).sum() / len(mask)


def check_same_shape(**tensors: Tensor) -> None:
    """Refuse anything but equal shapes (B,): (B,) with (B, 1) would broadcast to (B, B)."""
    for name, tensor in tensors.items():
        checks.instance(name, tensor, Tensor, "a tensor (B,)")
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape in shapes.values()):
        got = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"{got}: expected one shape (B,) for each")
