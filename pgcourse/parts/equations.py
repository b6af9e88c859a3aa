"""The equations of the course, one pure function each."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from pgcourse.checks import arguments

FROM_0_TO_1, BELOW_1 = (0.0, 1.0), (0.0, 1.0 - 1e-9)


@arguments(reward="B", next_q="B", terminated="B", gamma=FROM_0_TO_1)
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
        TypeError, ValueError: the three shapes are not one and the same (B,).
    """
    return (reward + gamma * (1.0 - terminated) * next_q).detach()


@arguments(target="B", gamma=BELOW_1)
def clip_target(target: Tensor, gamma: float) -> Tensor:
    """Return targets within the returns of rewards in [-1, 0], 08 Eq. 4: [−1 / (1 − γ), 0].

    Args:
        target: (B,), from `td_target`.
        gamma: discount per step, below 1: at 1 returns have no bound.

    Raises:
        TypeError, ValueError: target is not (B,), or gamma is not below 1.
    """
    return target.clamp(-1.0 / (1.0 - gamma), 0.0)


@arguments(q="B", target="B")
def critic_loss(q: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared TD error, 03 Eq. 7.

    Args:
        q: (B,), the critic's value of the stored action.
        target: (B,), from `td_target`.

    Raises:
        TypeError, ValueError: the two shapes are not one and the same (B,).
    """
    return ((q - target) ** 2).mean()


@arguments(q="B")
def actor_loss(q: Tensor) -> Tensor:
    """Return minus the mean value of the actor's own actions, 03 Eq. 8.

    Args:
        q: (B,), the critic's value of (s, μ(s)), differentiable through the action.

    Raises:
        TypeError, ValueError: q is not (B,).
    """
    return -q.mean()


@arguments(target=nn.Module, source=nn.Module, tau=FROM_0_TO_1)
def soft_update(target: nn.Module, source: nn.Module, tau: float) -> None:
    """Move each target weight towards its source, 03 Eq. 9: θ' ← θ' + τ (θ − θ').

    Args:
        target: the slow network, changed in place.
        source: the trained network, left as it is.
        tau: fraction of the distance covered, in [0, 1].

    Raises:
        TypeError, ValueError: tau is not such a number, or the networks differ in shape.
    """
    with torch.no_grad():
        torch._foreach_lerp_(list(target.parameters()), list(source.parameters()), tau)


@arguments(q1="B", q2="B")
def twin_minimum(q1: Tensor, q2: Tensor) -> Tensor:
    """Return the smaller of two critics' values, row by row (Fujimoto et al. 2018, section 4.2).

    Args:
        q1, q2: (B,).

    Raises:
        TypeError, ValueError: the two shapes are not one and the same (B,).
    """
    return torch.minimum(q1, q2)


@arguments(action="B A", noise="B A", clip=(0.0, math.inf))
def smoothed_action(action: Tensor, noise: Tensor, clip: float) -> Tensor:
    """Return actions with clipped noise, clipped to [-1, 1] (Fujimoto et al. 2018, section 5.3).

    Args:
        action: (B, act_dim), the target actor's.
        noise: (B, act_dim).
        clip: the noise lies in [-clip, clip].

    Raises:
        TypeError, ValueError: the two shapes differ, or clip is negative.
    """
    return (action + noise.clamp(-clip, clip)).clamp(-1.0, 1.0)


@arguments(mean="B A", log_std="B A", noise="B A")
def squashed_gaussian(mean: Tensor, log_std: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Return a = tanh(u), u = mean + std · ε, and log π(a) (Haarnoja et al. 2018b, appendix C).

    The density of a is that of u divided by da/du = 1 − tanh²(u), whose logarithm is written
    as 2 (log 2 − u − softplus(−2u)): that stays finite where tanh(u) rounds to 1.

    Args:
        mean, log_std: (B, act_dim), of the Gaussian.
        noise: (B, act_dim), ε, standard normal.

    Returns:
        (B, act_dim) and (B,).

    Raises:
        TypeError, ValueError: the three shapes differ.
    """
    u = mean + log_std.exp() * noise
    log_density = -0.5 * noise**2 - log_std - 0.5 * math.log(2.0 * math.pi)
    log_slope = 2.0 * (math.log(2.0) - u - softplus(-2.0 * u))
    return torch.tanh(u), (log_density - log_slope).sum(dim=1)


@arguments(q="B", log_density="B", alpha="")
def soft_value(q: Tensor, log_density: Tensor, alpha: Tensor) -> Tensor:
    """Return values with the entropy's share, Q − α log π (Haarnoja et al. 2018b, section 4).

    Args:
        q: (B,), the values of drawn actions.
        log_density: (B,), of these actions.
        alpha: (), the temperature.

    Raises:
        TypeError, ValueError: the shapes are others.
    """
    return q - alpha * log_density


@arguments(alpha="", log_density="B", target_entropy=(-math.inf, math.inf))
def temperature_loss(alpha: Tensor, log_density: Tensor, target_entropy: float) -> Tensor:
    """Return the loss that raises α while the entropy is below its target (same, section 5).

    Args:
        alpha: (), the temperature.
        log_density: (B,), of drawn actions; no gradient goes through it.
        target_entropy: the entropy wanted, in nats.

    Raises:
        TypeError, ValueError: the shapes are others.
    """
    return -(alpha * (log_density.detach() + target_entropy)).mean()


@arguments(demo_q="N_D", policy_q="N_D")
def q_filter(demo_q: Tensor, policy_q: Tensor) -> Tensor:
    """Return where the demonstrated action beats the policy's, 07 Eq. 3.

    Args:
        demo_q: (N_D,), the critic's value of the demonstrated action.
        policy_q: (N_D,), its value of the policy's own action in the same state.

    Returns:
        (N_D,), 1.0 where demo_q > policy_q, else 0.0; without a gradient.

    Raises:
        TypeError, ValueError: the two shapes are not one and the same (N_D,).
    """
    return (demo_q > policy_q).float()


@arguments(action="N_D A", demo_action="N_D A", mask="N_D")
def bc_loss(action: Tensor, demo_action: Tensor, mask: Tensor) -> Tensor:
    """Return the behavior cloning loss, 07 Eq. 2: the masked squared distance over N_D.

    The sum is divided by N_D and not by the number of rows that pass, so that a filter
    that lets nothing through gives exactly zero.

    Args:
        action: (N_D, act_dim), the policy's.
        demo_action: (N_D, act_dim), the demonstrator's.
        mask: (N_D,), 1.0 for the rows that count, else 0.0.

    Raises:
        TypeError, ValueError: the shapes do not fit together.
    """
    return (mask * ((action - demo_action) ** 2).sum(dim=1)).sum() / len(mask)
