"""The museum of bugs: the grader of tests that expose its exhibits.

`exhibits` has the agents with a mistake, `others` the right ones that are written differently.
"""

import random
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import gymnasium as gym
import numpy as np
import torch

from pgcourse import BCAgent, SACAgent, make_env
from pgcourse.agents.agent import Agent
from pgcourse.agents.ddpgfd import DDPGfDAgent
from pgcourse.agents.on_policy import OnPolicyAgent
from pgcourse.exercises.exhibits import EXHIBITS
from pgcourse.exercises.grading import expect, lock, right
from pgcourse.exercises.honest import suspicious
from pgcourse.exercises.others import RIGHT, own


def factory(kind: type[Agent], seed: int = 0) -> Callable[..., Agent]:
    """Return `make_agent`: it builds a small agent of this kind on the pendulum.

    Options are those of the agent; a BCAgent gets 40 demonstrations, 8 in a batch, a DDPGfDAgent
    the same 40 and no updates before its first step, and one that learns from rollouts four
    environments of 8 steps each. The agent's class has a name that tells nothing.
    """
    nameless = type("Agent", (kind,), {"__doc__": None, "__module__": "pgcourse"})

    def make_agent(env: Any = None, **options: Any) -> Agent:
        if issubclass(kind, OnPolicyAgent):  # it makes its environments itself
            options = {"envs": 4, "steps": 8, "batch_size": 16, "seed": seed} | options
            return nameless("Pendulum-v1" if env is None else env, **options)
        env = make_env("Pendulum-v1") if env is None else env
        options = {"initial_random_steps": 100, "seed": seed} | options
        noise = (1.0, 1.0 if issubclass(kind, SACAgent) else 0.1)
        if issubclass(kind, DDPGfDAgent):
            options = {"pretrain": 0, "demo": list(demonstrations(env))} | options
        if not issubclass(kind, BCAgent):
            return nameless(env, 1_000, 16, *noise, **options)
        return nameless(env, 1_000, 16, 8, *noise, demo=list(demonstrations(env)), **options)

    return make_agent


def demonstrations(env: gym.Env) -> Iterator[tuple]:
    """Yield 40 transitions whose velocities, all 7 or more, no replayed one is likely to have."""
    rng = np.random.default_rng(5)
    size = env.observation_space.shape[0]
    for _ in range(40):
        obs, next_obs = rng.uniform(-1, 1, (2, size))
        obs[-1] = next_obs[-1] = rng.uniform(7, 8)
        yield obs.tolist(), rng.uniform(-1, 1, env.action_space.shape).tolist(), -1.0, \
            next_obs.tolist(), False  # fmt: skip


def outcome(test: Callable, kind: type[Agent], seed: int) -> str | None:
    """Run a learner's test on an agent: None if it passes, else what it says.

    A hint if the test breaks down instead of failing.
    """
    random.seed(seed), np.random.seed(seed), torch.manual_seed(seed)
    try:
        test(factory(kind, seed))
    except AssertionError as error:
        return (str(error) or "its assertion").splitlines()[0]
    except Exception as error:
        expect(False, f"Your test breaks down instead of failing: {type(error).__name__}: {error}")
    return None


def check_bug(name: str, test: Callable, seeds: int = 5) -> None:
    """Grade a test: it must fail on the exhibit and pass on two right agents, with every seed.

    The runs come in an order that no test can know, so that counting calls does not help.

    Raises:
        AssertionError: with a hint.
    """
    bug, where = EXHIBITS[name]
    expect(isinstance(test, FunctionType), f"Write a function of make_agent; got {test!r}.")
    word = suspicious(test)
    expect(word is None, f"Test what an agent does, not how it is written: leave out `{word}`.")
    right_agent = own(bug)
    other = RIGHT[right_agent]
    runs = [(kind, seed) for kind in (right_agent, bug, other) for seed in range(seeds)]
    random.SystemRandom().shuffle(runs)
    said = {run: outcome(test, *run) for run in runs}
    failed, found, detail = (
        [said[kind, seed] for seed in range(seeds) if said[kind, seed] is not None]
        for kind in (right_agent, bug, other)
    )
    luck = "Draw more, or compare what does not depend on luck."
    expect(
        len(failed) < seeds,
        f"Your test fails the course's own agent, which is right: {next(iter(failed), None)}.",
    )
    expect(len(found) > 0, f"Your test passes the exhibit. {where}")
    expect(
        not failed,
        f"With {len(failed)} of {seeds} seeds your test fails the course's own agent, "
        f"which is right. {luck}",
    )
    expect(
        len(found) == seeds,
        f"Your test passes the exhibit with {seeds - len(found)} of {seeds} seeds. {luck}",
    )
    expect(
        not detail,
        f"Your test also fails a right agent that is written differently (see {other.__name__}), "
        f"with {len(detail)} of {seeds} seeds: {next(iter(detail), None)}. Test what an agent "
        "does, not how it is written.",
    )
    right(f"The exhibit fails ({found[0]}); two right agents pass.")


lock()
