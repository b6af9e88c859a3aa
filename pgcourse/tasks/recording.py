"""What was recorded in the cockpit's page: gymnasium makes every transition of it anew."""

from contextlib import closing
from typing import Any

import gymnasium as gym
import numpy as np

from pgcourse.tasks.demos import Transition, plain
from pgcourse.tasks.envs import make_env

# Tasks whose physics drive.js knows: what their state is kept in, and how large it is.
PAGE = {
    "MountainCarContinuous-v0": (np.float32, np.array([1.2, 0.07])),
    "Pendulum-v1": (np.float64, np.array([np.pi, 8.0])),
}
STARTS, AGREEMENT = 50, 1e-6


def start_states(env: str, made: gym.Env, seed: int) -> list[list[float]]:
    """Return the states that the simulator starts from, a seed each."""
    found = []
    for k in range(STARTS):
        made.reset(seed=seed + k)
        found.append(made.unwrapped.state.astype(PAGE[env][0]).tolist())
    return found


def retrace(env: str, episodes: list[dict[str, Any]]) -> list[Transition]:
    """Make every transition of a recording anew: gymnasium's step from its state and its action.

    From each state, and not from the first one only: while a rod is balanced, the rounding of an
    open loop would grow.

    Args:
        env: one that the page knows, a key of `PAGE`.
        episodes: "states" (T + 1, 2) and "actions" (T, 1) of each, as the page recorded them.

    Raises:
        ValueError: an episode has another form or another end, or gymnasium's next state is not
            the page's; names episode and step.
    """
    rows: list[Transition] = []
    with closing(make_env(env)) as made:
        for number, episode in enumerate(episodes, start=1):
            rows += retraced(made, PAGE[env], f"episode {number}", episode)
    return rows


def retraced(
    made: gym.Env, kept: tuple[type, np.ndarray], name: str, episode: dict[str, Any]
) -> list[Transition]:
    """Return the transitions of one episode; ValueError if they are not the simulator's."""
    states, actions = columns(name, episode)
    kind, scale = kept
    made.reset()
    obs, rows = observed(states[0].astype(kind)), []
    for step, (state, action) in enumerate(zip(states[:-1], actions, strict=True), start=1):
        made.unwrapped.state = state.astype(kind)
        next_obs, reward, terminated, truncated, _ = made.step(action.astype(np.float32))
        after = np.asarray(made.unwrapped.state, dtype=float)
        if (np.abs(states[step] - after) > AGREEMENT * np.maximum(scale, np.abs(after))).any():
            raise ValueError(
                f"{name}, step {step}: got the state {states[step].tolist()} after "
                f"{state.tolist()} and action {action.tolist()}; expected gymnasium's, "
                f"{after.tolist()}, to {AGREEMENT:g}"
            )
        if (terminated or truncated) != (step == len(actions)):
            said = "an end" if step == len(actions) else "no end"
            raise ValueError(f"{name}, step {step}: got {said}; expected one where gymnasium ends")
        rows.append(plain((obs, action, reward, next_obs, terminated)))
        # Where a row ends the next one begins, to the last bit: this makes them one episode.
        obs = np.array(next_obs)
    return rows


def columns(name: str, episode: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return an episode's states (T + 1, 2) and actions (T, 1); ValueError if it has none."""
    expected = "finite states (T + 1, 2) and actions (T, 1) in [-1, 1]"
    try:
        found = [np.array(episode[key], dtype=float) for key in ("states", "actions")]
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{name}: got {str(episode)[:80]}; expected {expected}") from None
    states, actions = found
    shapes = states.shape == (len(actions) + 1, 2) and actions.shape == (len(actions), 1)
    # A comparison with nan is false.
    if (
        not shapes
        or not len(actions)
        or not (np.isfinite(states).all() and (abs(actions) <= 1).all())
    ):
        got = f"shapes {states.shape} and {actions.shape}" if not shapes else "other numbers"
        raise ValueError(f"{name}: got {got}; expected {expected}")
    return states, actions


def observed(state: np.ndarray) -> np.ndarray:
    """Return the obs of a state: of the car the state itself, of the pendulum (cos, sin, speed)."""
    if state.dtype == np.float32:
        return state
    return np.array([np.cos(state[0]), np.sin(state[0]), state[1]], dtype=np.float32)
