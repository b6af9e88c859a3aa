"""Checks of one update of DDPG, written by the learner, and of an agent that trains with it."""

import contextlib
import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pgcourse import Actor, Batch, Critic, DDPGAgent, evaluate, make_env
from pgcourse.exercises.ddpg_kit import attempt, close, flat, make, rows, shake
from pgcourse.exercises.grading import Hint, expect, fresh, number, raised, right, same

NETWORKS = ("critic", "actor", "critic_target", "actor_target")
STEPS, SEEDS, GOAL = 3_000, (0, 1, 2), -200.0  # of check_training
OPTIONS = {"initial_random_steps": 500, "tau": 0.02, "actor_lr": 1e-3, "critic_lr": 2e-3}


class Parts(NamedTuple):
    """What one update changes: four networks and two optimisers."""

    actor: Actor
    critic: Critic
    actor_target: Actor
    critic_target: Critic
    actor_optimizer: torch.optim.Optimizer
    critic_optimizer: torch.optim.Optimizer


class Rows(Batch):
    """A batch that also knows which episodes a time limit cut: truncated, (B,)."""

    truncated: Tensor


def parts(agent: DDPGAgent) -> Parts:
    """Return the networks and the optimisers of an agent."""
    networks = agent.actor, agent.critic, agent.actor_target, agent.critic_target
    return Parts(*networks, *(agent.learners[name].optimizer for name in ("actor", "critic")))


def check_update(update: Callable) -> None:
    """Check one update, written by the learner, against the agent's own, several times."""
    compare("ddpg_update", lambda agent, batch: update(parts(agent), batch, agent.gamma, agent.tau))
    right("Four updates, two losses, four networks: all as the agent's own.")


def check_training(kind: type) -> None:
    """Check an agent that learns by the learner's update: first the update, then a short run.

    With the agent's own update each of 13 seeds reaches the goal; a learner's may try three.
    """
    make(kind)
    expect(kind.update is not DDPGAgent.update, "Your agent does not override update yet.")

    def step(agent: Any, batch: Batch) -> tuple:
        found = agent.update(batch)
        names = {"critic_loss", "actor_loss"}
        expect(
            isinstance(found, dict) and names <= set(found),
            'update should return a dict with "critic_loss" and "actor_loss".',
        )
        return found["critic_loss"], found["actor_loss"]

    compare("update", step, kind)
    means = []
    for seed in SEEDS:
        env = make_env("Pendulum-v1")
        agent = kind(env, STEPS, 64, 1.0, 0.1, **OPTIONS, seed=seed)
        attempt("train", agent.train, STEPS, plotting_interval=0)
        means.append(evaluate(agent, "Pendulum-v1", range(10_000, 10_020)).mean())
        if means[-1] >= GOAL:
            right(
                f"{STEPS:,} steps of training: the mean of 20 held-out starts is {means[-1]:.0f}."
            )
            return
    reached = [round(float(mean)) for mean in means]
    expect(False, f"The update is right, but training reaches {reached}. Change nothing else.")


def drawn(rng: np.random.Generator) -> dict[str, float]:
    """Return a discount and a speed of the slow copies; in float32 they are exact, too."""
    return {"gamma": int(rng.integers(32, 59)) / 64, "tau": int(rng.integers(4, 17)) / 64}


def twin(kind: type, names: tuple = NETWORKS, **options: Any) -> Any:
    """Return a small agent in float64 whose networks all differ; each call gives an equal one.

    Its slow copies take gradients, so that a leak into them shows. In float64 two right ways
    to write a formula stay alike, and Adam does not blow a rounding error up to a whole step.
    """
    agent = make(kind, actor_lr=0.01, critic_lr=0.02, hidden=(16, 16), **options)
    for name in names:
        getattr(agent, name).double().requires_grad_()
    for learner in agent.learners.values():
        learner.optimizer.state.clear()
    for seed, name in enumerate(names, start=1):
        shake(getattr(agent, name), seed)
    return agent


def compare(name: str, step: Callable, kind: type = DDPGAgent, updates: int = 4) -> None:
    """Let the learner's update and the agent's own run side by side; a hint where they part.

    Args:
        step: takes an agent of `kind` and a batch, changes the agent, returns two losses.
    """
    rng = fresh()
    options = drawn(rng)
    mine, course = twin(kind, **options), twin(DDPGAgent, **options)
    for learner in mine.learners.values():
        learner.objective = borrowed
    for k in range(updates):
        batch = Rows(*(column.double() for column in rows(rng)))
        batch.truncated = (1 - batch.terminated) * batch.terminated.roll(1)
        old, wanted = copy.deepcopy(parts(course)[:4]), course.update(batch)
        given = copy.deepcopy([*batch, batch.truncated])
        losses = hinted(name, step, mine, batch)
        expect(losses is not None and losses is not ..., f"{name} returns nothing yet.")
        with contextlib.suppress(TypeError):  # an array and a generator are two numbers, too
            losses = tuple(losses)
        expect(
            isinstance(losses, tuple) and len(losses) == 2,
            f"{name} should return two numbers: the critic's loss, the actor's loss.",
        )
        kept = same([*batch, batch.truncated], given)
        expect(kept, f"{name} changes the batch; work on copies.")
        found = [number(f"The {n}'s loss", x) for n, x in zip(NETWORKS, losses, strict=False)]
        expect(
            not (close(found[0], wanted["actor_loss"]) and close(found[1], wanted["critic_loss"])),
            f"{name}: the critic's loss comes first, then the actor's.",
        )
        slips = critic_slips(old, batch, course)
        explain("critic", found[0], wanted["critic_loss"], slips)
        check_step("critic", mine, course, old[1], first=k == 0)
        slips = actor_slips(old, batch, course)
        explain("actor", found[1], wanted["actor_loss"], slips)
        slow = mine.critic_target, mine.actor_target
        grads = [p.grad for network in slow for p in network.parameters() if p.grad is not None]
        expect(
            not any(grad.any() for grad in grads),
            "A gradient flows into the slow copies: the target is data. Detach it, or compute it "
            "inside torch.no_grad().",
        )
        check_step("actor", mine, course, old[0], first=k == 0)
        for each, before, slow in (("critic", old[1], old[3]), ("actor", old[0], old[2])):
            check_slow(each, mine, course, flat(before), flat(slow))


def borrowed(batch: Batch) -> None:
    """Stand in for an objective: the agent's own update is no answer."""
    expect(False, "That is the agent's own update. Call the one that you wrote.")


def hinted(name: str, step: Callable, *arguments: Any) -> Any:
    """Call an update; a hint if it raises."""
    try:
        return step(*arguments)
    except AssertionError:
        raise
    except Exception as error:
        expect("leaf Variable" not in str(error), "Move slow copies inside torch.no_grad().")
        raise Hint(raised(name, error)) from None


def explain(name: str, found: float, wanted: float, slips: dict[str, Tensor]) -> None:
    """Give the hint of the slip that leads to a loss, if it is not the wanted one."""
    off, close_by = abs(found - wanted), 1e-8 * (1 + abs(wanted))  # some are alike by chance
    if off > close_by:
        for hint, value in slips.items():
            slip = abs(found - value.item()) < min(off / 10, close_by)
            expect(not slip, f"The {name}'s loss: {hint}")
    gap = f"yours is {found:.6g}, the agent's {wanted:.6g}."
    expect(close(found, wanted, 1e-6), f"The {name}'s loss is another: {gap}")


def critic_slips(old: tuple, batch: Rows, agent: DDPGAgent) -> dict[str, Tensor]:
    """Return the losses of the critic that likely mistakes lead to, by their hints."""
    actor, critic, slow_actor, slow_critic = old
    moved_actor, moved_critic = copy.deepcopy((slow_actor, slow_critic))
    with torch.no_grad():
        for slow, network in ((moved_actor, actor), (moved_critic, critic)):
            for p, q in zip(slow.parameters(), network.parameters(), strict=True):
                p += agent.tau * (q - p)

    def gap(value=slow_critic, policy=slow_actor, at=batch.next_obs, stop=batch.terminated,
            gamma=agent.gamma, action=None, judge=critic):  # fmt: skip
        after = value(at, policy(at) if action is None else action)
        return judge(batch.obs, batch.action) - batch.reward - gamma * (1 - stop) * after

    over, no = batch.terminated + batch.truncated, torch.zeros(len(batch.reward))
    gaps = {
        "you cut the bootstrap at time limits. Only terminated cuts it.": gap(stop=over),
        "truncated is in the place of terminated.": gap(stop=batch.truncated),
        "nothing follows a true end: 1 − terminated is missing.": gap(stop=no),
        "terminated is upside down: nothing follows where it is 1.": gap(stop=1 - batch.terminated),
        "γ is missing.": gap(gamma=1.0),
        "gamma is an argument: use it.": gap(gamma=0.99),
        "the target takes the fast critic; critic_target belongs there.": gap(critic),
        "the next action is the fast actor's; it should be actor_target's.": gap(policy=actor),
        "both networks of the target are fast; take the slow copies.": gap(critic, actor),
        "the target looks at obs; it should look at next_obs.": gap(at=batch.obs),
        "after the step actor_target acts, not the stored action.": gap(action=batch.action),
        "critic_target is trained in the place of critic.": gap(judge=slow_critic),
        "the slow copies move last: the target comes before.": gap(moved_critic, moved_actor),
    }
    q = critic(batch.obs, batch.action)
    target = q - gap()
    return {hint: (each**2).mean() for hint, each in gaps.items()} | {
        "values (B, 1) and targets (B,) make a matrix; keep both (B,).": (
            (q[:, None] - target) ** 2
        ).mean(),
        "take the mean over the batch, not the sum.": (gap() ** 2).sum(),
        "it is the mean of the squares, without a half.": (gap() ** 2).mean() / 2,
    }


def actor_slips(old: tuple, batch: Rows, course: DDPGAgent) -> dict[str, Tensor]:
    """Return the losses of the actor that likely mistakes lead to, by their hints."""
    actor, critic, slow_actor, slow_critic = old
    new, obs = course.critic, batch.obs
    values = {
        "its sign. The actor climbs Q, so its loss is minus the mean.": -new(obs, actor(obs)),
        "order. The critic learns first, and the actor climbs the new critic.": critic(
            obs, actor(obs)
        ),
        "order, and sign: the critic learns first; the loss is minus Q.": -critic(obs, actor(obs)),
        "the actor climbs the fast critic, not critic_target.": slow_critic(obs, actor(obs)),
        "the actor to be trained should act, not actor_target.": new(obs, slow_actor(obs)),
        "with the stored actions no gradient reaches the actor.": new(obs, batch.action),
        "the actor acts at obs, not at next_obs.": new(batch.next_obs, actor(batch.next_obs)),
    }
    found = {hint: -q.mean() for hint, q in values.items()}
    return found | {"take the mean over the batch, not the sum.": -new(obs, actor(obs)).sum()}


def check_step(name: str, mine: Any, course: Any, before: Any, first: bool) -> None:
    """Check where one step has taken the critic or the actor."""
    start, now, wanted = (flat(n) for n in (before, getattr(mine, name), getattr(course, name)))
    if close(now, wanted, 1e-6):
        return
    expect(not torch.equal(now, start), f"The {name} did not move: its optimiser takes a step.")
    mirrored = close(now, 2 * start - wanted, 1e-6)  # Adam's first step only knows signs
    expect(not mirrored, f"The {name}'s loss is right, but the {name} moves up that loss.")
    expect(
        first,
        f"The {name}'s first step is right, a later one is not: gradients of an earlier loss are "
        f"left over. Call {name}_optimizer.zero_grad() just before the {name}'s backward(): the "
        "actor's loss leaves gradients in the critic, too.",
    )
    expect(
        False,
        f"The {name}'s loss is right, but the {name} is not where one step down this loss leads. "
        "Does another loss reach it, or does its optimiser step twice? Each network steps down "
        "its own loss alone.",
    )


def check_slow(name: str, mine: Any, course: Any, before: Tensor, slow: Tensor) -> None:
    """Check where an update has taken one slow copy.

    Args:
        before: all weights of the network that it follows, before the update.
        slow: its own.
    """
    now, fast, tau = flat(getattr(mine, f"{name}_target")), flat(getattr(course, name)), course.tau
    if close(now, flat(getattr(course, f"{name}_target")), 1e-6):
        return
    slips = {
        "did not move: Eq. 9 is for both slow copies.": slow,
        "followed the weights of before the update. Move the slow copies last.": slow
        + tau * (before - slow),
        "became a copy of the network: it should cover τ of the distance only.": fast,
        "keeps τ and moves by 1 − τ; it should be the other way round.": fast + tau * (slow - fast),
        "moves away from the network it follows.": slow - tau * (fast - slow),
        "moves twice in one update.": slow + (1 - (1 - tau) ** 2) * (fast - slow),
        "does not use the argument tau.": slow + 0.005 * (fast - slow),
    }
    for hint, weights in slips.items():
        expect(not close(now, weights, 1e-6), f"{name}_target {hint}")
    expect(False, f"{name}_target is not where Eq. 9 takes it, with the trained {name} and tau.")
