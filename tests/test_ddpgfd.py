import functools

import numpy as np
import pytest
import torch

from pgcourse import DDPGfDAgent
from tests import kinds
from tests.conftest import weights


def demo(n=12, terminated=(5,)):
    """Transitions of one walk that terminates at some rows; every reward tells which it is."""
    rng = np.random.default_rng(0)
    obs, rows = rng.normal(size=(n + 1, 3)).tolist(), []
    for k in range(n):
        rows.append((obs[k], [rng.uniform(-1, 1)], float(k), obs[k + 1], k in terminated))
    return rows


def make(seed=0, **changes):
    options = {"demo": demo(), "n": 3, "pretrain": 0, "initial_random_steps": 30} | changes
    return DDPGfDAgent("Pendulum-v1", 50, 8, 1.0, 0.1, seed=seed, **options)


def loud(agent):
    """Give the critics weights at which values differ."""
    torch.manual_seed(0)
    for each in (agent.critic, agent.critic_target):
        for weight in each.parameters():
            torch.nn.init.normal_(weight, std=0.3)
    return agent


def test_demonstrations_come_first_and_stay_for_ever():
    agent = kinds.fill(make(), 200)
    assert len(agent.memory) == 12 + 50 and agent.memory.permanent == 12
    assert agent.memory.data.reward[:12].tolist() == list(range(12))
    assert (agent.memory.data.reward[12:] < 0).all()  # the pendulum's
    assert agent.memory.last[:12].tolist() == [k in (5, 11) for k in range(12)]


def test_no_n_step_row_reaches_into_the_next_episode():
    agent = make()
    for _ in range(4):
        agent.step(np.zeros(1))
    agent.obs = None  # as after a time limit
    for _ in range(3):
        agent.step(np.zeros(1))
    memory = agent.memory
    _, next_obs, _, discount = memory.n_step(np.arange(12, 19))
    steps = np.array([3, 3, 2, 1, 3, 2, 1])
    np.testing.assert_allclose(discount, 0.99**steps, rtol=1e-6)
    np.testing.assert_array_equal(next_obs, memory.data.next_obs[np.arange(12, 19) + steps - 1])


def test_the_critics_loss_is_the_sum_by_its_formula():
    agent = loud(make(gamma=0.5, n_weight=2.0, l2=0.1, beta=0.5))
    agent.memory.share[:12] = np.linspace(1, 3, 12)
    batch = agent.sample()
    with torch.no_grad():
        following = [
            agent.critic_target(obs, agent.actor_target(obs))
            for obs in (batch.next_obs, batch.n_next_obs)
        ]
        q, total = agent.critic(batch.obs, batch.action), 0.0
        for i in range(8):
            k, share = agent.memory.drawn[i], agent.memory.share[agent.memory.drawn]
            steps = min(3, (5 if k <= 5 else 11) - k + 1)
            one = k + 0.5 * (k != 5) * following[0][i]
            many = sum(0.5**j * (k + j) for j in range(steps))
            many += 0.5**steps * (k + steps - 1 != 5) * following[1][i]
            weight = (share.min() / share[i]) ** 0.5
            total += weight * ((q[i] - one) ** 2 + 2.0 * (q[i] - many) ** 2) / 8
        total += 0.1 * sum((weight**2).sum() for weight in agent.critic.parameters())
    loss, record = agent.critic_objective(batch)
    assert loss.item() == pytest.approx(total.item(), rel=1e-5)
    assert record["critic_loss"] is loss and record["demo_share"].item() == 1.0


def test_the_actors_loss_is_the_sum_by_its_formula():
    agent = loud(make(l2=0.1))
    agent.memory.share[:12] = np.linspace(1, 3, 12)
    batch = agent.sample()
    assert len(set(batch.weight.tolist())) > 2
    with torch.no_grad():
        q = agent.critic(batch.obs, agent.actor(batch.obs))
        total = -(batch.weight * q).mean()
        total += 0.1 * sum((weight**2).sum() for weight in agent.actor.parameters())
    assert agent.actor_objective(batch)[0].item() == pytest.approx(total.item(), rel=1e-5)


def test_priorities_are_those_of_the_networks_after_the_update():
    agent = loud(make(slope_weight=3.0, epsilon=0.5, epsilon_demo=0.25, alpha=1.0))
    kinds.fill(agent, 20)
    batches, sample = [], agent.sample
    agent.sample = lambda: batches.append(sample()) or batches[-1]
    agent.update_model()
    (batch,) = batches
    h, shift = 1e-2, torch.ones_like(batch.action)
    with torch.no_grad():
        q = agent.critic(batch.obs, batch.action)
        up, down = (agent.critic(batch.obs, batch.action + s * h * shift) for s in (1, -1))
        next_q = agent.critic_target(batch.next_obs, agent.actor_target(batch.next_obs))
        error = batch.reward + 0.99 * (1 - batch.terminated) * next_q - q
        wanted = error**2 + 3.0 * ((up - down) / (2 * h)) ** 2 + 0.5 + 0.25 * batch.demo
    assert 0.0 < batch.demo.mean() < 1.0
    found = agent.memory.share[agent.memory.drawn]
    np.testing.assert_allclose(found, wanted, rtol=0.05)  # a row drawn twice has one priority


def test_every_row_that_was_not_drawn_keeps_its_priority():
    agent = kinds.fill(make(), 20)
    before = agent.memory.share.copy()
    agent.update_model()
    rest = np.setdiff1d(np.arange(62), agent.memory.drawn)
    assert (agent.memory.share[rest] == before[rest]).all()
    assert (agent.memory.share[agent.memory.drawn] != before[agent.memory.drawn]).all()


def test_a_new_agent_first_learns_from_demonstrations_alone():
    agent, shares = make(pretrain=7), []
    update = agent.update
    agent.update = lambda batch: shares.append(batch.demo.mean().item()) or update(batch)
    agent.train(40, 0)
    assert shares[:7] == [1.0] * 7 and min(shares) < 1.0
    assert agent.history.loss_steps["critic_loss"][:9].tolist() == [0] * 7 + [1, 2]
    assert agent.updates == len(shares) == 47
    agent.train(10, 0)
    assert agent.updates == 57


@pytest.mark.parametrize("kind", ["DDPG", "DDPGfD"])
def test_several_updates_a_step(kind):
    agent = kinds.make(kind, updates_per_step=3)
    agent.train(20, 0)
    assert agent.updates == 3 * (20 if kind == "DDPGfD" else 13)
    with pytest.raises(ValueError, match="^updates_per_step: got 0; expected"):
        kinds.make(kind, updates_per_step=0)


def test_first_updates_can_be_compiled(monkeypatch):
    compile_ = functools.partial(torch.compile, backend="aot_eager")
    monkeypatch.setattr(torch, "compile", compile_)
    made = [kinds.in_double(kinds.make("DDPGfD", pretrain=3)) for _ in range(2)]
    made[1].compile()
    for agent in made:
        agent.train(10, 0)
    assert not made[1].update.failed and made[1].updates == 13
    assert (weights(made[0]) - weights(made[1])).abs().max() < 1e-9


def test_values_of_a_demonstration_come_to_the_true_return():
    rows = [([k / 10, 0.0, 0.0], [0.5], 0.0, [(k + 1) / 10, 0.0, 0.0], False) for k in range(9)]
    rows.append(([0.9, 0.0, 0.0], [0.5], 1.0, [1.0, 0.0, 0.0], True))
    agent = make(demo=rows, n=10, gamma=0.9, tau=0.05, n_weight=20.0)
    agent.learn_from_demos(400)
    with torch.no_grad():
        obs, action = (torch.tensor([row[i] for row in rows]) for i in (0, 1))
        np.testing.assert_allclose(agent.critic(obs, action), 0.9 ** np.arange(9, -1, -1), atol=0.1)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"demo": []}, "demo"),
        ({"demo": "mine"}, "demo"),
        ({"demo": [(np.zeros(2), [0.0], 0.0, np.zeros(2), False)]}, "obs"),
        ({"demo": [(np.zeros(3), [7.0], 0.0, np.zeros(3), False)]}, "action"),
        ({"n": 0}, "n"),
        ({"n_weight": -1.0}, "n_weight"),
        ({"alpha": 1.5}, "alpha"),
        ({"beta": -0.5}, "beta"),
        ({"slope_weight": float("nan")}, "slope_weight"),
        ({"epsilon": 0.0}, "epsilon"),
        ({"epsilon_demo": -1.0}, "epsilon_demo"),
        ({"l2": -1.0}, "l2"),
        ({"pretrain": -1}, "pretrain"),
    ],
)
def test_bad_arguments_are_refused_by_name(changes, name):
    with pytest.raises((TypeError, ValueError), match=f"^{name}: got .*expected"):
        make(**changes)
