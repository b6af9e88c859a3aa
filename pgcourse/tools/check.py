"""Lint, unit tests, then every notebook with nbval: `python -m pgcourse.tools.check`."""

import os
import subprocess
import sys

from pgcourse.display.live import AUDIENCE
from pgcourse.tools.course import ROOT

NO_NETWORK = ROOT / "tests" / "no_network"


def main() -> int:
    """Run the checks in order and stop at the first that fails."""
    beside = str((os.cpu_count() or 1) + 1)  # some tests wait for a clock or another process
    steps = [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        # A file stays in one process, with what its tests share; tests/conftest.py orders them.
        ["pytest", "tests", "-n", beside, "--dist", "loadfile", "--no-loadscope-reorder"],
        ["pgcourse.tools.notebooks"],
    ]
    # Every Python process started from here refuses to connect to another machine.
    environment = os.environ | {AUDIENCE: "nobody", "PYTHONPATH": str(NO_NETWORK)}
    environment |= {"OMP_NUM_THREADS": "1"}  # the cores are taken by what runs side by side
    for step in steps:
        print("$", *step, flush=True)
        code = subprocess.call([sys.executable, "-m", *step], cwd=ROOT, env=environment)
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
