"""Random streams: each part of an agent draws from one of its own."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import numpy as np
import torch

from pgcourse import checks

# A new name goes to the end: the seeds of the ones before it stay what they are.
STREAMS = ("reset", "actions", "memory", "noise", "weights", "draws", "demo")
_building = Lock()  # the stream that PyTorch fills new weights from belongs to all threads


def stream_seed(seed: int, name: str) -> int:
    """Return the seed of one named stream of an agent; no two streams of any agents share one.

    Args:
        seed: of the agent.
        name: one of `STREAMS`.
    """
    words = np.random.SeedSequence(seed).generate_state(len(STREAMS))
    return int(words[STREAMS.index(name)])


@contextmanager
def seeded_weights(seed: int) -> Iterator[None]:
    """Fill new networks from a seed, and leave PyTorch's own stream as it was."""
    with _building, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def seed_everything(seed: int) -> None:
    """Seed the global random streams of Python, NumPy and PyTorch.

    The agents do not need it: each draws from streams of its own, made from its `seed`.
    It is for the toy checks and for your own code.

    Args:
        seed: an integer from 0 to 2**32 - 1.

    Raises:
        TypeError, ValueError: the seed is not such an integer.
    """
    seed = checks.integer("seed", seed, low=0)
    checks.real("seed", seed, high=2**32 - 1)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
