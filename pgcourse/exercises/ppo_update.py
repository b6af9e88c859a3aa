"""Check of chapter 02's last exercise: one update of PPO."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pgcourse.agents.ppo import PPOAgent
from pgcourse.exercises.ddpg_kit import array, close, flat, shake
from pgcourse.exercises.grading import Hint, expect, fresh, raised, right, same
from pgcourse.exercises.policy_gradient_update import Parts
from pgcourse.parts.returns import gaussian_log_density, kl_estimate
from pgcourse.parts.rollout import Lesson

EPOCHS, BATCH = 3, 8


def twin(seed: int = 0, clip: float = 0.2) -> PPOAgent:
    """Return a small agent in float64 with networks that have moved; each call an equal one."""
    options = {"actor_lr": 0.02, "critic_lr": 0.02, "hidden": (16, 16)}
    sizes = {"epochs": EPOCHS, "batch_size": BATCH, "clip": clip, "seed": seed}
    agent = PPOAgent("Pendulum-v1", 2, 8, **options, **sizes)
    for k, name in enumerate(("actor", "critic"), start=1):
        getattr(agent, name).double()
        shake(getattr(agent, name), 10 * seed + k)
        agent.learners[name].optimizer.state.clear()
    return agent


def parts(agent: PPOAgent) -> Parts:
    """Return the networks and the optimisers of an agent."""
    optimizers = (agent.learners[name].optimizer for name in ("actor", "critic"))
    return Parts(agent.actor, agent.critic, *optimizers)


def check_ppo_update(update: Callable) -> None:
    """Grade one update of PPO against the agent's own, twice."""
    rng = fresh()
    clip = int(rng.integers(8, 20)) / 64
    mine, course, before = agents = [twin(0, clip) for _ in range(3)]
    for k, most in ((1, int(rng.integers(16, 40)) / 64), (2, float(rng.integers(7, 10)))):
        for agent in agents:  # the first cuts all gradients, the second only some
            agent.max_grad_norm = most
        settings = clip, most
        lesson = rows(rng, course)
        draws = copy.deepcopy(course.shuffles)
        each = [draws.permutation(len(lesson.obs)) for _ in range(EPOCHS)]  # as the agent's will be
        orders = torch.from_numpy(np.stack(each))
        given = copy.deepcopy([*lesson, orders])
        wanted = np.array([numbers["kl"] for numbers in course.update(lesson)])
        try:
            found = update(parts(mine), lesson, orders, BATCH, *settings)
        except Exception as error:
            raise Hint(raised("ppo_update", error)) from None
        expect(found is not None and found is not ..., "ppo_update returns nothing yet.")
        expect(same([*lesson, orders], given), "ppo_update changes the lesson; work on copies.")
        found = sizes(found, len(lesson.obs))
        for name in ("critic", "actor"):
            moved = not torch.equal(flat(getattr(mine, name)), flat(getattr(before, name)))
            expect(moved, f"Update {k}: the {name} did not move.")
        explain(found, wanted, before, lesson, orders, settings, k)
        for name in ("critic", "actor"):
            there = flat(getattr(course, name))
            expect(
                close(flat(getattr(mine, name)), there, 1e-5),
                f"Update {k}: the {name} is not where {len(wanted)} steps lead. The value goes "
                "down the mean square of its distance to the targets; both gradients together "
                "are cut to one norm, before both steps.",
            )
        tuple(before.update(lesson))  # now where the others are
    right(f"Two updates of {len(wanted)} minibatches: both networks are where the agent's are.")


def rows(rng: np.random.Generator, agent: PPOAgent) -> Lesson:
    """Return random rows, drawn by the agent as it is; their number is no multiple of BATCH."""
    n = 4 * BATCH + int(rng.integers(2, BATCH - 1))
    obs, noise = (torch.from_numpy(rng.normal(size=(n, width))) for width in (3, 1))
    with torch.no_grad():
        action = agent.actor(obs) + agent.actor.log_std.exp() * noise
        density = agent.log_density(obs, action)
    advantage, target = torch.from_numpy(rng.normal(size=(2, n)))
    return Lesson(obs, action, density, advantage, 3.0 * target)


def sizes(found: Any, n: int) -> np.ndarray:
    """Return the estimates as an array; a hint if they are too few or too many."""
    try:
        found = [float(each) for each in found]
    except (TypeError, ValueError, RuntimeError):
        expect(False, f"Return a list of numbers, one for each minibatch; got {found!r}.")
    whole, last = divmod(n, BATCH)
    count = EPOCHS * (whole + 1)
    for length, hint in (
        (1, "Return one number for each minibatch."),
        (EPOCHS, "Return one number for each minibatch, not for each epoch."),
        (whole + 1, f"That is one epoch. There are {EPOCHS} orders."),
        (EPOCHS * whole, f"The last {last} rows of each epoch are a minibatch, too."),
        (EPOCHS * n, "A minibatch has several rows, and one estimate."),
    ):
        expect(len(found) != length, hint)
    expect(len(found) == count, f"There are {count} minibatches; yours {len(found)} numbers.")
    return array("ppo_update", found, (count,))


def explain(
    found: np.ndarray, wanted: np.ndarray, agent: PPOAgent, lesson: Lesson, orders: Tensor,
    settings: tuple[float, float], update: int,
) -> None:  # fmt: skip
    """Give the hint of the slip that leads to other estimates of the KL."""
    if close(found, wanted, 1e-6):
        return
    expect(
        np.abs(found).max() > 1e-9,
        "All your estimates are 0. Which policy's densities does the lesson bring along?",
    )
    expect(abs(found[0]) < 1e-9, "Before the first step nothing has moved: the first is 0.")

    def goes(**slip: Any) -> np.ndarray:
        return slipped(agent, lesson, slip.pop("orders", orders), *settings, **slip)

    rising = torch.arange(orders.shape[1]).expand_as(orders)
    plain = np.array([found[0], *wanted[1:]])
    expect(not close(found, -plain, 1e-6), "An estimate of Eq. 5 is never negative.")
    for hint, slip in {
        "the policy went the wrong way.": {"sign": 1.0},
        "nothing is clipped.": {"pick": lambda free, near: free},
        "a row counts by the smaller of two.": {"pick": lambda free, near: near},
        "the smaller of the two counts, not the larger.": {"pick": torch.maximum},
        "advantages were normalised once, over the rollout.": {"anew": True},
        "each epoch has an order of its own.": {"orders": orders[:1].expand_as(orders)},
        "the rows are not shuffled.": {"orders": rising},
        "gradients are not cut.": {"joint": None},
        "the two gradients are cut together, to one norm.": {"joint": False},
        "gradients of the last minibatch are still there.": {"cleared": False},
        "the mean over the rows of a minibatch, not the sum.": {"sums": True},
        "there is no half in the value's loss.": {"half": 0.5},
    }.items():
        expect(not close(found, goes(**slip), 1e-6), f"Update {update}: {hint}")
    first = int(np.argmax(~np.isclose(found, wanted, rtol=1e-6, atol=1e-6)))
    expect(
        False,
        f"Update {update}: in minibatch {first + 1} the estimate should be {wanted[first]:.5g} "
        f"before its step; yours is {found[first]:.5g}.",
    )


def slipped(
    agent: PPOAgent, lesson: Lesson, orders: Tensor, clip: float, most: float, *,
    sign: float = -1.0, pick: Callable = torch.minimum, anew: bool = False,
    joint: bool | None = True, cleared: bool = True, sums: bool = False, half: float = 1.0,
) -> np.ndarray:  # fmt: skip
    """Return the estimates of an update with a slip, made with copies of an agent's parts."""
    actor, critic, *optimizers = copy.deepcopy(parts(agent))
    weights, found = [[*actor.parameters()], [*critic.parameters()]], []
    for row in orders:
        for some in row.split(BATCH):
            obs, action, old, weight, target = (column[some] for column in lesson)
            density = gaussian_log_density(action, actor(obs), actor.log_std)
            found.append(kl_estimate(density, old).item())
            weight = (weight - weight.mean()) / weight.std(correction=0) if anew else weight
            ratio = torch.exp(density - old)
            both = pick(ratio * weight, ratio.clamp(1 - clip, 1 + clip) * weight)
            errors = (critic(obs) - target) ** 2
            if cleared:
                [each.zero_grad() for each in optimizers]
            total = sign * both + half * errors
            (total.sum() if sums else total.mean()).backward()
            if joint is not None:
                for group in [weights[0] + weights[1]] if joint else weights:
                    nn.utils.clip_grad_norm_(group, most)
            [each.step() for each in optimizers]
    return np.array(found)
