"""Make the students' notebooks from the solutions: `python -m pgcourse.tools.exercises`.

notebooks/solutions/ is the source; notebooks/exercises/ is made from it by nbgrader's own
preprocessors. --check only says what is stale. --grade FOLDER marks the notebooks of a folder
with `nbgrader autograde`, prints the points, and says what to look at before believing them.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook
from nbgrader.nbgraderformat import read
from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearHiddenTests,
    ClearOutput,
    ClearSolutions,
    ComputeChecksums,
    LockCells,
)
from traitlets.config import Config

from pgcourse.display.live import AUDIENCE
from pgcourse.tools.course import NO_SCREEN, ROOT
from pgcourse.tools.flags import flags

SOLUTIONS, EXERCISES = ROOT / "notebooks" / "solutions", ROOT / "notebooks" / "exercises"
STEPS = [CheckCellMetadata, ClearSolutions, ClearHiddenTests, ClearOutput, LockCells,
         ComputeChecksums]  # fmt: skip
STUBS = {"code_stub": {"python": "...  # your answer"}, "text_stub": "Your answer here."}
GUIDE = ROOT / "notebooks" / "TEACHING.md"
MARKS = re.compile(r"(<!-- table -->\n).*?(<!-- /table -->)", re.DOTALL)
HEADING = re.compile(r"## Exercise (\d+) · (.+?) \*\((\d+) min, (\d+) points?\)\*")
CONFIG = """c = get_config()
c.CourseDirectory.course_id = "pgcourse"
c.ClearSolutions.code_stub = {code_stub!r}
c.ClearSolutions.text_stub = {text_stub!r}
c.ExecutePreprocessor.timeout = 300
"""


def student_version(path: Path) -> str:
    """Return the text of a student's notebook: without solutions, hidden tests and outputs.

    Raises:
        ValidationError, RuntimeError: nbgrader's, for bad metadata or an open solution mark.
    """
    with path.open(encoding="utf-8") as file:
        notebook, resources = read(file, as_version=4), {}
    config = Config(ClearSolutions=STUBS)
    for step in STEPS:
        notebook, resources = step(config=config).preprocess(notebook, resources)
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def write(solutions: Path = SOLUTIONS, exercises: Path = EXERCISES, check: bool = False) -> list:
    """Write every student's notebook and return the names of those that were not up to date."""
    stale = []
    for path in sorted(solutions.glob("*.ipynb")):
        target, text = exercises / path.name, student_version(path)
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            stale.append(path.name)
            if not check:
                exercises.mkdir(exist_ok=True)
                target.write_text(text, encoding="utf-8")
    return stale


def grade(submitted: Path, solutions: Path = SOLUTIONS) -> dict[str, dict[str, tuple]]:
    """Mark the notebooks of a folder with nbgrader.

    Returns:
        For each notebook and each of its check cells: (points, most points).

    Raises:
        RuntimeError: nbgrader failed; its last words are in the message.
    """
    # nbgrader calls alembic by its name: it is installed beside this Python.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    with tempfile.TemporaryDirectory() as name:
        course = Path(name)
        (course / "nbgrader_config.py").write_text(CONFIG.format(**STUBS))
        shutil.copytree(solutions, course / "source" / "all")
        nbgrader(course, "generate_assignment", "all", "--create")
        shutil.copytree(submitted, course / "submitted" / "student" / "all")
        nbgrader(course, "autograde", "all", "--create")
        with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
            submission = gradebook.find_submission("all", "student")
            return {
                notebook.name: {
                    mark.cell.name: (mark.score, mark.max_score)
                    for mark in notebook.grades
                    if mark.cell.cell_type == "code"  # text is for the teacher to mark
                }
                for notebook in submission.notebooks
            }


def nbgrader(course: Path, *command: str) -> None:
    """Run one of nbgrader's commands in a course."""
    environment = os.environ | NO_SCREEN | {"PYTHONPATH": str(ROOT), AUDIENCE: "nobody"}
    run = subprocess.run(
        [sys.executable, "-m", "nbgrader", *command],
        cwd=course, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    if run.returncode:
        raise RuntimeError(f"nbgrader {command[0]} failed:\n{run.stderr[-2000:]}")


def report(marks: dict[str, dict[str, tuple]]) -> str:
    """Return the points as lines, a line for each check and one for each notebook."""
    lines = []
    for notebook, cells in sorted(marks.items()):
        lines += [f"{notebook:10s} {cell:24s} {a:4g} of {b:g}" for cell, (a, b) in cells.items()]
        points, most = (sum(mark[k] for mark in cells.values()) for k in (0, 1))
        lines.append(f"{notebook:10s} {'all checks':24s} {points:4g} of {most:g}")
    return "\n".join(lines)


def doubts(submitted: Path, solutions: Path = SOLUTIONS) -> list[str]:
    """Return what a teacher should look at in the notebooks of a folder, a line each."""
    lines = []
    for path in sorted(submitted.glob("*.ipynb")):
        if (source := solutions / path.name).exists():
            pair = (nbformat.read(one, as_version=4) for one in (path, source))
            lines += [f"{path.stem:10s} look at {what}" for what in flags(*pair)]
    return lines


def table(solutions: Path = SOLUTIONS) -> str:
    """Return a Markdown table of the exercises, from their headings."""
    lines = ["| exercise | minutes | points |", "|---|---|---|"]
    for path in sorted(solutions.glob("*.ipynb")):
        rows = [
            found.groups()
            for cell in nbformat.read(path, as_version=4).cells
            if (found := HEADING.match(cell.source))
        ]
        lines += [f"| {path.stem} {number}. {title} | {m} | {p} |" for number, title, m, p in rows]
        lines.append(f"| **{path.stem}, all** | {sum(int(row[2]) for row in rows)} "
                     f"| {sum(int(row[3]) for row in rows)} |")  # fmt: skip
    return "\n".join(lines)


def fill(guide: Path = GUIDE, check: bool = False) -> list[str]:
    """Write the table between the marks of the teacher's guide; return its name if it changed."""
    text = guide.read_text(encoding="utf-8")
    new = MARKS.sub(lambda found: f"{found[1]}{table()}\n{found[2]}", text)
    if new != text and not check:
        guide.write_text(new, encoding="utf-8")
    return [guide.name] if new != text else []


def main() -> int:
    """Make, check or grade."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if one is stale")
    parser.add_argument("--grade", type=Path, metavar="FOLDER", help="mark the notebooks there")
    options = parser.parse_args()
    if options.grade:
        print(report(grade(options.grade)), *doubts(options.grade), sep="\n")
        return 0
    stale = write(check=options.check) + fill(check=options.check)
    print(*(f"{name}: {'stale' if options.check else 'written'}" for name in stale), sep="\n")
    return int(options.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
