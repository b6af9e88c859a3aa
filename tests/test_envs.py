import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict

from pgcourse import ActionNormalizer, DDPGAgent, make_env


class Toy(gym.Env):
    """Any spaces; remembers the actions it is given."""

    def __init__(self, obs_space=None, act_space=None):
        self.observation_space = obs_space or Box(-1, 1, (2,), np.float32)
        self.action_space = act_space or Box(np.float32([0, -4]), np.float32([10, 4]))
        self.seen = []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(2, np.float32), {}

    def step(self, action):
        self.seen.append(action)
        return np.zeros(2, np.float32), 0.0, False, False, {}


def test_actions_are_rescaled_to_the_environments_own_range():
    toy = Toy()
    env = ActionNormalizer(toy)
    env.reset(seed=0)
    assert env.action_space == Box(-1, 1, (2,), np.float32)
    for action in ([-1, -1], [0, 0.5], [1, 1]):
        env.step(np.float32(action))
    np.testing.assert_allclose(toy.seen, [[0, -4], [5, 2], [10, 4]])


def test_reverse_action_undoes_the_rescaling():
    toy = Toy()
    env = ActionNormalizer(toy)
    env.reset(seed=0)
    action = np.float32([0.25, -0.75])
    env.step(action)
    np.testing.assert_allclose(env.reverse_action(toy.seen[0]), action, rtol=1e-6)


def test_make_env_gives_pendulum_with_unit_actions_and_its_time_limit():
    env = make_env("Pendulum-v1")
    assert env.action_space == Box(-1, 1, (1,), np.float32)
    env.reset(seed=0)
    ends = [env.step(np.float32([0.0]))[2:4] for _ in range(200)]
    assert ends[-1] == (False, True)  # truncated, not terminated
    assert not any(any(end) for end in ends[:-1])


def test_the_wrapper_is_part_of_the_spec():
    again = gym.make(make_env("Pendulum-v1").spec, render_mode="rgb_array")
    assert isinstance(again, ActionNormalizer)
    assert again.render_mode == "rgb_array"


def test_make_env_warns_of_nothing(recwarn):
    make_env("Pendulum-v1")
    make_env("MountainCarContinuous-v0")
    assert not recwarn.list


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: make_env("CartPole-v1"), "env.action_space: got Discrete"),
        (lambda: make_env("NoSuchTask-v9"), "env: got 'NoSuchTask-v9'"),
        (lambda: make_env(3), "env: got 3"),
        (lambda: ActionNormalizer("Pendulum-v1"), "env: got 'Pendulum-v1'"),
        (
            lambda: ActionNormalizer(Toy(act_space=Box(-np.inf, np.inf, (1,)))),
            "expected finite bounds",
        ),
        (
            lambda: ActionNormalizer(Toy(act_space=Box(-1, 1, (2, 2)))),
            "env.action_space: got shape",
        ),
    ],
)
def test_environments_that_cannot_work_are_refused(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


@pytest.mark.parametrize(
    ("env", "message"),
    [
        (gym.make("CartPole-v1"), "env.action_space: got Discrete"),
        (gym.make("Pendulum-v1"), "wrap the environment in ActionNormalizer"),
        (Toy(act_space=Box(-np.inf, np.inf, (1,))), "expected actions in"),
        (ActionNormalizer(Toy(obs_space=Box(-1, 1, (2, 2)))), "env.observation_space: got shape"),
        (ActionNormalizer(Toy(obs_space=Dict({"a": Box(-1, 1, (2,))}))), "expected a flat Box"),
        ("NoSuchTask-v9", "env: got 'NoSuchTask-v9'"),
    ],
)
def test_agents_refuse_spaces_that_cannot_work(env, message):
    with pytest.raises((TypeError, ValueError), match=message):
        DDPGAgent(env, 100, 10, 1.0, 0.1)
