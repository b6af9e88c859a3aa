"""Deep Deterministic Policy Gradient (Lillicrap et al. 2015, Algorithm 1)."""

from torch import Tensor

from pgcourse.agents.off_policy import Follower, OffPolicyAgent
from pgcourse.parts.buffer import Batch
from pgcourse.parts.equations import actor_loss, critic_loss, td_target
from pgcourse.parts.networks import Actor, Critic, slow_copy


class DDPGAgent(OffPolicyAgent):
    """An actor, a critic and their slow copies."""

    def build(self) -> None:
        """Make the four networks; the critic learns first, then the actor."""
        self.actor = Actor(self.in_dim, self.act_dim, hidden=self.hidden)
        self.critic = Critic(self.in_dim + self.act_dim, hidden=self.hidden)
        self.actor_target = slow_copy(self.actor)
        self.critic_target = slow_copy(self.critic)
        critic = self.learner(self.critic, self.critic_lr, self.critic_objective)
        actor = self.learner(self.actor, self.actor_lr, self.actor_objective)
        self.learners = {"critic": critic, "actor": actor}
        self.followers = {
            "actor": Follower(self.actor_target, self.actor),
            "critic": Follower(self.critic_target, self.critic),
        }

    def critic_objective(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the critic's loss, 03 Eqs. 6 and 7, and the numbers to record."""
        next_action = self.actor_target(batch.next_obs)
        next_q = self.critic_target(batch.next_obs, next_action)
        target = td_target(batch.reward, next_q, batch.terminated, self.gamma)
        loss = critic_loss(self.critic(batch.obs, batch.action), target)
        return loss, {"critic_loss": loss}

    def actor_objective(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the actor's loss, 03 Eq. 8, and the numbers to record."""
        loss = actor_loss(self.critic(batch.obs, self.actor(batch.obs)))
        return loss, {"actor_loss": loss}
