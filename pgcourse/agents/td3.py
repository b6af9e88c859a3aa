"""Twin delayed DDPG (Fujimoto et al. 2018, arXiv 1802.09477, Algorithm 1)."""

from typing import Any

from torch import Tensor, nn

from pgcourse import checks
from pgcourse.agents.noisy import NoisyAgent, NoisyBatch
from pgcourse.agents.off_policy import Follower
from pgcourse.parts.equations import (
    actor_loss,
    critic_loss,
    smoothed_action,
    td_target,
    twin_minimum,
)
from pgcourse.parts.networks import Actor, Critic, slow_copy


class TD3Agent(NoisyAgent):
    """Two critics of which the smaller counts, smoothed target actions, a delayed actor.

    Args:
        env, args, options: as for `OffPolicyAgent`.
        target_sigma: deviation of the noise on target actions, at least 0.
        target_clip: this noise lies in [-target_clip, target_clip].
        delay: critics' updates for each one of the actor and of the slow copies.

    Raises:
        TypeError, ValueError: an argument cannot work.
    """

    def __init__(
        self,
        env: Any,
        *args: Any,
        target_sigma: float = 0.2,
        target_clip: float = 0.5,
        delay: int = 2,
        **options: Any,
    ):
        self.target_sigma = checks.real("target_sigma", target_sigma, 0.0)
        self.target_clip = checks.real("target_clip", target_clip, 0.0)
        self.delay = checks.integer("delay", delay)
        super().__init__(env, *args, **options)

    def build(self) -> None:
        """Make an actor, two critics and their slow copies."""
        inputs, hidden = self.in_dim + self.act_dim, self.hidden
        self.actor = Actor(self.in_dim, self.act_dim, hidden=hidden)
        self.critics = nn.ModuleList(Critic(inputs, hidden=hidden) for _ in range(2))
        self.actor_target = slow_copy(self.actor)
        self.critics_target = slow_copy(self.critics)
        actors_loss, critics_loss = self.actor_objective, self.critic_objective
        self.learners = {
            "critics": self.learner(self.critics, self.critic_lr, critics_loss),
            "actor": self.learner(self.actor, self.actor_lr, actors_loss, self.delay),
        }
        self.followers = {
            "actor": Follower(self.actor_target, self.actor, self.delay),
            "critics": Follower(self.critics_target, self.critics, self.delay),
        }

    def critic_objective(self, batch: NoisyBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return both critics' loss against one target, Eq. 4, and the numbers."""
        noise, next_obs = self.target_sigma * batch.next_noise, batch.next_obs
        action = smoothed_action(self.actor_target(next_obs), noise, self.target_clip)
        next_q = twin_minimum(*(slow(next_obs, action) for slow in self.critics_target))
        target = td_target(batch.reward, next_q, batch.terminated, self.gamma)
        values = (critic(batch.obs, batch.action) for critic in self.critics)
        loss = sum(critic_loss(q, target) for q in values)
        return loss, {"critic_loss": loss}

    def actor_objective(self, batch: NoisyBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the actor's loss, 03 Eq. 8 with the first critic, and the numbers."""
        loss = actor_loss(self.critics[0](batch.obs, self.actor(batch.obs)))
        return loss, {"actor_loss": loss}
