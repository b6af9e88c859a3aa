"""The grader of the museum: right tests are accepted, wrong ones get the hint that fits."""

import itertools
import operator
import random

import gymnasium as gym
import numpy as np
import pytest
import torch

from pgcourse import BCAgent, DDPGAgent, SACAgent, make_env
from pgcourse.agents.ddpgfd import DDPGfDAgent
from pgcourse.agents.ppo import PPOAgent
from pgcourse.exercises import bugs
from pgcourse.exercises.bugs import EXHIBITS, check_bug, factory
from pgcourse.exercises.others import RIGHT as OTHERS
from pgcourse.exercises.others import own
from pgcourse.parts.rollout import Lesson, Steps

PASSES, BREAKS = "passes the exhibit", "breaks down"
WRONG_AGENT, DETAIL = "course's own agent, which is right", "right agent that is written diff"
SNIFFS, LUCK = "leave out `{}`", r"of \d seeds"
TYPE = SNIFFS.format("type")


def lived(make_agent, steps=40, **options):
    agent = make_agent(**options)
    agent.train(steps, plotting_interval=0)
    return agent


def eq7(agent, batch):
    with torch.no_grad():
        next_q = agent.critic_target(batch.next_obs, agent.actor_target(batch.next_obs))
        target = batch.reward + agent.gamma * (1 - batch.terminated) * next_q
        return ((agent.critic(batch.obs, batch.action) - target) ** 2).mean().item()


def gaps(make_agent, n=2_000):
    agent = make_agent(initial_random_steps=0)
    obs = agent.reset()
    return np.array([agent.select_action(obs) - agent.policy(obs) for _ in range(n)])


def warm_up(make_agent, n=1_000):
    agent = make_agent(initial_random_steps=n)
    obs = agent.reset()
    return np.array([agent.select_action(obs) for _ in range(n)])


# One function for each test: a test is right if it raises AssertionError at the right agents.


def signs(make):
    assert 0.4 < np.mean(gaps(make) > 0) < 0.6, "most pushes have one sign"


def median(make):
    assert abs(np.median(gaps(make))) < 0.02


def noise_is_there(make):
    assert gaps(make).std() > 0


def noise_is_wide(make):
    assert gaps(make).std() > 0.5


def noise_stream(make):
    median(make)
    assert type(make()).select_action is DDPGAgent.select_action, "not the course's method"


def stored_flags(make):
    agent = make()
    for _ in range(200):
        agent.step(np.array([0.5], dtype=np.float32))
    assert agent.memory.data.terminated[199] == 0, "the last step terminated"


def trained_flags(make):
    assert lived(make, 210).memory.data.terminated[:210].sum() == 0


def early_flags(make):
    assert lived(make, 40).memory.data.terminated[:40].sum() == 0


def flags_are_set(make):
    assert lived(make, 200).memory.data.terminated[199] == 1


def own_sample(make):
    trained_flags(make)
    assert type(make()).sample is DDPGAgent.sample


def starts_differ(make):
    agent = make()
    assert (agent.reset().copy() != agent.reset().copy()).any()


def stored_starts_differ(make):
    rows = lived(make, 401).memory.data.obs
    assert not np.array_equal(rows[0], rows[200])


def one_start(make):
    assert make().reset().shape == (3,)


def starts_agree(make):
    agent = make()
    assert np.array_equal(agent.reset().copy(), agent.reset().copy())


def starts_and_name(make):
    starts_differ(make)
    assert "Other" not in type(make()).__name__


def by_eq7(make):
    agent = lived(make)
    batch = agent.sample()
    assert abs(agent.critic_objective(batch)[0].item() / eq7(agent, batch) - 1) < 1e-3


def no_loss_at_the_target(make):
    agent = lived(make)
    batch = agent.sample()
    with torch.no_grad():
        agent.critic.net[-1].weight.mul_(100)
        next_q = agent.critic_target(batch.next_obs, agent.actor_target(batch.next_obs))
        q = agent.critic(batch.obs, batch.action)
    batch = batch._replace(reward=q - agent.gamma * (1 - batch.terminated) * next_q)
    assert agent.critic_objective(batch)[0].item() < 1e-3, "every row is at its target"


def loss_is_scalar(make):
    agent = lived(make)
    assert agent.critic_objective(agent.sample())[0].shape == ()


def loss_is_zero(make):
    agent = lived(make)
    assert agent.critic_objective(agent.sample())[0].item() < 1e-9


def loss_by_seed(make):
    agent = lived(make)
    assert abs(agent.critic_objective(agent.sample())[0].item() - REFERENCE) < 1e-4


REFERENCE = (lambda a: a.critic_objective(a.sample())[0].item())(lived(factory(DDPGAgent)))


def few_at_the_ends(make):
    assert np.mean(np.abs(warm_up(make)) > 0.99) < 0.05


def deviation(make):
    assert abs(warm_up(make).std() - 1 / np.sqrt(3)) < 0.05, "not the deviation of uniform draws"


def in_range(make):
    assert np.abs(warm_up(make)).max() <= 1


def none_above_a_half(make):
    assert np.abs(warm_up(make)).max() < 0.5


def first_draw(make):
    actions = warm_up(make)
    few_at_the_ends(make)
    assert abs(actions[0, 0] - warm_up(factory(DDPGAgent))[0, 0]) < 1e-6


def fast_rows(make):
    assert lived(make).sample().obs[-8:, -1].min() > 6.9


def counted_rows(make):
    assert (lived(make).sample().obs[:, -1] >= 7).sum() >= 8


def batch_size(make):
    assert len(lived(make).sample().obs) == 24


def first_rows(make):
    assert (lived(make).sample().obs[:8, -1] >= 7).all()


def drawn_from_demo_memory(make):
    agent = lived(make)
    before = agent.demo_memory.rng.bit_generator.state
    agent.sample()
    assert agent.demo_memory.rng.bit_generator.state != before


def by_eq2(make):
    agent = lived(make, lambda1=0.0, q_filter=False)
    batch = agent.sample()
    with torch.no_grad():
        wanted = ((agent.actor(batch.obs[-8:]) - batch.action[-8:]) ** 2).sum().item() / 8
    assert abs(agent.actor_objective(batch)[0].item() - wanted) < 1e-5


def weight_is_linear_and_right(make):
    agent = lived(make, lambda1=0.0, lambda2=8.0, q_filter=False)
    batch = agent.sample()
    with torch.no_grad():
        distance = ((agent.actor(batch.obs[-8:]) - batch.action[-8:]) ** 2).sum().item()
    assert abs(agent.actor_objective(batch)[0].item() / distance - 1) < 1e-4


def cloning_is_positive(make):
    agent = lived(make, lambda1=0.0, q_filter=False)
    assert agent.actor_objective(agent.sample())[0].item() > 0


def summed(make):
    agent = lived(make, lambda1=0.0, q_filter=False)
    batch = agent.sample()
    wanted = ((agent.actor(batch.obs[-8:]) - batch.action[-8:]) ** 2).sum().item()
    assert abs(agent.actor_objective(batch)[0].item() - wanted) < 1e-5


def eq2_and_name(make):
    by_eq2(make)
    assert type(make()) is BCAgent, "somebody else's agent"


def gradient(make):
    agent = lived(make)
    batch, weights = agent.sample(), list(agent.critic.parameters())
    with torch.no_grad():
        next_q = agent.critic_target(batch.next_obs, agent.actor_target(batch.next_obs))
        target = batch.reward + agent.gamma * (1 - batch.terminated) * next_q
    loss = ((agent.critic(batch.obs, batch.action) - target) ** 2).mean()
    found = torch.autograd.grad(agent.critic_objective(batch)[0], weights)
    pairs = zip(torch.autograd.grad(loss, weights), found, strict=True)
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in pairs)


def slow_critic_counts(make):
    agent = lived(make)
    batch = agent.sample()
    before = agent.critic_objective(batch)[0].item()
    with torch.no_grad():
        agent.critic_target.net[-1].bias.add_(100.0)
    assert agent.critic_objective(batch)[0].item() > before + 1, "the slow critic has no say"


def value_at_the_start(make):
    agent = make()
    for _ in range(20):
        agent.step(np.zeros(1, dtype=np.float32))
    batch = agent.sample()
    assert abs(agent.critic_objective(batch)[0].item() - eq7(agent, batch)) < 1e-3


def no_gradient_at_all(make):
    agent = lived(make)
    assert not agent.critic_objective(agent.sample())[0].requires_grad


def target_grad_and_rng(make):
    slow_critic_counts(make)
    agent = lived(make)
    before = agent.memory.rng.bit_generator.state
    agent.sample()
    assert agent.memory.rng.bit_generator.state != before


def same_answers(make):
    agent = make()
    obs = np.ones((50, 3), dtype=np.float32)
    assert np.ptp(agent.policy(obs)) < 1e-6


def answers_of_the_actor(make):
    agent, obs = make(), np.ones((5, 3), dtype=np.float32)
    with torch.no_grad():
        assert np.allclose(agent.policy(obs), agent.actor(torch.from_numpy(obs)).numpy())


def shape_of_answers(make):
    assert make().policy(np.ones((5, 3), dtype=np.float32)).shape == (5, 1)


def answers_are_zero(make):
    assert not make().policy(np.ones((5, 3), dtype=np.float32)).any()


def policy_and_actions(make):
    same_answers(make)
    agent = make(initial_random_steps=5)
    first = agent.select_action(agent.reset())
    assert abs(first[0] - FIRST) < 1e-6


FIRST = (lambda a: a.select_action(a.reset())[0])(factory(DDPGAgent)(initial_random_steps=5))


def two_lives(make):
    one, two = lived(make, 30), lived(make, 30)
    two.test(seed=1)
    for agent in (one, two):
        agent.train(5, plotting_interval=0)
    assert np.array_equal(one.memory.data.next_obs[:35], two.memory.data.next_obs[:35])


def state_of_the_world(make):
    agent = lived(make, 30)
    before = np.array(agent.env.unwrapped.state)
    agent.test(seed=1)
    assert np.array_equal(agent.env.unwrapped.state, before), "the world has moved on"


def test_has_a_score(make):
    assert lived(make, 30).test(seed=1).score <= 0


def test_changes_training(make):
    agent = lived(make, 30)
    before = np.array(agent.env.unwrapped.state)
    agent.test(seed=1)
    assert not np.array_equal(agent.env.unwrapped.state, before)


def lives_of_the_course(make):
    two_lives(make)
    assert np.array_equal(lived(make, 30).memory.data.action[:30], COURSE)


COURSE = lived(factory(DDPGAgent), 30).memory.data.action[:30].copy()


def both_learn(make):
    agent = lived(make)
    weights = list(agent.critics.parameters())
    before = [weight.detach().clone() for weight in weights]
    agent.update_model()
    same = [torch.equal(a, b) for a, b in zip(before, weights, strict=True)]
    assert not any(same), "a critic does not learn"


def both_count(make):
    agent = lived(make)
    batch = agent.sample()
    for critic in agent.critics:
        before = agent.critic_objective(batch)[0].item()
        with torch.no_grad():
            critic.net[-1].bias += 100.0
        assert agent.critic_objective(batch)[0].item() > before + 1, "a critic has no say"


def one_learns(make):
    agent = lived(make)
    before = agent.critics[0].net[0].weight.detach().clone()
    agent.update_model()
    assert not torch.equal(agent.critics[0].net[0].weight, before)


def critics_agree(make):
    agent = lived(make)
    batch = agent.sample()
    q, twin_q = (critic(batch.obs, batch.action) for critic in agent.critics)
    assert torch.allclose(q, twin_q)


def both_learn_from_draws(make):
    both_learn(make)
    agent = lived(make)
    before = agent.draws.bit_generator.state
    agent.sample()
    assert agent.draws.bit_generator.state != before, "the noise comes from elsewhere"


def entropies(make, n=40):
    agent = acted(make)
    return [agent.actor_objective(agent.sample())[1]["entropy"].item() for _ in range(n)]


def acted(make, steps=20, **options):
    """An agent that has filled its memory and learned nothing yet."""
    agent = make(**options)
    for _ in range(steps):
        agent.step(np.array([0.5], dtype=np.float32))
    return agent


def entropy_is_bounded(make):
    assert np.mean(entropies(make)) < 1, "more than log 2 = 0.69"


def price_by_hand(make):
    agent = acted(make)
    batch = agent.sample()
    with torch.no_grad():
        mean, log_std = agent.actor.gaussian(batch.obs)
        u = mean + log_std.exp() * batch.noise
        log_density = -0.5 * (batch.noise**2 + np.log(2 * np.pi)) - log_std
        log_density -= torch.log(1 - torch.tanh(u) ** 2)
        wanted = -agent.temperature() * (log_density.mean() + agent.target_entropy)
    assert torch.isclose(agent.temperature_objective(batch)[0], wanted, atol=1e-3)


def draws_in_range(make):
    agent = make(initial_random_steps=0)
    obs = agent.reset()
    assert max(abs(agent.select_action(obs)[0]) for _ in range(200)) <= 1


def entropy_of_a_gaussian(make):
    assert abs(np.mean(entropies(make)) - 0.5 * np.log(2 * np.pi * np.e)) < 0.2


def entropy_by_seed(make):
    assert abs(entropies(make, 1)[0] - ENTROPY) < 1e-5


ENTROPY = entropies(factory(SACAgent), 1)[0]


def quiet_policy(make):
    agent = acted(make)
    with torch.no_grad():
        agent.actor.net[-1].bias[agent.act_dim :] -= 4
    return agent


def price_rises(make):
    agent = quiet_policy(make)
    before = agent.temperature().item()
    agent.update_model()
    assert agent.temperature().item() > before, "α falls though there is hardly any noise"


def price_goes_down_its_loss(make):
    agent = quiet_policy(make)
    batch, before = agent.sample(), agent.temperature().item()
    loss = agent.temperature_objective(batch)[0]
    slope = torch.autograd.grad(loss, agent.temperature.log_alpha)[0].item()
    agent.update(batch)
    assert (agent.temperature().item() - before) * slope < 0, "α went up its own loss"


def price_moves(make):
    agent = acted(make)
    agent.update_model()
    assert agent.temperature().item() != 1


def price_falls(make):
    agent = quiet_policy(make)
    agent.update_model()
    assert agent.temperature().item() < 1


def actors_loss_knows_no_price(make):
    agent = acted(make)
    loss, price = agent.actor_objective(agent.sample())[0], agent.temperature.log_alpha
    assert torch.autograd.grad(loss, price, allow_unused=True)[0] is None


class Count(gym.Env):
    """Five steps long; an obs says how many have been made."""

    observation_space = gym.spaces.Box(0, 5, (1,), np.float32)
    action_space = gym.spaces.Box(-1, 1, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        gym.Env.reset(self, seed=seed)  # `super()` asks for `__class__`, which is refused
        self.count = 0
        return np.zeros(1, dtype=np.float32), {}

    def step(self, action):
        self.count += 1
        return np.full(1, self.count, dtype=np.float32), -1.0, False, self.count == 5, {}


def rolled(make_agent, rows=8, **options):
    """An agent that has played and learned nothing yet."""
    agent = make_agent(**options)
    obs = agent.reset()
    for _ in range(rows):
        agent.step(agent.explore(obs))
        obs = agent.obs
    return agent


def last_obs_is_no_start(make):
    steps = rolled(make, 201).rollout.steps()
    assert not np.allclose(steps.next_obs[199], steps.obs[200]), "a start in place of an end"


def each_step_counts_one(make):
    steps = rolled(make, 12, env=Count).rollout.steps()
    assert (steps.next_obs - steps.obs == 1).all(), "an episode goes on in the next one"


def limits_are_kept(make):
    assert rolled(make, 201).rollout.steps().truncated[199].all()


def obs_follow_each_other(make):
    steps = rolled(make, 201).rollout.steps()
    assert np.array_equal(steps.next_obs[:-1], steps.obs[1:])


def last_obs_and_order(make):
    last_obs_is_no_start(make)
    agent = rolled(make, 50)
    assert np.array_equal(agent.sample().obs[0], agent.rollout.steps().obs[0, 0])


def targets_are_rewards(make):
    agent = rolled(make, gamma=0.0)
    wanted = agent.reward_scale * agent.rollout.steps().reward.flatten()
    assert np.allclose(np.sort(agent.sample().target), np.sort(wanted), atol=1e-4)


def targets_are_costs(make):
    agent = rolled(make, gamma=0.0, reward_scale=1.0)
    lesson = agent.sample()
    cos, sin, velocity = lesson.obs.T
    push = 2 * lesson.action[:, 0].clamp(-1, 1)
    cost = torch.atan2(sin, cos) ** 2 + 0.1 * velocity**2 + 0.001 * push**2
    assert torch.allclose(lesson.target, -cost, atol=1e-2), "somebody else's cost"


def mean_of_targets(make):
    agent = rolled(make, gamma=0.0)
    wanted = agent.reward_scale * agent.rollout.steps().reward.mean()
    assert abs(agent.sample().target.mean() - wanted) < 1e-4


def targets_as_they_come(make):
    agent = rolled(make, gamma=0.0)
    wanted = agent.rollout.steps().reward.flatten()
    assert np.allclose(np.sort(agent.sample().target), np.sort(wanted), atol=1e-4)


def targets_in_order(make):
    agent = rolled(make, gamma=0.0)
    wanted = agent.reward_scale * agent.rollout.steps().reward.flatten()
    assert np.allclose(agent.sample().target, wanted, atol=1e-4)


def density_of_draws(make):
    found = -rolled(make, 190).sample().log_density.mean().item()
    assert abs(found - 0.5 * np.log(2 * np.pi * np.e)) < 0.12, "no draws of a Gaussian"


def draws_scatter(make):
    agent = make(log_std=0.5)
    obs = agent.reset()
    pulls = [agent.explore(obs) - agent.mean(obs) for _ in range(500)]
    assert abs(np.std(pulls) / np.exp(0.5) - 1) < 0.1


def draws_differ(make):
    agent = make()
    obs = agent.reset()
    assert (agent.explore(obs) != agent.explore(obs)).any()


def no_draw_beyond_one(make):
    assert np.abs(rolled(make, 190).rollout.steps().action).max() <= 1


def draw_by_seed(make):
    agent = make()
    assert abs(agent.explore(agent.reset())[0, 0] - DRAWN) < 1e-6


DRAWN = (lambda a: a.explore(a.reset())[0, 0])(factory(PPOAgent)())


def acted_in(make, limit, steps=80, **options):
    """An agent that has played pendulums of so few steps and learned nothing yet."""
    agent = make(make_env("Pendulum-v1", max_episode_steps=limit), **options)
    for _ in range(steps):
        agent.step(np.zeros(1, dtype=np.float32))
    return agent


def all_drawn(agent, times=50):
    batches = [agent.sample() for _ in range(times)]
    return [torch.cat(column) for column in zip(*batches, strict=True)]


def no_row_is_longer_than_its_episode(make):
    discount = acted_in(make, 4, n=5).sample().n_discount
    assert (discount > make().gamma ** 4.5).all(), "five steps of an episode of four"


def counted_steps_are_discounted(make):
    agent = make(Count(), n=3, gamma=0.5)
    for _ in range(40):
        agent.step(np.zeros(1, dtype=np.float32))
    obs, *_, later, _, discount, _, demo = all_drawn(agent)
    steps = (later - obs)[demo == 0, 0]
    assert torch.allclose(0.5**steps, discount[demo == 0]), "a row ends where it did not get to"


def discounts_are_no_more_than_gamma(make):
    agent = acted_in(make, 4, n=5)
    assert (agent.sample().n_discount <= agent.gamma + 1e-6).all()


def all_rows_are_long(make):
    agent = acted_in(make, 4, n=5)
    batch = agent.sample()
    assert (batch.n_discount[batch.demo == 0] < agent.gamma**4.5).all()


def no_long_row_and_none_waits(make):
    no_row_is_longer_than_its_episode(make)
    agent = acted_in(make, 200, n=5)
    assert len(agent.memory) == 120, "a step is missing"


def surprised(make):
    """An agent whose rows have priorities that differ, the demonstrations' by 1,000 more."""
    return lived(make, 60, epsilon_demo=1_000.0)


def weights_undo_the_draws(make):
    agent = acted_in(make, 200, 60, alpha=1.0)
    for _ in range(60):
        agent.memory.update_priorities(1 + 3 * agent.sample().demo.numpy())
    *_, weight, demo = all_drawn(agent, 200)
    found, wanted = (weight * demo).sum() / weight.sum(), 40 / len(agent.memory)
    assert abs(found - wanted) < 0.05, f"demonstrations weigh {found:.2f} of all, not {wanted:.2f}"


def demonstrations_weigh_less(make):
    *_, weight, demo = all_drawn(surprised(make), 20)
    assert weight[demo == 1].mean() < weight[demo == 0].mean(), "the likelier, the heavier"


def often_drawn_rows_weigh_less(make):
    obs, *_, weight, _ = all_drawn(surprised(make), 200)
    _, row, count = obs.unique(dim=0, return_inverse=True, return_counts=True)
    assert np.corrcoef(weight, count[row])[0, 1] < 0, "the likelier, the heavier"


def weights_are_weights(make):
    weight = surprised(make).sample().weight
    assert weight.min() > 0 and weight.max() < 1 + 1e-6


def weights_are_all_one(make):
    assert surprised(make).sample().weight.min() > 0.99


def draws_undone_and_largest_is_one(make):
    weights_undo_the_draws(make)
    assert surprised(make).sample().weight.max() > 0.999


def flat_critic_pulls_nowhere(make):
    agent = lived(make, gamma=0.0)
    batch = agent.sample()
    with torch.no_grad():
        agent.critic.net[-1].weight.zero_()
        agent.critic.net[-1].bias.fill_(10.0)
    wanted = (10 - batch.reward) ** 2 + agent.epsilon + agent.epsilon_demo * batch.demo
    assert np.allclose(agent.priorities(batch), wanted, rtol=1e-4), "something is pulled"


def level_of_values_is_no_surprise(make):
    agent = lived(make, gamma=1.0)
    batch = agent.sample()
    before = agent.priorities(batch)
    for critic in (agent.critic, agent.critic_target):
        with torch.no_grad():
            critic.net[-1].bias.add_(10.0)
    assert np.allclose(agent.priorities(batch), before, rtol=1e-2), "only the level has changed"


def priorities_are_positive(make):
    agent = lived(make)
    assert (agent.priorities(agent.sample()) > 0).all()


def priorities_are_errors_alone(make):
    agent = lived(make)
    batch = agent.sample()
    error = (agent.critic(batch.obs, batch.action) - agent.target(batch)).detach().numpy()
    assert np.allclose(agent.priorities(batch), error**2)


def priority_by_seed(make):
    agent = acted_in(make, 200)
    assert abs(agent.priorities(agent.sample()).sum() - PRIORITY) < 1e-3


PRIORITY = (lambda a: a.priorities(a.sample()).sum())(acted_in(factory(DDPGfDAgent), 200))

RIGHT = {
    "noise": [signs, median],
    "end": [stored_flags, trained_flags],
    "start": [starts_differ, stored_starts_differ],
    "columns": [by_eq7, no_loss_at_the_target],
    "warm-up": [few_at_the_ends, deviation],
    "batch": [fast_rows, counted_rows],
    "weight": [by_eq2, weight_is_linear_and_right],
    "network": [gradient, slow_critic_counts],
    "evaluation": [same_answers, answers_of_the_actor],
    "test": [two_lives, state_of_the_world],
    "twin": [both_learn, both_count],
    "correction": [entropy_is_bounded, price_by_hand],
    "temperature": [price_rises, price_goes_down_its_loss],
    "boundary": [last_obs_is_no_start, each_step_counts_one],
    "axes": [targets_are_rewards, targets_are_costs],
    "clip": [density_of_draws, draws_scatter],
    "seam": [no_row_is_longer_than_its_episode, counted_steps_are_discounted],
    "rare": [weights_undo_the_draws, demonstrations_weigh_less, often_drawn_rows_weigh_less],
    "pull": [flat_critic_pulls_nowhere, level_of_values_is_no_surprise],
}
WRONG = {
    "noise": [(noise_is_there, PASSES), (noise_is_wide, WRONG_AGENT), (noise_stream, TYPE)],
    "end": [(early_flags, PASSES), (flags_are_set, WRONG_AGENT), (own_sample, TYPE)],
    "start": [(one_start, PASSES), (starts_agree, WRONG_AGENT), (starts_and_name, TYPE)],
    "columns": [(loss_is_scalar, PASSES), (loss_is_zero, WRONG_AGENT), (loss_by_seed, LUCK)],
    "warm-up": [(in_range, PASSES), (none_above_a_half, WRONG_AGENT), (first_draw, LUCK)],
    "batch": [
        (batch_size, PASSES), (first_rows, WRONG_AGENT), (drawn_from_demo_memory, DETAIL),
    ],
    "weight": [(cloning_is_positive, PASSES), (summed, WRONG_AGENT), (eq2_and_name, TYPE)],
    "network": [
        (value_at_the_start, PASSES), (no_gradient_at_all, WRONG_AGENT),
        (target_grad_and_rng, DETAIL),
    ],
    "evaluation": [
        (shape_of_answers, PASSES), (answers_are_zero, WRONG_AGENT), (policy_and_actions, LUCK),
    ],
    "test": [
        (test_has_a_score, PASSES), (test_changes_training, WRONG_AGENT),
        (lives_of_the_course, LUCK),
    ],
    "twin": [
        (one_learns, PASSES), (critics_agree, WRONG_AGENT), (both_learn_from_draws, DETAIL),
    ],
    "correction": [
        (draws_in_range, PASSES), (entropy_of_a_gaussian, WRONG_AGENT), (entropy_by_seed, LUCK),
    ],
    "temperature": [
        (price_moves, PASSES), (price_falls, WRONG_AGENT), (actors_loss_knows_no_price, DETAIL),
    ],
    "boundary": [
        (limits_are_kept, PASSES), (obs_follow_each_other, WRONG_AGENT),
        (last_obs_and_order, DETAIL),
    ],
    "axes": [
        (mean_of_targets, PASSES), (targets_as_they_come, WRONG_AGENT), (targets_in_order, DETAIL),
    ],
    "clip": [(draws_differ, PASSES), (no_draw_beyond_one, WRONG_AGENT), (draw_by_seed, LUCK)],
    "seam": [
        (discounts_are_no_more_than_gamma, PASSES), (all_rows_are_long, WRONG_AGENT),
        (no_long_row_and_none_waits, DETAIL),
    ],
    "rare": [
        (weights_are_weights, PASSES), (weights_are_all_one, WRONG_AGENT),
        (draws_undone_and_largest_is_one, DETAIL),
    ],
    "pull": [
        (priorities_are_positive, PASSES), (priorities_are_errors_alone, WRONG_AGENT),
        (priority_by_seed, LUCK),
    ],
}  # fmt: skip
right_cases = [pytest.param(n, t, id=f"{n}-{t.__name__}") for n, ts in RIGHT.items() for t in ts]
wrong_cases = [
    pytest.param(n, t, hint, id=f"{n}-{t.__name__}") for n, ts in WRONG.items() for t, hint in ts
]
for helper in (test_has_a_score, test_changes_training):
    helper.__test__ = False  # answers, not tests of ours


@pytest.mark.parametrize(("name", "answer"), right_cases)
def test_right_tests_are_accepted(name, answer, capsys):
    check_bug(name, answer, seeds=2)  # five take long: the solutions below
    assert capsys.readouterr().out.startswith("Right.")


@pytest.mark.parametrize(("name", "answer", "hint"), wrong_cases)
def test_wrong_tests_get_the_hint_that_fits(name, answer, hint):
    with pytest.raises(AssertionError, match=hint):
        check_bug(name, answer, seeds=2)


# --- marks for nothing: each of these got full marks once

CALLS = itertools.count()


def by_name(make):
    assert "Exhibit" not in make().__class__.__name__


def by_repr(make):
    assert "Exhibit" not in f"{make()}"


def by_closure(make):
    assert "Exhibit" not in f"{make.__closure__[0].cell_contents}"


def by_attrgetter(make):
    assert "Exhibit" not in f"{operator.attrgetter('__class__')(make())}"


def name_of(agent):
    return agent.__doc__


def by_helper(make):
    assert name_of(make()) != EXHIBITS["noise"][0].__doc__


class Reader:
    def read(self, agent):
        return agent.__doc__


def by_class(make):
    assert Reader().read(make()) is None


def on_the_second_call(make):
    assert next(CALLS) % 3 != 1


def coin(make):
    assert random.random() < 0.5


def coin_of_numpy(make):
    assert np.random.random() < 0.5


def one_draw(make):
    agent = make(initial_random_steps=0)
    obs = agent.reset()
    assert agent.select_action(obs)[0] < agent.policy(obs)[0] + 0.05


CHEATS = {
    by_name: SNIFFS.format("__class__"), by_repr: PASSES, by_closure: SNIFFS.format("__closure__"),
    by_attrgetter: SNIFFS.format("operator"), by_helper: SNIFFS.format("EXHIBITS"),
    by_class: SNIFFS.format("__doc__"),
    on_the_second_call: f"{PASSES}|{LUCK}|{WRONG_AGENT}|{DETAIL}",
    coin: LUCK, coin_of_numpy: LUCK, one_draw: LUCK,
}  # fmt: skip


@pytest.mark.parametrize("cheat", CHEATS, ids=lambda cheat: cheat.__name__)
def test_marks_are_not_had_for_nothing(cheat):
    with pytest.raises(AssertionError, match=CHEATS[cheat]):
        check_bug("noise", cheat)


def test_the_runs_are_all_there_in_an_order_of_their_own(monkeypatch):
    found = []
    monkeypatch.setitem(vars(bugs), "outcome", lambda test, *run: found.append(run) or "no")
    for _ in range(2):
        with pytest.raises(AssertionError, match=WRONG_AGENT):
            check_bug("noise", signs)
    kinds = DDPGAgent, EXHIBITS["noise"][0], OTHERS[DDPGAgent]
    first, second = found[:15], found[15:]
    assert set(first) == set(second) == set(itertools.product(kinds, range(5)))
    assert first != second  # alike in one of 10**12 cases


@pytest.mark.parametrize("draw", [random.random, np.random.random, lambda: torch.rand(1).item()])
def test_every_generator_is_seeded(draw):
    found = []
    for seed in (0, 1, 0):
        bugs.outcome(lambda make_agent: found.append(draw()), DDPGAgent, seed)
    assert found[0] == found[2] != found[1]


@pytest.mark.parametrize("name", EXHIBITS)
def test_an_untouched_test_and_a_broken_one_get_a_hint(name):
    with pytest.raises(AssertionError, match=PASSES):
        check_bug(name, lambda make_agent: ...)
    with pytest.raises(AssertionError, match=f"{BREAKS}.*ZeroDivisionError"):
        check_bug(name, lambda make_agent: 1 / 0)
    with pytest.raises(AssertionError, match="Write a function"):
        check_bug(name, ...)


@pytest.mark.parametrize("name", EXHIBITS)
def test_an_exhibit_trains_and_looks_plausible(name):
    agent = lived(factory(EXHIBITS[name][0]), 120)
    assert np.isfinite(list(agent.update_model().values())).all()
    assert np.abs(agent.policy(np.ones((4, 3), dtype=np.float32))).max() <= 1


@pytest.mark.parametrize("kind", OTHERS)
def test_the_second_right_agent_is_another_one(kind):
    other = OTHERS[kind]
    written = {name for part in other.__mro__ if part not in kind.__mro__ for name in vars(part)}
    assert issubclass(other, kind) and len(written & set(dir(kind)) - set(dir(object))) >= 2
    one, two = (lived(factory(k), 60) for k in (kind, other))
    assert not np.array_equal(one.policy(np.ones(3)), two.policy(np.ones(3)))


@pytest.mark.parametrize("kind", OTHERS)
def test_the_right_agents_agree_on_a_batch(kind):
    one, two = (lived(factory(k), 60) for k in (kind, OTHERS[kind]))
    batch = one.sample()
    for name, network in vars(two).items():
        if isinstance(network, torch.nn.Module):
            network.load_state_dict(getattr(one, name).state_dict())
    for name, learner in two.learners.items():
        mine, weights = one.learners[name], list(learner.network.parameters())
        loss = learner.objective(batch)[0]
        assert torch.isclose(mine.objective(batch)[0], loss, rtol=1e-4, atol=1e-6), name
        wanted = torch.autograd.grad(mine.objective(batch)[0], list(mine.network.parameters()))
        for a, b in zip(wanted, torch.autograd.grad(loss, weights), strict=True):
            assert torch.allclose(a, b, rtol=1e-3, atol=1e-4), name


def test_the_right_agents_of_rollouts_agree_at_ends_and_off_the_old_policy():
    one, two = (factory(kind)() for kind in (PPOAgent, OTHERS[PPOAgent]))
    rng = np.random.default_rng(0)
    obs, next_obs = rng.normal(size=(2, 30, 4, 3))
    action, reward = rng.normal(size=(30, 4, 1)), rng.normal(size=(30, 4))
    terminated, truncated = rng.random((2, 30, 4)) < 0.2  # some steps are both
    goes_on = ~(terminated | truncated)[:-1]
    obs[1:][goes_on] = next_obs[:-1][goes_on]
    rows = obs, action, reward, next_obs, terminated, truncated, np.ones((30, 4))
    steps = Steps(*(torch.from_numpy(row.astype(np.float32)) for row in rows))
    found = [agent.estimates(steps) for agent in (one, two)]
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(*found, strict=True))
    density = one.log_density(steps.obs.flatten(0, 1), steps.action.flatten(0, 1)).detach()
    density += torch.from_numpy(rng.normal(scale=0.3, size=120).astype(np.float32))
    estimates = (column.detach().flatten() for column in found[0])
    lesson = Lesson(steps.obs.flatten(0, 1), steps.action.flatten(0, 1), density, *estimates)
    losses, weights = [], []
    for agent in (one, two):
        loss, record = agent.actor_objective(lesson)
        losses.append([loss.detach(), record["kl"]])
        weights.append(torch.autograd.grad(loss, list(agent.actor.parameters())))
    assert torch.allclose(*map(torch.stack, losses), rtol=1e-4)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(*weights, strict=True))


def test_the_right_agents_of_rollouts_make_one_lesson_of_one_rollout():
    one, two = (rolled(factory(kind), 210) for kind in (PPOAgent, OTHERS[PPOAgent]))
    two.rollout.load_state_dict(one.rollout.state_dict())
    assert one.rollout.steps().truncated.any()
    lessons = [torch.cat([c.reshape(840, -1) for c in a.sample()], dim=1) for a in (one, two)]
    assert not torch.allclose(*lessons)
    first, second = (rows[rows[:, 2].argsort()] for rows in lessons)  # by the velocity
    assert torch.allclose(first, second, atol=1e-4)


def test_the_right_agents_that_draw_by_priority_agree():
    kinds = DDPGfDAgent, OTHERS[DDPGfDAgent]
    one, two = (acted_in(factory(kind), 12, 90, n=5, l2=0.1) for kind in kinds)
    assert len(one.memory) == 130 and len(two.memory) == 126  # four wait for their five steps
    rows = [{tuple(row[0].tolist()): row for row in zip(*all_drawn(agent), strict=True)}
            for agent in (one, two)]  # fmt: skip
    assert len(rows[0].keys() & rows[1].keys()) > 100
    for key in rows[0].keys() & rows[1].keys():
        assert all(torch.allclose(a, b) for a, b in zip(*(r[key][:9] for r in rows), strict=True))
        assert rows[0][key][-1] == rows[1][key][-1]
    for name in ("critic", "critic_target", "actor", "actor_target"):
        with torch.no_grad():
            for weight in getattr(one, name).parameters():
                weight.mul_(3)
        getattr(two, name).load_state_dict(getattr(one, name).state_dict())
    ends = (torch.arange(16) % 3 == 0).float()
    batch = two.sample()._replace(terminated=ends, n_terminated=ends.flip(0))
    assert np.allclose(one.priorities(batch), two.priorities(batch), rtol=1e-4)
    for name in one.learners:
        losses = (agent.learners[name].objective(batch)[0] for agent in (one, two))
        assert torch.isclose(*losses, rtol=1e-5), name


@pytest.mark.parametrize("kind", [DDPGfDAgent, OTHERS[DDPGfDAgent]])
def test_the_right_agents_draw_a_row_as_often_as_its_priority_says(kind):
    agent = lived(factory(kind), 60, alpha=1.0)
    share = agent.memory.share[: len(agent.memory)].copy()
    count = np.zeros(len(share))
    for _ in range(1_000):
        agent.sample()
        np.add.at(count, agent.memory.drawn, 1)
    assert np.abs(count / count.sum() - share / share.sum()).max() < 0.01


@pytest.mark.parametrize("name", EXHIBITS)
def test_an_exhibit_is_of_one_kind(name):
    kind = EXHIBITS[name][0]
    assert [agent for agent in OTHERS if issubclass(kind, agent)] == [own(kind)]
