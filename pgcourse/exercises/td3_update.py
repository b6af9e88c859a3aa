"""Checks of chapter 04's exercises on agents: an actor that waits, and an update of TD3."""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from pgcourse import Actor, DDPGAgent, TD3Agent
from pgcourse.agents.noisy import NoisyBatch
from pgcourse.exercises.ddpg_kit import attempt, close, flat, make, rows, shake
from pgcourse.exercises.grading import Hint, expect, fresh, number, raised, right, same

WAITS = 3
SLOW = ("actor_target", "critic_target")


class Parts(NamedTuple):
    """What one update of TD3 changes: networks and optimisers."""

    actor: Actor
    critics: nn.ModuleList
    actor_target: Actor
    critics_target: nn.ModuleList
    actor_optimizer: torch.optim.Optimizer
    critics_optimizer: torch.optim.Optimizer


def parts(agent: TD3Agent) -> Parts:
    """Return the networks and the optimisers of an agent."""
    networks = agent.actor, agent.critics, agent.actor_target, agent.critics_target
    return Parts(*networks, *(agent.learners[name].optimizer for name in ("actor", "critics")))


def check_patient(kind: type) -> None:
    """Grade a DDPG agent whose actor and slow copies take their turn in every third update."""
    expect(kind is not DDPGAgent, "Derive a class of your own from DDPGAgent.")
    mine, plain = make(kind), make(DDPGAgent)
    for agent in (mine, plain):
        agent.updates = 0
        for k, name in enumerate(("actor", "critic", *SLOW)):
            shake(getattr(agent, name), k)
    rng = fresh()
    for update in range(1, 2 * WAITS + 2):
        batch = rows(rng)
        before = {name: flat(getattr(mine, name)) for name in ("actor", "critic", *SLOW)}
        optimizer = plain.learners["actor"].optimizer
        waiting = {name: copy.deepcopy(getattr(plain, name).state_dict()) for name in before}
        moments = copy.deepcopy(optimizer.state_dict())
        for agent in (mine, plain):
            agent.updates = update
        attempt("update", mine.update, batch)
        plain.update(batch)
        turn = update % WAITS == 0
        moved = {name: not torch.equal(flat(getattr(mine, name)), before[name]) for name in before}
        expect(moved["critic"], f"In update {update} your critic does not learn; it never waits.")
        expect(
            moved["actor"] == turn,
            f"In update {update} your actor {'waits' if turn else 'learns'}. Its turn comes in "
            "updates 3, 6, 9 and so on.",
        )
        for name in SLOW:
            expect(
                moved[name] == turn,
                f"In update {update} {name} {'waits' if turn else 'follows'}; both slow copies "
                "take their turn with the actor.",
            )
        if not turn:  # what has to wait in the plain agent, too
            for name in ("actor", *SLOW):
                getattr(plain, name).load_state_dict(waiting[name])
            optimizer.load_state_dict(moments)
        for name in before:
            expect(
                close(flat(getattr(mine, name)), flat(getattr(plain, name)), 1e-5),
                f"After update {update} {name} is not where DDPG's own step leads. Only the turns "
                "change.",
            )
    right("The list of learners says it all; the update itself stays as it was.")


def check_td3_update(update: Callable) -> None:
    """Grade one update of TD3 against the agent's own, several times."""
    rng = fresh()
    options = {
        "gamma": int(rng.integers(32, 59)) / 64, "tau": int(rng.integers(4, 17)) / 64,
        "target_sigma": int(rng.integers(16, 40)) / 64, "delay": 2,
        "target_clip": int(rng.integers(12, 30)) / 64,
    }  # fmt: skip
    mine, course = twin(**options), twin(**options)
    for k in range(1, 6):
        drawn = [column.double() for column in rows(rng)]
        noise = [torch.from_numpy(rng.normal(size=drawn[1].shape)) for _ in range(2)]
        batch = NoisyBatch(*drawn, *noise)
        mine.updates = course.updates = k
        old = copy.deepcopy(parts(course)[:4])
        given = copy.deepcopy(list(batch))
        wanted = course.update(batch)
        settings = options["gamma"], options["tau"], options["target_sigma"], options["target_clip"]
        try:
            found = update(parts(mine), batch, k, *settings)
        except Exception as error:
            raise Hint(raised("td3_update", error)) from None
        expect(found is not None and found is not ..., "td3_update returns nothing yet.")
        expect(same(list(batch), given), "td3_update changes the batch; work on copies.")
        loss = number("The critics' loss", found)
        explain(loss, wanted["critic_loss"], old, batch, options)
        for name in ("critics", "actor"):
            step(name, mine, course, k)
        for name in ("critics_target", "actor_target"):
            step(name, mine, course, k)
    right("Five updates, six networks: all as the agent's own.")


def twin(**options: Any) -> TD3Agent:
    """Return a small agent in float64 whose networks all differ; each call gives an equal one."""
    options = options | {"actor_lr": 0.01, "critic_lr": 0.02, "hidden": (16, 16)}
    agent = TD3Agent("Pendulum-v1", 500, 16, seed=0, **options)
    for name in ("actor", "critics", "actor_target", "critics_target"):
        getattr(agent, name).double().requires_grad_()
    for learner in agent.learners.values():
        learner.optimizer.state.clear()
    networks = [agent.actor, agent.actor_target, *agent.critics, *agent.critics_target]
    draws = torch.from_numpy(np.random.default_rng(0).normal(size=(400, 4)))
    for seed, network in enumerate(networks, start=1):
        shake(network, seed)
        with torch.no_grad():  # actions near both ends, and critics of which either may be smaller
            network.net[-1].weight *= 20.0
            inputs = draws[:, : network.net[0].in_features]
            network.net[-1].bias -= network.net(inputs).mean()
    return agent


def explain(found: float, wanted: float, old: tuple, batch: NoisyBatch, options: dict) -> None:
    """Give the hint of the slip that leads to the critics' loss, if it is not the wanted one."""
    if close(found, wanted, 1e-6):
        return
    actor, critics, slow_actor, slow_critics = old

    def loss(who=slow_critics, act=slow_actor, pick=torch.minimum, noisy=True, cut=True,
             stop=batch.terminated, scale=1.0, edge=True, at=None):  # fmt: skip
        at = batch.next_obs if at is None else at
        noise = options["target_sigma"] * batch.next_noise * noisy
        clip = options["target_clip"] if cut else np.inf
        action = act(at) + noise.clamp(-clip, clip)
        answers = [q(at, action.clamp(-1, 1) if edge else action) for q in who]
        target = batch.reward + options["gamma"] * (1 - stop) * pick(*answers)
        parts = [((q(batch.obs, batch.action) - target) ** 2).mean() for q in critics]
        return scale * sum(parts)

    none = torch.zeros_like(batch.terminated)
    with torch.no_grad():
        slips = {
            "the target takes the fast critics; critics_target belongs there.": loss(who=critics),
            "the next action is the fast actor's; it should be actor_target's.": loss(act=actor),
            "the smaller answer counts, not the larger.": loss(pick=torch.maximum),
            "the smaller answer counts; yours takes the first.": loss(pick=lambda a, b: a),
            "the smaller answer counts; yours takes the second.": loss(pick=lambda a, b: b),
            "the smaller answer counts, not the mean.": loss(pick=lambda a, b: (a + b) / 2),
            "the noise on the target's action is missing.": loss(noisy=False),
            "the noise is cut to [−clip, clip].": loss(cut=False),
            "the target's action stays in [−1, 1].": loss(edge=False),
            "nothing follows a true end: 1 − terminated is missing.": loss(stop=none),
            "the two losses are added, not averaged.": loss(scale=0.5),
            "the target looks at obs; it should look at next_obs.": loss(at=batch.obs),
        }  # fmt: skip
    for hint, value in slips.items():
        gap = abs(found - value.item())
        expect(gap > 1e-8 * (1 + abs(wanted)), f"The critics' loss: {hint}")
    expect(False, f"The critics' loss is another: yours is {found:.6g}, the agent's {wanted:.6g}.")


def step(name: str, mine: TD3Agent, course: TD3Agent, update: int) -> None:
    """Check where an update has taken a network or a slow copy."""
    now, wanted = flat(getattr(mine, name)), flat(getattr(course, name))
    if close(now, wanted, 1e-6):
        return
    turn = update % 2 == 0
    if name == "critics":
        hint = "The critics' loss is right, but the critics are not where one step down this loss "
        hint += "leads. Clear their gradients just before backward(); the actor's loss leaves some."
    elif not turn:
        hint = f"In update {update} {name} waits: its turn is every second update."
    elif name == "actor":
        hint = "The actor climbs the first critic, after the critics' step, at its own actions in "
        hint += "obs and without noise; its loss is minus the mean."
    else:
        hint = f"{name} moves by τ of its distance to the new weights, at the actor's turn."
    expect(False, f"Update {update}: {hint}")
