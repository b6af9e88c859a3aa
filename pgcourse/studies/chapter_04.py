"""Chapter 04: what each idea of TD3 does to values and to returns, on three tasks."""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from pgcourse.agents.ddpg import DDPGAgent
from pgcourse.agents.noisy import NoisyBatch
from pgcourse.agents.td3 import TD3Agent
from pgcourse.parts.equations import critic_loss, smoothed_action, td_target
from pgcourse.runs.evaluation import evaluate, play
from pgcourse.studies.evidence import networks_of, trained
from pgcourse.tasks.pendulum import grid, observations, policy_values

# task: (environment, steps, measurements, start seeds held out, seeds)
TASKS = {
    "pendulum": ("Pendulum-v1", 8_000, 8, range(10_000, 10_100), range(10)),
    "double pendulum": ("InvertedDoublePendulum-v5", 20_000, 8, range(10_000, 10_020), range(5)),
    "cheetah": ("HalfCheetah-v5", 30_000, 6, range(10_000, 10_005), range(5)),
}
LONG = 700  # steps of an episode in which values are checked: 0.99 to this power is 0.0009


class OneCritic(TD3Agent):
    """Its targets ask the first critic alone, and the second one for nothing."""

    def critic_objective(self, batch: NoisyBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return both critics' loss against the first one's target, the numbers."""
        noise, next_obs = self.target_sigma * batch.next_noise, batch.next_obs
        best = self.actor_target(next_obs)
        action = smoothed_action(best, noise, self.target_clip)
        next_q = self.critics_target[0](next_obs, action)
        target = td_target(batch.reward, next_q, batch.terminated, self.gamma)
        values = (critic(batch.obs, batch.action) for critic in self.critics)
        loss = sum(critic_loss(q, target) for q in values)
        return loss, {"critic_loss": loss}


class ActorWaits(OneCritic):
    """Its actor learns in every second update; its slow copies follow in each."""

    def build(self) -> None:
        """Make the networks."""
        super().build()
        for each in self.followers.values():
            each.every = 1


PLAIN: dict[str, Any] = {"target_sigma": 0.0, "delay": 1}
KINDS: dict[str, tuple[type, dict[str, Any]]] = {
    "DDPG": (DDPGAgent, {}),
    "twin minimum": (TD3Agent, PLAIN),
    "smoothed action": (OneCritic, {"delay": 1}),
    "delayed actor": (OneCritic, {"target_sigma": 0.0}),
    "TD3": (TD3Agent, {}),
}
# The delay holds back two things; these hold back one each, on the pendulum.
HALVES: dict[str, tuple[type, dict[str, Any]]] = {
    "actor alone waits": (ActorWaits, {"target_sigma": 0.0}),
    "copies alone wait": (DDPGAgent, {"tau": 2.5e-3}),
}
ARMS = [f"{task}: {kind}" for task in TASKS for kind in KINDS]
JOBS = [(arm, seed) for arm in ARMS for seed in TASKS[arm.split(": ")[0]][4]]
JOBS += [(f"pendulum: {kind}", seed) for kind in HALVES for seed in range(5)]
# Rows whose networks the chapter looks at, and the file that they go to.
KEPT = {("pendulum: TD3", 0): "04_td3"}


def first_critic(agent: DDPGAgent | TD3Agent) -> torch.nn.Module:
    """Return the critic that the actor climbs."""
    return agent.critic if isinstance(agent, DDPGAgent) else agent.critics[0]


def promises(agent: DDPGAgent | TD3Agent, task: str) -> list[np.ndarray]:
    """Return a critic's values of its own actor's actions, and what came of it.

    In ten episodes without noise, in states that LONG steps or an end follow: (rows,) both.
    """
    env, *_, starts, _ = TASKS[task]
    critic, found = first_critic(agent), []
    for seed in starts[:10]:
        episode = play(agent, long_episodes(env), seed)
        found.append(promised_and_came(critic, episode, agent.gamma))
    return [np.concatenate(rows) for rows in zip(*found, strict=True)]


def promised_and_came(
    critic: torch.nn.Module, episode: tuple, gamma: float, bonus: np.ndarray | float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Return a critic's values of an episode's steps, and what came of each.

    Args:
        episode: obs, action and reward, as `play` returns them.
        bonus: what a step is worth beside its reward once it follows, (T,).

    Returns:
        (rows,) both, of the steps that LONG others or an end follow.
    """
    obs, action, reward = episode
    later, came = 0.0, np.empty(len(reward))
    extra = np.broadcast_to(bonus, came.shape)
    for k in range(len(reward))[::-1]:
        came[k] = reward[k] + gamma * later
        later = came[k] + extra[k]
    fell = len(reward) < LONG + 200
    rows = slice(0, len(reward) if fell else 200)
    with torch.no_grad():
        batch = (torch.from_numpy(x[rows]).float() for x in (obs, action))
        promised = critic(*batch)
    return promised.numpy(), came[rows]


def map_of_errors(agent: DDPGAgent | TD3Agent, side: int = 91) -> np.ndarray:
    """Return critic minus its own agent's value over the pendulum's states, (side, side)."""
    truth = policy_values(agent, agent.gamma, side, side)
    obs = observations(*grid(side, side))
    with torch.no_grad():
        value = first_critic(agent)(obs, agent.actor(obs))
    return (value.reshape(side, side) - truth).numpy()


def long_episodes(env: str):
    """Return what makes an environment whose time limit leaves LONG steps after the 200th."""
    return lambda **options: gym.make(env, max_episode_steps=LONG + 200, **options)


def make(arm: str, seed: int) -> DDPGAgent | TD3Agent:
    """Return a new agent of an arm."""
    task, kind = arm.split(": ")
    agent_class, options = (KINDS | HALVES)[kind]
    return agent_class(TASKS[task][0], seed=seed, **options)


def train(arm: str, seed: int) -> dict[str, Any]:
    """Train an agent and return its row: curve, returns, and how its critic errs, and where."""
    task, _ = arm.split(": ")
    env, steps, pieces, starts, _ = TASKS[task]
    value, error = [], []

    def measure(agent: DDPGAgent | TD3Agent) -> np.ndarray:
        promised, came = promises(agent, task)
        value.append(round(float(came.mean()), 2))
        error.append(round(float((promised - came).mean()), 2))
        return evaluate(agent, env, starts)

    agent = make(arm, seed)
    row = trained(agent, steps, pieces, measure) | {"value": value, "error": error}
    if task == "pendulum":
        row["map"] = map_of_errors(agent)[::3, ::3].round().astype(int).tolist()
    if (arm, seed) in KEPT:
        row["networks"] = networks_of(agent, "actor", "critics")
    return row
