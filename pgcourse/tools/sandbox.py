"""Where strangers' code runs: no network, nothing to write but one folder, bounded memory."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import matplotlib

from pgcourse.display.live import AUDIENCE
from pgcourse.tools.course import NO_SCREEN, ROOT

MEMORY, FILE = 6_000_000_000, 100_000_000  # bytes: of addresses of a process, of a file


def confined(
    command: Sequence[str], folder: Path, hidden: Iterable[Path] = (), sandbox: bool = True
) -> list[str]:
    """Return a command that runs another one in bubblewrap, inside `folder`.

    Args:
        folder: the only place that it can write to.
        hidden: folders that it sees as empty ones.
        sandbox: False runs it with the caller's rights, without limits.

    Raises:
        RuntimeError: bubblewrap is not installed.
    """
    if not sandbox:
        return list(command)
    if not shutil.which("bwrap"):
        raise RuntimeError(
            "bubblewrap is not installed, so students' code would run with your rights; install it "
            "(apt install bubblewrap), or add --no-sandbox on a machine that you can afford to lose"
        )
    empty = [Path("/tmp"), *(home for home in [Path.home()] if home != Path("/")), *hidden]
    seen = [ROOT, Path(sys.prefix), Path(sys.base_prefix)]
    views = [("--tmpfs", path) for path in empty[:2]]
    views += [("--ro-bind", path, path) for path in seen]
    views += [("--tmpfs", path) for path in empty[2:]]
    return [
        "prlimit", f"--as={MEMORY}", f"--fsize={FILE}", "--core=0", "--",
        "bwrap", "--unshare-all", "--die-with-parent", "--new-session",
        "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc",
        *(str(part) for view in views for part in view),
        "--bind", str(folder), str(folder), "--chdir", str(folder), "--", *command,
    ]  # fmt: skip


def try_out() -> None:
    """Run nothing in the sandbox.

    Raises:
        RuntimeError: it does not work here; the message says why.
    """
    with tempfile.TemporaryDirectory() as name:
        run = subprocess.run(confined(["true"], Path(name)), capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(
            f"bubblewrap does not work here ({run.stderr.strip()}), so students' code would run "
            "with your rights; add --no-sandbox on a machine that you can afford to lose"
        )


def environment(folder: Path) -> dict[str, str]:
    """Return the variables for a program in the sandbox; none of the caller's secrets."""
    cache = folder / "matplotlib"
    cache.mkdir(exist_ok=True)
    for fonts in Path(matplotlib.get_cachedir()).glob("fontlist-*.json"):
        shutil.copy(fonts, cache)  # matplotlib would look for fonts for seconds
    path = os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"])
    return NO_SCREEN | {
        "PATH": path, "HOME": str(folder), "TMPDIR": str(folder), "PYTHONPATH": str(ROOT),
        "LANG": "C.UTF-8", "MPLCONFIGDIR": str(cache), "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1", "IPYTHONDIR": str(folder), AUDIENCE: "nobody",
    }  # fmt: skip
