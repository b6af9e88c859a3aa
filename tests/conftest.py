import pytest
import torch

from pgcourse import DDPGAgent
from tests.kinds import weights

__all__ = ["weights"]


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
