"""Make what the web pages' pendulum knows: `python -m pgcourse.tools.play`, minutes of one core.

It trains the agent of chapter 03's run again, in the same pieces, and writes the networks it
started with, those after 2,000 steps and the last ones, and the values of the near-optimal
control. The pages show them as they are: float32, not rounded. Another processor adds up in another
order, so its networks end elsewhere, and about as good.
"""

import base64
import json
import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pgcourse.display.live import AUDIENCE
from pgcourse.studies.chapter_03 import RUN, RUN_PIECES, RUN_STEPS, make
from pgcourse.studies.evidence import flat
from pgcourse.tasks.pendulum import optimal_values

FOLDER = Path(__file__).parent / "site_source" / "play"
SEED, GRID = 0, 101  # the agent of 03_run.pt; points of the values' grid, as in the chapter


def packed(numbers: Tensor) -> str:
    """Return numbers as float32, little-endian, in base64."""
    return base64.b64encode(numbers.numpy().astype("<f4").tobytes()).decode()


def unpacked(text: str) -> Tensor:
    """Return what `packed` packed, (n,)."""
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), "<f4").copy())


def layers(network: nn.Module) -> dict:
    """Return the sizes of a network's layers, and all weights as its parameters follow."""
    sizes = [p.shape for p in network.parameters() if p.ndim == 2]
    return {"sizes": [sizes[0][1], *(size[0] for size in sizes)], "weights": packed(flat(network))}


def player(agent) -> dict:
    """Return what the page needs of an agent."""
    return {
        "steps": agent.total_steps,
        "actor": layers(agent.actor),
        "critic": layers(agent.critic),
    }


def optimum(gamma: float) -> dict:
    """Return what the page needs of the near-optimal control: it looks one step ahead."""
    values = optimal_values(gamma, GRID, GRID)[-1]
    return {"gamma": gamma, "points": GRID, "values": packed(values)}


def write(name: str, found: dict) -> None:
    """Write a player's file."""
    (FOLDER / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Train, and write the four files."""
    os.environ.setdefault(AUDIENCE, "terminal")
    torch.set_num_threads(1)
    FOLDER.mkdir(exist_ok=True)
    agent, piece = make(RUN, SEED), RUN_STEPS // RUN_PIECES
    write("optimal", optimum(agent.gamma))
    write("untrained", player(agent))
    agent.train(piece, 0)
    write("half", player(agent))
    for _ in range(RUN_PIECES - 1):
        agent.train(piece, 0)
    write("trained", player(agent))


if __name__ == "__main__":
    main()
