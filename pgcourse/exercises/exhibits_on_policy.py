"""The exhibits of the museum of bugs that learn from rollouts: PPO with one mistake each."""

import numpy as np
import torch

from pgcourse.agents.ppo import PPOAgent
from pgcourse.parts.returns import gae
from pgcourse.parts.rollout import Steps


class Exhibit14(PPOAgent):
    """Loses no time: where an episode ends, the next one begins in the same step."""

    def step(self, action: np.ndarray) -> tuple[np.ndarray, ...]:
        """Act once in all environments and keep it."""
        if self.obs is None:
            self.reset()
        live = ~self.team.waits
        next_obs, reward, terminated, truncated, _ = self.team.step(np.clip(action, -1, 1))
        self.total_steps += int(live.sum())
        ended = terminated | truncated
        for k in np.flatnonzero(ended):
            self.history.add_episode(self.total_steps, self.team.envs[k].score)
        if ended.any():
            next_obs = self.team.restart(ended, wait=self.steps is None)
        self.rollout.add(self.obs, action, reward, next_obs, terminated, truncated, live)
        self.obs = next_obs
        return next_obs, reward, terminated, truncated


class Exhibit15(PPOAgent):
    """Goes through the environments one by one."""

    def estimates(self, steps: Steps) -> tuple[torch.Tensor, torch.Tensor]:
        """Return advantages and the values' targets, (T, n) each."""
        value, next_value = self.critic(steps.obs), self.critic(steps.next_obs)
        reward, ends = self.reward_scale * steps.reward, (steps.terminated, steps.truncated)
        columns, found = (reward, next_value, *ends, value), []
        for k in range(value.shape[1]):
            own = (column[:, [k]] for column in columns)
            found.append(gae(*own, self.gamma, self.lam).flatten())
        advantage = torch.stack(found).view(value.shape)
        return advantage, advantage + value


class Exhibit16(PPOAgent):
    """Draws no action that the environment would have to clip."""

    def explore(self, obs: np.ndarray) -> np.ndarray:
        """Return a drawn action for each environment, (n, act_dim)."""
        return np.clip(super().explore(obs), -1, 1)
