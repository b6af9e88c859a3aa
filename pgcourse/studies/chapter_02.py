"""Chapter 02: PPO on the pendulum, and what each of its details is for."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from pgcourse.agents.a2c import A2CAgent
from pgcourse.agents.on_policy import OnPolicyAgent
from pgcourse.agents.ppo import PPOAgent
from pgcourse.parts.returns import policy_gradient_loss
from pgcourse.parts.rollout import Lesson, Steps
from pgcourse.runs.evaluation import evaluate
from pgcourse.studies.evidence import Evidence, networks_of, trained

ENV_ID, PANEL = "Pendulum-v1", range(10_000, 10_100)
STEPS, PIECES, SEEDS = 150_000, 5, range(5)
RUN, RUN_SEEDS = "PPO, the chapter's run", range(10)
SECOND, SECOND_PANEL = "double pendulum", range(10_000, 10_020)
CLIP = 0.2  # what `outside` counts against, in arms without clipping too


class WatchedPPO(PPOAgent):
    """PPO that notes after each epoch how far its policy has moved from the one that drew.

    `moved` holds, for each update, a row for each epoch: KL(old, new) and the share of ratios
    outside of 1 ± CLIP, both over the whole rollout.
    """

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self.moved: list[list[tuple[float, float]]] = []

    @torch.no_grad()
    def gaussian(self, obs: Tensor) -> Normal:
        """Return the policy of the moment in these states."""
        return Normal(self.actor(obs), self.actor.log_std.exp().clone())

    def update(self, lesson: Lesson) -> Iterator[dict[str, float]]:
        """Learn as PPO does, and look on."""
        self.moved.append([])
        old, epoch = self.gaussian(lesson.obs), math.ceil(len(lesson.obs) / self.batch_size)
        for step, numbers in enumerate(super().update(lesson), 1):
            yield numbers
            if step % epoch == 0:
                new = self.gaussian(lesson.obs)
                kl = kl_divergence(old, new).sum(dim=1).mean().item()
                log_ratio = new.log_prob(lesson.action).sum(dim=1) - lesson.log_density
                outside = ((log_ratio.exp() - 1.0).abs() > CLIP).float().mean().item()
                self.moved[-1].append((kl, outside))


class NoRatio(WatchedPPO):
    """The slip: old log-densities are computed anew, so that each ratio is 1."""

    def actor_objective(self, lesson: Lesson) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the policy gradient's loss, epoch after epoch, and it to record."""
        log_density = self.log_density(lesson.obs, lesson.action)
        loss = policy_gradient_loss(log_density, lesson.advantage)
        return loss, {"actor_loss": loss}


class CutAtTimeLimit(WatchedPPO):
    """Takes a time limit for an end."""

    def estimates(self, steps: Steps) -> tuple[Tensor, Tensor]:
        """Return advantages and targets as if whatever was cut had ended."""
        ended = torch.maximum(steps.terminated, steps.truncated)
        return super().estimates(steps._replace(terminated=ended))


class RunningScale(WatchedPPO):
    """Divides rewards by the deviation of the discounted returns so far."""

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self.carried, self.seen = torch.zeros(len(self.team.envs)), []

    def estimates(self, steps: Steps) -> tuple[Tensor, Tensor]:
        """Return advantages and targets with the scale of the moment."""
        ended = torch.maximum(steps.terminated, steps.truncated)
        for reward, end in zip(steps.reward, ended, strict=True):
            self.carried = self.gamma * self.carried + reward
            self.seen.append(self.carried)
            self.carried = self.carried * (1.0 - end)
        self.reward_scale = 1.0 / torch.stack(self.seen).std().item()
        return super().estimates(steps)


class LargeLastLayer(WatchedPPO):
    """Its actor's last layer starts a hundred times larger, as large as the critic's."""

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        with torch.no_grad():
            last = [layer for layer in self.actor.net if isinstance(layer, nn.Linear)][-1]
            last.weight.mul_(100.0)


# What A2C shares with PPO here, where their defaults differ.
SAME = {
    "gamma": 0.97, "actor_lr": 1e-3, "critic_lr": 1e-3, "decay_steps": STEPS,
    "reward_scale": 0.1, "normalize": True, "log_std": 0.0, "max_grad_norm": 0.5,
}  # fmt: skip
ARMS: dict[str, tuple[type[OnPolicyAgent], dict[str, Any]]] = {
    RUN: (WatchedPPO, {}),
    "no clipping": (WatchedPPO, {"clip": 1e9}),
    "no clipping, rate 1e-4": (WatchedPPO, {"clip": 1e9, "actor_lr": 1e-4}),
    "no clipping, rate 3e-4": (WatchedPPO, {"clip": 1e9, "actor_lr": 3e-4}),
    "no clipping, constant rate": (WatchedPPO, {"clip": 1e9, "decay_steps": None}),
    "no ratio": (NoRatio, {}),
    "three epochs": (WatchedPPO, {"epochs": 3}),
    "one epoch": (WatchedPPO, {"epochs": 1}),
    "A2C, 128 steps": (A2CAgent, {"envs": 16, "steps": 128} | SAME),
    "A2C, 8 steps": (A2CAgent, {"envs": 16, "steps": 8} | SAME),
    "A2C, 8 steps, rate 1e-2": (
        A2CAgent,
        {"envs": 16, "steps": 8} | SAME | {"actor_lr": 1e-2, "critic_lr": 1e-2},
    ),
    "time limit cuts": (CutAtTimeLimit, {}),
    "time limit cuts, gamma 0.99": (CutAtTimeLimit, {"gamma": 0.99}),
    "gamma 0.99": (WatchedPPO, {"gamma": 0.99}),
    "lambda 0": (WatchedPPO, {"lam": 0.0}),
    "lambda 1": (WatchedPPO, {"lam": 1.0}),
    "rewards as they come": (WatchedPPO, {"reward_scale": 1.0}),
    "rewards and gradients": (WatchedPPO, {"reward_scale": 1.0, "max_grad_norm": None}),
    "running scale": (RunningScale, {}),
    "advantages as they come": (WatchedPPO, {"normalize": False}),
    "constant rate": (WatchedPPO, {"decay_steps": None}),
    "gradients as they come": (WatchedPPO, {"max_grad_norm": None}),
    "large last layer": (LargeLastLayer, {}),
    SECOND: (WatchedPPO, {"envs": 8, "steps": 256, "gamma": 0.99, "reward_scale": 0.01}),
}
JOBS = [(arm, seed) for arm in ARMS for seed in (RUN_SEEDS if arm == RUN else SEEDS)]
KEPT = {(RUN, 0): "02_run"}  # the agent of the chapter's film


def make(arm: str, seed: int) -> OnPolicyAgent:
    """Return a new agent of an arm."""
    agent_class, options = ARMS[arm]
    env = "InvertedDoublePendulum-v5" if arm == SECOND else ENV_ID
    return agent_class(env, seed=seed, **options)


def train(arm: str, seed: int) -> dict[str, Any]:
    """Train an agent and return its row: curve, returns, and how far each update moved it."""

    def measure(agent: OnPolicyAgent) -> np.ndarray:
        second = arm == SECOND
        env = "InvertedDoublePendulum-v5" if second else ENV_ID
        return evaluate(agent, env, SECOND_PANEL if second else PANEL)

    agent = make(arm, seed)
    row = trained(agent, STEPS, PIECES, measure)
    row["deviation"] = round(float(agent.actor.log_std.detach().exp().mean()), 4)
    if isinstance(agent, WatchedPPO):
        row["kl"] = [float(f"{epochs[-1][0]:.3g}") for epochs in agent.moved]
        row["outside"] = [round(epochs[-1][1], 3) for epochs in agent.moved]
    if (arm, seed) in KEPT:
        row["networks"] = networks_of(agent, "actor", "critic")
    return row


def table(study: Evidence, *arms: str) -> str:
    """Return a row for each arm: early means, the end of each seed and its mean, and the KL.

    Of the first five seeds; the KL is the median over updates and seeds.
    """
    lines = [f"{'steps':27s}   30k   60k  150k, seeds 0 to 4{'mean':>18s}      KL"]
    for arm in arms:
        curve = study.of(arm, "curve")[:5]
        watched = issubclass(ARMS[arm][0], WatchedPPO)
        kl = f"{np.median(study.of(arm, 'kl')[:5]):.2g}" if watched else "-"
        early = "".join(f"{x:6.0f}" for x in curve[:, :2].mean(axis=0))
        seeds = "".join(f"{x:6.0f}" for x in curve[:, -1])
        lines.append(f"{arm:27s}{early}{seeds:31s}{curve[:, -1].mean():6.0f}{kl:>8s}")
    return "\n".join(lines)
