"""Rollouts, teams and the on-policy updates, against numbers worked out another way."""

import copy
import math

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from torch.distributions import Normal, kl_divergence

from pgcourse import A2CAgent, PPOAgent, ReinforceAgent, make_env
from pgcourse.parts.gaussian import GaussianPolicy
from pgcourse.parts.networks import Value
from pgcourse.parts.returns import (
    clipped_objective,
    discounted_returns,
    gae,
    gaussian_log_density,
    kl_estimate,
    normalized,
    policy_gradient_loss,
)
from pgcourse.parts.rollout import Rollout
from pgcourse.tasks.team import Team
from tests.kinds import digest, fill, make, short_pendulum, weights

T = torch.tensor
ALL = pytest.mark.parametrize("kind", ["REINFORCE", "A2C", "PPO"])


# --- the equations


def brute(reward, next_value, terminated, truncated, value, gamma, lam):
    """Advantages as the weighted mean of all n-step returns, one step at a time."""
    rows, envs = reward.shape
    found = np.zeros((rows, envs))
    for k in range(envs):
        for t in range(rows):
            advantage, factor = 0.0, 1.0
            for s in range(t, rows):
                later = 0.0 if terminated[s, k] else gamma * next_value[s, k]
                advantage += factor * (reward[s, k] + later - value[s, k])
                if terminated[s, k] or truncated[s, k]:
                    break
                factor *= gamma * lam
            found[t, k] = advantage
    return found


@pytest.mark.parametrize("seed", range(8))
def test_advantages_and_returns_by_brute_force(seed):
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 12), rng.integers(1, 5)
    reward, next_value, value = rng.normal(size=(3, *shape))
    terminated, truncated = (rng.random((2, *shape)) < 0.2).astype(float)
    rows = [T(x) for x in (reward, next_value, terminated, truncated)]
    gamma, lam = rng.random(2)
    expected = brute(reward, next_value, terminated, truncated, value, gamma, lam)
    np.testing.assert_allclose(gae(*rows, T(value), gamma, lam), expected, atol=1e-12)
    # Written out, the sum of TD errors with λ = 1 and V(s) = 0 but for the bootstrap.
    for k in range(shape[1]):
        for t in range(shape[0]):
            total, factor = 0.0, 1.0
            for s in range(t, shape[0]):
                total += factor * reward[s, k]
                factor *= gamma
                if terminated[s, k]:
                    break
                if truncated[s, k] or s == shape[0] - 1:
                    total += factor * next_value[s, k]
                    break
            found = discounted_returns(*rows, gamma)[t, k].item()
            assert found == pytest.approx(total, abs=1e-12)


def test_advantages_by_hand():
    column = lambda *x: T(x)[:, None]  # noqa: E731
    rows = column(1.0, 1.0, 1.0), column(2.0, 4.0, 8.0)
    none, second = column(0.0, 0.0, 0.0), column(0.0, 1.0, 0.0)
    value = column(1.0, 1.0, 1.0)
    # TD errors 1 + V'/2 − 1: 1, 2, 4; each later one counts a quarter.
    assert gae(*rows, none, none, value, 0.5, 0.5).flatten().tolist() == [1.75, 3.0, 4.0]
    # A time limit after the second row still bootstraps there, and looks no further.
    assert gae(*rows, none, second, value, 0.5, 0.5).flatten().tolist() == [1.5, 2.0, 4.0]
    # A true end does not bootstrap.
    assert gae(*rows, second, none, value, 0.5, 0.5).flatten().tolist() == [1.0, 0.0, 4.0]
    # 1 + 1/2 + 1/4 + 8/8; 1 + 1/2 + 4/4; 1 + 1/2.
    firsts = [discounted_returns(*rows, *ends, 0.5)[0].item()
              for ends in ((none, none), (none, second), (second, none))]  # fmt: skip
    assert firsts == [2.75, 2.5, 1.5]


def test_the_clip_by_hand():
    ratio = T([0.5, 0.5, 1.5, 1.5, 1.1])
    advantage = T([1.0, -1.0, 1.0, -1.0, 2.0])
    new = ratio.log().requires_grad_()
    found = clipped_objective(new, torch.zeros(5), advantage, 0.2)
    torch.testing.assert_close(found.detach(), T([0.5, -0.8, 1.2, -1.5, 2.2]))
    found.sum().backward()
    # Nothing more is to be gained beyond the clip; what makes things worse always counts.
    torch.testing.assert_close(new.grad, T([0.5, 0.0, 0.0, -1.5, 2.2]))


def test_advantages_and_old_densities_are_data():
    columns = [torch.zeros(3, requires_grad=True) for _ in range(3)]
    clipped_objective(*columns, 0.2).sum().backward()
    policy_gradient_loss(columns[0], columns[2]).backward()
    assert columns[1].grad is None and columns[2].grad is None


def test_the_density_is_that_of_the_normal_distribution():
    action, mean, log_std = torch.randn(5, 3), torch.randn(5, 3), T([-0.5, 0.0, 1.0])
    expected = Normal(mean, log_std.exp()).log_prob(action).sum(dim=1)
    torch.testing.assert_close(gaussian_log_density(action, mean, log_std), expected)


def test_normalized_advantages_by_hand():
    found = normalized(T([1.0, 3.0])), normalized(T([5.0]))
    torch.testing.assert_close(found[0], T([-1.0, 1.0]))
    assert found[1].item() == 0.0


def test_the_estimate_of_the_divergence_is_near_it_and_never_negative():
    old, new = Normal(0.0, 1.0), Normal(0.2, 0.9)
    draws = torch.from_numpy(np.random.default_rng(0).standard_normal(200_000))
    found = kl_estimate(new.log_prob(draws), old.log_prob(draws)).item()
    assert found == pytest.approx(kl_divergence(old, new).item(), rel=0.02)
    assert kl_estimate(T([0.1]), T([0.0])).item() > 0.0 < kl_estimate(T([-0.1]), T([0.0])).item()


def test_the_gradient_of_reinforce_on_a_bandit_is_the_known_one():
    # J(μ, log σ) = E −(a − 2)², so dJ/dμ = −2 (μ − 2) and dJ/d log σ = −2 σ².
    mean, log_std = 0.5, math.log(0.8)
    draws = np.random.default_rng(0).standard_normal(400_000)
    action = T(mean + 0.8 * draws, dtype=torch.float32)[:, None]
    m, s = T([[mean]], requires_grad=True), T([log_std], requires_grad=True)
    density = gaussian_log_density(action, m.expand(len(action), 1), s)
    payoff = -((action[:, 0] - 2.0) ** 2)
    for baseline in (0.0, -2.89):  # a constant changes the noise and not the mean
        loss = policy_gradient_loss(density, payoff - baseline)
        grads = torch.autograd.grad(loss, (m, s), retain_graph=True)
        assert -grads[0].item() == pytest.approx(3.0, rel=0.02)
        assert -grads[1].item() == pytest.approx(-1.28, abs=0.04)


# --- rollouts and teams


class Count(gym.Env):
    """An obs that counts its steps; it truly ends, or is cut, after some; it draws its rewards."""

    observation_space = Box(-1e3, 1e3, (2,), np.float32)
    action_space = Box(-1.0, 1.0, (1,), np.float32)
    made = 0

    def __init__(self, lengths=(3, 5), terminates=True, bad=None):
        self.length = lengths[Count.made % len(lengths)]
        Count.made += 1
        self.terminates, self.bad = terminates, bad

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t, self.place = 0, self.np_random.random()
        return np.array([self.t, self.place], np.float32), {}

    def step(self, action):
        self.t += 1
        self.place += float(action[0]) + 0.1 * self.np_random.random()
        over = self.t == self.length
        obs = np.array([np.nan if self.bad == "next_obs" else self.t, self.place], np.float32)
        reward = np.inf if self.bad == "reward" else self.place
        return obs, reward, over and self.terminates, over and not self.terminates, {}


def counting(agent=A2CAgent, n=2, seed=0, env=None, **options):
    Count.made = 0
    env = env or (lambda **_: make_env(Count))
    return agent(env, n, **{"hidden": (8,), "seed": seed} | options)


def lived(agent, steps):
    """Act without learning and return what was kept."""
    fill(agent, steps)
    return agent.rollout.steps()


def test_whole_episodes_wait_for_each_other_and_waiting_is_no_step():
    agent = counting()
    steps = lived(agent, 7)
    assert steps.live.tolist() == [[1, 1]] * 3 + [[0, 1]] * 2 + [[0, 0]] * 2
    assert steps.terminated.sum(axis=0).tolist() == [1, 1] and not steps.truncated.any()
    assert agent.total_steps == 8 and list(agent.history.score_steps) == [6, 8]
    first = [float(steps.reward[: 3 + 2 * k, k].sum()) for k in range(2)]
    assert list(agent.history.scores) == pytest.approx(first, rel=1e-6)
    lesson = agent.sample()
    assert len(lesson.obs) == 8 and lesson.obs[:, 0].sum() == 3 + 10
    agent.learn()
    assert len(agent.rollout) == 0 and not agent.team.waits.any()
    assert lived(agent, 1).obs[0, :, 0].tolist() == [0, 0]


def test_the_last_obs_of_an_episode_is_its_own_and_not_the_next_ones_first():
    steps = lived(counting(PPOAgent, steps=8, batch_size=4), 8)
    assert steps.live.all()
    assert steps.next_obs[:, 0, 0].tolist() == [1, 2, 3] * 2 + [1, 2]
    assert steps.obs[:, 0, 0].tolist() == [0, 1, 2] * 2 + [0, 1]
    assert steps.terminated[:, 0].tolist() == [0, 0, 1] * 2 + [0, 0]
    assert steps.next_obs[:, 1, 0].tolist() == [1, 2, 3, 4, 5, 1, 2, 3]


def test_a_time_limit_is_kept_as_one():
    agent = counting(env=lambda **_: make_env(Count, terminates=False))
    steps = lived(agent, 5)
    assert steps.truncated.sum(axis=0).tolist() == [1, 1] and not steps.terminated.any()


def test_each_environment_has_starts_of_its_own_and_each_seed_others():
    starts = [counting(seed=seed).reset()[:, 1] for seed in (0, 0, 1)]
    assert len({*starts[0], *starts[2]}) == 4
    assert np.array_equal(starts[0], starts[1])


def test_environments_get_clipped_actions_and_the_density_is_of_the_drawn_ones():
    agent = counting(log_std=1.0)
    given, step = [], agent.team.step
    agent.team.step = lambda action: given.append(action) or step(action)
    steps = lived(agent, 3)
    assert np.array_equal(np.array(given), steps.action.clip(-1, 1))
    assert np.abs(steps.action).max() > 1.0
    lesson = agent.sample()
    rows = steps.live.astype(bool)
    expected = Normal(agent.actor(lesson.obs), math.e).log_prob(T(steps.action[rows])).sum(dim=1)
    torch.testing.assert_close(lesson.log_density, expected)


@pytest.mark.parametrize("steps", [None, 4])
@pytest.mark.parametrize("at", [0, 1, 3, 4, 7])
def test_a_team_comes_back_to_the_same_place_after_any_step(steps, at):
    first, second = counting(n=3, steps=steps), counting(n=3, seed=5, steps=steps)
    fill(first, at) if at else None
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert digest(second) == digest(first)
    for _ in range(20):
        for agent in (first, second):
            agent.learn()
            fill(agent, 1)
    assert digest(second) == digest(first)


def test_a_state_with_actions_after_an_episodes_end_is_refused():
    team, other = (Team([Count((3,)), Count((3,))]) for _ in range(2))
    team.reset(seed=[1, 2])
    team.step(np.zeros((2, 1), np.float32))
    state = team.state_dict()
    state["0"] |= {"count": 4, "rows": {"action": torch.zeros(4, 1)}}
    with pytest.raises(ValueError, match="after its end"):
        other.load_state_dict(state)


def test_one_environment_twice_is_refused_and_so_are_numbers_that_are_not_finite():
    one = make_env(Count)
    with pytest.raises(ValueError, match="^env: got .*expected 2"):
        A2CAgent(lambda **_: one, 2)
    for name in ("reward", "next_obs"):
        agent = counting(env=lambda name=name, **_: make_env(Count, bad=name))
        with pytest.raises(ValueError, match=f"^{name}: got"):
            agent.train(4, 0)


def test_a_rollout_whose_columns_differ_is_refused():
    rollout = Rollout(1, 2, 1)
    rollout.add(*(np.zeros(shape, np.float32) for shape in rollout.shapes))
    state = rollout.state_dict()
    state["rows"]["reward"] = torch.zeros(2, 1)
    with pytest.raises(ValueError, match="not all 1 rows"):
        rollout.load_state_dict(state)


def test_a_rollout_keeps_copies():
    rollout = Rollout(1, 2, 1)
    row = [np.zeros(shape, np.float32) for shape in rollout.shapes]
    rollout.add(*row)
    row[0] += 1.0
    assert len(rollout) == 1 and not rollout.steps().obs.any()
    assert [column.shape[0] for column in Rollout(1, 2, 1).steps()] == [0] * 7


# --- the agents


@ALL
def test_training_counts_the_steps_of_all_environments(kind):
    agent = make(kind)
    agent.train(81, 0)
    assert agent.total_steps == 82 and agent.updates == {"PPO": 3}.get(kind, 2)


def test_a_short_life_is_learned_from_by_the_book():
    agent = counting(steps=4, gamma=0.9, lam=0.8, reward_scale=2.0)
    steps = lived(agent, 4)
    value, next_value = (agent.critic(T(x)).detach().numpy() for x in (steps.obs, steps.next_obs))
    rows = (2.0 * steps.reward, next_value, steps.terminated, steps.truncated, value)
    expected = brute(*rows, 0.9, 0.8)
    lesson = agent.sample()
    np.testing.assert_allclose(lesson.advantage, expected.flatten(), rtol=1e-5)
    np.testing.assert_allclose(lesson.target, (expected + value).flatten(), rtol=1e-5)
    agent.normalize = True
    again = agent.sample()
    torch.testing.assert_close(again.advantage, normalized(lesson.advantage))
    assert torch.equal(again.target, lesson.target)


def test_reinforce_learns_from_returns_and_takes_a_baseline_if_there_is_one():
    plain, based = (counting(ReinforceAgent, gamma=0.9, baseline=b) for b in (False, True))
    assert set(plain.learners) == {"actor"} and not hasattr(plain, "critic")
    steps = lived(plain, 5)
    zeros = np.zeros_like(steps.reward)
    rows = (steps.reward, zeros, steps.terminated, steps.truncated, zeros)
    expected = brute(*rows, 0.9, 1.0)[steps.live == 1]
    np.testing.assert_allclose(plain.sample().advantage, expected, rtol=1e-5)
    lived(based, 5)
    lesson = based.sample()
    value = based.critic(lesson.obs).detach()
    torch.testing.assert_close(lesson.advantage, lesson.target - value)
    assert based.learners["critic"].network is based.critic


def test_a_baseline_is_an_actor_critic_whose_lambda_is_one():
    based = make("REINFORCE", gamma=0.9)
    critic = make("A2C", gamma=0.9, lam=1.0)
    based.train(200, 0), critic.train(200, 0)
    torch.testing.assert_close(weights(based), weights(critic), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["A2C", "REINFORCE"])
def test_one_step_of_the_policy_and_several_of_the_value(kind):
    agent = fill(make(kind, critic_steps=3))
    done_by = {name: each.optimizer.step for name, each in agent.learners.items()}
    calls = []
    for name, each in agent.learners.items():
        each.optimizer.step = lambda name=name: calls.append(name) or done_by[name]()
    agent.update_model()
    assert calls == ["actor", "critic", "critic", "critic"]


@pytest.mark.parametrize("kind", ["A2C", "REINFORCE"])
def test_the_policy_goes_up_the_mean_of_density_times_advantage(kind):
    agent = fill(make(kind))
    lesson = agent.sample()
    mean, std = agent.actor(lesson.obs), agent.actor.log_std.exp()
    density = Normal(mean, std).log_prob(lesson.action).sum(dim=1)
    loss, numbers = agent.actor_objective(lesson)
    assert loss.item() == pytest.approx(-(density * lesson.advantage).mean().item(), rel=1e-5)
    assert numbers == {"actor_loss": loss}


def test_ppo_by_the_book():
    agent = fill(make("PPO", clip=0.1))
    lesson = agent.sample()
    with torch.no_grad():
        for weight in agent.actor.parameters():
            weight += 0.1
    mean, std = agent.actor(lesson.obs), agent.actor.log_std.exp()
    ratio = (Normal(mean, std).log_prob(lesson.action).sum(dim=1) - lesson.log_density).exp()
    assert ((ratio - 1.0).abs() > 0.1).any()
    both = ratio * lesson.advantage, ratio.clip(0.9, 1.1) * lesson.advantage
    loss, numbers = agent.actor_objective(lesson)
    assert loss.item() == pytest.approx(-torch.stack(both).amin(dim=0).mean().item(), rel=1e-4)
    assert numbers["actor_loss"] is loss and numbers["kl"].item() > 0.0
    value = agent.critic(lesson.obs)
    expected = torch.nn.functional.mse_loss(value, lesson.target).item()
    assert agent.critic_objective(lesson)[0].item() == pytest.approx(expected, rel=1e-5)


def test_each_epoch_of_ppo_sees_each_row_once_in_another_order():
    agent = make("PPO", batch_size=10, epochs=3)
    fill(agent, 12)
    lesson, seen = agent.sample(), []
    agent.descend = lambda minibatch, *names: seen.append((minibatch, names))
    list(agent.update(lesson))
    assert [len(rows.obs) for rows, _ in seen] == [10, 10, 4] * 3
    assert {names for _, names in seen} == {("actor", "critic")}
    epochs = [torch.cat([rows.action for rows, _ in seen[k : k + 3]]) for k in (0, 3, 6)]
    assert not torch.equal(epochs[0], epochs[1]) and not torch.equal(epochs[1], epochs[2])
    for epoch in epochs:
        assert torch.equal(epoch.flatten().sort().values, lesson.action.flatten().sort().values)
    table = {row.item(): k for k, row in enumerate(lesson.action)}
    for rows, _ in seen:  # the columns of a row stay together
        k = [table[action.item()] for action in rows.action]
        for column, mixed in zip(lesson, rows, strict=True):
            assert torch.equal(column[k], mixed)


def test_gradients_of_a_step_are_cut_together():
    agent = fill(make("PPO", max_grad_norm=0.01))
    agent.descend(agent.sample(), "actor", "critic")
    cut = [p.grad for net in (agent.actor, agent.critic) for p in net.parameters()]
    assert torch.cat([g.flatten() for g in cut]).norm().item() == pytest.approx(0.01, rel=1e-3)
    free = fill(make("PPO", max_grad_norm=None))
    free.descend(free.sample(), "actor", "critic")
    whole = [p.grad for net in (free.actor, free.critic) for p in net.parameters()]
    ratio = [(a / b)[b != 0].mean().item() for a, b in zip(cut, whole, strict=True)]
    assert max(ratio) == pytest.approx(min(ratio), rel=1e-3) and max(ratio) < 1.0


def test_learning_rates_fall_to_zero_and_stay_there():
    agent = make("PPO", decay_steps=96, actor_lr=1e-2, critic_lr=1e-3)
    rates = []
    for _ in range(5):
        agent.train(24, 0)
        rates.append([e.optimizer.param_groups[0]["lr"] for e in agent.learners.values()])
    expected = [[1e-2 * left, 1e-3 * left] for left in (0.75, 0.5, 0.25, 0.0, 0.0)]
    np.testing.assert_allclose(rates, expected)
    still = make("A2C", decay_steps=None, actor_lr=2e-2)
    still.train(80, 0)
    assert still.learners["actor"].optimizer.param_groups[0]["lr"] == 2e-2


@ALL
def test_the_policy_is_the_clipped_mean_and_exploring_is_a_draw_around_it(kind):
    agent = make(kind, log_std=-1.0)
    obs = 0.1 * np.ones((2, 3), np.float32)
    with torch.no_grad():
        agent.actor.net[-1].bias.fill_(0.7)
        agent.actor.net[-1].weight.zero_()
    assert agent.policy(obs) == pytest.approx(0.7) and agent.policy(obs[0]).shape == (1,)
    draws = np.concatenate([agent.explore(obs) for _ in range(2_000)])
    assert draws.mean() == pytest.approx(0.7, abs=0.03)
    assert draws.std() == pytest.approx(math.exp(-1.0), rel=0.05)
    assert (draws > 1.0).any()
    with torch.no_grad():
        agent.actor.net[-1].bias.fill_(3.0)
    assert agent.policy(obs) == pytest.approx(1.0)


def test_networks_have_tanh_units_and_one_deviation():
    actor, value = GaussianPolicy(3, 2, -0.5), Value(3)
    assert [type(layer).__name__ for layer in actor.net] == ["Linear", "Tanh"] * 2 + ["Linear"]
    assert [type(layer).__name__ for layer in value.net] == ["Linear", "Tanh"] * 2 + ["Linear"]
    assert actor.log_std.tolist() == [-0.5, -0.5] and actor.log_std.requires_grad
    for net, gain in ((actor.net, 0.01), (value.net, 1.0)):
        for layer, size in zip(net[::2], (2**0.5, 2**0.5, gain), strict=True):
            sizes = torch.linalg.svdvals(layer.weight)
            torch.testing.assert_close(sizes, torch.full_like(sizes, size))
            assert not layer.bias.any()
    assert value(torch.zeros(4, 3)).shape == (4,) and actor(torch.zeros(4, 3)).shape == (4, 2)


def test_defaults_are_the_chapters():
    a2c, ppo = A2CAgent(short_pendulum), PPOAgent(short_pendulum)
    names = ("steps", "gamma", "lam", "actor_lr", "critic_lr", "reward_scale", "normalize")
    assert [getattr(a2c, n) for n in names] == [None, 0.99, 0.95, 1e-2, 1e-2, 1.0, False]
    assert [getattr(ppo, n) for n in names] == [128, 0.97, 0.95, 1e-3, 1e-3, 0.1, True]
    assert [len(agent.team.envs) for agent in (a2c, ppo)] == [8, 16]
    assert (a2c.critic_steps, ppo.epochs, ppo.batch_size, ppo.clip) == (5, 10, 256, 0.2)
    assert (a2c.max_grad_norm, ppo.max_grad_norm, ppo.decay_steps) == (None, 0.5, 150_000)
    assert (a2c.actor.log_std.item(), ppo.actor.log_std.item()) == (-0.5, 0.0)


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("A2C", "envs", 0), ("PPO", "steps", 0), ("PPO", "lam", 1.1), ("A2C", "decay_steps", 0),
        ("A2C", "reward_scale", "big"), ("A2C", "normalize", 1), ("A2C", "log_std", np.nan),
        ("PPO", "max_grad_norm", -1.0), ("A2C", "critic_steps", 0), ("PPO", "epochs", 0),
        ("REINFORCE", "critic_steps", 1.5), ("REINFORCE", "baseline", None),
        ("PPO", "batch_size", 0), ("PPO", "clip", -0.1), ("PPO", "decay_steps", True),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused_by_name(kind, name, value):
    with pytest.raises((TypeError, ValueError), match=f"^{name}: got .*expected"):
        make(kind, **{name: value})
