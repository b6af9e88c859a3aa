"""Demonstrations: recorded from any policy, saved and loaded without running foreign code."""

import io
import pickle
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from pgcourse import checks
from pgcourse.files import plain_file, write_atomically
from pgcourse.tasks import minari_sets
from pgcourse.tasks.demo_files import (
    COLUMNS,
    MAX_BYTES,
    Transition,
    refuse_opcodes,
    rows_of_arrays,
    rows_of_pickle,
)
from pgcourse.tasks.envs import check_spaces, make_env

EXPECTED = (
    "expected demonstrations: a pickled list of tuples (obs, action, reward, next_obs, "
    "terminated) made of list, tuple, float and bool, or a .npz that save_demos wrote"
)


def record_demos(
    policy: Callable[[np.ndarray], np.ndarray],
    env: str | Callable[..., gym.Env],
    episodes: int,
    seed: int,
    **options,
) -> list[Transition]:
    """Record the transitions of whole episodes of any policy (Nair et al. 2017, section IV-A).

    Args:
        policy: from obs (obs_dim,) to action (act_dim,) in [-1, 1]; a trained agent's
            `policy`, a scripted controller, another library's model.
        env, options: as for `make_env`.
        episodes: how many; each starts from another state.
        seed: of the first reset.

    Raises:
        TypeError, ValueError: an action of the wrong shape or out of range, or a number
            that is not finite.
    """
    if not callable(policy):
        raise TypeError(f"policy: got {policy!r}; expected a function of obs")
    seed, episodes = checks.integer("seed", seed, 0), checks.integer("episodes", episodes)
    transitions = []
    with closing(make_env(env, **options)) as made:
        obs_dim, act_dim = check_spaces(made)
        for episode in range(episodes):
            obs = np.array(made.reset(seed=None if episode else seed)[0])
            terminated = truncated = False
            while not (terminated or truncated):
                given = policy(obs.copy())  # which may be changed in place
                action = checks.vector("policy(obs)", given, act_dim, limit=1.0)
                next_obs, reward, terminated, truncated, _ = made.step(action)
                row = (obs, action, reward, next_obs, terminated)
                transitions.append(plain(row, obs_dim, act_dim))
                obs = np.array(next_obs)  # a copy: some environments reuse their array
    return transitions


def plain(transition: tuple, obs_dim: int | None = None, act_dim: int | None = None) -> Transition:
    """Return a transition as lists, floats and a bool; TypeError or ValueError if it is bad."""
    if not isinstance(transition, tuple | list) or len(transition) != 5:
        raise ValueError(f"transitions: got {transition!r}; expected tuples of five")
    obs, action, reward, next_obs, terminated = transition
    obs_dim, act_dim = obs_dim or np.size(obs), act_dim or np.size(action)
    return (
        checks.vector("obs", obs, obs_dim).tolist(),
        checks.vector("action", action, act_dim, limit=1.0).tolist(),
        checks.real("reward", reward, -checks.FLOAT32_MAX, checks.FLOAT32_MAX),
        checks.vector("next_obs", next_obs, obs_dim).tolist(),
        checks.flag("terminated", terminated),
    )


def episodes_of(
    demo: list[tuple], obs_dim: int, act_dim: int, steps: int | None = None
) -> list[list[Transition]]:
    """Return plain transitions cut into episodes; TypeError or ValueError if one is bad.

    An episode ends where it terminated, at `steps` rows, or where the next row starts elsewhere.
    """
    checks.instance("demo", demo, list | tuple, "a list of transitions")
    found: list[list[Transition]] = []
    for row in (plain(each, obs_dim, act_dim) for each in demo):
        if not found or found[-1][-1][4] or found[-1][-1][3] != row[0] or len(found[-1]) == steps:
            found.append([])
        found[-1].append(row)
    return found


def save_demos(path: str | Path, transitions: list[tuple], env: Any = None) -> None:
    """Write transitions to a file, atomically, or to a Minari dataset; `load_demos` reads both.

    Args:
        path: ends in .npz for arrays, at any size, or in .pkl for a pickle of plain Python types;
            or a new id such as "pendulum/mine-v0" for Minari (extra `minari`).
        transitions: tuples (obs, action, reward, next_obs, terminated), action in [-1, 1].
        env: for Minari, as for `make_env`: there, actions are in the environment's own units.

    Raises:
        TypeError, ValueError: another ending, no transitions, or one, or a file, that
            `load_demos` would refuse; an id that is taken; an environment where none is needed,
            or none, or one that the transitions do not fit, where one is.
        FileNotFoundError: the folder does not exist.
        ImportError: an id, and Minari is not installed.
    """
    if not isinstance(transitions, list | tuple) or not transitions:
        raise ValueError(f"transitions: got {transitions!r}; expected a list of at least one tuple")
    if minari_sets.is_id(path):
        with closing(minari_sets.inner_env(env)) as made:
            steps = made.spec.max_episode_steps if made.spec else None
            minari_sets.write(path, episodes_of(transitions, *check_spaces(made), steps), made)
        return
    if env is not None:
        raise ValueError(f"env: got {env!r} for the file {str(path)!r}; expected None: only a "
                         "Minari dataset, such as 'pendulum/mine-v0', holds one")  # fmt: skip
    first = plain(transitions[0])
    dims = len(first[0]), len(first[1])
    rows, file = [plain(row, *dims) for row in transitions], io.BytesIO()
    if ending(path) == ".npz":
        columns = zip(*rows, strict=True)
        kinds = zip(COLUMNS.items(), columns, strict=True)
        np.savez(file, **{name: np.array(column, kind) for (name, kind), column in kinds})
    else:
        pickler = pickle.Pickler(file, protocol=4)
        pickler.fast = True  # no memo: the bytes depend on the numbers alone
        pickler.dump(rows)
        try:
            refuse_opcodes(file.getvalue())
        except ValueError as error:
            raise ValueError(
                f"transitions: got {len(rows):,}, {error}; expected fewer in a .pkl, "
                "or a path that ends in .npz"
            ) from None
    write_atomically(path, lambda target: target.write(file.getvalue()))


def load_demos(path: Any) -> list[Transition]:
    """Read demonstrations from a file, or a Minari dataset, that need not be trusted.

    A .pkl has its size capped and every opcode checked before anything is built, and the
    unpickler knows no globals, so the file cannot name a function, let alone call one. A .npz
    and a Minari dataset hold arrays of numbers; the latter's size is not capped.

    Args:
        path: a file's name; or, with the extra `minari`, the id of a local dataset, such as
            "pendulum/mine-v0", or a `minari.MinariDataset`. Its actions are mapped from its
            action space to [-1, 1]; an episode that was truncated just stops.

    Raises:
        FileNotFoundError: there is no such file or dataset.
        ImportError: an id, and Minari is not installed.
        ValueError: it holds anything but demonstrations.
    """
    if minari_sets.is_dataset(path):
        name, expected = getattr(path, "id", path), minari_sets.EXPECTED
        given, read = path, minari_sets.rows_of_dataset
    else:
        name, expected, limit = str(path), EXPECTED, MAX_BYTES[ending(path)]
        given = plain_file(path, EXPECTED.removeprefix("expected "), limit).read_bytes()
        read = rows_of_arrays if ending(path) == ".npz" else rows_of_pickle
    try:
        return read(given)
    except (FileNotFoundError, ImportError):
        raise
    except Exception as error:
        said = str(error) or type(error).__name__
        raise ValueError(f"path: got {name!r}, {said}; {expected}") from None


def ending(path: str | Path) -> str:
    """Return how a file's name ends, one of those in `MAX_BYTES`; TypeError or ValueError."""
    checks.instance("path", path, str | Path, "a file name")
    found = Path(path).suffix
    if found not in MAX_BYTES:
        raise ValueError(f"path: got {str(path)!r}; expected a name that ends in .npz or .pkl")
    return found
