"""What training and testing leave behind."""

import math
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor


@dataclass
class History:
    """The record of a training run: one entry per finished episode, one per update."""

    scores: list[float] = field(default_factory=list)  # undiscounted return of each episode
    score_steps: list[int] = field(default_factory=list)  # environment step at which it ended
    update_steps: list[int] = field(default_factory=list)  # environment step of each update
    losses: dict[str, list[float]] = field(default_factory=dict)  # name -> one number per update

    def add_episode(self, step: int, score: float) -> None:
        """Record the return of an episode that ended at this step."""
        self.score_steps.append(step)
        self.scores.append(score)

    def read(self, step: int, losses: dict[str, Tensor]) -> dict[str, float]:
        """Return losses as floats; FloatingPointError if one is not finite."""
        record = {name: value.item() for name, value in losses.items()}
        for name, value in record.items():
            if not math.isfinite(value):
                last = self.losses.get(name, ["none"])[-1]
                raise FloatingPointError(
                    f"step {step}: {name} is {value}, its last finite value was {last}; "
                    "no step was taken down it"
                )
        return record

    def add_update(self, step: int, losses: dict[str, float]) -> None:
        """Record the numbers of one update."""
        self.update_steps.append(step)
        for name, value in losses.items():
            self.losses.setdefault(name, []).append(value)


@dataclass
class Episode:
    """One test episode."""

    score: float  # undiscounted return
    frames: list[np.ndarray]  # (height, width, 3), uint8, one per step
    terminated: bool  # True: the task ended; False: the time limit did
