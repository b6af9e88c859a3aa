"""Files that are either whole or not there."""

import os
import re
import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

STRAY_SECONDS = 3_600  # a temporary file this old belongs to nobody any more


def write_atomically(path: str | Path, write: Callable[[BinaryIO], None]) -> None:
    """Let `write` fill a temporary file, flush it to disk, then move it into place.

    A crash leaves the old file or the new one, never a half. A file that is replaced keeps its
    mode, and a link goes on leading to it.

    Raises:
        FileNotFoundError: the folder does not exist.
        ValueError: path is no plain file, or its folder cannot be written to.
    """
    asked = str(path)
    if "\0" in asked:
        raise ValueError(f"path: got {asked!r}; expected a file name, without a null character")
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        raise ValueError(f"path: got {asked!r}, a folder or a device; expected a file name")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"path: got {asked!r}; expected a folder that exists")
    # The ending has a fixed form, so that `run` does not take `run.best`'s files for its own.
    ours = re.compile(re.escape(f".{path.name}.") + r"[0-9a-f]{16}\.tmp")
    temporary = path.parent / f".{path.name}.{secrets.token_hex(8)}.tmp"
    try:
        for stray in path.parent.iterdir():
            if ours.fullmatch(stray.name) and _age(stray) > STRAY_SECONDS:
                stray.unlink(missing_ok=True)
        with open(temporary, "xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, PermissionError):
            raise ValueError(
                f"path: got {asked!r}; expected a folder that can be written to"
            ) from None
        raise


def plain_file(path: str | Path, expected: str, limit: int) -> Path:
    """Return a path if it is a file of at most `limit` bytes, not a pipe that may never end.

    Raises:
        FileNotFoundError: there is nothing, or a link that leads nowhere.
        ValueError: a folder, a pipe or a device, too large, or not to be read.
    """

    what, kind = None, ValueError
    try:
        size = Path(path).stat().st_size
        if not Path(path).is_file():
            what = "no plain file"
        elif size > limit:
            what = f"over {limit:,} bytes"
        else:
            with open(path, "rb"):
                return Path(path)
    except (OSError, ValueError) as error:  # ValueError: a null character
        what = getattr(error, "strerror", None) or str(error)
        kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
    raise kind(f"path: got {str(path)!r}, {what}; expected {expected}")


def _age(path: Path) -> float:
    """Seconds since the last change; 0 if the file is gone."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
