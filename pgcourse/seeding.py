"""Random seeds."""

import random

import numpy as np
import torch

from pgcourse import checks


def seed_everything(seed: int) -> None:
    """Seed the global random streams of Python, NumPy and PyTorch.

    The agents do not need it: each draws from streams of its own, made from its `seed`.
    It is for the toy checks and for your own code.

    Args:
        seed: an integer from 0 to 2**32 - 1.

    Raises:
        TypeError, ValueError: the seed is not such an integer.
    """
    checks.integer("seed", seed, low=0)
    checks.real("seed", seed, high=2**32 - 1)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
