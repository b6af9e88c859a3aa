"""The files of a class, as Moodle or Canvas exports them: folders, zips, and zips in zips."""

import functools
import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

LARGEST = 200_000_000  # bytes of one file
File = tuple[PurePosixPath, Callable[[], bytes], int]


def files(folder: Path) -> Iterator[File]:
    """Yield (name, how to read it, bytes) of every file of a folder, those in zips included."""
    if folder.is_file():
        yield from unzipped(PurePosixPath(folder.name), folder.read_bytes, folder.stat().st_size)
        return
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            name = PurePosixPath(path.relative_to(folder))
            yield from unzipped(name, path.read_bytes, path.stat().st_size)


def unzipped(name: PurePosixPath, read: Callable[[], bytes], size: int, depth=0) -> Iterator[File]:
    """Yield a file, or what is in it if it is a zip; zips in a zip are opened, too."""
    if name.suffix.lower() != ".zip" or size > LARGEST or depth > 2:
        yield name, read, size
        return
    try:
        with zipfile.ZipFile(io.BytesIO(read())) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    inside = name.with_suffix("") / info.filename.lstrip("/")
                    get = functools.partial(member, read, info)
                    yield from unzipped(inside, get, info.file_size, depth + 1)
    except Exception:  # a broken or encrypted zip, whatever zipfile says about it
        yield name, read, size


def member(read: Callable[[], bytes], info: zipfile.ZipInfo) -> bytes:
    """Return a file of a zip."""
    with zipfile.ZipFile(io.BytesIO(read())) as archive:
        return archive.read(info)
