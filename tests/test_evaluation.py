import numpy as np
import pytest

from pgcourse import RandomAgent, evaluate, interval, make_env


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
