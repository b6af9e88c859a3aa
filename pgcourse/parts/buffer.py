"""The replay buffer: a ring of transitions in five NumPy arrays."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from pgcourse import checks


class Batch(NamedTuple):
    """B transitions, one row each; arrays or tensors, float32."""

    obs: np.ndarray  # (B, obs_dim)
    action: np.ndarray  # (B, act_dim), in [-1, 1]
    reward: np.ndarray  # (B,)
    next_obs: np.ndarray  # (B, obs_dim)
    terminated: np.ndarray  # (B,), 1.0 where the episode truly ended, else 0.0


class ReplayBuffer:
    """A ring buffer of the last `size` transitions (Lillicrap et al. 2015, section 3).

    Args:
        obs_dim: numbers in an observation.
        act_dim: numbers in an action.
        size: transitions kept; the oldest is overwritten first.
        batch_size: transitions in a sample, at most `size`.
        seed: seed of the sampling stream; None draws a fresh one.

    Raises:
        TypeError, ValueError: a size is not a positive integer, or batch_size > size.
    """

    kept = ("stored", "rows", "rng")

    def __init__(
        self, obs_dim: int, act_dim: int, size: int, batch_size: int = 32, seed: int | None = None
    ):
        self.obs_dim = checks.integer("obs_dim", obs_dim)
        self.act_dim = checks.integer("act_dim", act_dim)
        self.size = checks.integer("size", size)
        self.batch_size = checks.integer("batch_size", batch_size)
        if batch_size > size:
            raise ValueError(f"batch_size: got {batch_size}; expected at most size, {size}")
        shapes = [(size, obs_dim), (size, act_dim), (size,), (size, obs_dim), (size,)]
        self.data = Batch(*(np.zeros(shape, dtype=np.float32) for shape in shapes))
        self.rng = np.random.default_rng(seed)
        self.stored = 0  # transitions ever written; the next one goes to row stored % size

    def __len__(self) -> int:
        return min(self.stored, self.size)

    def store(self, obs, action, reward: float, next_obs, terminated: bool) -> None:
        """Write one transition over the oldest row.

        Args:
            obs, next_obs: (obs_dim,), finite.
            action: (act_dim,), finite.
            reward: a finite number.
            terminated: did the episode truly end here? A time limit is not an end.

        Raises:
            TypeError, ValueError: a wrong type or shape, or a number that is not finite.
        """
        self._write(self._row(obs, action, reward, next_obs, terminated))

    def extend(self, transitions: Iterable[tuple]) -> None:
        """Store many transitions; if one of them is refused, none is written.

        Args:
            transitions: tuples (obs, action, reward, next_obs, terminated) as for `store`.

        Raises:
            TypeError, ValueError: as `store` does.
        """
        for row in [self._row(*transition) for transition in transitions]:
            self._write(row)

    def sample_batch(self) -> Batch:
        """Draw `batch_size` rows uniformly, with replacement, at a cost of O(batch).

        Raises:
            ValueError: nothing is stored yet.
        """
        if not self.stored:
            raise ValueError("sample_batch: got an empty buffer; expected a stored row")
        rows = self.rng.integers(len(self), size=self.batch_size)
        return Batch(*(column[rows] for column in self.data))

    def rows(self) -> dict[str, np.ndarray]:
        """Return views of the rows that are filled, by the names of a batch."""
        return {name: column[: len(self)] for name, column in self.data._asdict().items()}

    def _row(self, obs, action, reward, next_obs, terminated) -> tuple:
        return (
            checks.vector("obs", obs, self.obs_dim),
            checks.vector("action", action, self.act_dim),
            checks.real("reward", reward, -checks.FLOAT32_MAX, checks.FLOAT32_MAX),
            checks.vector("next_obs", next_obs, self.obs_dim),
            checks.flag("terminated", terminated),
        )

    def _write(self, row: tuple) -> None:
        for column, value in zip(self.data, row, strict=True):
            column[self.stored % self.size] = value
        self.stored += 1
