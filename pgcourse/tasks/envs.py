"""Environments with actions in [-1, 1]."""

import functools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from weakref import WeakKeyDictionary

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Dict
from gymnasium.utils import RecordConstructorArgs
from gymnasium.wrappers import RescaleAction

from pgcourse import checks


class ActionNormalizer(RescaleAction):
    """Actions in [-1, 1] on the outside, the environment's range inside (03 Eq. 1).

    Args:
        env: an environment with a flat, bounded Box of actions.

    Raises:
        TypeError, ValueError: the action space is of another kind, or has no bounds.
    """

    def __init__(self, env: gym.Env):
        if not isinstance(env, gym.Env):
            raise TypeError(f"env: got {env!r}; expected a gymnasium environment")
        space = env.action_space
        check_box("env.action_space", space)
        if not np.issubdtype(space.dtype, np.floating):
            raise TypeError(f"env.action_space: got {space}; expected floating-point numbers")
        if not space.is_bounded():
            raise ValueError(f"env.action_space: got {space}; expected finite bounds")
        # Recorded without arguments, so that gymnasium can rebuild this wrapper from env.spec.
        RecordConstructorArgs.__init__(self)
        ones = np.ones(space.shape, dtype=space.dtype)
        super().__init__(env, min_action=-ones, max_action=ones)

    def reverse_action(self, action: np.ndarray) -> np.ndarray:
        """Map an action of the environment's own range, (act_dim,), back to [-1, 1]."""
        return unit_action(action, self.env.action_space)


def unit_action(action: np.ndarray, space: Box) -> np.ndarray:
    """Map actions of a bounded Box, (..., act_dim), to [-1, 1]."""
    return 2.0 * (np.asarray(action) - space.low) / (space.high - space.low) - 1.0


class FlatGoal(gym.ObservationWrapper, RecordConstructorArgs):
    """One flat obs for an environment with goals: observation, achieved goal, desired goal.

    Args:
        env: its observations are a Dict of these three, each a flat Box (gymnasium-robotics'
            GoalEnv); it has a method compute_reward(achieved, goal, info).

    Raises:
        TypeError, ValueError: the environment is of another kind.
    """

    KEYS = ("observation", "achieved_goal", "desired_goal")

    def __init__(self, env: gym.Env):
        RecordConstructorArgs.__init__(self)  # as above
        gym.ObservationWrapper.__init__(self, env)
        found = env.observation_space
        if not isinstance(found, Dict) or set(found) != set(self.KEYS):
            expected = f"expected a Dict of {', '.join(self.KEYS)}"
            raise TypeError(f"env.observation_space: got {found}; {expected}")
        spaces = [found[key] for key in self.KEYS]
        for key, space in zip(self.KEYS, spaces, strict=True):
            check_box(f"env.observation_space[{key!r}]", space)
        low, high = (np.concatenate([getattr(s, end) for s in spaces]) for end in ("low", "high"))
        self.observation_space = Box(low, high, dtype=np.float64)
        self.goal_dim = spaces[2].shape[0]

    def observation(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        """Return the three parts behind each other."""
        return np.concatenate([observation[key] for key in self.KEYS])


def split_obs(obs: np.ndarray, goal_dim: int) -> list[np.ndarray]:
    """Cut what `FlatGoal` made, (..., obs_dim), into observation, achieved and desired goal."""
    obs = np.asarray(obs, dtype=np.float64)
    return np.split(obs, [obs.shape[-1] - 2 * goal_dim, obs.shape[-1] - goal_dim], axis=-1)


def goal_parts(env: gym.Env) -> tuple[int, int, Callable]:
    """Return an environment's goal_dim, steps per episode and compute_reward; TypeError if none."""
    try:
        goal_dim, reward = env.get_wrapper_attr("goal_dim"), env.get_wrapper_attr("compute_reward")
        return goal_dim, checks.integer("steps", env.spec.max_episode_steps), reward
    except (AttributeError, TypeError):
        raise TypeError(
            f"env: got {env!r}; expected an environment with goals and a time limit, from make_env"
        ) from None


def make_env(
    env: str | Callable[..., gym.Env], render_mode: str | None = None, **options
) -> gym.Env:
    """Make an environment whose actions lie in [-1, 1].

    Args:
        env: a registered id such as "Pendulum-v1", or a function (a class, say) that makes an
            environment. Observations of one with goals become flat: see `FlatGoal`.
        render_mode: None, or "rgb_array" for pictures.
        options: keyword arguments for the environment, such as g=9.81.

    Raises:
        TypeError, ValueError: the id is unknown, an option is refused, or the actions are not a
            bounded, flat Box.
    """
    if isinstance(env, gym.Env) or not (isinstance(env, str) or callable(env)):
        raise TypeError(
            f"env: got {env!r}; expected an id such as 'Pendulum-v1', or a function that makes an "
            "environment"
        )
    if render_mode is not None:
        options = options | {"render_mode": render_mode}
    try:
        made = gym.make(env, **options) if isinstance(env, str) else env(**options)
    except (gym.error.Error, ImportError, TypeError, AssertionError) as error:
        raise ValueError(
            f"env: got {env!r} with {options}; expected a registered id such as 'Pendulum-v1', or "
            f"a function, with arguments that it takes ({error})"
        ) from error
    if not isinstance(made, gym.Env):
        raise TypeError(f"env: got {env!r}, which made {made!r}; expected a gymnasium environment")
    if render_mode is not None and hasattr(made.unwrapped, "mujoco_renderer") and not drawing():
        raise ValueError(
            f"env: got {env!r}, which MuJoCo cannot draw on this machine; expected EGL, OSMesa or "
            "a screen (Debian: apt-get install libegl1), or MUJOCO_GL set to what there is"
        )
    if not any(isinstance(layer, ActionNormalizer) for layer in layers(made)):
        made = ActionNormalizer(made)
    return FlatGoal(made) if isinstance(made.observation_space, Dict) else made


@functools.cache
def drawing() -> str | None:
    """Find out how MuJoCo can draw here, without a screen if need be, and tell it so.

    Returns:
        "egl", "osmesa" or "glfw", which is then in the environment variable MUJOCO_GL; None
        where none of them works (Debian has the first two as libegl1 and libosmesa6).
    """
    test = "import mujoco; c = mujoco.GLContext(64, 64); c.make_current(); c.free()"
    asked = os.environ.get("MUJOCO_GL")
    for name in [asked] if asked else ["egl", "osmesa", "glfw"]:
        # In a process of its own: one that failed would spoil the next.
        run = subprocess.run(
            [sys.executable, "-c", test], env=os.environ | {"MUJOCO_GL": name}, capture_output=True
        )
        if run.returncode == 0:
            os.environ["MUJOCO_GL"] = name
            return name
    return None


def layers(env: gym.Env) -> Iterator[gym.Env]:
    """Yield an environment's wrappers from the outside in, and then what they wrap."""
    while isinstance(env, gym.Wrapper):
        yield env
        env = env.env
    yield env


# Who started the episode that an environment plays: of two users, the first is told.
_turns: WeakKeyDictionary[gym.Env, object] = WeakKeyDictionary()


def take_turn(env: gym.Env) -> object:
    """Note that somebody starts an episode, and return the token that proves it."""
    _turns[env.unwrapped] = token = object()
    return token


def check_turn(env: gym.Env, token: object) -> None:
    """Refuse to step an environment in which somebody else has started an episode; ValueError."""
    if _turns.get(env.unwrapped, token) is not token:  # a copied agent has started none yet
        raise ValueError(
            f"env: got {env}, which another agent has reset in the middle of this episode; "
            "expected an environment of its own for each agent: pass the id, or a function"
        )


def check_spaces(env: gym.Env) -> tuple[int, int]:
    """Return (obs_dim, act_dim) of an environment that the agents can learn in.

    Raises:
        TypeError, ValueError: a space is not a flat Box, or actions are not in [-1, 1].
    """
    if not isinstance(env, gym.Env):
        raise TypeError(f"env: got {env!r}; expected a gymnasium environment")
    check_box("env.observation_space", env.observation_space)
    check_box("env.action_space", env.action_space)
    if not (np.all(env.action_space.low == -1.0) and np.all(env.action_space.high == 1.0)):
        raise ValueError(
            f"env.action_space: got {env.action_space}; expected actions in [-1, 1]: "
            "wrap the environment in ActionNormalizer, or make it with make_env"
        )
    return env.observation_space.shape[0], env.action_space.shape[0]


def check_box(name: str, space: gym.Space) -> None:
    """Refuse any space that is not a flat Box; TypeError or ValueError."""
    if not isinstance(space, Box):
        raise TypeError(f"{name}: got {space}; expected a flat Box")
    if len(space.shape) != 1:
        raise ValueError(f"{name}: got shape {space.shape}; expected a flat Box, shape (n,)")
