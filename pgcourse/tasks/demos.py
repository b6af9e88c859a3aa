"""Demonstrations: recorded from any policy, saved and loaded without running foreign code."""

import io
import pickle
import pickletools
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import gymnasium as gym
import numpy as np

from pgcourse import checks
from pgcourse.files import plain_file, write_atomically
from pgcourse.tasks.envs import check_spaces, make_env

Transition = tuple[list[float], list[float], float, list[float], bool]

MAX_BYTES = {".pkl": 4_000_000, ".npz": 1_000_000_000}
MAX_OPCODES = 100_000
COLUMNS = {"obs": "f4", "action": "f4", "reward": "f8", "next_obs": "f4", "terminated": "?"}
# What a pickle of lists, tuples, floats and bools needs. None of these can name a function.
OPCODES = {
    "PROTO", "FRAME", "STOP", "MARK", "EMPTY_LIST", "LIST", "APPEND", "APPENDS", "TUPLE",
    "BINFLOAT", "NEWTRUE", "NEWFALSE", "MEMOIZE", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET",
}  # fmt: skip
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
                action = checks.vector("policy(obs)", policy(obs), act_dim, limit=1.0)
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


def save_demos(path: str | Path, transitions: list[tuple]) -> None:
    """Write transitions to a file that `load_demos` reads, atomically.

    Args:
        path: ends in .npz for arrays, at any size, or in .pkl for a pickle of plain Python types.
        transitions: tuples (obs, action, reward, next_obs, terminated), action in [-1, 1].

    Raises:
        TypeError, ValueError: another ending, no transitions, or one, or a file, that
            `load_demos` would refuse.
        FileNotFoundError: the folder does not exist.
    """
    if not isinstance(transitions, list | tuple) or not transitions:
        raise ValueError(f"transitions: got {transitions!r}; expected a list of at least one tuple")
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


def load_demos(path: str | Path) -> list[Transition]:
    """Read demonstrations from a file that need not be trusted.

    A .pkl has its size capped and every opcode checked before anything is built, and the
    unpickler knows no globals, so the file cannot name a function, let alone call one. A .npz
    holds arrays of numbers.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is anything but demonstrations.
    """
    arrays = ending(path) == ".npz"
    data = plain_file(
        path, EXPECTED.removeprefix("expected "), MAX_BYTES[ending(path)]
    ).read_bytes()
    try:
        return rows_of_arrays(data) if arrays else rows_of_pickle(data)
    except Exception as error:
        said = str(error) or type(error).__name__
        raise ValueError(f"path: got {str(path)!r}, {said}; {EXPECTED}") from None


def ending(path: str | Path) -> str:
    """Return how a file's name ends, one of those in `MAX_BYTES`; TypeError or ValueError."""
    checks.instance("path", path, str | Path, "a file name")
    found = Path(path).suffix
    if found not in MAX_BYTES:
        raise ValueError(f"path: got {str(path)!r}; expected a name that ends in .npz or .pkl")
    return found


def rows_of_arrays(data: bytes) -> list[Transition]:
    """Return the transitions of a .npz file; an error that says what is wrong otherwise."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        # Stored as they are: what is compressed could unpack to any size.
        if any(entry.compress_type or entry.file_size > len(data) for entry in archive.infolist()):
            raise ValueError("which holds compressed data")
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        if sorted(archive.files) != sorted(COLUMNS):
            raise ValueError(f"which holds {', '.join(archive.files)}")
        columns = [archive[name] for name in COLUMNS]
    obs, action, reward, next_obs, terminated = columns
    n = len(reward)
    fits = all(c.dtype == kind for c, kind in zip(columns, COLUMNS.values(), strict=True))
    fits &= obs.ndim == action.ndim == 2 and obs.shape == next_obs.shape and n > 0
    if not fits or not (len(obs), len(action)) == reward.shape * 2 == terminated.shape * 2:
        raise ValueError("whose columns do not fit together")
    if not all(np.isfinite(c).all() for c in columns) or abs(reward).max() > checks.FLOAT32_MAX:
        raise ValueError("which holds something else than finite numbers")
    if not action.size or not obs.size or abs(action).max() > 1.0:
        raise ValueError("which holds an action outside [-1, 1]")
    return list(zip(*(column.tolist() for column in columns), strict=True))


def rows_of_pickle(data: bytes) -> list[Transition]:
    """Return the transitions of a .pkl file; an error that says what is wrong otherwise."""
    refuse_opcodes(data)
    return checked_rows(NoGlobals(io.BytesIO(data)).load(), len(data))


class NoGlobals(pickle.Unpickler):
    """An unpickler that finds no class and no function."""

    def find_class(self, module: str, name: str):
        """Refuse every name."""
        raise pickle.UnpicklingError(f"which names {module}.{name}")


def refuse_opcodes(data: bytes) -> None:
    """Raise ValueError unless data is small and holds only opcodes for plain numbers."""
    if len(data) > MAX_BYTES[".pkl"]:
        raise ValueError(f"which is over {MAX_BYTES['.pkl']:,} bytes")
    end = 0
    for count, (opcode, argument, at) in enumerate(pickletools.genops(data)):
        if opcode.name not in OPCODES:
            raise ValueError(f"which holds the opcode {opcode.name}")
        # A memo slot far beyond the file's own size makes the unpickler ask for gigabytes.
        if count > MAX_OPCODES or ("PUT" in opcode.name and argument > count):
            raise ValueError("which asks for too much memory")
        end = at + 1
    if end != len(data):
        raise ValueError(f"which holds {len(data) - end:,} bytes behind its end")


def checked_rows(rows: list, size: int) -> list[Transition]:
    """Return rows if they are transitions of one shape with finite numbers, else ValueError.

    Args:
        rows: what a pickle held.
        size: bytes of the pickle; one that shares its lists may claim to hold far more numbers,
            and looking at them all would take minutes.
    """
    if type(rows) is not list or not rows:
        raise ValueError("which holds no list of transitions")
    dims = None
    for k, row in enumerate(rows):
        if type(row) is not tuple or len(row) != 5 or type(row[4]) is not bool:
            raise ValueError(f"whose transition {k} is no tuple of five ending in a bool")
        obs, action, reward, next_obs, _ = row
        if not all(type(part) is list and part for part in (obs, action, next_obs)):
            raise ValueError(f"whose transition {k} has an obs or action that is no list")
        dims = dims or (len(obs), len(action), len(obs))
        if (len(obs), len(action), len(next_obs)) != dims:
            raise ValueError(f"whose transition {k} differs in shape from the first")
        if len(rows) * sum(dims) > size:  # a number takes nine bytes, and two lists may share it
            raise ValueError("whose transitions share their lists")
        numbers = [*obs, *action, reward, *next_obs]
        if not all(type(x) is float and abs(x) <= checks.FLOAT32_MAX for x in numbers):
            raise ValueError(f"whose transition {k} holds something else than finite floats")
        if not all(abs(x) <= 1.0 for x in action):
            raise ValueError(f"whose transition {k} has an action outside [-1, 1]")
    return rows
