"""Demonstrations as datasets of Minari, a data format for offline reinforcement learning."""

import json
import re
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box

from pgcourse.tasks.demo_files import COLUMNS, Transition, rows_of_columns
from pgcourse.tasks.envs import ActionNormalizer, check_box, layers, make_env, unit_action

ID = re.compile(r"[\w-][\w/-]*-v\d+", re.ASCII)  # a Minari id: no dot, so no ending of a file
EXPECTED = (
    "expected a local Minari dataset whose observations are a flat Box and whose actions are a "
    "flat, bounded Box"
)
ROUNDING = 1e-5  # how far beyond ±1 an action may seem to lie after two changes of units


def is_id(path: Any) -> bool:
    """Say whether this is written as Minari writes an id: "pendulum/expert-v0"."""
    return isinstance(path, str) and ID.fullmatch(path) is not None


def is_dataset(path: Any) -> bool:
    """Say whether this is the id of a Minari dataset, or a `minari.MinariDataset`."""
    return is_id(path) or hasattr(path, "iterate_episodes")


def import_minari() -> ModuleType:
    """Import Minari, which only these functions need; ImportError that says how to get it."""
    try:
        import minari
    except ImportError as error:
        raise ImportError(
            f'path: got the id of a Minari dataset; expected Minari: pip install "minari[hdf5]" '
            f"({error})"
        ) from error
    return minari


def rows_of_dataset(dataset: Any) -> list[Transition]:
    """Return the transitions of a dataset, actions mapped to [-1, 1].

    Its metadata and arrays are read, and no environment is made.

    Args:
        dataset: the id of a local one (nothing is downloaded), or a `minari.MinariDataset`.

    Raises:
        FileNotFoundError: there is no such dataset here.
        ImportError: Minari, or what it needs to read, is not installed.
        ValueError: it holds something else than `EXPECTED`.
    """
    if is_id(dataset):
        dataset = opened(dataset)
    spaces = dataset.observation_space, dataset.action_space
    for name, space in zip(("observation_space", "action_space"), spaces, strict=True):
        if not isinstance(space, Box) or len(space.shape) != 1:
            raise ValueError(f"whose {name} is {space}")
    if not spaces[1].is_bounded():
        raise ValueError(f"whose action_space is {spaces[1]}, without bounds")
    dims, parts = [space.shape[0] for space in spaces], []
    for episode in dataset.iterate_episodes():
        n, obs = len(episode.rewards), np.asarray(episode.observations)
        shapes = obs.shape, np.shape(episode.actions), np.shape(episode.terminations)
        if shapes != ((n + 1, dims[0]), (n, dims[1]), (n,)):
            raise ValueError(f"whose episode {episode.id} has observations, actions and "
                             f"terminations of shapes {shapes} for {n} rewards")  # fmt: skip
        action = unit_action(episode.actions, spaces[1])
        if not np.all(np.abs(action) <= 1.0 + ROUNDING):
            raise ValueError(f"whose episode {episode.id} has an action outside its action_space")
        action = np.clip(action, -1.0, 1.0)
        parts.append((obs[:-1], action, episode.rewards, obs[1:], episode.terminations))
    if not sum(len(part[2]) for part in parts):
        raise ValueError("which holds no transition")
    columns = zip(map(np.concatenate, zip(*parts, strict=True)), COLUMNS.values(), strict=True)
    return rows_of_columns([column.astype(kind) for column, kind in columns])


def opened(name: str) -> Any:
    """Open a local dataset; FileNotFoundError, or ValueError if it does not tell its spaces."""
    minari = import_minari()
    from minari.storage.datasets_root_dir import get_dataset_path

    metadata = get_dataset_path(name) / "data" / "metadata.json"
    if not metadata.is_file():
        raise FileNotFoundError(
            f"path: got {name!r}, of which nothing is here; {EXPECTED}, such as `minari list "
            "local` shows or `minari download` fetches"
        )
    told = json.loads(metadata.read_text(encoding="utf-8"))
    if not all(isinstance(told.get(f"{what}_space"), str) for what in ("observation", "action")):
        # Minari would call what the dataset names as its environment: any function at all.
        raise ValueError("which does not tell its spaces")
    return minari.load_dataset(name)


def inner_env(env: str | Callable[..., gym.Env] | None) -> ActionNormalizer:
    """Make an environment and return its layer whose inside has the environment's own units.

    Raises:
        TypeError, ValueError: `make_env` refuses it, or its observations are no flat Box.
    """
    if env is None:
        raise TypeError("env: got None; expected what `make_env` takes: a Minari dataset holds its "
                        "environment's spaces, and actions in its units")  # fmt: skip
    made = next(each for each in layers(make_env(env)) if isinstance(each, ActionNormalizer))
    check_box("env.observation_space", made.observation_space)
    return made


def write(name: str, episodes: list[list[tuple]], made: ActionNormalizer) -> None:
    """Write plain episodes as a new local dataset; an episode without an end was truncated.

    Args:
        name: its id.
        episodes: each a list of transitions, action in [-1, 1].
        made: from `inner_env`.

    Raises:
        ImportError: Minari is not installed.
        ValueError: there is a dataset of this name.
    """
    minari = import_minari()
    from minari.data_collector.episode_buffer import EpisodeBuffer
    from minari.storage.datasets_root_dir import get_dataset_path

    if get_dataset_path(name).exists():
        raise ValueError(f"path: got {name!r}, which is there; expected a new id of a dataset")
    spaces, buffers = (made.observation_space, made.env.action_space), []
    for rows in episodes:
        obs, action, reward, next_obs, terminated = zip(*rows, strict=True)
        own = np.clip(made.action(np.array(action)), spaces[1].low, spaces[1].high)
        ended = np.arange(1, len(rows) + 1) == len(rows)
        buffers.append(
            EpisodeBuffer(
                observations=np.array([*obs, next_obs[-1]], dtype=spaces[0].dtype),
                actions=own.astype(spaces[1].dtype),
                rewards=list(reward),
                terminations=list(terminated),
                truncations=(ended & ~np.array(terminated)).tolist(),
                infos={},
            )
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it asks for an author, an address and so on
        minari.create_dataset_from_buffers(
            name, buffers, env=told_spec(made.env), observation_space=spaces[0],
            action_space=spaces[1], data_format="hdf5",
        )  # fmt: skip


def told_spec(env: gym.Env) -> Any:
    """Return what makes the environment again, or None if no file can hold that: a class, say."""
    try:
        env.spec.to_json()
    except (AttributeError, TypeError, ValueError):
        return None
    return env.spec
