"""The Fetch arm of gymnasium-robotics: a scripted teacher, and starts from its demonstrations."""

import contextlib
import io
from importlib import import_module

import gymnasium as gym
import numpy as np
from gymnasium.utils import RecordConstructorArgs

from pgcourse import checks
from pgcourse.tasks.envs import FlatGoal

PICK_AND_PLACE = "gymnasium_robotics:FetchPickAndPlace-v4"


def import_robotics() -> None:
    """Import gymnasium-robotics without its notice about tasks that this course does not use."""
    with contextlib.redirect_stderr(io.StringIO()):
        import_module("gymnasium_robotics")


def pick_and_place(obs: np.ndarray) -> np.ndarray:
    """Return a teacher's action for the Fetch arm, (4,): a move, and fingers.

    What to do follows from the obs alone: go above the block, down to it, close, carry it.

    Args:
        obs: (31,), as `FlatGoal` makes it: gripper 0 to 2, block 3 to 5, fingers 9 and 10, in
            metres; the goal in the last three.

    Raises:
        ValueError: another shape.
    """
    obs = checks.vector("obs", obs, 31)
    gripper, block, fingers, goal = obs[:3], obs[3:6], obs[9:11], obs[-3:]
    way, hand = block - gripper, 1.0  # 1 opens the fingers, -1 closes them
    if np.linalg.norm(way) < 0.02:  # the block is between the fingers
        hand = -1.0
        if fingers.sum() < 0.055:  # and they hold it: it is 5 cm wide
            way = goal - block
    elif np.linalg.norm(way[:2]) > 0.02:  # not above it yet
        way = way + np.array([0.0, 0.0, 0.08])
    return np.clip([*(6.0 * way), hand], -1.0, 1.0).astype(np.float32)


class DemoResets(gym.Wrapper, RecordConstructorArgs):
    """Starts some episodes in a state that a demonstration went through (Nair et al. 2017, IV-D).

    The goal of such an episode is the place that the demonstration reached at its end; states in
    which it is met already teach nothing and are left out. States are taken and put back by
    MuJoCo, so this is for its environments only. They agree to less than a millimetre: the arm's
    next target also depends on the step before, which is not there.

    Args:
        env: a MuJoCo environment with goals, made by `make_env`.
        demo: transitions of whole episodes, as `record_demos` returned them.
        seed: the seed that `record_demos` had.
        share: the share of episodes that start so, in [0, 1].

    Raises:
        TypeError, ValueError: the environment has no MuJoCo state, an argument cannot work, or
            the demonstrations do not come from this environment and seed.
    """

    def __init__(self, env: gym.Env, demo: list[tuple], seed: int, share: float = 0.1):
        checks.instance("env", env, FlatGoal, "an environment with goals made by make_env")
        RecordConstructorArgs.__init__(self, seed=seed, share=share)  # told in a checkpoint
        super().__init__(env)
        if not hasattr(env.unwrapped, "model"):
            raise TypeError(f"env: got {env}; expected a MuJoCo environment")
        self.share = checks.real("share", share, 0.0, 1.0)
        states: list[tuple] = []  # a state, what it achieved, and its episode
        self.goals: list[np.ndarray] = []  # of each episode
        obs = env.reset(seed=checks.integer("seed", seed, 0))[0]
        for k, row in enumerate(demo):  # again, as a transition does not hold all of the state
            if not np.array_equal(np.float32(row[0]), np.float32(obs)):
                raise ValueError(
                    f"demo: got a transition {k} that does not follow from seed {seed}; "
                    "expected what record_demos returned for this environment and seed"
                )
            achieved = obs[-2 * env.goal_dim : -env.goal_dim].copy()
            states.append((self.state(), achieved, len(self.goals)))
            obs, _, _, truncated, _ = env.step(np.float32(row[1]))
            if truncated:
                self.goals.append(obs[-2 * env.goal_dim : -env.goal_dim].copy())
                obs = env.reset()[0]
        if len(self.goals) * env.spec.max_episode_steps != len(demo) or not demo:
            raise ValueError(f"demo: got {len(demo)} transitions; expected whole episodes")
        reward = env.unwrapped.compute_reward
        self.states = [
            (state, episode)
            for state, achieved, episode in states
            if reward(achieved, self.goals[episode], {}) < 0
        ]
        if not self.states:
            raise ValueError("demo: got no state with its goal still to be met; expected some")

    @property
    def spec(self):
        """The environment without these starts: what it is tested in."""
        return self.env.spec

    def state(self) -> np.ndarray:
        """Return the whole state of the simulation."""
        import mujoco

        model, data = self.unwrapped.model, self.unwrapped.data
        found = np.empty(mujoco.mj_stateSize(model, mujoco.mjtState.mjSTATE_INTEGRATION))
        mujoco.mj_getState(model, data, found, mujoco.mjtState.mjSTATE_INTEGRATION)
        return found

    def put_back(self, state: np.ndarray) -> None:
        """Give the simulation a state that it had before."""
        import mujoco

        model, data = self.unwrapped.model, self.unwrapped.data
        mujoco.mj_setState(model, data, state, mujoco.mjtState.mjSTATE_INTEGRATION)
        mujoco.mj_forward(model, data)  # computes what the obs is read from

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        """Start an episode, now and then in the middle of a demonstration."""
        obs, info = self.env.reset(seed=seed, options=options)
        arm = self.unwrapped
        if arm.np_random.random() < self.share:
            state, episode = self.states[arm.np_random.integers(len(self.states))]
            self.put_back(state)
            arm.goal = self.goals[episode].copy()
            obs = self.env.observation(arm._get_obs())
        return obs, info
