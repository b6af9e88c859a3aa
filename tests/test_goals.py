import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from pgcourse import HERAgent, RandomAgent, evaluate, make_env, register_bit_flip, successes
from pgcourse.tasks.bits import BitFlip
from pgcourse.tasks.envs import FlatGoal


def test_bit_flip_is_a_proper_environment():
    check_env(gym.make(register_bit_flip(4)).unwrapped, skip_render_check=True)


def test_one_bit_is_flipped_and_meeting_the_goal_earns_zero():
    env = BitFlip(3)
    env.reset(seed=0)
    env.now, env.goal = np.array([0.0, 1.0, 0.0]), np.array([0.0, 1.0, 1.0])
    obs, reward, terminated, truncated, info = env.step(np.array([-1.0, 0.1, 0.2]))
    assert obs["observation"].tolist() == obs["achieved_goal"].tolist() == [0.0, 1.0, 1.0]
    assert (reward, terminated, truncated, info["is_success"]) == (0.0, False, False, True)
    obs, reward, _, truncated, info = env.step(np.array([0.3, 0.1, 0.2]))
    assert obs["observation"].tolist() == [1.0, 1.0, 1.0]
    assert (reward, truncated, info["is_success"]) == (-1.0, False, True)  # met on the way
    assert env.step(np.zeros(3))[3]
    env.reset(seed=0)
    assert not env.met


def test_rewards_of_many_rows_at_once():
    goal = np.array([[0.0, 1.0], [1.0, 1.0]])
    assert BitFlip(2).compute_reward(np.array([[0.0, 1.0], [1.0, 0.0]]), goal, {}).tolist() == [
        0,
        -1,
    ]


def test_a_flat_obs_holds_observation_achieved_goal_and_goal():
    env = make_env(register_bit_flip(3))
    assert isinstance(env, FlatGoal) and env.goal_dim == 3
    obs, _ = env.reset(seed=1)
    inner = env.unwrapped
    assert obs.tolist() == [*inner.now, *inner.now, *inner.goal]
    assert env.observation_space.contains(obs)


def test_an_obs_does_not_change_when_the_environment_goes_on():
    env = make_env(register_bit_flip(3))
    obs, _ = env.reset(seed=1)
    before = obs.copy()
    env.step(np.float32([1, 0, 0]))
    assert np.array_equal(obs, before)


def test_other_dictionaries_are_refused():
    class Odd(gym.Env):
        observation_space = gym.spaces.Dict(observation=gym.spaces.Box(0, 1, (2,)))

    with pytest.raises(TypeError, match=r"^env.observation_space: got .*expected a Dict of"):
        FlatGoal(Odd())


@pytest.mark.parametrize("bits", [0, 2.5, "3"])
def test_a_bad_number_of_bits_is_refused(bits):
    with pytest.raises((TypeError, ValueError), match="^bits: got"):
        register_bit_flip(bits)


class Solver:
    """Flips the first wrong bit: the shortest way."""

    @staticmethod
    def policy(obs):
        bits = obs.size // 3
        return (obs[:bits] != obs[-bits:]) - np.linspace(0.0, 0.5, bits)


def test_successes_of_a_solver_and_of_chance():
    name = register_bit_flip(6)
    seeds = [seed for seed in range(40)]
    starts = [make_env(name).reset(seed=seed)[0] for seed in seeds]
    solvable = [not np.array_equal(obs[:6], obs[-6:]) for obs in starts]
    found = successes(Solver, name, seeds)
    assert found.dtype == bool and found[np.array(solvable)].all()
    assert successes(RandomAgent(6), name, seeds).mean() < 0.5
    returns = evaluate(HERAgent(make_env(name), 5, 4), name, range(3))
    assert returns.shape == (3,) and (returns <= 0).all() and (returns == returns.round()).all()


def test_successes_need_an_environment_that_says_so():
    with pytest.raises(ValueError, match="^env: got 'Pendulum-v1'; expected one whose info"):
        successes(RandomAgent(1), "Pendulum-v1", [0])
    with pytest.raises(TypeError, match="^agent: got"):
        successes(None, register_bit_flip(2), [0])
