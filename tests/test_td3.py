"""TD3's update against its equations, written out (Fujimoto et al. 2018, Algorithm 1)."""

import numpy as np
import pytest
import torch
from torch import nn

from pgcourse import TD3Agent
from tests.kinds import fill, make, weights


@pytest.fixture
def agent():
    """Networks and slow copies that have moved, so that every argument matters."""
    made = fill(make("TD3", target_sigma=0.3, target_clip=0.4, tau=0.25, gamma=0.9))
    torch.manual_seed(0)
    with torch.no_grad():
        for network in (made.actor, made.critics, made.actor_target, made.critics_target):
            for weight in network.parameters():  # last layers start so small that all is equal
                weight += 0.1 * torch.randn(weight.shape)
    return made


def rows(agent):
    """A batch with ends in it, and noise that is often clipped."""
    batch = agent.sample()
    ends = torch.tensor([1.0, 0.0] * (agent.batch_size // 2))
    return batch._replace(terminated=ends, next_noise=3.0 * batch.next_noise)


def test_the_critics_loss_by_the_book(agent):
    batch = rows(agent)
    with torch.no_grad():
        noise = torch.clip(0.3 * batch.next_noise, -0.4, 0.4)
        assert (noise.abs() == 0.4).any() and (noise.abs() < 0.4).any()
        action = torch.clip(agent.actor_target(batch.next_obs) + noise, -1.0, 1.0)
        both = torch.stack([slow(batch.next_obs, action) for slow in agent.critics_target])
        target = batch.reward + 0.9 * (1.0 - batch.terminated) * both.min(dim=0).values
        first, second = (critic(batch.obs, batch.action) for critic in agent.critics)
        expected = nn.functional.mse_loss(first, target) + nn.functional.mse_loss(second, target)
    loss, numbers = agent.critic_objective(batch)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    assert numbers == {"critic_loss": loss}


def test_the_actors_loss_asks_the_first_critic(agent):
    batch = rows(agent)
    expected = -agent.critics[0](batch.obs, agent.actor(batch.obs)).mean()
    loss, numbers = agent.actor_objective(batch)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    assert numbers == {"actor_loss": loss}


def test_the_actor_and_the_slow_copies_wait(agent):
    agent.delay = None  # the lists hold it
    names = ("actor", "critics", "actor_target", "critics_target")

    def all_weights():
        return {n: torch.cat([p.detach().flatten() for p in getattr(agent, n).parameters()])
                for n in names}  # fmt: skip

    for update in range(1, 5):
        before = all_weights()
        numbers = agent.update_model()
        moved = {n for n, w in all_weights().items() if not torch.equal(w, before[n])}
        assert moved == ({"critics"} if update % 2 else set(names))
        assert set(numbers) == ({"critic_loss"} if update % 2 else {"critic_loss", "actor_loss"})


def test_a_slow_copy_goes_a_share_of_tau(agent):
    agent.update_model()
    old = [p.clone() for p in agent.critics_target.parameters()]
    agent.update_model()
    for slow, p, fast in zip(
        agent.critics_target.parameters(), old, agent.critics.parameters(), strict=True
    ):
        torch.testing.assert_close(slow, p + 0.25 * (fast - p))


def test_two_critics_with_weights_of_their_own_and_the_rates_that_were_asked_for():
    agent = make("TD3", actor_lr=1e-4, critic_lr=2e-3, delay=3)
    first, second = (critic.net[0].weight for critic in agent.critics)
    assert not torch.equal(first, second)
    rates = {n: e.optimizer.param_groups[0]["lr"] for n, e in agent.learners.items()}
    assert rates == {"critics": 2e-3, "actor": 1e-4}
    assert len(agent.learners["critics"].optimizer.param_groups[0]["params"]) == 12
    assert {n: e.every for n, e in agent.learners.items()} == {"critics": 1, "actor": 3}
    assert {n: e.every for n, e in agent.followers.items()} == {"critics": 3, "actor": 3}


@pytest.mark.parametrize("kind", ["TD3", "SAC"])
def test_the_draws_are_standard_normal_and_the_seeds_own(kind):
    agent, again = fill(make(kind)), fill(make(kind))
    many = [agent.sample() for _ in range(400)]
    for column in ("noise", "next_noise"):
        drawn = torch.cat([getattr(batch, column) for batch in many])
        assert drawn.shape == (400 * agent.batch_size, agent.act_dim)
        assert abs(drawn.mean()) < 0.06 and abs(drawn.std() - 1.0) < 0.05 and drawn.min() < -2.0
    assert not torch.equal(many[0].noise, many[0].next_noise)
    assert not torch.equal(many[0].noise, many[1].noise)
    assert torch.equal(again.sample().noise, many[0].noise)


@pytest.mark.parametrize(
    ("name", "value"), [("target_sigma", -0.1), ("target_clip", "wide"), ("delay", 0)]
)
def test_bad_arguments_are_refused_by_name(name, value):
    with pytest.raises((TypeError, ValueError), match=f"^{name}: got .*expected"):
        make("TD3", **{name: value})


def test_noise_on_targets_can_be_switched_off():
    agent = fill(make("TD3", target_sigma=0.0))
    batch = agent.sample()
    other = batch._replace(next_noise=batch.next_noise + 1.0)
    assert torch.equal(agent.critic_objective(batch)[0], agent.critic_objective(other)[0])


def test_it_explores_as_ddpg_does():
    agent = TD3Agent("Pendulum-v1", initial_random_steps=0, ou_noise_sigma=0.0)
    obs = np.array([1.0, 0.0, 0.5])
    assert np.array_equal(agent.select_action(obs), agent.policy(obs))
    assert weights(agent).isfinite().all()


def test_slow_copies_start_where_their_networks_do():
    for each in make("TD3").followers.values():
        for slow, fast in zip(each.slow.parameters(), each.network.parameters(), strict=True):
            assert torch.equal(slow, fast) and slow is not fast
