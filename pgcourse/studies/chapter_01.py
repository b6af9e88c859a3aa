"""Chapter 01: what a baseline, λ and a few mistakes do to a policy gradient."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from pgcourse.agents.a2c import A2CAgent
from pgcourse.agents.on_policy import OnPolicyAgent
from pgcourse.agents.reinforce import ReinforceAgent
from pgcourse.parts.rollout import Lesson, Steps
from pgcourse.runs.evaluation import evaluate
from pgcourse.studies.evidence import networks_of, trained

TASK, SWING = "InvertedPendulum-v5", "Pendulum-v1"
STARTS = range(10_000, 10_020)  # held out; the first four of them before the end
POINTS = 20  # at which the return of training episodes is kept
# Weights go other ways on another processor, and episodes of other lengths follow.
TOLERANCE = {1: (1e-4, 0.0), 10: (1e-3, 1e-6), 100: (0.5, 0.1), 500: (1.0, 1.0)}


class WrongSign(A2CAgent):
    """It makes likely what came out worse."""

    def actor_objective(self, lesson: Lesson) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss with the advantage's sign turned."""
        return super().actor_objective(lesson._replace(advantage=-lesson.advantage))


class GradientThroughBaseline(A2CAgent):
    """Its critic also goes down the policy's loss, because nobody stopped the gradient."""

    def critic_objective(self, lesson: Lesson) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the critic's loss and, with it, the policy's."""
        loss, numbers = super().critic_objective(lesson)
        log_density = self.log_density(lesson.obs, lesson.action).detach()
        advantage = lesson.target - self.critic(lesson.obs)
        return loss - (log_density * advantage).mean(), numbers


class CutByLimits(A2CAgent):
    """It takes the time limit for the end of the task."""

    def estimates(self, steps: Steps) -> tuple[Tensor, Tensor]:
        """Return advantages and targets as if nothing could come after a limit."""
        ended = torch.maximum(steps.terminated, steps.truncated)
        return super().estimates(steps._replace(terminated=ended))


NORMAL: dict[str, Any] = {"normalize": True}
SLOW: dict[str, Any] = {"actor_lr": 3e-3, "critic_lr": 3e-3}
# arm: (kind of agent, options, environment, steps, seeds)
KINDS: dict[str, tuple[type[OnPolicyAgent], dict[str, Any], str, int, int]] = {
    "REINFORCE": (ReinforceAgent, {}, TASK, 60_000, 20),
    "with baseline": (ReinforceAgent, {"baseline": True}, TASK, 60_000, 20),
    "GAE 0.95": (A2CAgent, {}, TASK, 60_000, 20),
    "GAE 0": (A2CAgent, {"lam": 0.0}, TASK, 60_000, 5),
    "REINFORCE, normalised": (ReinforceAgent, NORMAL, TASK, 60_000, 10),
    "GAE 0.95, slower": (A2CAgent, SLOW, TASK, 100_000, 10),
    "wrong sign": (WrongSign, {}, TASK, 20_000, 5),
    "gradient through the baseline": (GradientThroughBaseline, {}, TASK, 60_000, 5),
    "time limits that cut": (CutByLimits, {}, TASK, 60_000, 5),
    "deviation of 0.02": (A2CAgent, {"log_std": -4.0}, TASK, 60_000, 5),
    "one environment": (A2CAgent, {"envs": 1}, TASK, 60_000, 5),
    "swing-up": (A2CAgent, {}, SWING, 300_000, 3),
    "swing-up, slower, normalised": (A2CAgent, NORMAL | SLOW, SWING, 300_000, 3),
}
ARMS = list(KINDS)
JOBS = [(arm, seed) for arm in ARMS for seed in range(KINDS[arm][4])]
# Rows whose networks the chapter looks at, and the file that they go to.
KEPT = {("GAE 0.95", 0): "01_a2c"}


def make(arm: str, seed: int) -> OnPolicyAgent:
    """Return a new agent of an arm."""
    agent_class, options, env, *_ = KINDS[arm]
    return agent_class(env, seed=seed, **options)


def training_returns(agent: OnPolicyAgent, steps: int) -> list[float]:
    """Return the mean return of the newest whole batch after each of POINTS parts of the steps."""
    n, at = len(agent.team.envs), np.array(agent.history.loss_steps["actor_loss"])
    batches = np.array(agent.history.scores)[: n * len(at)].reshape(-1, n).mean(axis=1)
    newest = np.searchsorted(at, np.arange(1, POINTS + 1) * steps / POINTS, side="right") - 1
    return batches[newest].round(1).tolist()


def train(arm: str, seed: int) -> dict[str, Any]:
    """Train an agent and return its row: curve, training returns, updates and deviation."""
    _, _, env, steps, _ = KINDS[arm]
    agent, deviation = make(arm, seed), []

    def measure(agent: OnPolicyAgent) -> np.ndarray:
        deviation.append(round(agent.actor.log_std.exp().item(), 3))
        return evaluate(agent, env, STARTS if agent.total_steps >= steps else STARTS[:4])

    row = trained(agent, steps, 6, measure)
    row |= {"deviation": deviation, "updates": agent.updates}
    row["training"] = training_returns(agent, steps)
    if (arm, seed) in KEPT:
        row["networks"] = networks_of(agent, "actor", "critic")
    return row
