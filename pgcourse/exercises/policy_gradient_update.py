"""Check of chapter 01's last exercise: one update of an actor-critic."""

import copy
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pgcourse.agents.a2c import A2CAgent
from pgcourse.exercises.ddpg_kit import close, flat, shake
from pgcourse.exercises.grading import Hint, expect, fresh, number, raised, right, same
from pgcourse.parts.gaussian import GaussianPolicy
from pgcourse.parts.networks import Value
from pgcourse.parts.returns import gae
from pgcourse.parts.rollout import Lesson, Steps


class Parts(NamedTuple):
    """What one update changes: networks and optimisers."""

    actor: GaussianPolicy
    critic: Value
    actor_optimizer: torch.optim.Optimizer
    critic_optimizer: torch.optim.Optimizer


def parts(agent: A2CAgent) -> Parts:
    """Return the networks and the optimisers of an agent."""
    optimizers = (agent.learners[name].optimizer for name in ("actor", "critic"))
    return Parts(agent.actor, agent.critic, *optimizers)


def check_update(update: Callable) -> None:
    """Grade one update of an actor-critic against the agent's own, several times."""
    rng = fresh()
    gamma, lam = int(rng.integers(45, 61)) / 64, int(rng.integers(20, 50)) / 64
    mine, course = twin(gamma, lam), twin(gamma, lam)
    for k in (1, 2, 3):
        steps = rollout(rng)
        given, before = copy.deepcopy(list(steps)), copy.deepcopy(parts(course)[:2])
        with torch.no_grad():
            advantage, target = course.estimates(steps)
        columns = steps.obs.flatten(0, 1), steps.action.flatten(0, 1)
        density = course.log_density(*columns).detach()
        lesson = Lesson(*columns, density, advantage.flatten(), target.flatten())
        wanted = list(course.update(lesson))[1]["critic_loss"]
        try:
            found = update(parts(mine), steps, gamma, lam)
        except Exception as error:
            raise Hint(raised("update", error)) from None
        expect(found is not None and found is not ..., "update returns nothing yet.")
        expect(same(list(steps), given), "update changes the rollout; work on copies.")
        explain(number("The critic's loss", found), wanted, before[1], steps, gamma, lam)
        for name, old in zip(("actor", "critic"), before, strict=True):
            moved(name, flat(getattr(mine, name)), flat(getattr(course, name)), flat(old), k)
    right("Three updates, two networks: all as the agent's own.")


def twin(gamma: float, lam: float) -> A2CAgent:
    """Return a small agent in float64 with networks that have moved; each call an equal one."""
    options = {"actor_lr": 0.01, "critic_lr": 0.02, "hidden": (16, 16), "critic_steps": 1}
    agent = A2CAgent("Pendulum-v1", 2, 8, gamma=gamma, lam=lam, seed=0, **options)
    for seed, name in enumerate(("actor", "critic"), start=1):
        getattr(agent, name).double()
        shake(getattr(agent, name), seed)
        agent.learners[name].optimizer.state.clear()
    return agent


def rollout(rng: np.random.Generator) -> Steps:
    """Return random steps of two environments, among them falls and time limits."""
    t = int(rng.integers(12, 20))
    wide = [torch.from_numpy(rng.normal(size=(t, 2, d))) for d in (3, 1, 3)]
    reward, kind = torch.from_numpy(rng.normal(size=(t, 2))), torch.from_numpy(rng.random((t, 2)))
    kind[3], kind[6] = 0.1, 0.3  # one of each at least
    ends = (kind < 0.2).double(), ((kind >= 0.2) & (kind < 0.4)).double()
    return Steps(*wide[:2], reward, wide[2], *ends, torch.ones_like(reward))


def explain(
    found: float, wanted: float, critic: Value, steps: Steps, gamma: float, lam: float
) -> None:
    """Give the hint of the slip that leads to the critic's loss, if it is not the wanted one."""
    if close(found, wanted, 1e-6):
        return
    none = torch.zeros_like(steps.reward)
    ended = torch.maximum(steps.terminated, steps.truncated)
    with torch.no_grad():
        value, later = critic(steps.obs), critic(steps.next_obs)

        def loss(d: Tensor = steps.terminated, c: Tensor = steps.truncated, lam: float = lam):
            return (gae(steps.reward, later, d, c, value, gamma, lam) ** 2).mean()

        slips = {
            "λ is missing.": loss(lam=1.0),
            "the advantages after a step are missing.": loss(lam=0.0),
            "nothing follows a fall.": loss(none, ended),
            "no advantage reaches over an end.": loss(c=none),
            "a time limit is no end of the task.": loss(ended),
            "take the mean over the rows, not the sum.": steps.reward.numel() * loss(),
            "there is no half in Eq. 7.": 0.5 * loss(),
        }
    for hint, slip in slips.items():
        expect(not close(found, slip.item(), 1e-6), f"The critic's loss: {hint}")
    expect(
        False,
        "The critic's loss is another. Its target is A + V, with the values of before: yours is "
        f"{found:.6g}, the agent's {wanted:.6g}.",
    )


def moved(name: str, now: Tensor, wanted: Tensor, old: Tensor, update: int) -> None:
    """Check where an update has taken a network."""
    if close(now, wanted, 1e-6):
        return
    expect(not torch.equal(now, old), f"Update {update}: the {name} did not move.")
    opposite = close(now, 2 * old - wanted, 1e-4) and update == 1
    expect(not opposite, f"The {name} went the wrong way: an optimiser goes down a loss.")
    hint = {
        "actor": "Its loss is Eq. 8: minus the mean of log-density times advantage, with the "
        "advantages of before the critic's step, as data.",
        "critic": "Its loss is Eq. 7 with the target A + V of before, as data.",
    }[name]
    clear = " Are the gradients of the last update cleared?" if update > 1 else ""
    expect(False, f"Update {update}: the {name} is not where one step leads. {hint}{clear}")
