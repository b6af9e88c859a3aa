from pathlib import Path

import pytest
import torch

from pgcourse import DDPGAgent
from tests.kinds import weights

__all__ = ["weights"]

# A core each, side by side: what takes longest starts first, so that no core waits at the end.
LONGEST = [
    "exercises/test_kit.py", "test_contract.py", "exercises/test_ddpg.py", "test_compiled.py",
    "test_notebooks.py", "test_study.py", "test_studies.py", "test_arm_film.py",
]  # fmt: skip


REPLAY = "test_the_beginning_of_an_arm_is_what_its_study_says"  # shares nothing: any core's


def pytest_collection_modifyitems(items):
    """Put the longest files first, and the replays last; keep a file on one core."""
    order = {Path(__file__).parent / name: k for k, name in enumerate(LONGEST)}
    items.sort(key=lambda item: (REPLAY in item.name, order.get(item.path, len(order))))
    for item in items:
        group = item.nodeid if REPLAY in item.name else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(autouse=True)
def one_thread():
    """Bit-identical results are promised for one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def make_agent():
    def make(seed=0, env=None, **changes):
        options = {"initial_random_steps": 50} | changes
        return DDPGAgent(env or "Pendulum-v1", 500, 16, 1.0, 0.1, seed=seed, **options)

    return make
