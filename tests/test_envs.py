import os
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict
from gymnasium.wrappers import TimeLimit

from pgcourse import ActionNormalizer, DDPGAgent, make_env, register_bit_flip
from pgcourse.tasks import envs
from pgcourse.tasks.envs import FlatGoal, layers


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


class NoPicture(Toy):
    """Its constructor takes no render_mode, but an option."""

    def __init__(self, top=4.0):
        super().__init__(act_space=Box(np.float32([-top]), np.float32([top])))


def test_a_function_or_a_class_makes_the_environment_with_the_options():
    for env in (NoPicture, lambda **options: NoPicture(**options)):
        for options, top in (({}, 4.0), ({"top": 8.0}, 8.0)):
            made = make_env(env, **options)
            assert isinstance(made, ActionNormalizer) and isinstance(made.unwrapped, NoPicture)
            made.reset(seed=0)
            made.step(np.float32([1.0]))
            assert made.unwrapped.seen == [[top]]
    with pytest.raises(ValueError, match="^env: got .*NoPicture.* with {'render_mode': 'rgb_arr"):
        make_env(NoPicture, "rgb_array")


def test_options_reach_a_registered_environment():
    assert make_env("Pendulum-v1", g=2.0).unwrapped.g == 2.0
    assert make_env("Pendulum-v1").unwrapped.g == 10.0
    both = make_env("Pendulum-v1", "rgb_array", g=2.0)
    assert both.render_mode == "rgb_array" and both.unwrapped.g == 2.0
    both.close()


def test_an_environment_itself_is_refused_by_name():
    class Callable(Toy):
        def __call__(self):
            return self

    for env in (Toy(), Callable(), gym.make("Pendulum-v1"), make_env("Pendulum-v1")):
        with pytest.raises(TypeError, match="^env: got .*; expected an id .*or a function"):
            make_env(env)


def test_actions_that_are_normalized_are_not_normalized_again():
    def narrow():  # a layer on top must not hide it
        return TimeLimit(ActionNormalizer(Toy()), 5)

    for maker in (lambda: make_env("Pendulum-v1"), narrow, lambda: make_env(narrow)):
        kinds = [type(layer) for layer in layers(make_env(maker))]
        assert kinds.count(ActionNormalizer) == 1
    bits = [type(layer) for layer in layers(make_env(lambda: make_env(register_bit_flip(2))))]
    assert bits.count(ActionNormalizer) == bits.count(FlatGoal) == 1
    again = gym.make(make_env("Pendulum-v1").spec)
    assert make_env(lambda: again) is again


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: make_env("CartPole-v1"), "env.action_space: got Discrete"),
        (lambda: make_env("NoSuchTask-v9"), "env: got 'NoSuchTask-v9'"),
        (lambda: make_env(3), "env: got 3"),
        (lambda: make_env("Pendulum-v1", gravity=2.0), "^env: got .*'gravity': 2.0.*; expected"),
        (lambda: make_env(lambda: None), "^env: got .*which made None; expected a gymnasium env"),
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


@pytest.fixture
def no_choice(monkeypatch):
    """Nobody has said how MuJoCo draws, and nothing is remembered."""
    monkeypatch.setenv("MUJOCO_GL", "")
    monkeypatch.delenv("MUJOCO_GL")
    envs.drawing.cache_clear()
    yield
    envs.drawing.cache_clear()


@pytest.mark.parametrize("works", ["egl", "osmesa", None])
def test_mujoco_draws_as_this_machine_can_or_says_what_to_set(monkeypatch, no_choice, works):
    def run(command, env, **_):
        return SimpleNamespace(returncode=int(env["MUJOCO_GL"] != works))

    monkeypatch.setattr(envs.subprocess, "run", run)
    task = "InvertedDoublePendulum-v5"
    if works:
        make_env(task, "rgb_array").close()
        assert os.environ["MUJOCO_GL"] == works
    else:
        with pytest.raises(ValueError, match="^env: got .*cannot draw .*expected EGL.*MUJOCO_GL"):
            make_env(task, "rgb_array")
        make_env(task).close()  # without pictures it works


def test_what_mujoco_gl_says_is_not_overruled(monkeypatch, no_choice):
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    asked = []
    monkeypatch.setattr(envs.subprocess, "run", lambda command, env, **_: asked.append(
        env["MUJOCO_GL"]) or SimpleNamespace(returncode=1))  # fmt: skip
    assert envs.drawing() is None and asked == ["osmesa"]


def test_whole_numbers_are_no_actions():
    class Whole(gym.Env):
        observation_space, action_space = Box(-1, 1, (2,)), Box(-3, 3, (1,), np.int32)

    with pytest.raises(TypeError, match=r"^env.action_space: got Box.*int32.*floating-point"):
        make_env(Whole)
