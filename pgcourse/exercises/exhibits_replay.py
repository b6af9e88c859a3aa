"""The exhibits of the museum of bugs that draw by priority: DDPGfD with one mistake each."""

import numpy as np
import torch

from pgcourse.agents.ddpgfd import DDPGfDAgent
from pgcourse.agents.off_policy import OffPolicyAgent
from pgcourse.parts.prioritized import PrioritizedBatch, priority


class Exhibit17(DDPGfDAgent):
    """Says that an episode is over in the step that ends it, not when the next one starts."""

    def remember(self, action, reward, next_obs, terminated) -> None:
        """Store a transition; no n-step row goes on behind the last one of an episode."""
        super().remember(action, reward, next_obs, terminated)
        if terminated:
            self.memory.cut()

    def reset(self) -> np.ndarray:
        """Start an episode."""
        return OffPolicyAgent.reset(self)


class Exhibit18(DDPGfDAgent):
    """Writes out the importance weights."""

    def sample(self) -> PrioritizedBatch:
        """Draw a batch, with weights that make up for how likely each row was."""
        batch, memory = super().sample(), self.memory
        share = memory.share[: len(memory)]
        chance = share[memory.drawn] / share.sum()
        weight = torch.from_numpy((1 / len(memory) / chance) ** -memory.beta).float()
        return batch._replace(weight=(weight / weight.max()).to(self.device))


class Exhibit19(DDPGfDAgent):
    """Adds both networks' losses up: the critic's squared error, and the actor's loss squared."""

    def priorities(self, batch: PrioritizedBatch) -> np.ndarray:
        """Return the priorities of a batch, (B,)."""
        with torch.no_grad():
            error = self.critic(batch.obs, batch.action) - self.target(batch)
            loss = -self.critic(batch.obs, self.actor(batch.obs))
        terms = batch.demo, self.slope_weight, self.epsilon, self.epsilon_demo
        return priority(error, loss[:, None], *terms).cpu().numpy()
