"""Check notebooks: what they store, then that running them gives it again.

`python -m pgcourse.tools.notebooks [FILES]` works on any notebooks, not only the course's.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
from joblib import cpu_count

from pgcourse.display.live import AUDIENCE
from pgcourse.tools.course import NO_SCREEN, pages

MAX_CHARACTERS, MAX_LINES = 3_000_000, 18
CELL_SECONDS = 1_800  # nbval has a clock; machines differ by a factor of five
MACHINE_PATH = re.compile(r"/(?:home|root|Users|work|tmp|opt)/\w|[A-Z]:\\\\Users")


def problems(path: Path, max_lines: int = MAX_LINES) -> list[str]:
    """Return what is wrong with a stored notebook, a sentence each."""
    text = Path(path).read_text(encoding="utf-8")
    try:
        notebook = nbformat.reads(text, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:
        return [f"it is not a notebook: {str(error).splitlines()[0]}"]
    found = []
    if len(text) > MAX_CHARACTERS:
        found.append(f"it has {len(text):,} characters; at most {MAX_CHARACTERS:,} are allowed")
    if (kernel := notebook.metadata.get("kernelspec", {}).get("name")) != "python3":
        found.append(f"its kernel is {kernel}, not python3")
    count = 0
    for number, cell in enumerate(notebook.cells):
        found += [f"cell {number} {what}" for what in cell_problems(cell, max_lines)]
        if cell.cell_type == "code":
            count += 1
            if cell.execution_count != count:
                found.append(
                    f"cell {number} has execution count {cell.execution_count}, not {count}"
                )
    return found


def cell_problems(cell: nbformat.NotebookNode, max_lines: int) -> list[str]:
    """Return what is wrong with a cell."""
    found = []
    if MACHINE_PATH.search(nbformat.v4.writes(nbformat.v4.new_notebook(cells=[cell]))):
        found.append("names a path of a machine")
    if cell.cell_type != "code":
        return found
    if len([line for line in cell.source.splitlines() if line.strip()]) > max_lines:
        found.append(f"has more than {max_lines} lines of code")
    for output in cell.outputs:
        if output.output_type == "error":
            found.append(f"stores an error, {output.ename}")
        if "image/png" in output.get("data", {}):
            if not output.metadata.get("image/png", {}).get("alt"):
                found.append("stores a picture without a text for those who cannot see it")
    return found


def run_again(paths: list[Path], cell_seconds: float) -> int:
    """Run notebooks under nbval and return its exit code; no kernel outlives it."""
    # Side by side, a kernel each; one more than cores, because a long one may come last.
    beside = str(min(len(paths), cpu_count() + 1))
    command = [
        sys.executable, "-m", "pytest", "--nbval", f"--nbval-cell-timeout={cell_seconds}",
        "-v", "-p", "no:cacheprovider", "-o", "addopts=", *map(str, paths),
        *(["-n", beside, "--dist", "loadfile"] if len(paths) > 1 else []),
    ]  # fmt: skip
    environment = os.environ | {AUDIENCE: "nobody"} | NO_SCREEN
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        return process.wait()
    finally:
        if hasattr(os, "killpg"):  # a kernel that hangs is in the group, too
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def main() -> int:
    """Check the notebooks named on the command line, or the course's."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="*", type=Path, help="notebooks (those of the course)")
    parser.add_argument("--cell-timeout", type=float, default=CELL_SECONDS, metavar="SECONDS")
    options = parser.parse_args()
    files = options.files or pages()
    wrong = [f"{path.name}: {what}" for path in files for what in problems(path)]
    print("\n".join(wrong), flush=True)
    return run_again(files, options.cell_timeout) or int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
