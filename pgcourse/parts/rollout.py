"""What an on-policy agent has lived through since it last learned: rows of n environments."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pgcourse import checks


class Steps(NamedTuple):
    """T steps of n environments; arrays or tensors, float32."""

    obs: np.ndarray  # (T, n, obs_dim)
    action: np.ndarray  # (T, n, act_dim), as drawn
    reward: np.ndarray  # (T, n)
    next_obs: np.ndarray  # (T, n, obs_dim), at an end the episode's own last one
    terminated: np.ndarray  # (T, n), 1.0 where the episode truly ended
    truncated: np.ndarray  # (T, n), 1.0 where a time limit cut it
    live: np.ndarray  # (T, n), 0.0 where the environment only waited for the others


class Lesson(NamedTuple):
    """B steps and what is to be learned from them; tensors."""

    obs: Tensor  # (B, obs_dim)
    action: Tensor  # (B, act_dim), as drawn
    log_density: Tensor  # (B,), under the policy that drew
    advantage: Tensor  # (B,)
    target: Tensor  # (B,), of the value


class Rollout:
    """Rows of n environments, in the order of their steps.

    Args:
        envs: how many environments, n.
        obs_dim: numbers in an observation.
        act_dim: numbers in an action.

    Raises:
        TypeError, ValueError: a size is not a positive integer.
    """

    def __init__(self, envs: int, obs_dim: int, act_dim: int):
        n = checks.integer("envs", envs)
        wide = (n, checks.integer("obs_dim", obs_dim))
        self.shapes = Steps(wide, (n, checks.integer("act_dim", act_dim)), (n,), wide, *((n,),) * 3)
        self.clear()

    def __len__(self) -> int:
        return len(self.rows)

    def clear(self) -> None:
        """Forget all rows."""
        self.rows: list[Steps] = []

    def add(self, *row: np.ndarray) -> None:
        """Keep one step of all environments.

        Args:
            row: the columns of `Steps`, without T; all finite.

        Raises:
            TypeError, ValueError: a wrong shape, or a number that is not finite.
        """
        named = zip(Steps._fields, row, self.shapes, strict=True)
        # Copies: some environments reuse their arrays.
        self.rows.append(Steps(*(checks.vector(*column).copy() for column in named)))

    def steps(self) -> Steps:
        """Return all rows behind each other."""
        columns = zip(*self.rows, strict=True) if self.rows else [()] * len(self.shapes)
        return Steps(*(
            np.array(column, dtype=np.float32).reshape(-1, *shape)
            for column, shape in zip(columns, self.shapes, strict=True)
        ))  # fmt: skip

    def state_dict(self) -> dict[str, Any]:
        """Return the rows as tensors, and how many."""
        rows = {name: torch.from_numpy(c) for name, c in self.steps()._asdict().items()}
        return {"count": len(self), "rows": rows}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned; ValueError if a column is too long or short."""
        columns = [state["rows"][name].numpy().copy() for name in Steps._fields]
        if {len(column) for column in columns} != {state["count"]}:
            raise ValueError(f"a rollout whose columns have not all {state['count']} rows")
        self.rows = [Steps(*row) for row in zip(*columns, strict=True)]
