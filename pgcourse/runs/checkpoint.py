"""Checkpoints: all that training needs to go on as if it had never stopped.

An agent's state is a tree of names, tensors and plain numbers, as in PyTorch. What a file holds
is compared with the agent's own tree before anything is changed.
"""

import inspect
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.wrappers.utils import RunningMeanStd
from torch import Tensor

from pgcourse.files import plain_file, write_atomically
from pgcourse.tasks.envs import layers

EXPECTED = "a checkpoint of such an agent"
MAX_BYTES = 100_000_000_000
# Parts whose names or numbers grow with the run: they check for themselves what they load.
GROWING = ("history",)
OWN_STREAMS = (np.random.Generator, np.random.RandomState, torch.Generator)


def save_state(state: dict[str, Any], path: str | Path) -> None:
    """Write a tree to a file, which is then whole or not there.

    Raises:
        FileNotFoundError, ValueError: the folder does not exist, or path is a folder.
    """
    write_atomically(path, lambda file: torch.save(state, file))


def read_state(path: str | Path, own: dict[str, Any]) -> dict[str, Any]:
    """Read a tree that has the names, types and shapes of `own`, running nothing of the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or of something else; the first difference is named.
    """
    path = plain_file(path, EXPECTED, MAX_BYTES)
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:
        kind = type(error).__name__
        raise ValueError(
            f"path: got {str(path)!r}, which cannot be read ({kind}); expected {EXPECTED}"
        ) from error
    if difference := compare(state, own, "file"):
        raise ValueError(f"path: got {str(path)!r}, {difference}; expected {EXPECTED}")
    return state


def part_state(part: Any) -> dict[str, Any]:
    """Return what a part of an agent keeps: the attributes that its class names in `kept`."""
    if hasattr(part, "state_dict"):
        return part.state_dict()
    state = {}
    for name in part.kept:
        value = getattr(part, name)
        if isinstance(value, np.random.Generator):
            state[name] = value.bit_generator.state
        elif isinstance(value, np.ndarray):
            state[name] = torch.from_numpy(value)
        else:  # a count, or the filled rows of a buffer
            rows = callable(value)
            state[name] = {k: torch.from_numpy(v) for k, v in value().items()} if rows else value
    return state


def restore_part(part: Any, state: dict[str, Any]) -> None:
    """Give a part of an agent what `part_state` returned; ValueError if it cannot be."""
    if hasattr(part, "load_state_dict"):
        part.load_state_dict(state)
        return
    for name in part.kept:
        value, new = getattr(part, name), state[name]
        if isinstance(value, np.random.Generator):
            value.bit_generator.state = new
        elif isinstance(value, np.ndarray):
            setattr(part, name, new.numpy().copy())
        elif callable(value):
            for key, rows in value().items():
                if len(rows) != len(new[key]):
                    raise ValueError(f"{len(new[key])} rows of {key}, not {len(rows)}")
                rows[:] = new[key].numpy()
        elif new < 0:
            raise ValueError(f"{name}: {new}")
        else:
            setattr(part, name, new)
    if hasattr(part, "check"):
        part.check()


def copied(tree: Any) -> Any:
    """Return a tree whose tensors are no longer the agent's own."""
    if isinstance(tree, dict):
        return {name: copied(branch) for name, branch in tree.items()}
    return tree.clone() if isinstance(tree, Tensor) else tree


def compare(found: Any, own: Any, name: str) -> str | None:
    """Return the first difference between two trees in names, types or shapes, in words.

    Texts must be equal; tensors under "rows" may differ in their number of rows.
    """
    if type(found) is not type(own):
        return f"whose {name} is a {type(found).__name__} and not a {type(own).__name__}"
    if isinstance(own, dict):
        if odd := sorted(map(repr, found.keys() ^ own.keys())):
            return f"whose {name} differs in {', '.join(odd[:5])}"
        found_in = (compare(found[k], own[k], f"{name}.{k}") for k in own if k not in GROWING)
        return next((difference for difference in found_in if difference), None)
    if isinstance(own, Tensor):
        rows = int(".rows." in name)
        kinds = [(x.dtype, x.layout, x.ndim, x.shape[rows:]) for x in (found, own)]
        # Read to the CPU, whatever device it came from and goes to.
        if kinds[0] != kinds[1] or found.device.type != "cpu" or not found.is_contiguous():
            return f"whose {name} is {kind_of(found)} and not {kind_of(own)}"
    elif isinstance(own, str) and found != own:
        return f"whose {name} is {found!r} and not {own!r}"
    return None


def kind_of(tensor: Tensor) -> str:
    """Say what a tensor is."""
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"


def environment(env: gym.Env) -> str:
    """Describe an environment: its layers, the settings that they keep, and its spaces.

    Raises:
        ValueError: a layer has a state that outlives an episode; a checkpoint would lose it.
    """
    words = []
    for layer in layers(env):
        name = type(layer).__name__
        for key, value in vars(layer).items():
            if key != "_np_random" and isinstance(value, (RunningMeanStd, *OWN_STREAMS)):
                raise ValueError(
                    f"env: got {name}, whose {key} outlives an episode and would be lost in a "
                    "checkpoint; expected an environment that a reset puts back"
                )
        kept = {key: setting(layer, key) for key in inspect.signature(type(layer)).parameters}
        kept = {key: value for key, value in kept.items() if value is not None}
        words.append(f"{name}({', '.join(f'{key}={value!r}' for key, value in kept.items())})")
    return " < ".join([f"{env.observation_space.shape}, {env.action_space.shape}", *words])


def setting(layer: gym.Env, key: str) -> Any:
    """Return what a layer keeps of an argument, if it is plain and not how pictures are made."""
    value = getattr(layer, "_saved_kwargs", {}).get(key)
    if value is None and not isinstance(layer, gym.Wrapper):
        value = getattr(layer, key, None)
    value = value.item() if isinstance(value, np.generic) else value
    plain = isinstance(value, int | float | str | tuple) and key != "render_mode"
    return value if plain else None
