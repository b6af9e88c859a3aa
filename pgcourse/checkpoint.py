"""Checkpoints: all that training needs to go on as if it had never stopped."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch

from pgcourse.files import write_atomically
from pgcourse.history import History

KEYS = {
    "agent", "environment", "settings", "modules", "numbers", "buffers", "noise", "streams", "obs",
    "episode_start", "episode_actions", "history",
}  # fmt: skip
NUMBERS = ("score", "total_steps", "first_step", "last_step", "reset_seed")


def environment(env: gym.Env) -> str:
    """Return the name of an environment, the shapes of its spaces, and its special starts."""
    name = env.spec.id if env.spec else type(env.unwrapped).__name__
    starts = f", {env.share:g} of the starts in demonstrations" if hasattr(env, "share") else ""
    return f"{name} {env.observation_space.shape} {env.action_space.shape}{starts}"


def modules(agent) -> dict[str, Any]:
    """Return the agent's networks, optimisers and normalizer by name."""
    return {key: value for key, value in vars(agent).items() if hasattr(value, "state_dict")}


def buffers(agent) -> dict[str, Any]:
    """Return the agent's buffers by name."""
    return {key: value for key, value in vars(agent).items() if hasattr(value, "sample_batch")}


def streams(agent) -> dict[str, np.random.Generator]:
    """Return every random stream that training draws from, by name."""
    owners = {"agent": agent, "noise": agent.noise} | buffers(agent)
    return {key: owner.rng for key, owner in owners.items()} | {
        "environment": agent.env.unwrapped.np_random
    }


def snapshot(agent) -> dict[str, Any]:
    """Return the whole state of an agent as tensors and plain Python types."""
    return {
        "agent": type(agent).__name__,
        "environment": environment(agent.env),
        "settings": agent.settings,
        "modules": {key: module.state_dict() for key, module in modules(agent).items()},
        "numbers": {key: getattr(agent, key) for key in NUMBERS},
        "buffers": {
            key: {"stored": buffer.stored, "data": [torch.from_numpy(c) for c in buffer.rows()]}
            for key, buffer in buffers(agent).items()
        },
        "noise": agent.noise.state.tolist(),
        "streams": {key: rng.bit_generator.state for key, rng in streams(agent).items()},
        "obs": None if agent.obs is None else agent.obs.tolist(),
        "episode_start": agent.episode_start,
        "episode_actions": [action.tolist() for action in agent.episode_actions],
        "history": asdict(agent.history),
    }


def save_agent(agent, path: str | Path) -> None:
    """Write a snapshot of an agent to a file, which is then whole or not there.

    Raises:
        FileNotFoundError, ValueError: the folder does not exist, or path is a folder.
    """
    state = snapshot(agent)
    write_atomically(path, lambda file: torch.save(state, file))


def read_snapshot(path: str | Path) -> dict[str, Any]:
    """Read a snapshot without running anything that the file may hold.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a checkpoint.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"path: got {str(path)!r}; expected a checkpoint that exists")
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
        if missing := KEYS - state.keys():
            raise ValueError(f"without {', '.join(sorted(missing))}")
        return state
    except Exception as error:
        kind = str(error) if isinstance(error, ValueError) else type(error).__name__
        raise ValueError(
            f"path: got {str(path)!r}, which cannot be read ({kind}); expected a checkpoint"
        ) from error


def load_agent(agent_class: type, path: str | Path, env: gym.Env):
    """Return the agent of a checkpoint, in a new environment of the same kind.

    Raises:
        FileNotFoundError, ValueError: as `read_snapshot` and `restore` do.
    """
    state = read_snapshot(path)
    check_kind(state, agent_class.__name__, env)
    extra = {}
    if "demo_memory" in state["buffers"]:
        columns = [column.numpy() for column in state["buffers"]["demo_memory"]["data"]]
        extra["demo"] = agent_class.demo_rows(*columns)
    agent = agent_class(env, **state["settings"], **extra)
    restore(agent, state)
    return agent


def check_kind(state: dict[str, Any], agent_name: str, env: gym.Env) -> None:
    """Refuse a snapshot of another agent or environment, naming both; ValueError."""
    for key, ours in (("agent", agent_name), ("environment", environment(env))):
        if state[key] != ours:
            raise ValueError(f"path: got a checkpoint of {key} {state[key]!r}; expected {ours!r}")


def restore(agent, state: dict[str, Any]) -> None:
    """Put a snapshot into an agent that was made with the same settings.

    Raises:
        ValueError: the snapshot is of another agent, environment or settings, or the
            environment cannot be put back.
    """
    check_kind(state, type(agent).__name__, agent.env)
    # `compile` says how updates are run, not what they compute.
    if state["settings"] | {"compile": None} != agent.settings | {"compile": None}:
        raise ValueError(
            f"path: got a checkpoint with settings {state['settings']}; expected {agent.settings}"
        )
    for key, module in modules(agent).items():
        module.load_state_dict(state["modules"][key])
    for key in NUMBERS:
        setattr(agent, key, state["numbers"][key])
    for key, buffer in buffers(agent).items():
        buffer.stored = state["buffers"][key]["stored"]
        for column, stored in zip(buffer.rows(), state["buffers"][key]["data"], strict=True):
            column[:] = stored.numpy()
    agent.noise.state = np.array(state["noise"])
    agent.history = History(**state["history"])
    agent.episode_start = state["episode_start"]
    agent.episode_actions = [np.float32(action) for action in state["episode_actions"]]
    agent.obs, agent.episode_obs = None, []
    if state["obs"] is not None:
        agent.episode_obs = replay(agent)
        agent.obs = agent.episode_obs[-1]
    if agent.obs is not None and agent.obs.tolist() != state["obs"]:
        raise ValueError("env: got other observations than before; expected a repeatable one")
    for key, rng in streams(agent).items():
        rng.bit_generator.state = state["streams"][key]


def replay(agent) -> list[np.ndarray]:
    """Play the running episode again and return each obs of it.

    This puts back any environment whose steps follow from its seed and the actions, its
    time limit included, without knowing what is inside.
    """
    seed, stream = agent.episode_start
    if seed is None:
        agent.env.unwrapped.np_random.bit_generator.state = stream
    seen = [np.array(agent.env.reset(seed=seed)[0])]
    for action in agent.episode_actions:
        seen.append(np.array(agent.env.step(action)[0]))
    return seen
