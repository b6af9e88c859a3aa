"""Make the students' notebooks from the solutions: `python -m pgcourse.tools.exercises`.

notebooks/solutions/ is the source; notebooks/exercises/ is made from it by nbgrader's own
preprocessors. --check only says what is stale. --grade FOLDER marks the notebooks of a class,
says what to look at before believing the marks, and --csv FILE writes a table and feedback pages.
"""

import argparse
import os
import re
import sys
from pathlib import Path

import nbformat
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

from pgcourse.tools import chapters, classroom
from pgcourse.tools.course import ROOT
from pgcourse.tools.sandbox import try_out

SOLUTIONS, EXERCISES = ROOT / "notebooks" / "solutions", ROOT / "notebooks" / "exercises"
STEPS = [CheckCellMetadata, ClearSolutions, ClearHiddenTests, ClearOutput, LockCells,
         ComputeChecksums]  # fmt: skip
STUBS = {"code_stub": {"python": "...  # your answer"}, "text_stub": "Your answer here."}
GUIDE = ROOT / "notebooks" / "TEACHING.md"
MARKS = re.compile(r"(<!-- table -->\n).*?(<!-- /table -->)", re.DOTALL)


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


def table(solutions: Path = SOLUTIONS) -> str:
    """Return a Markdown table of the exercises, from their headings."""
    lines = ["| exercise | minutes | points |", "|---|---|---|"]
    for path in sorted(solutions.glob("*.ipynb")):
        rows = [
            found.groups()
            for cell in nbformat.read(path, as_version=4).cells
            if (found := chapters.HEADING.match(cell.source))
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


def grade(options: argparse.Namespace) -> int:
    """Mark a class and write its table; 1 if a notebook could not be marked."""
    if options.sandbox:
        try_out()
    if options.csv:
        options.csv.touch()  # better now than after an hour
    found = classroom.mark_class(
        options.grade, SOLUTIONS, options.jobs, seconds=options.seconds, sandbox=options.sandbox
    )
    if options.csv:
        options.csv.write_text(classroom.table(found), encoding="utf-8-sig")  # for spreadsheets
        pages = options.csv.with_name(f"{options.csv.stem}-feedback")
        pages.mkdir(exist_ok=True)
        classroom.write_pages(found, pages)
        print(f"{options.csv}, {pages}/: {len(found)} notebooks")
    for one in found:
        print(f"\n{one.student} · {one.file}: {classroom.summary(one)}")
        print(*(f"    {mark.said}" for mark in one.marks if mark.points == 0), sep="\n")
        print(*(f"    look at {doubt}" for doubt in one.doubts), sep="\n")
    return int(any(one.trouble for one in found))


def main() -> int:
    """Make, check or grade."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if one is stale")
    parser.add_argument(
        "--grade", type=Path, metavar="FOLDER", help="mark a class: a folder or zip"
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write its table and pages")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="notebooks at once")
    parser.add_argument("--seconds", type=float, default=120.0, help="the most for a cell")
    parser.add_argument("--no-sandbox", dest="sandbox", action="store_false",
                        help="run the students' code with your own rights")  # fmt: skip
    options = parser.parse_args()
    if options.grade:
        if not options.grade.exists():
            parser.error(f"--grade {options.grade}: expected a folder or a zip")
        if not hasattr(os, "fork"):
            parser.error("--grade needs Linux; on Windows use WSL 2")
        try:
            return grade(options)
        except (RuntimeError, OSError) as error:
            parser.error(str(error))
    stale = write(check=options.check) + fill(check=options.check)
    stale += chapters.fill(check=options.check)
    print(*(f"{name}: {'stale' if options.check else 'written'}" for name in stale), sep="\n")
    return int(options.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
