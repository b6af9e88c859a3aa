"""SAC's update against its equations, written out with PyTorch's own distributions."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Normal, TransformedDistribution
from torch.distributions.transforms import TanhTransform

from pgcourse import SACAgent
from pgcourse.parts.gaussian import GaussianActor, Temperature
from tests.kinds import fill, make

ALPHA = 0.3


@pytest.fixture
def agent():
    """A temperature and networks that have moved, so that every argument matters."""
    made = fill(make("SAC", gamma=0.9, target_entropy=-0.5))
    torch.manual_seed(0)
    with torch.no_grad():
        made.temperature.log_alpha.fill_(np.log(ALPHA))
        for network in (made.actor, made.critics, made.critics_target):
            for weight in network.parameters():  # last layers start so small that all is equal
                weight += 0.1 * torch.randn(weight.shape)
    return made


def rows(agent):
    batch = agent.sample()
    return batch._replace(terminated=torch.tensor([1.0, 0.0] * (agent.batch_size // 2)))


def drawn(agent, obs, noise):
    """The action of a draw and its log-density."""
    mean, log_std = agent.actor.gaussian(obs)
    action = torch.tanh(mean + log_std.exp() * noise)
    squashed = TransformedDistribution(Normal(mean, log_std.exp()), TanhTransform(cache_size=1))
    return action, squashed.log_prob(action).sum(dim=1)


def test_the_critics_loss_by_the_book(agent):
    batch = rows(agent)
    with torch.no_grad():
        action, log_density = drawn(agent, batch.next_obs, batch.next_noise)
        both = torch.stack([slow(batch.next_obs, action) for slow in agent.critics_target])
        value = both.min(dim=0).values - ALPHA * log_density
        target = batch.reward + 0.9 * (1.0 - batch.terminated) * value
        expected = sum(nn.functional.mse_loss(critic(batch.obs, batch.action), target)
                       for critic in agent.critics)  # fmt: skip
    loss, numbers = agent.critic_objective(batch)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert numbers == {"critic_loss": loss}


def test_the_actors_loss_by_the_book(agent):
    batch = rows(agent)
    with torch.no_grad():
        action, log_density = drawn(agent, batch.obs, batch.noise)
        both = torch.stack([critic(batch.obs, action) for critic in agent.critics])
        expected = -(both.min(dim=0).values - ALPHA * log_density).mean()
    loss, numbers = agent.actor_objective(batch)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert numbers["actor_loss"] is loss
    assert numbers["entropy"].item() == pytest.approx(-log_density.mean().item(), rel=1e-5)


def test_the_temperatures_loss_by_the_book(agent):
    batch = rows(agent)
    with torch.no_grad():
        _, log_density = drawn(agent, batch.obs, batch.noise)
        expected = -ALPHA * (log_density.mean() - 0.5)
    loss, numbers = agent.temperature_objective(batch)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert numbers["temperature_loss"] is loss
    assert numbers["temperature"].item() == pytest.approx(ALPHA)


def test_an_entropy_below_its_target_raises_the_temperature():
    agent = fill(make("SAC", target_entropy=50.0))
    before = agent.temperature().item()
    agent.update_model()
    assert agent.temperature().item() > before


def test_it_explores_by_draws_of_its_policy(agent):
    obs = np.array([1.0, 0.0, 0.5], dtype=np.float32)
    mean, log_std = (x.detach().numpy() for x in agent.actor.gaussian(torch.from_numpy(obs)))
    agent.noise.sample = lambda: np.array([-1.5])
    expected = np.tanh(mean - 1.5 * np.exp(log_std))
    assert agent.explore(obs) == pytest.approx(expected, rel=1e-5)
    assert agent.policy(obs) == pytest.approx(np.tanh(mean), rel=1e-5)


def test_its_draws_have_deviation_one_unless_told_otherwise():
    assert make("SAC").noise.sigma == 1.0 and make("SAC").noise.theta == 1.0
    assert make("SAC", ou_noise_sigma=0.5).noise.sigma == 0.5
    assert SACAgent("Pendulum-v1", 100, 8, 1.0, 0.25).noise.sigma == 0.25


def test_the_entropys_target_is_minus_the_actions_numbers():
    assert make("SAC").target_entropy == -1.0
    assert make("SAC", target_entropy=-3).target_entropy == -3.0
    with pytest.raises(TypeError, match="^target_entropy: got .*expected"):
        make("SAC", target_entropy="low")
    with pytest.raises(ValueError, match="^temperature_lr: got .*expected"):
        make("SAC", temperature_lr=-1.0)


def test_two_critics_with_weights_of_their_own_and_the_rates_that_were_asked_for():
    agent = make("SAC", actor_lr=1e-4, critic_lr=2e-3, temperature_lr=5e-3)
    first, second = (critic.net[0].weight for critic in agent.critics)
    assert not torch.equal(first, second)
    rates = {n: e.optimizer.param_groups[0]["lr"] for n, e in agent.learners.items()}
    assert rates == {"critics": 2e-3, "actor": 1e-4, "temperature": 5e-3}
    assert make("SAC").learners["actor"].optimizer.param_groups[0]["lr"] == 1e-3
    assert list(agent.followers) == ["critics"]


def test_the_deviation_stays_within_bounds_and_the_temperature_above_zero():
    actor = GaussianActor(3, 2)
    with torch.no_grad():
        actor.net[-1].bias.copy_(torch.tensor([5.0, -5.0, 100.0, -100.0]))
    mean, log_std = actor.gaussian(torch.zeros(4, 3))
    assert mean.shape == log_std.shape == (4, 2)
    assert log_std[0].tolist() == [2.0, -20.0]
    torch.testing.assert_close(actor(torch.zeros(4, 3)), torch.tanh(mean))
    temperature = Temperature()
    assert temperature().item() == 1.0
    with torch.no_grad():
        temperature.log_alpha.fill_(-3.0)
    assert temperature().item() == pytest.approx(np.exp(-3.0))


def test_each_learner_steps_its_own_network_and_the_slow_critics_follow(agent):
    parts = {"critics": agent.critics, "actor": agent.actor, "temperature": agent.temperature}
    for name, network in parts.items():
        stepped = agent.learners[name].optimizer.param_groups[0]["params"]
        assert list(map(id, stepped)) == list(map(id, network.parameters()))
    old = [p.clone() for p in agent.critics_target.parameters()]
    agent.update_model()
    for slow, p, fast in zip(
        agent.critics_target.parameters(), old, agent.critics.parameters(), strict=True
    ):
        torch.testing.assert_close(slow, p + agent.tau * (fast - p))
        assert not torch.equal(slow, p)


def test_slow_copies_start_where_their_networks_do():
    for each in make("SAC").followers.values():
        for slow, fast in zip(each.slow.parameters(), each.network.parameters(), strict=True):
            assert torch.equal(slow, fast) and slow is not fast
