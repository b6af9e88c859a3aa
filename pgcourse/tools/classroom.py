"""Mark a class: a folder as Moodle or Canvas exports it, one table, one page for each student."""

import contextlib
import csv
import html
import io
import re
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import nbformat

from pgcourse.tools.exports import LARGEST, files
from pgcourse.tools.flags import flags, role
from pgcourse.tools.marking import Mark, mark

NAMED = [  # how Moodle and Canvas name what they export
    re.compile(r"(?P<student>.+?)_(?P<number>\d+)_assignsubmission_(file|onlinetext)_?"),
    re.compile(r"(?P<student>.+?)(_LATE)?_(?P<number>\d+)_\d+_"),
]
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def plain(text: str) -> str:
    """Return a stranger's text without what changes a terminal or cannot be written."""
    return HIDDEN.sub("?", text)


@dataclass
class Submission:
    """One notebook of one student, and what became of it."""

    student: str
    number: str  # by which Moodle and Canvas know a student
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


def submissions(folder: Path, chapters: dict[str, nbformat.NotebookNode]) -> list[Submission]:
    """Return every student's notebooks, best known by what is in them, not by the files' names.

    Args:
        folder: of the class, or a zip: a folder, a zip or a file for each student.
        chapters: the notebooks with solutions.
    """
    everything = [
        (name, read, size) for name, read, size in files(folder)
        if not any(part.startswith((".", "__MACOSX")) for part in name.parts)
    ]  # fmt: skip
    # A folder in which all the rest lies, such as the export's own, is nobody's name.
    while (
        everything
        and len({name.parts[0] for name, *_ in everything}) == 1
        and not any(one.match(everything[0][0].parts[0]) for one in NAMED)
        and all(len(name.parts) > 2 for name, *_ in everything)
    ):
        everything = [(PurePosixPath(*name.parts[1:]), *rest) for name, *rest in everything]
    found, empty = [], {}
    for name, read, size in everything:
        top = name.parts[0]
        match = next((m for one in NAMED if (m := one.match(top))), None)
        student = match["student"] if match else PurePosixPath(top).stem
        one = Submission(plain(student), match["number"] if match else "", plain(str(name)))
        if name.suffix.lower() != ".ipynb":
            one.trouble = "no notebook"
            empty.setdefault((one.student, one.number), one)
            continue
        found.append(one)
        if size > LARGEST:
            one.trouble = f"the file has {size:,} bytes; at most {LARGEST:,} are read"
            continue
        try:
            one.text = read().decode("utf-8-sig")
            cells = nbformat.reads(one.text, as_version=4).cells
            roles = {role(cell) for cell in cells} - {""}
        except Exception as error:  # whatever a broken file makes nbformat say
            one.trouble = plain(f"no notebook: {type(error).__name__}: {str(error)[:200]}")
            continue
        shared = {
            chapter: len(roles & {role(cell) for cell in source.cells})
            for chapter, source in chapters.items()
        }
        one.chapter = max(shared, key=shared.get)
        if not shared[one.chapter]:
            one.chapter, one.trouble = "", "none of the exercises' cells is in it"
    sent = [(one.student, one.number, one.chapter) for one in found if one.chapter]
    for one in found:
        if (count := sent.count((one.student, one.number, one.chapter))) > 1:
            one.doubts.append(f"{count} notebooks of this chapter were sent")
    students = {(one.student, one.number) for one in found}
    return found + [one for key, one in empty.items() if key not in students]


def marked(one: Submission, chapters: dict, **options) -> Submission:
    """Mark a submission and return it; whatever happens becomes its trouble."""
    try:
        notebook, source = nbformat.reads(one.text, as_version=4), chapters[one.chapter]
        one.doubts += [plain(doubt) for doubt in flags(notebook, source)]
        with tempfile.TemporaryDirectory(prefix="marking-", ignore_cleanup_errors=True) as name:
            one.marks = mark(notebook, source, Path(name), **options)
        for cell in one.marks:
            cell.said = plain(cell.said)
    except Exception as error:
        one.trouble = plain(f"not gradable: {type(error).__name__}: {str(error)[:500]}")
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
    with ThreadPoolExecutor(jobs) as pool:
        waiting = [
            pool.submit(marked, one, chapters, **options)
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
    rows.writerow(["student", "number", "chapter", "points", "of", "to mark by hand", "trouble",
                   *cells, "look at", "file"])  # fmt: skip
    for one in found:
        marks = {mark.cell: "by hand" if mark.points is None else f"{mark.points:g}"
                 for mark in one.marks}  # fmt: skip
        most = sum(mark.most for mark in one.marks)
        row = [one.student, one.number, one.chapter, f"{one.points:g}", f"{most:g}",
               f"{one.open:g}", one.trouble, *(marks.get(cell, "") for cell in cells),
               "; ".join(one.doubts), one.file]  # fmt: skip
        # A spreadsheet takes a text that starts so for a formula.
        rows.writerow(["'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
                       for text in row])  # fmt: skip
    return out.getvalue()


def page(one: Submission) -> str:
    """Return a page for the student: each graded cell's verdict, then the notebook as sent."""
    rows, lines = [], []
    for cell in one.marks:
        points = "by hand" if cell.points is None else f"{cell.points:g}"
        cells = (cell.cell, points, f"{cell.most:g}", cell.said)
        rows.append("<tr>" + "".join(f"<td>{html.escape(text)}" for text in cells))
    with contextlib.suppress(Exception):  # a notebook that nbformat does not like
        for cell in nbformat.reads(one.text, as_version=4).cells:
            lines.append(f"<pre class={cell.cell_type}>{html.escape(plain(cell.source))}</pre>")
    return (
        f"<!doctype html><meta charset=utf-8><title>{html.escape(one.student)}</title>"
        "<style>body{font:16px/1.5 sans-serif;max-width:56em;margin:2em auto;padding:0 1em}"
        "td{border-top:1px solid #ccc;padding:.3em;vertical-align:top}"
        "pre{background:#f6f6f6;padding:.5em;overflow:auto}</style>"
        f"<h1>{html.escape(one.student)}: {html.escape(one.chapter)}</h1>"
        f"<p>{html.escape(summary(one))}<table><tr><th>cell<th>points<th>of<th>what the check said"
        f"{''.join(rows)}</table>{''.join(lines)}"
    )


def write_pages(found: list[Submission], folder: Path) -> None:
    """Write a page for each submission, under the student's name; older ones are overwritten."""
    written: list[str] = []
    for one in found:
        words = [one.student[:60], one.number, one.chapter or PurePosixPath(one.file).stem[:60]]
        name = re.sub(r"[^\w ,.()-]", "_", " ".join(filter(None, words)))
        written.append(name)
        count = written.count(name)
        path = folder / (f"{name} ({count}).html" if count > 1 else f"{name}.html")
        path.write_text(page(one), encoding="utf-8")
