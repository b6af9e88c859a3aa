"""Bit flipping: a small task whose goals are hardly ever met by chance, if it has many bits."""

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Dict

from pgcourse import checks


class BitFlip(gym.Env):
    """Turn random bits into others, one flip a step (Andrychowicz et al. 2017, section 3.1).

    The bit with the largest action is flipped. The reward is 0 where the bits are the goal
    and -1 elsewhere; an episode has as many steps as bits. It is a success if the goal was
    met on the way: the next flip leaves it again.

    Args:
        bits: how many, at least 1.

    Raises:
        TypeError, ValueError: bits is not a positive integer.
    """

    def __init__(self, bits: int = 8, render_mode: str | None = None):
        self.bits, self.render_mode = checks.integer("bits", bits), render_mode
        box = Box(0.0, 1.0, (bits,), np.float64)
        self.observation_space = Dict(observation=box, achieved_goal=box, desired_goal=box)
        self.action_space = Box(-1.0, 1.0, (bits,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        """Draw new bits and a new goal."""
        super().reset(seed=seed)
        drawn = self.np_random.integers(2, size=(2, self.bits))
        self.now, self.goal = drawn.astype(np.float64)
        self.steps, self.met = 0, False
        return self._obs(), {}

    def step(self, action: np.ndarray):
        """Flip the bit with the largest action, (bits,)."""
        flip = int(np.argmax(action))
        self.now[flip] = 1.0 - self.now[flip]
        self.steps += 1
        reward = float(self.compute_reward(self.now, self.goal, {}))
        self.met = self.met or reward == 0.0
        truncated, info = self.steps == self.bits, {"is_success": self.met}
        return self._obs(), reward, False, truncated, info

    def compute_reward(self, achieved: np.ndarray, goal: np.ndarray, info: dict) -> np.ndarray:
        """Return 0 where the bits (..., bits) are those of the goal, else -1: (...)."""
        return np.where((achieved == goal).all(axis=-1), 0.0, -1.0)

    def _obs(self) -> dict[str, np.ndarray]:
        bits = self.now.copy()
        return {"observation": bits, "achieved_goal": bits, "desired_goal": self.goal.copy()}


def register_bit_flip(bits: int) -> str:
    """Register bit flipping with a number of bits, once, and return its name for `make_env`."""
    name = f"BitFlip{checks.integer('bits', bits)}-v0"
    if name not in gym.registry:
        gym.register(name, BitFlip, kwargs={"bits": bits}, max_episode_steps=bits)
    return name
