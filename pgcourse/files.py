"""Files that are either whole or not there."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def write_atomically(path: str | Path, write: Callable[[BinaryIO], None]) -> None:
    """Let `write` fill a temporary file, flush it to disk, then move it into place.

    A crash leaves the old file or the new one, never a half. Temporary files that an earlier
    crash left behind are swept.

    Raises:
        FileNotFoundError: the folder does not exist.
        ValueError: path is a folder, or its folder cannot be written to.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"path: got the folder {str(path)!r}; expected a file name")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"path: got {str(path)!r}; expected a folder that exists")
    prefix = f".{path.name}."
    for stray in path.parent.glob(f"{prefix}*.tmp"):
        stray.unlink(missing_ok=True)
    try:
        handle, temporary = tempfile.mkstemp(".tmp", prefix, path.parent)
    except PermissionError:
        raise ValueError(
            f"path: got {str(path)!r}; expected a folder that can be written to"
        ) from None
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
