"""The museum of bugs: ten agents with a mistake, two without, and the grader of tests.

Each exhibit runs, trains and looks plausible. The mistakes are of kinds that were found in
published code; the code here was written for this course.
"""

import random
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch.nn.functional import mse_loss

from pgcourse import Batch, BCAgent, DDPGAgent, OUNoise, make_env, soft_update
from pgcourse.agents.off_policy import OffPolicyAgent, descend
from pgcourse.exercises.grading import expect, lock, right
from pgcourse.exercises.honest import suspicious
from pgcourse.parts.history import Episode


class RandomPushes(OUNoise):
    """Ornstein-Uhlenbeck noise whose pushes come from `random`."""

    def sample(self) -> np.ndarray:
        """Advance one step."""
        push = self.sigma * self.rng.random(self.size)
        self.state = self.state + self.theta * (self.mu - self.state) + push
        return self.state.copy()


class Exhibit1(DDPGAgent):
    """Brings noise of its own."""

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        noise = self.noise
        self.noise = RandomPushes(noise.size, noise.mu, noise.theta, noise.sigma)
        self.noise.rng = noise.rng


class Exhibit2(DDPGAgent):
    """Stores whether the episode is over."""

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool]:
        """Act once and store the transition."""
        if self.obs is None:
            self.reset()
        next_obs, reward, terminated, truncated, _ = self.env.step(action)
        over = terminated or truncated
        self.memory.store(self.obs, action, reward, next_obs, over)
        self.total_steps += 1
        self.score += float(reward)
        self.obs = np.array(next_obs)
        if over:
            self.history.add_episode(self.total_steps, self.score)
            self.obs = None
        return next_obs, float(reward), terminated, truncated


class Exhibit3(DDPGAgent):
    """Seeds its episodes, so that a run can be repeated."""

    def reset(self) -> np.ndarray:
        """Start an episode."""
        self.reset_seed = self.seed
        return super().reset()


class Exhibit4(DDPGAgent):
    """Computes the critic's loss with values as columns."""

    def critic_objective(self, batch: Batch) -> tuple[torch.Tensor, dict]:
        """Return the critic's loss and what to record."""
        with torch.no_grad():
            next_q = self.critic_target(batch.next_obs, self.actor_target(batch.next_obs))
            target = batch.reward + self.gamma * (1 - batch.terminated) * next_q
        q = self.critic(batch.obs, batch.action).reshape(-1, 1)
        loss = ((q - target) ** 2).mean()
        return loss, {"critic_loss": loss}


class Exhibit5(DDPGAgent):
    """Warms up with the torques of the pendulum, from -2 to 2."""

    def select_action(self, obs: np.ndarray) -> np.ndarray:
        """Return an exploring action."""
        if self.total_steps < self.initial_random_steps:
            return np.clip(self.rng.uniform(-2, 2, self.act_dim), -1, 1).astype(np.float32)
        return super().select_action(obs)


class Exhibit6(BCAgent):
    """Draws its batches in one go."""

    def sample(self) -> Batch:
        """Draw N + N_D transitions."""
        first, more = self.memory.sample_batch(), self.memory.sample_batch()
        rows = (np.concatenate([a, b[: self.demo_batch_size]]) for a, b in zip(first, more))  # noqa: B905
        return self.to_tensors(Batch(*rows))


class Exhibit7(BCAgent):
    """Writes out the cloning loss."""

    def actor_objective(self, batch: Batch) -> tuple[torch.Tensor, dict]:
        """Return the actor's loss and what to record."""
        action, n = self.actor(batch.obs), self.demo_batch_size
        q = self.critic(batch.obs, action)
        with torch.no_grad():
            demo_q = self.critic(batch.obs[-n:], batch.action[-n:])
        mask = (demo_q > q[-n:]).float() if self.q_filter else torch.ones_like(demo_q)
        distance = ((action[-n:] - batch.action[-n:]) ** 2).sum(dim=1)
        q_term = -self.lambda1 * q.mean()
        bc_term = self.lambda2 / n * (mask * distance).mean()
        loss = q_term + bc_term
        record = {"actor_loss": loss, "q_term": q_term, "bc_term": bc_term}
        return loss, record | {"pass_rate": mask.mean()}


class Exhibit8(DDPGAgent):
    """Saves a network: the critic itself values the next state."""

    def critic_objective(self, batch: Batch) -> tuple[torch.Tensor, dict]:
        """Return the critic's loss and what to record."""
        next_q = self.critic(batch.next_obs, self.actor_target(batch.next_obs))
        target = batch.reward + self.gamma * (1 - batch.terminated) * next_q
        loss = mse_loss(self.critic(batch.obs, batch.action), target)
        return loss, {"critic_loss": loss}


class Exhibit9(DDPGAgent):
    """Has one way to act, for training and for evaluation."""

    def policy(self, obs: np.ndarray) -> np.ndarray:
        """Return actions for one obs or many."""
        action = super().policy(obs)
        noise = np.array([self.noise.sample() for _ in range(action[..., 0].size)])
        return np.clip(action + noise.reshape(action.shape), -1, 1).astype(np.float32)

    def select_action(self, obs: np.ndarray) -> np.ndarray:
        """Return an exploring action."""
        if self.total_steps < self.initial_random_steps:
            return super().select_action(obs)
        return self.policy(obs)


class Exhibit10(DDPGAgent):
    """Plays its test episodes in the environment that it has."""

    def test(self, seed: int = 0) -> Episode:
        """Play one episode of the noise-free policy."""
        obs, _ = self.env.reset(seed=seed)
        score, over, terminated = 0.0, False, False
        while not over:
            obs, reward, terminated, truncated, _ = self.env.step(self.policy(obs))
            score, over = score + float(reward), terminated or truncated
        return Episode(score, [], terminated)


class OtherDDPG(DDPGAgent):
    """A right agent, written differently: other draws, other formulas, the actor first."""

    def select_action(self, obs: np.ndarray) -> np.ndarray:
        """Return an exploring action."""
        if self.total_steps < self.initial_random_steps:
            return (1 - 2 * self.rng.random(self.act_dim)).astype(np.float32)
        return np.clip(self.noise.sample() + self.policy(obs), -1, 1).astype(np.float32)

    def sample(self) -> Batch:
        """Draw rows of which no two are the same."""
        size = min(self.memory.batch_size, len(self.memory))
        rows = self.rng.choice(len(self.memory), size, replace=False)
        return self.to_tensors(Batch(*(column[rows] for column in self.memory.data)))

    def critic_objective(self, batch: Batch) -> tuple[torch.Tensor, dict]:
        """Return the critic's loss and what to record."""
        with torch.no_grad():
            following = self.critic_target(batch.next_obs, self.actor_target(batch.next_obs))
            following = torch.where(batch.terminated > 0, 0.0, following)
        q = self.critic(batch.obs, batch.action)
        loss = mse_loss(q, torch.add(batch.reward, following, alpha=self.gamma))
        return loss, {"critic_loss": loss}

    def actor_objective(self, batch: Batch) -> tuple[torch.Tensor, dict]:
        """Return the actor's loss and what to record."""
        q = self.critic(batch.obs, self.actor(batch.obs))
        loss = -q.sum() / len(q)
        return loss, {"actor_loss": loss}

    def update_model(self) -> dict[str, float]:
        """One update: the actor first, each on a batch of its own."""
        self.updates += 1
        losses = {}
        for name in ("actor", "critic"):
            learner = self.learners[name]
            loss, numbers = learner.objective(self.sample())
            losses |= self.history.read(self.total_steps, numbers)
            descend(learner, loss)
        for slow, fast in ((self.critic_target, self.critic), (self.actor_target, self.actor)):
            soft_update(slow, fast, self.tau)
        return losses


class OtherBC(BCAgent):
    """A right agent, written differently: demonstrations without repetition, other formulas."""

    def sample(self) -> Batch:
        """Draw N replayed transitions followed by N_D demonstrations."""
        replayed = self.to_tensors(self.memory.sample_batch())
        rows = self.rng.permutation(len(self.demo_memory))[: self.demo_batch_size]
        demo = self.to_tensors(Batch(*(column[rows] for column in self.demo_memory.data)))
        return Batch(*(torch.cat(pair) for pair in zip(replayed, demo, strict=True)))

    def actor_objective(self, batch: Batch) -> tuple[torch.Tensor, dict]:
        """Return the actor's loss and what to record."""
        n, action = self.demo_batch_size, self.actor(batch.obs)
        obs, shown, proposed = batch.obs[-n:], batch.action[-n:], action[-n:]
        with torch.no_grad():
            better = self.critic(obs, shown) > self.critic(obs, proposed)
        kept = better if self.q_filter else torch.ones_like(better)
        bc_term = self.lambda2 * mse_loss(proposed[kept], shown[kept], reduction="sum") / n
        q_term = -self.lambda1 * self.critic(batch.obs, action).mean()
        record = {"actor_loss": q_term + bc_term, "q_term": q_term, "bc_term": bc_term}
        return q_term + bc_term, record | {"pass_rate": kept.float().mean()}


# name: (the agent, where to look if a test does not notice)
EXHIBITS: dict[str, tuple[type[OffPolicyAgent], str]] = {
    "noise": (Exhibit1, "Draw many exploring actions from one obs. Around what do they lie?"),
    "end": (Exhibit2, "Play until the time limit, and look at what was stored."),
    "start": (Exhibit3, "Start two episodes. Which states do they start from?"),
    "columns": (Exhibit4, "Compute the loss of a small batch by Eq. 7, and compare the numbers."),
    "warm-up": (Exhibit5, "Draw many actions during the warm-up. How are they spread?"),
    "batch": (Exhibit6, "Where do the last N_D rows of a batch come from?"),
    "weight": (Exhibit7, "Compute the cloning loss of one batch by hand, with lambda1 = 0."),
    "network": (Exhibit8, "The target is data. What does the loss's gradient depend on?"),
    "evaluation": (Exhibit9, "Ask the policy twice about one obs."),
    "test": (Exhibit10, "Train two equal agents, and call `test` on one of them in between."),
}


def factory(kind: type[OffPolicyAgent], seed: int = 0) -> Callable[..., OffPolicyAgent]:
    """Return `make_agent`: it builds a small agent of this kind on the pendulum.

    Options are those of the agent; a BCAgent gets 40 demonstrations, 8 in a batch. The agent's
    class has a name that tells nothing.
    """
    nameless = type("Agent", (kind,), {"__doc__": None, "__module__": "pgcourse"})

    def make_agent(env: gym.Env | None = None, **options: Any) -> OffPolicyAgent:
        env = make_env("Pendulum-v1") if env is None else env
        options = {"initial_random_steps": 100, "seed": seed} | options
        if not issubclass(kind, BCAgent):
            return nameless(env, 1_000, 16, 1.0, 0.1, **options)
        return nameless(env, 1_000, 16, 8, 1.0, 0.1, demo=list(demonstrations(env)), **options)

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


def outcome(test: Callable, kind: type[OffPolicyAgent], seed: int) -> str | None:
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
    right_agent, other = (BCAgent, OtherBC) if issubclass(bug, BCAgent) else (DDPGAgent, OtherDDPG)
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
