import numpy as np
import pytest

from pgcourse import evaluate, make_env


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
        ("Nothing-v0", [0], "env_id"),
    ],
)
def test_bad_arguments_are_refused_by_name(env_id, seeds, name):
    with pytest.raises((TypeError, ValueError), match=f"^{name}: got .*expected"):
        evaluate(Constant(), env_id, seeds)
