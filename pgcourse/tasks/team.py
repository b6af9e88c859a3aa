"""Environments that step side by side, and whose episodes a checkpoint can bring back."""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, SyncVectorEnv


class Replayed(gym.Wrapper):
    """An environment that keeps how its episode came about: the stream it began with, its actions.

    With these two another copy comes to the same place. It can also wait, and then stays there.
    """

    def __init__(self, env: gym.Env):
        super().__init__(env)
        self.start: dict[str, Any] | None = None  # of the stream; None: no episode has begun
        self.actions: list[np.ndarray] = []
        self.score = 0.0
        self.waits = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        """Start an episode."""
        rng = self.unwrapped.np_random if seed is None else seeding.np_random(seed)[0]
        self.start, self.actions, self.score = rng.bit_generator.state, [], 0.0
        self.obs, info = self.env.reset(seed=seed, options=options)
        return self.obs, info

    def step(self, action: np.ndarray):
        """Step, or wait: then nothing happens, at no reward."""
        if self.waits:
            return self.obs, 0.0, False, False, {}
        self.obs, reward, terminated, truncated, info = self.env.step(action)
        self.actions.append(action)
        self.score += float(reward)
        return self.obs, reward, terminated, truncated, info

    def state_dict(self) -> dict[str, Any]:
        """Return how the episode came about."""
        stream = self.unwrapped.np_random.bit_generator.state if self.start is None else self.start
        rows = np.array(self.actions, dtype=np.float32).reshape(-1, *self.action_space.shape)
        return {
            "stream": stream, "rows": {"action": torch.from_numpy(rows)},
            "count": -1 if self.start is None else len(rows), "waits": int(self.waits),
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Play the same episode up to the same place; ValueError if there is none."""
        actions = state["rows"]["action"].numpy().copy()
        begun = state["count"] >= 0
        if state["count"] != (len(actions) if begun else -1) or state["waits"] not in (0, 1):
            raise ValueError(f"an episode of {state['count']} steps with {len(actions)} actions")
        self.waits = False
        self.unwrapped.np_random.bit_generator.state = state["stream"]
        self.reset()
        for action in actions:
            _, _, terminated, truncated, _ = self.step(action)
            if terminated or truncated:
                raise ValueError("an episode that goes on after its end")
        self.waits = bool(state["waits"])
        if not begun:
            self.start, self.unwrapped.np_random.bit_generator.state = None, state["stream"]


class Team(SyncVectorEnv):
    """gymnasium's `SyncVectorEnv` of environments that can wait and be brought back.

    None starts anew by itself: what `step` returns is the last obs of an episode that ended,
    and `restart` gives the first of the next.

    Args:
        envs: environments of one kind, each its own.
    """

    def __init__(self, envs: Sequence[gym.Env]):
        makers = [lambda env=env: Replayed(env) for env in envs]
        super().__init__(makers, autoreset_mode=AutoresetMode.DISABLED)

    def restart(self, ended: np.ndarray, wait: bool = False) -> np.ndarray:
        """Start the next episode where one ended; return the obs of all, (n, obs_dim).

        Args:
            ended: (n,), bool, at least one True.
            wait: those that start stay at their first obs until `go`.
        """
        obs, _ = self.reset(options={"reset_mask": ended})
        for k in np.flatnonzero(ended) if wait else ():
            self.envs[k].waits = True
        return obs

    def go(self) -> None:
        """Let nobody wait any longer."""
        for env in self.envs:
            env.waits = False

    @property
    def waits(self) -> np.ndarray:
        """Which environments wait, (n,), bool."""
        return np.array([env.waits for env in self.envs])

    def state_dict(self) -> dict[str, Any]:
        """Return how each environment came to where it is."""
        return {str(k): env.state_dict() for k, env in enumerate(self.envs)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Bring each environment to where it was; ValueError if one cannot be."""
        self.reset()  # what it keeps of ended episodes is forgotten
        for k, env in enumerate(self.envs):
            env.load_state_dict(state[str(k)])

    def obs(self) -> np.ndarray:
        """Return the obs of all, (n, obs_dim)."""
        return np.stack([env.obs for env in self.envs])
