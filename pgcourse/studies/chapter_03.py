"""Chapter 03: DDPG on the pendulum, and what its noise, its targets and its memory are for."""

import math
from contextlib import closing
from typing import Any

import numpy as np
import torch

from pgcourse.agents.ddpg import DDPGAgent
from pgcourse.parts.noise import OUNoise
from pgcourse.runs.evaluation import evaluate
from pgcourse.studies.evidence import networks_of, trained
from pgcourse.tasks.envs import make_env
from pgcourse.tasks.pendulum import swing

ENV_ID, PANEL = "Pendulum-v1", range(10_000, 10_100)
STEPS, PIECES, SEEDS = 8_000, 4, range(10)
RUN = "the chapter's run"  # its agent with its budget
RUN_STEPS, RUN_PIECES, RUN_SEEDS = 12_000, 6, range(10)
THETA, SIGMA = 0.15, 0.2  # the paper's noise
LARGE = SIGMA / math.sqrt(1 - (1 - THETA) ** 2)  # its deviation in the long run, 0.38
SMALL = SIGMA / math.sqrt(12)  # with this sigma it deviates as little as the biased copy, 0.11


class BiasedNoise(OUNoise):
    """The slip: a push that is uniform on [0, 1), so its mean is 0.5 and not 0."""

    def sample(self) -> np.ndarray:
        """Advance one step and return the noise, (size,)."""
        push = self.sigma * self.rng.random(self.size)
        self.state = self.state + self.theta * (self.mu - self.state) + push
        return self.state.copy()


class Biased(DDPGAgent):
    """Explores with the slip."""

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self.noise = BiasedNoise(self.act_dim, 0.0, THETA, SIGMA, self.stream_seed("noise"))


class Shifted(DDPGAgent):
    """Explores with the paper's noise around the mean of the slip's."""

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self.noise.mu = 0.5 * SIGMA / THETA
        self.noise.reset()


class CutAtTimeLimit(DDPGAgent):
    """Takes a time limit for an end."""

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool]:
        """Act once, and store that the episode ended."""
        result = super().step(action)
        newest = (self.memory.stored - 1) % self.memory.size
        self.memory.data.terminated[newest] = result[2] or result[3]
        return result


class PlainLastLayer(DDPGAgent):
    """Starts its last layers as PyTorch does, about thirty times larger."""

    def build(self) -> None:
        """Make the four networks."""
        super().build()
        pairs = (self.actor, self.actor_target), (self.critic, self.critic_target)
        for fast, slow in pairs:
            fast.net[-1].reset_parameters()
            slow.load_state_dict(fast.state_dict())


ARMS: dict[str, tuple[type[DDPGAgent], dict[str, Any]]] = {
    RUN: (DDPGAgent, {}),
    "white noise": (DDPGAgent, {}),  # the same agent
    "white noise, large": (DDPGAgent, {"ou_noise_sigma": LARGE}),
    "OU noise": (DDPGAgent, {"ou_noise_theta": THETA, "ou_noise_sigma": SIGMA}),
    "OU noise, small": (DDPGAgent, {"ou_noise_theta": THETA, "ou_noise_sigma": SMALL}),
    "biased noise": (Biased, {}),
    "biased noise, large": (Shifted, {"ou_noise_theta": THETA, "ou_noise_sigma": SIGMA}),
    "time limit cuts": (CutAtTimeLimit, {}),
    "no slow copies": (DDPGAgent, {"tau": 1.0}),
    "newest rows only": (DDPGAgent, {"memory_size": 128}),
    "plain last layer": (PlainLastLayer, {}),
}
JOBS = [(arm, seed) for arm in ARMS for seed in (RUN_SEEDS if arm == RUN else SEEDS)]
KEPT = {(RUN, 0): "03_run"}  # the agent of the chapter's first film


def promises(agent: DDPGAgent) -> tuple[np.ndarray, np.ndarray]:
    """Return the critic's values of its agent's actions, and what came of them.

    Of the first 100 steps of 40 episodes, so that 100 rewards or more follow each: (4000,) both.
    """
    estimates, returns, powers = [], [], agent.gamma ** np.arange(200)
    with closing(make_env(ENV_ID)) as env:
        starts = [env.reset(seed=seed)[0] for seed in PANEL[:40]]
    for cos, sin, speed in starts:
        path = swing(agent, np.arctan2(sin, cos), speed)
        obs = np.column_stack([np.cos(path[:, 0]), np.sin(path[:, 0]), path[:, 1]])
        obs = torch.from_numpy(obs.astype(np.float32))[:100]
        with torch.no_grad():
            estimates += agent.critic(obs, agent.actor(obs)).tolist()
        returns += [powers[: 200 - k] @ path[k:, 3] for k in range(100)]
    return np.array(estimates), np.array(returns)


def make(arm: str, seed: int) -> DDPGAgent:
    """Return a new agent of an arm."""
    agent_class, options = ARMS[arm]
    return agent_class(ENV_ID, seed=seed, **options)


def train(arm: str, seed: int) -> dict[str, Any]:
    """Train an agent and return its row: curve and returns, and the run's promises kept or not."""
    agent = make(arm, seed)
    steps, pieces = (RUN_STEPS, RUN_PIECES) if arm == RUN else (STEPS, PIECES)
    row = trained(agent, steps, pieces, lambda agent: evaluate(agent, ENV_ID, PANEL))
    if arm == RUN:
        estimates, returns = promises(agent)
        row["error"] = round(float((estimates - returns).mean()), 2)
        row["too_high"] = round(float((estimates > returns).mean()), 3)
    return row | ({"networks": networks_of(agent, "actor")} if (arm, seed) in KEPT else {})
