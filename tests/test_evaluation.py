from contextlib import nullcontext
from types import SimpleNamespace
from typing import ClassVar

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box

from pgcourse import (
    RandomAgent,
    evaluate,
    interval,
    make_env,
    record_demos,
    render_episode,
    successes,
)  # fmt: skip
from pgcourse.runs.evaluation import play


class Constant:
    def policy(self, obs):
        return np.full((*obs.shape[:-1], 1), 0.25, dtype=np.float32)


def test_returns_are_those_of_one_episode_after_the_other():
    seeds = [10_000, 3, 10_001]
    expected = []
    for seed in seeds:
        env = make_env("Pendulum-v1")
        env.reset(seed=seed)
        expected.append(sum(env.step(np.float32([0.25]))[1] for _ in range(200)))
    np.testing.assert_allclose(evaluate(Constant(), "Pendulum-v1", seeds), expected)


def test_episodes_that_really_end_stop_counting():
    class Push:
        def policy(self, obs):
            return np.sign(obs[:, 1:]).astype(np.float32)

    returns = evaluate(Push(), "MountainCarContinuous-v0", [0, 1, 2])
    assert ((returns > 80) & (returns < 100)).all()  # one +100 each, less the cost of pushing


def test_an_episode_that_is_played_is_the_one_that_is_evaluated():
    obs, action, reward = play(Constant(), "Pendulum-v1", 10_000)
    assert obs.shape == (201, 3) and action.shape == (200, 1) and (action == 0.25).all()
    assert reward.sum() == pytest.approx(evaluate(Constant(), "Pendulum-v1", [10_000])[0])
    env = make_env("Pendulum-v1")
    first = env.reset(seed=10_000)[0]
    np.testing.assert_array_equal(obs[:2], [first, env.step(np.float32([0.25]))[0]])
    assert [len(x) for x in play(Constant(), "Pendulum-v1", 10_000, 7)] == [8, 7, 7]
    with pytest.raises(ValueError, match="^seed: got -1; expected"):
        play(Constant(), "Pendulum-v1", -1)


def test_a_played_episode_ends_when_it_terminates():
    class Push:
        def policy(self, obs):
            return np.where(obs[..., 1:] < 0, -1.0, 1.0).astype(np.float32)

    reward = play(Push(), "MountainCarContinuous-v0", 10_000)[2]
    assert len(reward) < 200 and reward[-1] > 99 and max(reward[:-1]) <= 0


def test_a_policy_that_is_deterministic_gives_the_same_returns_twice(make_agent):
    agent = make_agent()
    twice = [evaluate(agent, "Pendulum-v1", range(5)) for _ in range(2)]
    np.testing.assert_array_equal(*twice)


def test_the_policy_is_used_without_noise(make_agent):
    agent = make_agent()
    agent.select_action = agent.noise.sample = None  # calling either fails
    evaluate(agent, "Pendulum-v1", [0])


@pytest.mark.parametrize(
    ("env_id", "seeds", "name"),
    [
        ("Pendulum-v1", [], "seeds"),
        ("Pendulum-v1", [-1], "seeds"),
        ("Pendulum-v1", [0.5], "seeds"),
        ("CartPole-v1", [0], "env.action_space"),
        ("Nothing-v0", [0], "env"),
    ],
)
def test_bad_arguments_are_refused_by_name(env_id, seeds, name):
    with pytest.raises((TypeError, ValueError), match=f"^{name}: got .*expected"):
        evaluate(Constant(), env_id, seeds)


class Short(gym.Env):
    """Three steps with goals and pictures; counts how often one is made, closed and stepped."""

    metadata: ClassVar = {"render_modes": ["rgb_array"]}
    box = Box(-1.0, 1.0, (1,), np.float32)
    action_space = box
    observation_space = box
    made: ClassVar = []

    def __init__(self, fail_at=None, render_mode=None):
        self.fail_at, self.render_mode, self.closed = fail_at, render_mode, 0
        self.made.append(self)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self.box.sample(), {}

    def step(self, action):
        self.steps += 1
        if self.steps == self.fail_at:
            raise RuntimeError("the environment broke")
        return self.box.sample(), 1.0, self.steps == 3, False, {"is_success": True}

    def render(self):
        return np.zeros((4, 4, 3), np.uint8)

    def close(self):
        self.closed += 1


USES = {
    "evaluate": (4, lambda agent, *env, **options: evaluate(agent, *env, range(4), **options)),
    "successes": (1, lambda agent, *env, **options: successes(agent, *env, range(4), **options)),
    "record_demos": (1, lambda agent, *env, **opt: record_demos(agent.policy, *env, 2, 0, **opt)),
    "render_episode": (1, lambda agent, *env, **options: render_episode(agent, *env, 0, **options)),
}


@pytest.mark.parametrize("name", USES)
@pytest.mark.parametrize("options", [{}, {"fail_at": 2}])
def test_every_environment_that_is_made_is_closed_once_and_options_reach_it(name, options):
    count, use = USES[name]
    Short.made.clear()
    broken = pytest.raises(RuntimeError, match="broke") if options else nullcontext()
    with broken:
        use(Constant(), Short, **options)
    assert [env.closed for env in Short.made] == [1] * count


def test_environments_that_are_made_before_one_fails_are_closed():
    def third_fails():
        if len(Short.made) == 2:
            raise RuntimeError("no third one")
        return Short()

    Short.made.clear()
    with pytest.raises(RuntimeError, match="no third one"):
        evaluate(Constant(), third_fails, range(4))
    assert [env.closed for env in Short.made] == [1, 1]


@pytest.mark.parametrize("name", USES)
def test_an_environment_itself_is_refused_by_name_and_not_closed(name):
    env = Short(render_mode="rgb_array")
    with pytest.raises(TypeError, match="^env: got .*; expected an id .*or a function"):
        USES[name][1](Constant(), env)
    assert not env.closed


def test_interval_by_hand_and_on_many_normal_numbers():
    assert interval([2.0, 2.0]).tolist() == [2.0, 2.0]
    assert interval([0.0, 1.0], resamples=1_000).tolist() == [0.0, 1.0]  # a quarter at each end
    values = np.random.default_rng(1).standard_normal(400)
    half = 1.96 * values.std(ddof=1) / 20
    np.testing.assert_allclose(interval(values), np.array([-half, half]) + values.mean(), atol=0.01)


@pytest.mark.parametrize("values", [[], [1.0, np.nan], [[1.0, 2.0]]])
def test_interval_refuses_nothing_and_what_is_not_finite(values):
    with pytest.raises(ValueError, match="^values: got .*expected"):
        interval(values)


def test_random_agents_are_seeded_and_cover_the_range():
    obs = np.zeros((2_000, 3))
    action = RandomAgent(2, seed=1).policy(obs)
    assert action.shape == (2_000, 2) and action.dtype == np.float32
    assert action.min() < -0.99 and action.max() > 0.99 and abs(action.mean()) < 0.05
    assert np.array_equal(RandomAgent(2, seed=1).policy(obs), action)


class Paid(gym.Env):
    """Two steps of a task whose rewards can be anything."""

    observation_space, action_space = Box(-1, 1, (3,)), Box(-1, 1, (2,))

    def __init__(self, reward=0.0):
        self.reward = reward

    def reset(self, *, seed=None, options=None):
        self.steps = 0
        return np.zeros(3, dtype=np.float32), {}

    def step(self, action):
        self.steps += 1
        return np.zeros(3, dtype=np.float32), self.reward, False, self.steps == 2, {}


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (np.zeros((4, 1)), r"got shape \(4, 1\); expected 8 finite numbers, shape \(4, 2\)"),
        (np.full((4, 2), np.nan), r"got array.*nan.*; expected 8 finite numbers"),
        (0, r"got 0; expected 8 finite numbers"),
        (None, r"got None; expected 8 finite numbers"),
    ],
)
def test_an_action_that_is_none_is_named(action, said):
    agent = SimpleNamespace(policy=lambda obs: action)
    with pytest.raises((TypeError, ValueError), match=rf"(?s)^agent.policy\(obs\): {said}"):
        evaluate(agent, Paid, range(4))


def test_a_reward_that_is_no_number_is_named():
    agent = SimpleNamespace(policy=lambda obs: np.zeros((len(obs), 2)))
    assert (evaluate(agent, Paid, range(4), reward=0.5) == 1.0).all()
    with pytest.raises(ValueError, match=r"^env: got a return of nan from seed 5; expected finite"):
        evaluate(agent, Paid, [5, 6], reward=np.nan)
