"""Proximal policy optimisation with a clipped objective (Schulman et al. 2017, Algorithm 1)."""

from collections.abc import Callable, Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from pgcourse import checks
from pgcourse.agents.on_policy import OnPolicyAgent
from pgcourse.parts.returns import clipped_objective, kl_estimate
from pgcourse.parts.rollout import Lesson


class PPOAgent(OnPolicyAgent):
    """Several epochs of minibatches on each rollout, with a policy that is held near the old one.

    The settings are chapter 02's, for 150,000 steps of the pendulum.

    Args:
        env, envs, steps, options: as for `OnPolicyAgent`.
        epochs: how often each rollout is gone through.
        batch_size: steps in a minibatch; the last one of an epoch may be smaller.
        clip: beyond a ratio of 1 ± this nothing more is to be gained.

    Raises:
        TypeError, ValueError: an argument cannot work.
    """

    def __init__(
        self,
        env: str | Callable[..., gym.Env],
        envs: int = 16,
        steps: int | None = 128,
        *,
        epochs: int = 10,
        batch_size: int = 256,
        clip: float = 0.2,
        **options: Any,
    ):
        self.epochs = checks.integer("epochs", epochs)
        self.batch_size = checks.integer("batch_size", batch_size)
        self.clip = checks.real("clip", clip, 0.0)
        own = {
            "gamma": 0.97, "actor_lr": 1e-3, "critic_lr": 1e-3, "decay_steps": 150_000,
            "reward_scale": 0.1, "normalize": True, "log_std": 0.0, "max_grad_norm": 0.5,
        }  # fmt: skip
        super().__init__(env, envs, steps, **own | options)
        self.shuffles = np.random.default_rng(self.stream_seed("memory"))

    def actor_objective(self, lesson: Lesson) -> tuple[Tensor, dict[str, Tensor]]:
        """Return minus the mean clipped objective, and the numbers to record."""
        log_density = self.log_density(lesson.obs, lesson.action)
        old = lesson.log_density
        loss = -clipped_objective(log_density, old, lesson.advantage, self.clip).mean()
        return loss, {"actor_loss": loss, "kl": kl_estimate(log_density.detach(), old)}

    def update(self, lesson: Lesson) -> Iterator[dict[str, float]]:
        """Go through the rollout again and again, each time in another order."""
        for _ in range(self.epochs):
            order = torch.from_numpy(self.shuffles.permutation(len(lesson.obs))).to(self.device)
            shuffled = [column[order].split(self.batch_size) for column in lesson]
            for minibatch in zip(*shuffled, strict=True):
                yield self.descend(Lesson(*minibatch), "actor", "critic")
