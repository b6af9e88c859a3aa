"""The check of chapter 06's last exercise: the whole loss of the critic, Eq. 5."""

import copy
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pgcourse import Actor, Critic
from pgcourse.exercises.ddpg_kit import close, rows, shake
from pgcourse.exercises.grading import Hint, expect, fresh, raised, right, same
from pgcourse.parts.equations import l2_penalty
from pgcourse.parts.prioritized import PrioritizedBatch

N = 4


class Parts(NamedTuple):
    """The networks that Eq. 5 asks."""

    critic: Critic
    critic_target: Critic
    actor_target: Actor


def parts() -> Parts:
    """Return small networks in float64 that all differ."""
    made = Parts(Critic(4, 0.5, (16, 16)), Critic(4, 0.5, (16, 16)), Actor(3, 1, 0.5, (16, 16)))
    for seed, network in enumerate(made):
        shake(network.double(), seed)
    return made


def prioritized_rows(rng: np.random.Generator, gamma: float) -> PrioritizedBatch:
    """Return a batch of random rows in float64, whose windows have 1 to N steps."""
    first, later = ([column.double() for column in rows(rng)] for _ in range(2))
    size = min(len(first[0]), len(later[0]))
    steps = torch.from_numpy(rng.permutation(size) % N + 1)
    weight = torch.from_numpy(rng.uniform(0.2, 1.0, size))
    demo = torch.from_numpy(rng.integers(0, 2, size)).double()
    first, later = ([column[:size] for column in each] for each in (first, later))
    first[4][steps == 1] = torch.arange(int((steps == 1).sum())).double() % 2  # of each, whatever
    later[4][steps > 1] = torch.arange(int((steps > 1).sum())).double() % 2  # was drawn
    ends = first[4] * (steps == 1) + later[4] * (steps > 1)
    first[4] = first[4] * (steps == 1)  # who ends at once has one step
    more = later[2], later[3], ends, gamma ** steps.double()
    return PrioritizedBatch(*first, *more, weight / weight.max(), demo)


def loss_of(
    parts: Parts, batch: PrioritizedBatch, gamma: float, n_weight: float, l2: float, *,
    many: dict | None = None, slow: Critic | None = None, one_go: Tensor | None = None,
    weight: Tensor | None = None, power: float = 1.0, scale: float = 1.0, one: float = 1.0,
    penalty: Tensor | None = None, merged: bool = False, action: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Return Eq. 5, or what a slip makes of it.

    Args:
        many: columns of the n-step target to replace.
        slow, one_go, weight, penalty, action: in the place of the slow critic, of 1 − terminated,
            of h, of |φ|² and of the slow actor's action.
        power: of h. scale, one: factors of both losses, and of the first.
        merged: one loss, with the mean of both targets.
    """
    slow = parts.critic_target if slow is None else slow

    def after(obs: Tensor) -> Tensor:
        return slow(obs, parts.actor_target(obs) if action is None else action)

    q, far = parts.critic(batch.obs, batch.action), batch._replace(**many or {})
    go = 1 - batch.terminated if one_go is None else one_go
    near = batch.reward + gamma * go * after(batch.next_obs)
    far = far.n_reward + far.n_discount * (1 - far.n_terminated) * after(far.n_next_obs)
    h = (batch.weight if weight is None else weight) ** power
    gaps = [h * (q - y.detach()) ** 2 for y in (near, far)]
    data = one * gaps[0].mean() + n_weight * gaps[1].mean()
    if merged:
        mixed = (near + n_weight * far) / (1 + n_weight)
        data = (1 + n_weight) * (h * (q - mixed.detach()) ** 2).mean()
    return scale * data + l2 * (l2_penalty(parts.critic) if penalty is None else penalty)


def check_critic_objective(objective: Callable) -> None:
    """Grade the loss of Eq. 5, its gradient, and who gets none."""
    rng = fresh()
    networks = parts()
    for _ in range(4):
        gamma, n_weight, l2 = (rng.uniform(*ends) for ends in ((0.5, 0.9), (0.3, 0.8), (0.1, 0.5)))
        batch = prioritized_rows(rng, gamma)
        given, before = copy.deepcopy(list(batch)), copy.deepcopy(networks)
        for network in networks:
            network.zero_grad()
        try:
            found = objective(networks, batch, gamma, n_weight, l2)
        except Exception as error:
            raise Hint(raised("critic_objective", error)) from None
        expect(found is not None and found is not ..., "critic_objective returns nothing yet.")
        good = isinstance(found, Tensor) and found.numel() == 1
        expect(good, "Return the loss as a tensor of one number.")
        expect(same(list(batch), given), "critic_objective changes the batch; work on copies.")
        expect(same(list(networks), list(before)), "Return a loss; the step is taken elsewhere.")
        explain(found.item(), networks, batch, gamma, n_weight, l2)
        expect(found.requires_grad, "The loss carries no gradient: only targets are data.")
        found.sum().backward()
        slow = [p.grad for network in networks[1:] for p in network.parameters()]
        expect(
            not any(grad is not None and grad.any() for grad in slow),
            "A gradient flows into the slow networks: both targets are data.",
        )
        weights = list(networks.critic.parameters())
        wanted = torch.autograd.grad(loss_of(networks, batch, gamma, n_weight, l2), weights)
        for weight, true in zip(weights, wanted, strict=True):
            expect(
                weight.grad is not None and close(weight.grad, true, 1e-6),
                "The loss is right, but its gradient is not: a part of it is detached.",
            )
    right("Two targets, the weights and a penalty: the loss of the chapter's agent.")


def explain(
    found: float, networks: Parts, batch: PrioritizedBatch, gamma: float, n_weight: float, l2: float
) -> None:
    """Give the hint of the slip that leads to a loss, if it is not Eq. 5."""

    def loss(n_weight: float = n_weight, l2: float = l2, **slip: object) -> Tensor:
        return loss_of(networks, batch, gamma, n_weight, l2, **slip)

    critic, ones = networks.critic, torch.ones_like(batch.weight)
    with torch.no_grad():
        wanted = loss().item()
        if close(found, wanted, 1e-6):
            return
        norm = l2_penalty(critic)
        flat = torch.cat([p.flatten() for p in critic.parameters()])
        matrices = sum((p**2).sum() for p in critic.parameters() if p.ndim > 1)
        slips = {
            "the weights h are missing.": loss(weight=ones),
            "h stands before the square, not inside of it.": loss(power=2.0),
            "divide by B, not by the sum of the weights.": loss(scale=1 / batch.weight.mean()),
            "take the mean over the batch, not the sum.": loss(scale=len(ones)),
            "the mean of both losses? They are added.": loss(scale=0.5),
            "n_weight, ζ1, is missing before the second loss.": loss(n_weight=1.0),
            "the second loss, of the n-step target, is missing.": loss(n_weight=0.0),
            "the first loss, of the one-step target, is missing.": loss(one=0.0),
            "n_weight, ζ1, belongs to the second loss only.": loss(one=n_weight),
            "the penalty, ζ2 |φ|², is missing.": loss(l2=0.0),
            "l2, ζ2, is missing before the penalty.": loss(l2=1.0),
            "the penalty is the square of the length, not the length.": loss(penalty=norm.sqrt()),
            "the penalty is a sum over all weights, not a mean.": loss(penalty=norm / len(flat)),
            "the penalty is for biases, too.": loss(penalty=matrices),
            "the penalty takes squares, not absolute values.": loss(penalty=flat.abs().sum()),
            "two losses, each with its own target; the mean of both targets is another.": loss(
                merged=True
            ),
            "the targets take the fast critic; critic_target belongs there.": loss(slow=critic),
            "after the steps the slow actor acts, not the stored action.": loss(
                action=batch.action
            ),
            "one step: nothing follows a true end.": loss(one_go=ones),
            "n steps: nothing follows a true end.": loss(many={"n_terminated": 0 * ones}),
            "n steps: the end that counts is n_terminated.": loss(
                many={"n_terminated": batch.terminated}
            ),
            "n steps: γ^k is n_discount; yours is γ.": loss(many={"n_discount": gamma * ones}),
            "n steps: each row has its own γ^k, n_discount.": loss(
                many={"n_discount": gamma**N * ones}
            ),
            "n steps: the discount is missing.": loss(many={"n_discount": ones}),
            "n steps: n_discount is γ^k already.": loss(
                many={"n_discount": gamma * batch.n_discount}
            ),
            "n steps: the value of n_next_obs, not of next_obs.": loss(
                many={"n_next_obs": batch.next_obs}
            ),
            "n steps: the rewards are n_reward.": loss(many={"n_reward": batch.reward}),
        }
    for hint, value in slips.items():
        expect(abs(found - value.item()) > 1e-8 * (1 + abs(wanted)), f"The loss: {hint}")
    expect(False, f"The loss is another: yours is {found:.6g}, Eq. 5 gives {wanted:.6g}.")
