"""Files of demonstrations from strangers: read without running anything that they hold."""

import io
import pickle
import pickletools
import zipfile

import numpy as np

from pgcourse import checks

Transition = tuple[list[float], list[float], float, list[float], bool]

MAX_BYTES = {".pkl": 4_000_000, ".npz": 1_000_000_000}
MAX_OPCODES = 100_000
COLUMNS = {"obs": "f4", "action": "f4", "reward": "f8", "next_obs": "f4", "terminated": "?"}
# What a pickle of lists, tuples, floats and bools needs. None of these can name a function.
OPCODES = {
    "PROTO", "FRAME", "STOP", "MARK", "EMPTY_LIST", "LIST", "APPEND", "APPENDS", "TUPLE",
    "BINFLOAT", "NEWTRUE", "NEWFALSE", "MEMOIZE", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET",
}  # fmt: skip


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
    return rows_of_columns(columns)


def rows_of_columns(columns: list[np.ndarray]) -> list[Transition]:
    """Return transitions of five columns, each as `COLUMNS` says; ValueError if one is not."""
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
