"""Off-policy agents whose losses need random draws: a loss itself draws nothing."""

from collections.abc import Callable
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from pgcourse.agents.off_policy import OffPolicyAgent


class NoisyBatch(NamedTuple):
    """A batch with standard normal draws."""

    obs: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    next_obs: np.ndarray
    terminated: np.ndarray
    noise: np.ndarray  # (B, act_dim), for actions in obs
    next_noise: np.ndarray  # (B, act_dim), for actions in next_obs


class NoisyAgent(OffPolicyAgent):
    """An off-policy agent whose losses need random draws: they are columns of its batches."""

    def __init__(self, env: gym.Env | str | Callable[..., gym.Env], *args: Any, **options: Any):
        super().__init__(env, *args, **options)
        self.draws = np.random.default_rng(self.stream_seed("draws"))

    def sample(self) -> NoisyBatch:
        """Draw a batch and standard normal numbers for both of its observations."""
        noise = self.draws.standard_normal((2, self.batch_size, self.act_dim), dtype=np.float32)
        return self.to_tensors(NoisyBatch(*self.memory.sample_batch(), *noise))
