"""Chapter 05: SAC on three tasks, its temperature held or steered, its density wrong; and PPO."""

import math
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pgcourse.agents.agent import Agent
from pgcourse.agents.ddpg import DDPGAgent
from pgcourse.agents.ppo import PPOAgent
from pgcourse.agents.sac import SACAgent
from pgcourse.agents.td3 import TD3Agent
from pgcourse.parts.gaussian import squashed_gaussian
from pgcourse.runs.evaluation import evaluate, play
from pgcourse.studies.chapter_04 import TASKS, long_episodes, promised_and_came
from pgcourse.studies.evidence import networks_of, trained


class NoCorrection(SACAgent):
    """The slip: it takes the density of u for that of tanh(u)."""

    def draw(self, obs: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return drawn actions, and the log of a density that is not theirs."""
        mean, log_std = self.actor.gaussian(obs)
        action, _ = squashed_gaussian(mean, log_std, noise)
        of_u = -0.5 * noise**2 - log_std - 0.5 * math.log(2.0 * math.pi)
        return action, of_u.sum(dim=1)


class Held(SACAgent):
    """Keeps its temperature at a given value."""

    def __init__(self, *args: Any, alpha: float, **options: Any):
        self.alpha = alpha
        super().__init__(*args, **options)

    def build(self) -> None:
        """Make the networks; the temperature does not learn."""
        super().build()
        self.temperature.log_alpha.data.fill_(math.log(self.alpha))
        del self.learners["temperature"]


class Drawn:
    """Plays what an agent draws, and notes how surprising that was: −log π of each action.

    It is the true density's, even where the agent learns from another.
    """

    def __init__(self, agent: SACAgent, seed: int):
        self.agent, self.rng = agent, np.random.default_rng(seed)
        self.surprise: list[np.ndarray] = []

    @torch.inference_mode()
    def policy(self, obs: np.ndarray) -> np.ndarray:
        """Return drawn actions: (..., obs_dim) to (..., act_dim)."""
        rows = torch.from_numpy(np.atleast_2d(np.asarray(obs, dtype=np.float32)))
        noise = self.rng.standard_normal((len(rows), self.agent.act_dim), dtype=np.float32)
        gaussian = self.agent.actor.gaussian(rows)
        action, log_density = squashed_gaussian(*gaussian, torch.from_numpy(noise))
        self.surprise.append(-log_density.numpy())
        return action.numpy().reshape(*np.shape(obs)[:-1], -1)


KINDS: dict[str, tuple[type[Agent], dict[str, Any]]] = {
    "SAC": (SACAgent, {}),
    "no correction": (NoCorrection, {}),
    "temperature 0.1": (Held, {"alpha": 0.1}),
    "temperature 1": (Held, {"alpha": 1.0}),
    "temperature 10": (Held, {"alpha": 10.0}),
    "target entropy -4": (SACAgent, {"target_entropy": -4.0}),
    "target entropy 0.5": (SACAgent, {"target_entropy": 0.5}),
    "PPO": (PPOAgent, {}),
}
PPO_STEPS = 150_000  # of all its environments
BOTH = ["SAC", "no correction"]
EVERYWHERE = [*BOTH, "PPO"]  # on every task; the others on the pendulum alone
ARMS = [
    f"{task}: {kind}" for task in TASKS for kind in (KINDS if task == "pendulum" else EVERYWHERE)
]
JOBS = [
    (arm, seed)
    for arm in ARMS
    for seed in (TASKS[arm.split(": ")[0]][4] if arm.split(": ")[1] in EVERYWHERE else range(5))
]
# What `milliseconds` found on one core of an Intel Xeon with AVX-512, other work beside it.
MILLISECONDS = {
    "pendulum": {"DDPG": 2.3669, "TD3": 2.5392, "SAC": 4.6215, "PPO": 0.0914},
    "double pendulum": {"DDPG": 2.5874, "TD3": 2.7107, "SAC": 4.6981, "PPO": 0.1648},
    "cheetah": {"DDPG": 2.4262, "TD3": 2.5002, "SAC": 4.5481, "PPO": 0.1341},
}
KEPT = {
    ("pendulum: SAC", 0): "05_sac",
    ("pendulum: temperature 0.1", 0): "05_cold",
    ("pendulum: temperature 1", 0): "05_warm",
    ("pendulum: temperature 10", 0): "05_hot",
}


def promises(agent: SACAgent, task: str) -> tuple[np.ndarray, np.ndarray, float]:
    """Return a critic's soft values of drawn actions, what came of them, and the mean entropy.

    In ten drawn episodes, in states that LONG steps or an end follow: (rows,) both.
    """
    env, *_, starts, _ = TASKS[task]
    alpha, found, entropy = agent.temperature().item(), [], []
    for seed in starts[:10]:
        player = Drawn(agent, seed)
        episode = play(player, long_episodes(env), seed)
        surprise = np.concatenate(player.surprise)
        # What follows is paid for being unpredictable, too.
        pair = promised_and_came(agent.critics[0], episode, agent.gamma, alpha * surprise)
        found.append(pair)
        entropy.append(surprise[: len(pair[0])])
    promised, came = (np.concatenate(rows) for rows in zip(*found, strict=True))
    return promised, came, float(np.concatenate(entropy).mean())


def milliseconds(env: str, rounds: int = 5, steps: int = 640) -> dict[str, float]:
    """Return what a step costs each kind of agent, on one core, in turns on one machine."""
    agents = {each.__name__[:-5]: each(env, seed=0) for each in (DDPGAgent, TD3Agent, SACAgent)}
    agents["PPO"] = PPOAgent(env, seed=0)
    found: dict[str, list[float]] = {name: [] for name in agents}
    for turn in range(rounds + 1):  # the first is for warming up
        for name, agent in agents.items():
            start, often = time.process_time(), 16 if name == "PPO" else 1
            agent.train(often * steps, 0)
            if turn:
                found[name].append((time.process_time() - start) / (often * steps) * 1e3)
    return {name: round(float(np.median(each)), 4) for name, each in found.items()}


def make(arm: str, seed: int) -> Agent:
    """Return a new agent of an arm."""
    task, kind = arm.split(": ")
    agent_class, options = KINDS[kind]
    return agent_class(TASKS[task][0], seed=seed, **options)


def train(arm: str, seed: int) -> dict[str, Any]:
    """Train an agent and return its row: returns of mean and drawn actions, values, temperature."""
    task, kind = arm.split(": ")
    env, steps, pieces, starts, _ = TASKS[task]
    if kind == "PPO":
        return trained(
            make(arm, seed), PPO_STEPS, pieces, lambda agent: evaluate(agent, env, starts)
        )
    curves: dict[str, list[float]] = {
        name: [] for name in ("drawn", "value", "error", "entropy", "temperature")
    }

    def measure(agent: SACAgent) -> np.ndarray:
        promised, came, entropy = promises(agent, task)
        curves["drawn"].append(round(float(evaluate(Drawn(agent, 0), env, starts).mean()), 3))
        curves["value"].append(round(float(came.mean()), 2))
        curves["error"].append(round(float((promised - came).mean()), 2))
        curves["entropy"].append(round(entropy, 3))
        curves["temperature"].append(float(f"{agent.temperature().item():.4g}"))
        return evaluate(agent, env, starts)

    agent = make(arm, seed)
    row = trained(agent, steps, pieces, measure) | curves
    if (arm, seed) in KEPT:
        row["networks"] = networks_of(agent, "actor", "critics")
    return row
