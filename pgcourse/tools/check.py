"""Lint, unit tests, then every notebook with nbval: `python -m pgcourse.tools.check`.

With --class a class of students is marked instead, by itself because it takes minutes.
"""

import argparse
import os
import subprocess
import sys

from pgcourse.display.live import AUDIENCE
from pgcourse.tools.course import ROOT

NO_NETWORK = ROOT / "tests" / "no_network"
CLASS = "tests/exercises/test_classroom.py"


def main() -> int:
    """Run the checks in order and stop at the first that fails."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--class", dest="marking", action="store_true", help="mark a class instead")
    beside = str((os.cpu_count() or 1) + 1)  # some tests wait for a clock or another process
    steps = [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        # A file stays in one process, with what its tests share; tests/conftest.py orders them.
        ["pytest", "tests", f"--ignore={CLASS}", "-n", beside, "--dist", "loadfile",
         "--no-loadscope-reorder"],
        ["pgcourse.tools.notebooks"],
    ]  # fmt: skip
    if parser.parse_args().marking:
        steps = [["pytest", CLASS]]
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
