"""The equations of the course, one pure function each; `arguments` states their shapes."""

import math

import torch
from torch import Tensor, nn

from pgcourse.checks import arguments

FROM_0_TO_1, BELOW_1 = (0.0, 1.0), (0.0, 1.0 - 1e-9)


@arguments(reward="B", next_q="B", terminated="B", gamma=FROM_0_TO_1)
def td_target(
    reward: Tensor, next_q: Tensor, terminated: Tensor, gamma: float
) -> Tensor:  # fmt: skip
    """Return the TD target, 03 Eq. 6: y = r + γ (1 − terminated) Q'(s', μ'(s')).

    It is (B,), without a gradient: data, not something to be learned.

    Args:
        next_q: the target critic's value of the next state.
        terminated: 1.0 where the episode truly ended; a time limit is 0.0.
        gamma: discount per step.
    """
    return (reward + gamma * (1.0 - terminated) * next_q).detach()


@arguments(target="B", gamma=BELOW_1)
def clip_target(target: Tensor, gamma: float) -> Tensor:
    """Return targets within what rewards in [-1, 0] can sum to, 08 Eq. 4."""
    return target.clamp(-1.0 / (1.0 - gamma), 0.0)


@arguments(q="B", target="B")
def critic_loss(q: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared TD error, 03 Eq. 7, of the stored actions."""
    return ((q - target) ** 2).mean()


@arguments(q="B")
def actor_loss(q: Tensor) -> Tensor:
    """Return minus the mean value of the actor's own actions, 03 Eq. 8.

    Args:
        q: the critic's value of (s, μ(s)), differentiable through the action.
    """
    return -q.mean()


@arguments(target=nn.Module, source=nn.Module, tau=FROM_0_TO_1)
def soft_update(target: nn.Module, source: nn.Module, tau: float) -> None:
    """Let a target network follow its source, 03 Eq. 9: θ' ← θ' + τ (θ − θ').

    Args:
        target: the slow network, changed in place.
        source: the trained network, left as it is.
        tau: fraction of the distance covered.
    """
    with torch.no_grad():
        slow, fast = list(target.parameters()), list(source.parameters())
        torch._foreach_lerp_(slow, fast, tau)


@arguments(q1="B", q2="B")
def twin_minimum(q1: Tensor, q2: Tensor) -> Tensor:
    """Return the smaller of two critics' values, row by row, 04 Eq. 3."""
    return torch.minimum(q1, q2)


@arguments(action="B A", noise="B A", clip=(0.0, math.inf))
def smoothed_action(action: Tensor, noise: Tensor, clip: float) -> Tensor:
    """Return actions with clipped noise, clipped to [-1, 1], 04 Eq. 5.

    Args:
        action: the target actor's.
        clip: the noise is cut to [-clip, clip].
    """
    return (action + noise.clamp(-clip, clip)).clamp(-1.0, 1.0)


@arguments(demo_q="N_D", policy_q="N_D")
def q_filter(demo_q: Tensor, policy_q: Tensor) -> Tensor:
    """Return 1.0 where the demonstrated action is better, else 0.0, 07 Eq. 4."""
    return (demo_q > policy_q).float()


@arguments(demo_q="N_D", policy_q="N_D")
def soft_filter(demo_q: Tensor, policy_q: Tensor) -> Tensor:
    """Return weights between 0 and 1, 07 Eq. 5: sigmoid(A / std A).

    The more the demonstrated action beats the policy's in value, measured by the deviation of
    that advantage in the batch, the nearer to 1. A critic that cannot judge yet gives 1/2 to
    equal values, where `q_filter` gives 0. The weights carry no gradient.
    """
    advantage = (demo_q - policy_q).detach()
    return torch.sigmoid(advantage / advantage.std(correction=0).clamp_min(1e-8))


@arguments(action="N_D A", demo_action="N_D A", mask="N_D")
def bc_loss(action: Tensor, demo_action: Tensor, mask: Tensor) -> Tensor:
    """Return the cloning loss, 07 Eq. 1: the masked squared distance over N_D.

    The sum is divided by N_D and not by the number of rows that pass, so that a filter
    that lets nothing through gives exactly zero.

    Args:
        mask: 1.0 for the rows that count, else 0.0; or a weight of each row.
    """
    return (mask * ((action - demo_action) ** 2).sum(dim=1)).sum() / len(mask)


@arguments(network=nn.Module)
def l2_penalty(network: nn.Module) -> Tensor:
    """Return the sum of all squared weights and biases, (): L2 regularisation.

    Weights that nothing else holds shrink to subnormal numbers, with which processors are slow;
    `torch.set_flush_denormal(True)` makes zeros of them.
    """
    return sum((weight**2).sum() for weight in network.parameters())
