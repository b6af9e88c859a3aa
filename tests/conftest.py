from pathlib import Path

import pytest
import torch

from pgcourse import DDPGAgent
from tests.kinds import weights

__all__ = ["weights"]

# A file stays on one core, with what its tests share (--dist loadfile). What takes longest
# starts first, so that no core waits at the end.
LONGEST = [
    "test_studies.py", "exercises/test_kit.py", "test_notebooks.py",
    "test_contract.py", "exercises/test_bugs.py", "test_compiled.py", "test_study.py",
]  # fmt: skip


def pytest_collection_modifyitems(items):
    """Put the longest files first."""
    order = {Path(__file__).parent / name: k for k, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path, len(order)))


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
