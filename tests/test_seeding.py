import random

import numpy as np
import pytest
import torch

from pgcourse.parts.seeding import seed_everything


def draws():
    return random.random(), np.random.rand(), torch.rand(1).item()


def test_the_three_global_streams_are_seeded():
    seed_everything(7)
    first = draws()
    seed_everything(7)
    assert draws() == first
    seed_everything(8)
    assert all(a != b for a, b in zip(draws(), first, strict=True))


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "x", None])
def test_bad_seeds_are_refused(seed):
    with pytest.raises((TypeError, ValueError), match="^seed: got .*expected"):
        seed_everything(seed)
