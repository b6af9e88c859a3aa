"""A teacher's own nbgrader course, which the course's marks are compared with."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from nbgrader.api import Gradebook

from pgcourse.display.live import AUDIENCE
from pgcourse.tools.course import NO_SCREEN, ROOT
from pgcourse.tools.exercises import SOLUTIONS, STUBS

CONFIG = """c = get_config()
c.CourseDirectory.course_id = "pgcourse"
c.ClearSolutions.code_stub = {code_stub!r}
c.ClearSolutions.text_stub = {text_stub!r}
c.ExecutePreprocessor.timeout = 300
"""


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
