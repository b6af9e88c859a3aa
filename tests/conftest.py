import pytest
import torch

from pgcourse import DDPGAgent, make_env


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
        return DDPGAgent(env or make_env("Pendulum-v1"), 500, 16, 1.0, 0.1, seed=seed, **options)

    return make


def weights(agent):
    """Every weight of the four networks, in one flat tensor."""
    networks = (agent.actor, agent.critic, agent.actor_target, agent.critic_target)
    return torch.cat([p.detach().flatten() for net in networks for p in net.parameters()])
