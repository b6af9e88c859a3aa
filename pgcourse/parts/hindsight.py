"""Hindsight experience replay: episodes that missed their goal, seen as if they had not."""

from collections.abc import Callable

import numpy as np

from pgcourse import checks
from pgcourse.parts.buffer import Batch


class HindsightBuffer:
    """Whole episodes; a sample replaces goals by places reached later (strategy `future`).

    Andrychowicz et al. 2017, section 3, as used by Nair et al. 2017. Rewards are never stored:
    they are computed for the goal that a row ends up with.

    Args:
        obs_dim, goal_dim, act_dim: numbers in an observation, a goal and an action.
        episodes: episodes kept; the oldest is overwritten first.
        steps: the most steps in an episode.
        batch_size: rows in a sample.
        reward_fn: from achieved (B, goal_dim) and goal (B, goal_dim) to rewards (B,).
        relabel: the share of rows whose goal is replaced, in [0, 1].
        seed: seed of the sampling stream; None draws a fresh one.
        strategy: "future" takes any later place of the episode, "final" its last one.

    Raises:
        TypeError, ValueError: a size is not a positive integer, reward_fn is no function,
            relabel is not in [0, 1], or the strategy is another.
    """

    kept = ("stored", "rows", "rng")

    def __init__(
        self,
        obs_dim: int,
        goal_dim: int,
        act_dim: int,
        episodes: int,
        steps: int,
        batch_size: int,
        reward_fn: Callable[[np.ndarray, np.ndarray], np.ndarray],
        relabel: float = 0.8,
        seed: int | None = None,
        strategy: str = "future",
    ):
        self.obs_dim = checks.integer("obs_dim", obs_dim)
        self.goal_dim = checks.integer("goal_dim", goal_dim)
        self.act_dim = checks.integer("act_dim", act_dim)
        self.episodes = checks.integer("episodes", episodes)
        self.steps = checks.integer("steps", steps)
        self.batch_size = checks.integer("batch_size", batch_size)
        if not callable(reward_fn):
            raise TypeError(f"reward_fn: got {reward_fn!r}; expected a function (achieved, goal)")
        self.reward_fn = reward_fn
        self.relabel = checks.real("relabel", relabel, 0.0, 1.0)
        if strategy not in ("future", "final"):
            raise ValueError(f"strategy: got {strategy!r}; expected 'future' or 'final'")
        self.strategy = strategy
        self.rng = np.random.default_rng(seed)
        self.obs = np.zeros((episodes, steps + 1, obs_dim), dtype=np.float32)
        self.achieved = np.zeros((episodes, steps + 1, goal_dim), dtype=np.float32)
        self.action = np.zeros((episodes, steps, act_dim), dtype=np.float32)
        self.goal = np.zeros((episodes, goal_dim), dtype=np.float32)
        self.length = np.zeros(episodes, dtype=np.int64)
        self.stored = 0  # episodes ever written; the next one goes to row stored % episodes

    def __len__(self) -> int:
        """Return the number of steps that are kept."""
        return int(self.length.sum())

    def rows(self) -> dict[str, np.ndarray]:
        """Return views of the episodes that are filled."""
        names = "obs", "achieved", "action", "goal", "length"
        return {name: getattr(self, name)[: min(self.stored, self.episodes)] for name in names}

    def check(self) -> None:
        """Refuse lengths that cannot be, as a file may hold them; ValueError."""
        length = self.rows()["length"]
        if not ((length >= 1) & (length <= self.steps)).all():
            raise ValueError(f"an episode with no step, or with more than {self.steps}")

    def store(self, obs, achieved, action, goal) -> None:
        """Write one episode of T steps over the oldest.

        Args:
            obs: (T + 1, obs_dim), the last one included.
            achieved: (T + 1, goal_dim), the places reached.
            action: (T, act_dim), in [-1, 1].
            goal: (goal_dim,), the one that was wanted.

        Raises:
            ValueError: shapes that do not fit together, no step or too many, or a number that
                is not finite. Nothing is written then.
        """
        given = {"obs": obs, "achieved": achieved, "action": action, "goal": goal}
        given = {name: np.asarray(value, dtype=np.float32) for name, value in given.items()}
        length = len(given["action"]) if given["action"].ndim else 0
        if not 1 <= length <= self.steps:
            raise ValueError(f"action: got {length} steps; expected 1 to {self.steps}")
        shapes = {
            "obs": (length + 1, self.obs_dim), "achieved": (length + 1, self.goal_dim),
            "action": (length, self.act_dim), "goal": (self.goal_dim,),
        }  # fmt: skip
        for name, value in given.items():
            if value.shape != shapes[name] or not np.isfinite(value).all():
                raise ValueError(f"{name}: got shape {value.shape}; expected finite {shapes[name]}")
        row = self.stored % self.episodes
        self.obs[row, : length + 1], self.achieved[row, : length + 1] = obs, achieved
        self.action[row, :length], self.goal[row], self.length[row] = action, goal, length
        self.stored += 1

    def sample_batch(self) -> Batch:
        """Draw steps uniformly and give some a goal reached later in their episode.

        Returns:
            obs and next_obs are (B, obs_dim + goal_dim): the goal is an input. No row ends.

        Raises:
            ValueError: nothing is stored yet.
        """
        if not self.stored:
            raise ValueError("sample_batch: got 0 episodes; expected at least one")
        ends = np.cumsum(self.length)
        flat = self.rng.integers(ends[-1], size=self.batch_size)
        row = np.searchsorted(ends, flat, side="right")
        step = flat - (ends[row] - self.length[row])
        later = self.length[row]
        if self.strategy == "future":
            later = self.rng.integers(step + 1, later + 1)  # its own end included
        hindsight = self.rng.random(self.batch_size) < self.relabel
        goal = np.where(hindsight[:, None], self.achieved[row, later], self.goal[row])
        reward = self.reward_fn(self.achieved[row, step + 1], goal)
        reward = np.asarray(reward, dtype=np.float32)
        return Batch(
            np.concatenate([self.obs[row, step], goal], axis=1),
            self.action[row, step],
            reward,
            np.concatenate([self.obs[row, step + 1], goal], axis=1),
            np.zeros(self.batch_size, dtype=np.float32),
        )
