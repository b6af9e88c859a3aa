import functools

import numpy as np
import pytest
import torch

from pgcourse import Batch, BCAgent, DDPGAgent, bc_loss, make_env, q_filter
from pgcourse.parts.equations import soft_filter
from tests import kinds
from tests.conftest import weights
from tests.test_ddpg import learn

T = torch.tensor


def demo(n=40, reward=-1.0):
    rng = np.random.default_rng(0)
    return [
        (rng.normal(size=3), rng.uniform(-1, 1, 1), reward, rng.normal(size=3), False)
        for _ in range(n)
    ]


def make(rows=None, seed=0, **changes):
    options = {"initial_random_steps": 30} | changes
    env, n_d = make_env("Pendulum-v1"), options.pop("demo_batch_size", 8)
    return BCAgent(env, 500, 16, n_d, 1.0, 0.1, demo=rows or demo(), seed=seed, **options)


def as_batch(rows):
    columns = zip(*rows, strict=True)
    return Batch(*(torch.as_tensor(np.array(c), dtype=torch.float32) for c in columns))


# --- the equations


def test_q_filter_by_hand_one_demonstration_kept_and_one_dropped():
    assert q_filter(T([3.0, 1.0]), T([2.0, 2.0])).tolist() == [1.0, 0.0]


def test_q_filter_carries_no_gradient():
    policy_q = T([1.0, 2.0], requires_grad=True)
    assert not q_filter(T([2.0, 1.0]), policy_q).requires_grad


@pytest.mark.parametrize(("demo_q", "weight"), [([2.0, 2.0], 0.5), ([2.0], 0.5), ([9.0], 1.0)])
def test_soft_filter_is_finite_where_nothing_deviates(demo_q, weight):
    assert soft_filter(T(demo_q), torch.full((len(demo_q),), 2.0)).tolist() == [weight] * len(
        demo_q
    )


def test_soft_filter_refuses_shapes_that_would_broadcast():
    with pytest.raises(ValueError, match="expected"):
        soft_filter(torch.zeros(4), torch.zeros(4, 1))


def test_bc_loss_by_hand_is_divided_by_n_d_and_not_by_the_rows_that_pass():
    action, demo_action = T([[0.0, 0.0], [1.0, 1.0]]), T([[3.0, 4.0], [1.0, 3.0]])
    assert bc_loss(action, demo_action, T([1.0, 1.0])).item() == 14.5  # (25 + 4) / 2
    assert bc_loss(action, demo_action, T([1.0, 0.0])).item() == 12.5  # 25 / 2, not 25


def test_an_empty_mask_gives_exactly_zero_loss_and_gradient():
    action = T([[0.5], [0.2]], requires_grad=True)
    loss = bc_loss(action, T([[1.0], [1.0]]), T([0.0, 0.0]))
    loss.backward()
    assert loss.item() == 0.0 and action.grad.tolist() == [[0.0], [0.0]]


@pytest.mark.parametrize(
    "shapes", [((4, 1), (4,), (4,)), ((4, 1), (4, 1), (4, 1)), ((4,), (4,), (4,))]
)
def test_bc_loss_refuses_shapes_that_would_broadcast(shapes):
    with pytest.raises(ValueError, match="expected"):
        bc_loss(*map(torch.zeros, shapes))


def test_q_filter_refuses_shapes_that_would_broadcast():
    with pytest.raises(ValueError, match="expected"):
        q_filter(torch.zeros(4), torch.zeros(4, 1))


# --- the agent


def test_a_batch_is_n_replayed_rows_followed_by_n_d_demonstrations():
    agent = make()
    agent.memory.extend([([9, 9, 9], [0.9], 9.0, [9, 9, 9], False)] * 20)
    batch = agent.sample()
    assert batch.reward.tolist() == [9.0] * 16 + [-1.0] * 8
    assert batch.obs.shape == (24, 3) and batch.terminated.shape == (24,)


def test_every_demonstration_is_drawn():
    agent = make([(*row[:2], float(k), *row[3:]) for k, row in enumerate(demo(40))])
    agent.memory.extend(demo(20))
    drawn = {reward for _ in range(100) for reward in agent.sample().reward[-8:].tolist()}
    assert drawn == set(range(40))


def test_a_demonstrations_reward_changes_the_critics_gradient():
    def gradient(rows):
        agent = make(rows, demo_batch_size=40)
        agent.memory.extend(demo(20))
        learn(agent, "critic", agent.sample())
        return torch.cat([p.grad.flatten() for p in agent.critic.parameters()])

    rows = demo(8)
    others = [(*row[:2], row[2] + 5.0, *row[3:]) if k == 3 else row for k, row in enumerate(rows)]
    drawn = [gradient(r) for r in (rows * 5, rows * 5, others * 5)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_the_demonstrations_enter_the_actors_policy_gradient():
    agent, batch = make(lambda2=0.0), as_batch(demo(24))
    loss, _ = agent.actor_objective(batch)
    q = agent.critic(batch.obs, agent.actor(batch.obs))
    assert loss.item() == pytest.approx(-1e-3 * q.mean().item())


def test_the_actors_loss_is_the_weighted_sum_by_its_formula():
    agent, batch = make(lambda1=0.5, lambda2=2.0), as_batch(demo(24))
    for p in agent.critic.parameters():
        torch.nn.init.normal_(p, std=0.3)
    with torch.no_grad():
        action = agent.actor(batch.obs)
        q = agent.critic(batch.obs, action)
        keep = agent.critic(batch.obs, batch.action)[-8:] > q[-8:]
        distance = ((action - batch.action) ** 2).sum(1)[-8:]
        expected = -0.5 * q.mean() + 2.0 / 8 * distance[keep].sum()
    assert 0 < keep.sum() < 8
    loss, record = agent.actor_objective(batch)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert record["pass_rate"].item() == keep.float().mean().item()
    assert (record["q_term"] + record["bc_term"]).item() == loss.item()


def test_without_the_filter_every_demonstration_counts():
    _, record = make(q_filter=False).actor_objective(as_batch(demo(24)))
    assert record["pass_rate"].item() == 1.0


def test_the_soft_filter_weighs_every_demonstration():
    agent, batch = make(q_filter="soft", lambda1=0.0), as_batch(demo(24))
    for p in agent.critic.parameters():
        torch.nn.init.normal_(p, std=0.3)
    with torch.no_grad():
        action = agent.actor(batch.obs)
        gain = (agent.critic(batch.obs, batch.action) - agent.critic(batch.obs, action))[-8:]
        weight = 1.0 / (1.0 + torch.exp(-gain / gain.std(correction=0)))
        expected = (weight * ((action - batch.action) ** 2).sum(1)[-8:]).mean()
    loss, record = agent.actor_objective(batch)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert record["pass_rate"].item() == pytest.approx(weight.mean().item(), rel=1e-5)


def test_a_filter_that_lets_nothing_through_leaves_the_plain_policy_gradient(monkeypatch):
    monkeypatch.setattr(
        "pgcourse.agents.bc.q_filter", lambda demo_q, policy_q: torch.zeros_like(demo_q)
    )
    agent, plain, batch = make(lambda1=1.0), make(lambda1=1.0, lambda2=0.0), as_batch(demo(24))
    learn(agent, "actor", batch)
    learn(plain, "actor", batch)
    assert torch.equal(weights(agent), weights(plain))
    assert torch.isfinite(weights(agent)).all()


def test_lambda2_zero_and_lambda1_one_is_ddpg_bit_for_bit():
    ours = make(lambda1=1.0, lambda2=0.0, seed=4)
    ddpg = DDPGAgent(make_env("Pendulum-v1"), 500, 16, 1.0, 0.1, initial_random_steps=30, seed=4)
    assert torch.equal(weights(ours), weights(ddpg))
    for k in range(10):
        rng = np.random.default_rng(k)
        rows = [
            (
                rng.normal(size=3),
                rng.uniform(-1, 1, 1),
                rng.normal(),
                rng.normal(size=3),
                k % 2 == 0,
            )
            for k in range(24)
        ]
        ours.sample = ddpg.sample = lambda rows=rows: as_batch(rows)
        ours.update_model()
        ddpg.update_model()
    assert torch.equal(weights(ours), weights(ddpg))


def test_training_records_the_pass_rate_and_both_terms():
    agent = make()
    history = agent.train(50)
    assert set(history.losses) == {"critic_loss", "actor_loss", "q_term", "bc_term", "pass_rate"}
    assert all(0 <= rate <= 1 for rate in history.losses["pass_rate"])
    assert len(history.losses["bc_term"]) == agent.updates > 0


# --- before the first step


@pytest.mark.parametrize("kind", ["BC", "HER"])
def test_a_new_agent_first_learns_from_demonstrations_alone_and_without_a_filter(kind):
    agent, drawn = kinds.make(kind, pretrain=7), []
    update = agent.update
    agent.update = lambda batch: drawn.append((len(batch.obs), agent.q_filter)) or update(batch)
    agent.train(40, 0)
    rows = {agent.demo_batch_size + agent.batch_size}
    assert drawn[:7] == [(agent.demo_batch_size, False)] * 7
    assert {n for n, _ in drawn[7:]} == rows and {f for _, f in drawn[7:]} == {True}
    assert agent.history.loss_steps["critic_loss"][:8].tolist() == [0] * 7 + [8]
    assert agent.history.losses["pass_rate"][:7].tolist() == [1.0] * 7
    agent.train(10, 0)
    assert agent.updates == len(drawn) == 7 + 50 - 7  # the first batch is full at step 8


@pytest.mark.parametrize(
    ("kind", "more"), [("BC", {"q_filter": "soft"}), ("HER", {"q_filter": "soft"}), ("DDPGfD", {})]
)
def test_what_came_before_the_first_step_survives_a_stop(kind, more, tmp_path):
    def new():
        return kinds.make(kind, pretrain=7, **more)

    whole = new()
    whole.train(100, 0)
    first = new()
    first.learn_from_demos(3)  # stopped in the middle
    first.save(tmp_path / "a.pt")
    second = new()
    second.train(60, 0, checkpoint=tmp_path / "a.pt")
    third = new()
    third.train(100, 0, checkpoint=tmp_path / "a.pt")
    assert kinds.digest(third) == kinds.digest(whole)


@pytest.mark.parametrize("kind", ["BC", "HER"])
def test_an_agent_that_has_made_a_step_is_not_new(kind):
    agent = kinds.fill(kinds.make(kind, pretrain=7), 4)
    agent.train(1, 0)
    assert agent.updates == 0


@pytest.mark.parametrize("kind", ["BC", "HER"])
def test_soft_weights_and_first_updates_can_be_compiled(kind, monkeypatch):
    compile_ = functools.partial(torch.compile, backend="aot_eager")
    monkeypatch.setattr(torch, "compile", compile_)
    made = [kinds.in_double(kinds.make(kind, q_filter="soft", pretrain=3)) for _ in range(2)]
    made[1].compile()
    for agent in made:
        agent.train(20, 0)
    assert not made[1].update.failed and made[1].updates > 3
    assert (kinds.weights(made[0]) - kinds.weights(made[1])).abs().max() < 1e-9


def test_a_failure_before_the_first_step_leaves_the_filter_as_it_was():
    agent = make(pretrain=3)
    agent.sample_demo = lambda: 1 / 0
    with pytest.raises(ZeroDivisionError):
        agent.train(5)
    assert agent.q_filter is True and agent.total_steps == 0


def test_cloning_alone_learns_the_demonstrators_action():
    agent = make([(row[0], [0.5], *row[2:]) for row in demo()], lambda1=0.0, q_filter=False)
    agent.memory.extend(demo(20))
    for _ in range(400):
        agent.update_model()
    obs = np.array([row[0] for row in demo()])
    np.testing.assert_allclose(agent.policy(obs), 0.5, atol=0.1)


def test_the_same_seed_gives_the_same_weights():
    def trained():
        agent = make(seed=5)
        agent.train(60)
        return weights(agent)

    assert torch.equal(trained(), trained())


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"demo_batch_size": 0}, "demo_batch_size"),
        ({"demo_batch_size": 41}, "demo"),
        ({"demo": []}, "demo"),
        ({"demo": [(np.zeros(2), [0.0], 0.0, np.zeros(2), False)] * 10}, "obs"),
        ({"demo": [(np.zeros(3), [7.0], 0.0, np.zeros(3), False)] * 10}, "action"),
        ({"lambda1": -1.0}, "lambda1"),
        ({"lambda2": float("nan")}, "lambda2"),
        ({"q_filter": "yes"}, "q_filter"),
        ({"q_filter": None}, "q_filter"),
        ({"pretrain": -1}, "pretrain"),
    ],
)
def test_bad_arguments_are_refused_by_name(changes, name):
    good = {
        "memory_size": 100, "batch_size": 10, "demo_batch_size": 5, "ou_noise_theta": 1.0,
        "ou_noise_sigma": 0.1, "demo": demo(),
    }  # fmt: skip
    with pytest.raises((TypeError, ValueError), match=f"^{name}: got .*expected"):
        BCAgent(make_env("Pendulum-v1"), **(good | changes))
