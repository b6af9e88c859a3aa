"""Soft actor-critic with a learned temperature (Haarnoja et al. 2018b, arXiv 1812.05905)."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pgcourse import checks
from pgcourse.agents.noisy import NoisyAgent, NoisyBatch
from pgcourse.agents.off_policy import Follower
from pgcourse.parts.equations import actor_loss, critic_loss, td_target, twin_minimum
from pgcourse.parts.gaussian import (
    GaussianActor,
    Temperature,
    soft_value,
    squashed_gaussian,
    temperature_loss,
)
from pgcourse.parts.networks import Critic, slow_copy


class SACAgent(NoisyAgent):
    """A policy that draws its actions, two critics, and a price α on being predictable.

    Args:
        env, args, options: as for `OffPolicyAgent`; the noise is that of the policy's draws, so
            its deviation is 1 unless told otherwise.
        temperature_lr: learning rate of α.
        target_entropy: the entropy that α is to keep, in nats; None is −act_dim.

    Raises:
        TypeError, ValueError: an argument cannot work.
    """

    def __init__(
        self,
        env: Any,
        *args: Any,
        temperature_lr: float = 1e-3,
        target_entropy: float | None = None,
        **options: Any,
    ):
        self.temperature_lr = checks.real("temperature_lr", temperature_lr, 0.0)
        own = {} if len(args) > 3 else {"ou_noise_sigma": 1.0}
        super().__init__(env, *args, **{"actor_lr": 1e-3} | own | options)
        wanted = -self.act_dim if target_entropy is None else target_entropy
        self.target_entropy = checks.real("target_entropy", wanted)

    def build(self) -> None:
        """Make a drawing actor, two critics, their slow copies, and the temperature."""
        inputs, hidden = self.in_dim + self.act_dim, self.hidden
        self.actor = GaussianActor(self.in_dim, self.act_dim, hidden=hidden)
        self.critics = nn.ModuleList(Critic(inputs, hidden=hidden) for _ in range(2))
        self.critics_target, self.temperature = slow_copy(self.critics), Temperature()
        rate, critics_loss = self.temperature_lr, self.critic_objective
        temperatures_loss = self.temperature_objective
        self.learners = {
            "critics": self.learner(self.critics, self.critic_lr, critics_loss),
            "actor": self.learner(self.actor, self.actor_lr, self.actor_objective),
            "temperature": self.learner(self.temperature, rate, temperatures_loss),
        }
        self.followers = {"critics": Follower(self.critics_target, self.critics)}

    @torch.inference_mode()
    def explore(self, obs: np.ndarray) -> np.ndarray:
        """Return an action drawn from the policy, (act_dim,)."""
        rows = torch.from_numpy(np.asarray(obs, dtype=np.float32)).to(self.device)
        mean, log_std = (part.cpu().numpy() for part in self.actor.gaussian(rows))
        return np.tanh(mean + np.exp(log_std) * self.noise.sample()).astype(np.float32)

    def draw(self, obs: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return actions made of noise, standard normal (B, act_dim), and log π."""
        return squashed_gaussian(*self.actor.gaussian(obs), noise)

    def critic_objective(self, batch: NoisyBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return both critics' loss against one soft target, and the numbers."""
        next_obs = batch.next_obs
        action, log_density = self.draw(next_obs, batch.next_noise)
        next_q = twin_minimum(*(slow(next_obs, action) for slow in self.critics_target))
        next_value = soft_value(next_q, log_density, self.temperature())
        target = td_target(batch.reward, next_value, batch.terminated, self.gamma)
        values = (critic(batch.obs, batch.action) for critic in self.critics)
        loss = sum(critic_loss(q, target) for q in values)
        return loss, {"critic_loss": loss}

    def actor_objective(self, batch: NoisyBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return minus the mean soft value of drawn actions, and the numbers."""
        action, log_density = self.draw(batch.obs, batch.noise)
        q = twin_minimum(*(critic(batch.obs, action) for critic in self.critics))
        alpha = self.temperature().detach()
        loss = actor_loss(soft_value(q, log_density, alpha))
        return loss, {"actor_loss": loss, "entropy": -log_density.mean()}

    def temperature_objective(self, batch: NoisyBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the temperature's loss, and the temperature."""
        _, log_density = self.draw(batch.obs, batch.noise)
        alpha = self.temperature()
        loss = temperature_loss(alpha, log_density, self.target_entropy)
        return loss, {"temperature_loss": loss, "temperature": alpha}
