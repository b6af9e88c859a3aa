"""Mark a class: a folder as Moodle or Canvas exports it, one table, one page for each student."""

import csv
import html
import io
import re
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import nbformat
from nbconvert import HTMLExporter

from pgcourse.tools.flags import flags, role
from pgcourse.tools.marking import Mark, mark

LARGEST = 200_000_000  # bytes of one file
NAMED = [  # how Moodle and Canvas name what they export
    re.compile(r"(?P<student>.+?)_\d+_assignsubmission_(file|onlinetext)_?"),
    re.compile(r"(?P<student>.+?)(_LATE)?_\d+_\d+_"),
]


@dataclass
class Submission:
    """One notebook of one student, and what became of it."""

    student: str
    file: str
    text: str = ""
    trouble: str = ""  # why it cannot be marked
    chapter: str = ""
    marks: list[Mark] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    @property
    def points(self) -> float:
        """Points of the checks."""
        return sum(one.points for one in self.marks if one.points is not None)

    @property
    def open(self) -> float:
        """Points that the teacher has still to give."""
        return sum(one.most for one in self.marks if one.points is None)


def files(folder: Path) -> Iterator[tuple[PurePosixPath, Callable[[], bytes], int]]:
    """Yield (name, how to read it, bytes) of every file of a folder, those in zips included."""
    for path in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
        name = PurePosixPath(path.relative_to(folder) if folder.is_dir() else "")
        if path.is_symlink() or not path.is_file():
            continue
        if path.suffix.lower() == ".zip" and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for info in archive.infolist():
                    inside = name.with_suffix("") / info.filename if name.name else info.filename
                    yield PurePosixPath(inside), lambda a=archive, i=info: a.read(i), info.file_size
        else:
            yield name, path.read_bytes, path.stat().st_size


def submissions(folder: Path, chapters: dict[str, nbformat.NotebookNode]) -> list[Submission]:
    """Return every student's notebooks, best known by what is in them, not by the files' names.

    Args:
        folder: of the class, or a zip: a folder, a zip or a file for each student.
        chapters: the notebooks with solutions.
    """
    found, empty = [], {}
    for name, read, size in files(folder):
        if any(part.startswith((".", "__MACOSX")) for part in name.parts):
            continue
        top = name.parts[0]
        match = next((m for one in NAMED if (m := one.match(top))), None)
        alone = len(name.parts) == 1
        student = match["student"] if match else folder.resolve().stem if alone else top
        if name.suffix.lower() != ".ipynb":
            empty.setdefault(student, Submission(student, str(name), trouble="no notebook"))
            continue
        one = Submission(student, str(name))
        found.append(one)
        if size > LARGEST:
            one.trouble = f"the file has {size:,} bytes; at most {LARGEST:,} are read"
            continue
        try:
            one.text = read().decode("utf-8")
            cells = nbformat.reads(one.text, as_version=4).cells
        except Exception as error:  # whatever a broken file makes nbformat say
            one.trouble = f"no notebook: {type(error).__name__}: {str(error)[:200]}"
            continue
        roles = {role(cell) for cell in cells} - {""}
        shared = {
            chapter: len(roles & {role(cell) for cell in source.cells})
            for chapter, source in chapters.items()
        }
        one.chapter = max(shared, key=shared.get)
        if not shared[one.chapter]:
            one.chapter, one.trouble = "", "none of the course's cells is in it"
    sent = {one.student for one in found}
    return found + [one for student, one in empty.items() if student not in sent]


def judge(one: Submission, chapters: dict, hidden: list[Path], **options) -> Submission:
    """Mark a submission; whatever happens becomes its trouble."""
    try:
        notebook, source = nbformat.reads(one.text, as_version=4), chapters[one.chapter]
        one.doubts = flags(notebook, source)
        with tempfile.TemporaryDirectory(prefix="marking-", ignore_cleanup_errors=True) as name:
            one.marks = mark(notebook, source, Path(name), hidden=hidden, **options)
    except Exception as error:
        one.trouble = f"not gradable: {type(error).__name__}: {str(error)[:500]}"
    return one


def mark_class(
    folder: Path, solutions: Path, jobs: int, say: Callable[[str], None] = print, **options
) -> list[Submission]:
    """Mark every notebook of a class, several side by side.

    Args:
        folder: of the class, or a zip.
        solutions: the folder of the notebooks with solutions.
        jobs: how many at once.
        say: gets a line for each.
        options: of `mark`.
    """
    chapters = {
        path.stem: nbformat.read(path, as_version=4) for path in sorted(solutions.glob("*.ipynb"))
    }
    warnings.filterwarnings("ignore", module="nbformat")  # what is odd about a notebook shows below
    found, begin = submissions(folder, chapters), time.monotonic()
    hidden = [path.resolve() for path in (solutions, folder) if path.is_dir()]
    with ThreadPoolExecutor(jobs) as pool:
        waiting = [
            pool.submit(judge, one, chapters, hidden, **options)
            for one in found if not one.trouble
        ]  # fmt: skip
        for count, future in enumerate(as_completed(waiting), start=1):
            one = future.result()
            took = f"{count} of {len(waiting)}, {time.monotonic() - begin:.0f} s"
            say(f"{took}: {one.student} {one.chapter}: {summary(one)}")
    return sorted(found, key=lambda one: (one.student.casefold(), one.chapter, one.file))


def summary(one: Submission) -> str:
    """Return a submission's result in a few words."""
    if one.trouble:
        return one.trouble
    most = sum(mark.most for mark in one.marks)
    words = f"{one.points:g} of {most:g} points"
    words += f", {one.open:g} to mark by hand" if one.open else ""
    return words + (f", {len(one.doubts)} things to look at" if one.doubts else "")


def table(found: list[Submission]) -> str:
    """Return the marks as CSV: a row for each notebook, a column for each graded cell."""
    cells = list(dict.fromkeys(mark.cell for one in found for mark in one.marks))
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["student", "chapter", "points", "of", "to mark by hand", "trouble", *cells,
                   "look at", "file"])  # fmt: skip
    for one in found:
        marks = {mark.cell: "by hand" if mark.points is None else f"{mark.points:g}"
                 for mark in one.marks}  # fmt: skip
        most = sum(mark.most for mark in one.marks)
        row = [one.student, one.chapter, f"{one.points:g}", f"{most:g}", f"{one.open:g}",
               one.trouble, *(marks.get(cell, "") for cell in cells), "; ".join(one.doubts),
               one.file]  # fmt: skip
        # A spreadsheet takes a text that starts so for a formula.
        rows.writerow(["'" + text if text.startswith(("=", "+", "-", "@")) else text
                       for text in row])  # fmt: skip
    return out.getvalue()


def page(one: Submission) -> str:
    """Return a page for the student: each graded cell's verdict, then the notebook as sent."""
    lines = []
    for cell in one.marks:
        points = "by hand" if cell.points is None else f"{cell.points:g}"
        cells = (cell.cell, points, f"{cell.most:g}", cell.said)
        lines.append("<tr>" + "".join(f"<td>{html.escape(text)}" for text in cells))
    body = ""
    if one.chapter:
        notebook = nbformat.reads(one.text, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        body, _ = HTMLExporter(template_name="basic", sanitize_html=True).from_notebook_node(
            notebook
        )
    return (
        f"<!doctype html><meta charset=utf-8><title>{html.escape(one.student)}</title>"
        "<style>body{font:16px/1.5 sans-serif;max-width:56em;margin:2em auto;padding:0 1em}"
        "td{border-top:1px solid #ccc;padding:.3em;vertical-align:top}"
        "pre{background:#f6f6f6;padding:.5em;overflow:auto}</style>"
        f"<h1>{html.escape(one.student)}: {html.escape(one.chapter)}</h1>"
        f"<p>{html.escape(summary(one))}<table><tr><th>cell<th>points<th>of<th>what the check said"
        f"{''.join(lines)}</table>{body}"
    )


def write_pages(found: list[Submission], folder: Path) -> None:
    """Write a page for each submission, under the student's name."""
    for one in found:
        name = re.sub(r"[^\w ,.()-]", "_", f"{one.student} {one.chapter or Path(one.file).stem}")
        path, k = folder / f"{name}.html", 2
        while path.exists():
            path, k = folder / f"{name} ({k}).html", k + 1
        path.write_text(page(one), encoding="utf-8")
