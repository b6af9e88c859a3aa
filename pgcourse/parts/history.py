"""What training and testing leave behind."""

import math
from array import array
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor


def _floats() -> array:
    return array("d")


def _integers() -> array:
    return array("q")


@dataclass
class History:
    """The record of a training run: one entry per finished episode, one per number learned from."""

    scores: array = field(default_factory=_floats)  # undiscounted return of each episode
    score_steps: array = field(default_factory=_integers)  # environment step at which it ended
    losses: dict[str, array] = field(default_factory=dict)  # name -> the numbers of its updates
    loss_steps: dict[str, array] = field(default_factory=dict)  # name -> environment steps of them

    def __repr__(self) -> str:
        """Say how much is in it: whoever calls `train` in a cell's last line gets this shown."""
        losses = ", ".join(f"{len(values):,} of {name}" for name, values in self.losses.items())
        return f"<History: {len(self.scores):,} episodes; {losses or 'no losses'}>"

    def add_episode(self, step: int, score: float) -> None:
        """Record the return of an episode that ended at this step."""
        self.score_steps.append(step)
        self.scores.append(score)

    def add_update(self, step: int, losses: dict[str, float]) -> None:
        """Record the numbers of one update; a name that is not among them gets none."""
        for name, value in losses.items():
            if name not in self.losses:
                self.losses[name], self.loss_steps[name] = _floats(), _integers()
            self.losses[name].append(value)
            self.loss_steps[name].append(step)

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

    def state_dict(self) -> dict[str, Any]:
        """Return the record as tensors: steps and values of the scores, and of each loss."""
        pairs = {"": (self.score_steps, self.scores)}
        pairs |= {name: (self.loss_steps[name], self.losses[name]) for name in self.losses}
        return {
            name: {
                "steps": torch.from_numpy(np.array(steps)),
                "values": torch.from_numpy(np.array(values)),
            }
            for name, (steps, values) in pairs.items()
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned; ValueError if it is anything else."""
        read = {}
        for name, pair in state.items():
            steps, values = pair["steps"], pair["values"]
            if not (
                type(name) is str and steps.ndim == 1 and steps.shape == values.shape
                and steps.dtype == torch.int64 and values.dtype == torch.float64
            ):  # fmt: skip
                raise ValueError(f"a history whose {name!r} is no list of numbers")
            read[name] = array("q", steps.numpy().tobytes()), array("d", values.numpy().tobytes())
        self.score_steps, self.scores = read.pop("")
        self.loss_steps = {name: steps for name, (steps, _) in read.items()}
        self.losses = {name: values for name, (_, values) in read.items()}


@dataclass
class Episode:
    """One test episode."""

    score: float  # undiscounted return
    frames: list[np.ndarray]  # (height, width, 3), uint8, one per step
    terminated: bool  # True: the task ended; False: the time limit did
