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
    command: Sequence[str], folder: Path, readable: Iterable[Path] = (), sandbox: bool = True
) -> list[str]:
    """Return a command that runs another one in bubblewrap, inside `folder`.

    It sees the system's programs, this Python, and of the course the module and `demo.pkl`.

    Args:
        folder: the only place that it can write to.
        readable: what it can read besides.
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
    views = []
    for path in map(Path, ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc")):
        if path.is_symlink():
            views += ["--symlink", os.readlink(path), str(path)]
        elif path.exists():
            views += ["--ro-bind", str(path), str(path)]
    course = ROOT / "pgcourse", ROOT / "demo.pkl"
    for path in (Path(sys.base_prefix), Path(sys.prefix), *course, *readable):
        views += ["--ro-bind", str(path), str(path)]
    return [
        "prlimit", f"--as={MEMORY}", f"--fsize={FILE}", "--core=0", "--",
        "bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL",
        *views, "--dev", "/dev", "--proc", "/proc", "--bind", str(folder), str(folder),
        "--remount-ro", "/", "--chdir", str(folder), "--", *command,
    ]  # fmt: skip


def try_out() -> None:
    """Load the course in the sandbox.

    Raises:
        RuntimeError: it does not work here; the message says why.
    """
    with tempfile.TemporaryDirectory() as name:
        command = confined([sys.executable, "-c", "import pgcourse"], Path(name))
        run = subprocess.run(command, env=environment(Path(name)), capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(
            f"the sandbox does not work here ({run.stderr.strip()[-500:]}); on Ubuntu 24.04 bwrap "
            "needs an AppArmor profile with `userns`, in a container user namespaces; --no-sandbox "
            "runs students' code with your rights, on a machine that you can afford to lose"
        )


def environment(folder: Path) -> dict[str, str]:
    """Return the variables for a program in the sandbox; none of the caller's secrets.

    Args:
        folder: its own, in which nothing has run yet: a file is written there.
    """
    cache = folder / "matplotlib"
    cache.mkdir()
    for fonts in Path(matplotlib.get_cachedir()).glob("fontlist-*.json"):
        shutil.copy(fonts, cache)  # matplotlib would look for fonts for seconds
    path = os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"])
    return NO_SCREEN | {
        "PATH": path, "HOME": str(folder), "TMPDIR": str(folder), "PYTHONPATH": str(ROOT),
        "LANG": "C.UTF-8", "MPLCONFIGDIR": str(cache), "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1", "PYTHONSAFEPATH": "1", "IPYTHONDIR": str(folder),
        AUDIENCE: "nobody",
    }  # fmt: skip
