"""Demonstrations: recorded from any policy, saved and loaded without running foreign code."""

import io
import pickle
import pickletools
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import gymnasium as gym
import numpy as np

from pgcourse import checks
from pgcourse.envs import check_spaces
from pgcourse.files import write_atomically

Transition = tuple[list[float], list[float], float, list[float], bool]

MAX_BYTES = 4_000_000
MAX_OPCODES = 100_000
# What a pickle of lists, tuples, floats and bools needs. None of these can name a function.
OPCODES = {
    "PROTO", "FRAME", "STOP", "MARK", "EMPTY_LIST", "LIST", "APPEND", "APPENDS", "TUPLE",
    "BINFLOAT", "NEWTRUE", "NEWFALSE", "MEMOIZE", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET",
}  # fmt: skip
EXPECTED = (
    "expected a pickled list of tuples (obs, action, reward, next_obs, terminated) "
    "made of list, tuple, float and bool"
)


def record_demos(
    policy: Callable[[np.ndarray], np.ndarray], env: gym.Env, episodes: int, seed: int
) -> list[Transition]:
    """Record the transitions of whole episodes of any policy (Nair et al. 2017, section IV-A).

    Args:
        policy: from obs (obs_dim,) to action (act_dim,) in [-1, 1]; a trained agent's
            `policy`, a scripted controller, another library's model.
        env: flat observations, actions in [-1, 1]: see `make_env`.
        episodes: how many; each starts from another state.
        seed: of the first reset.

    Raises:
        TypeError, ValueError: an action of the wrong shape or out of range, or a number
            that is not finite.
    """
    obs_dim, act_dim = check_spaces(env)
    if not callable(policy):
        raise TypeError(f"policy: got {policy!r}; expected a function of obs")
    checks.integer("seed", seed, 0)
    transitions = []
    for episode in range(checks.integer("episodes", episodes)):
        obs = np.array(env.reset(seed=None if episode else seed)[0])
        terminated = truncated = False
        while not (terminated or truncated):
            action = checks.vector("policy(obs)", policy(obs), act_dim, limit=1.0)
            next_obs, reward, terminated, truncated, _ = env.step(action)
            row = (obs, action, reward, next_obs, terminated)
            transitions.append(plain(row, obs_dim, act_dim))
            obs = np.array(next_obs)  # a copy: some environments reuse their array
    return transitions


def plain(transition: tuple, obs_dim: int, act_dim: int) -> Transition:
    """Return a transition as lists, floats and a bool; TypeError or ValueError if it is bad."""
    if not isinstance(transition, tuple | list) or len(transition) != 5:
        raise ValueError(f"transitions: got {transition!r}; expected tuples of five")
    obs, action, reward, next_obs, terminated = transition
    return (
        checks.vector("obs", obs, obs_dim).tolist(),
        checks.vector("action", action, act_dim, limit=1.0).tolist(),
        checks.real("reward", reward, -checks.FLOAT32_MAX, checks.FLOAT32_MAX),
        checks.vector("next_obs", next_obs, obs_dim).tolist(),
        checks.flag("terminated", terminated),
    )


def whole_episodes(
    demo: list[tuple], obs_dim: int, act_dim: int, steps: int
) -> list[tuple[list, list]]:
    """Cut demonstrations into episodes, (T + 1 obs, T actions) each.

    Args:
        demo: transitions of whole episodes, as `record_demos` returns them.
        obs_dim, act_dim: numbers in an observation and in an action.
        steps: the time limit; an episode also ends where the next row starts elsewhere.

    Raises:
        TypeError, ValueError: no demonstrations, or a bad one.
    """
    checks.instance("demo", demo, list | tuple, "a list of transitions")
    if not demo:
        raise ValueError("demo: got none; expected transitions of whole episodes")
    rows = [plain(row, obs_dim, act_dim) for row in demo]
    episodes = [rows[:1]]
    for last, row in pairwise(rows):
        if last[3] != row[0] or len(episodes[-1]) == steps:
            episodes.append([])
        episodes[-1].append(row)
    return [([r[0] for r in e] + [e[-1][3]], [r[1] for r in e]) for e in episodes]


def save_demos(path: str | Path, transitions: list[tuple]) -> None:
    """Write transitions as a pickle of plain Python types, atomically.

    Args:
        path: where to.
        transitions: tuples (obs, action, reward, next_obs, terminated), action in [-1, 1].

    Raises:
        TypeError, ValueError: no transitions, or one that `load_demos` would refuse.
        FileNotFoundError: the folder does not exist.
    """
    if not isinstance(transitions, list | tuple) or not transitions:
        raise ValueError(f"transitions: got {transitions!r}; expected a list of at least one tuple")
    dims = (np.size(transitions[0][0]), np.size(transitions[0][1]))
    rows = [plain(transition, *dims) for transition in transitions]
    file = io.BytesIO()
    pickler = pickle.Pickler(file, protocol=4)
    pickler.fast = True  # no memo: the bytes depend on the numbers alone
    pickler.dump(rows)
    refuse_opcodes(str(path), file.getvalue())
    write_atomically(path, lambda target: target.write(file.getvalue()))


def load_demos(path: str | Path) -> list[Transition]:
    """Read demonstrations from a file that need not be trusted.

    The size is capped, every opcode is checked before anything is built, and the unpickler
    knows no globals, so the file cannot name a function, let alone call one.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is anything but demonstrations.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"path: got the folder {str(path)!r}; {EXPECTED}")
    with open(path, "rb") as file:
        data = file.read(MAX_BYTES + 1)
    refuse_opcodes(str(path), data)
    try:
        rows = NoGlobals(io.BytesIO(data)).load()
        return checked_rows(rows)
    except Exception as error:
        raise ValueError(f"path: got {str(path)!r}, {error}; {EXPECTED}") from None


class NoGlobals(pickle.Unpickler):
    """An unpickler that finds no class and no function."""

    def find_class(self, module: str, name: str):
        """Refuse every name."""
        raise pickle.UnpicklingError(f"which names {module}.{name}")


def refuse_opcodes(path: str, data: bytes) -> None:
    """Raise ValueError unless data is small and holds only opcodes for plain numbers."""
    if len(data) > MAX_BYTES:
        raise ValueError(f"path: got {path!r}, over {MAX_BYTES:,} bytes; {EXPECTED}")
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if opcode.name not in OPCODES:
                raise ValueError(f"which holds the opcode {opcode.name}")
            # A memo slot far beyond the file's own size makes the unpickler ask for gigabytes.
            if count > MAX_OPCODES or ("PUT" in opcode.name and argument > count):
                raise ValueError("which asks for too much memory")
    except Exception as error:
        raise ValueError(f"path: got {path!r}, {error}; {EXPECTED}") from None


def checked_rows(rows: list) -> list[Transition]:
    """Return rows if they are transitions of one shape with finite numbers, else ValueError."""
    if type(rows) is not list or not rows:
        raise ValueError("which holds no list of transitions")
    dims = None
    for k, row in enumerate(rows):
        if type(row) is not tuple or len(row) != 5 or type(row[4]) is not bool:
            raise ValueError(f"whose transition {k} is no tuple of five ending in a bool")
        obs, action, reward, next_obs, _ = row
        if not all(type(part) is list and part for part in (obs, action, next_obs)):
            raise ValueError(f"whose transition {k} has an obs or action that is no list")
        numbers = [*obs, *action, reward, *next_obs]
        if not all(type(x) is float and abs(x) <= checks.FLOAT32_MAX for x in numbers):
            raise ValueError(f"whose transition {k} holds something else than finite floats")
        if not all(abs(x) <= 1.0 for x in action):
            raise ValueError(f"whose transition {k} has an action outside [-1, 1]")
        dims = dims or (len(obs), len(action), len(obs))
        if (len(obs), len(action), len(next_obs)) != dims:
            raise ValueError(f"whose transition {k} differs in shape from the first")
    return rows
