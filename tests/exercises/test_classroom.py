"""A class is marked whatever its members send, and nothing but its own folder is touched."""

import csv
import io
import socket
import subprocess
import sys

import pytest

from pgcourse.tools import classroom
from pgcourse.tools.exercises import SOLUTIONS
from pgcourse.tools.marking import Mark
from pgcourse.tools.sandbox import confined, environment
from tests import class_of_sixty as sixty
from tests.exercises.students import Class, needs_bwrap

SECONDS = 15.0
HER = Class("08_her", 4, "her-04")
KINDS = HER.honest() | HER.spoiled(SECONDS) | HER.cheats() | HER.broken()


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    """One student of each kind, marked, and the lines that were said."""
    folder = tmp_path_factory.mktemp("class") / "the class"
    folder.mkdir()
    students = {kind: make(f"Jürgen Groß, {kind}") for kind, make in KINDS.items()}
    for k, student in enumerate(students.values()):
        sixty.write(student, folder, k)
    before, lines = sixty.state(), []
    found = classroom.mark_class(folder, SOLUTIONS, 2, lines.append, seconds=SECONDS)
    assert sixty.state() == before, "marking wrote into the checkout"
    return students, found, lines


@needs_bwrap
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_student_gets_what_it_should(marked, kind):
    students, found, _ = marked
    assert sixty.compare(kind, students[kind], found) == ""


@needs_bwrap
def test_an_accident_is_named(marked):
    students, found, lines = marked
    said = {one.student: " ".join(mark.said for mark in one.marks) for one in found}
    for kind, words in {
        "syntax error": "SyntaxError", "endless loop": "ran longer than 15 s",
        "endless answer": "The check ran longer than 15 s", "10 GB": "MemoryError",
        "dead kernel": "ended the kernel", "asks": "StdinNotImplementedError",
        "dying answer": "ended the process of its check",
    }.items():  # fmt: skip
        assert words in said[students[kind].name], kind
    marked_ones = [one for one in found if one.chapter]
    assert len(lines) == len([one for one in marked_ones if not one.trouble])


@needs_bwrap
def test_the_table_and_the_pages_name_everybody(marked, tmp_path):
    students, found, _ = marked
    rows = list(csv.DictReader(io.StringIO(classroom.table(found))))
    assert {row["student"] for row in rows} == {one.name for one in students.values()}
    for row in rows:
        assert row["trouble"] or float(row["points"]) <= float(row["of"]) == 32
    classroom.write_pages(found, tmp_path)
    pages = {path.stem: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert len(pages) == len(found)
    perfect = pages["Jürgen Groß, perfect 08_her"]
    assert "32 of 32 points" in perfect and "Right." in perfect and "<script" not in perfect


def test_a_text_is_for_the_teacher_and_a_name_is_no_formula():
    marks = [Mark("text-answer", 3), Mark("a-check", 2, 2.0, "Right."), Mark("b-check", 1, 0.0)]
    one = classroom.Submission("=HYPERLINK(1)", "a.ipynb", chapter="03_ddpg", marks=marks)
    assert classroom.summary(one) == "2 of 6 points, 3 to mark by hand"
    (row,) = csv.DictReader(io.StringIO(classroom.table([one])))
    assert row["student"] == "'=HYPERLINK(1)" and row["text-answer"] == "by hand"
    assert (row["points"], row["of"], row["to mark by hand"]) == ("2", "6", "3")


INSIDE = """
import pathlib, socket
pathlib.Path({home!r}, "written").write_text("in an empty home, which is gone afterwards")
for name in ({root!r}, "/etc", "/usr", "/"):
    try:
        (pathlib.Path(name) / "written").write_text("x")
        print("wrote", name)
    except OSError:
        pass
try:
    socket.create_connection(("127.0.0.1", {port}), timeout=5)
    print("connected")
except OSError:
    pass
print(*pathlib.Path({solutions!r}).iterdir())
pathlib.Path("mine").write_text("x")
try:
    pathlib.Path("large").write_bytes(bytes(200_000_000))
    print("large")
except OSError:
    pass
try:
    bytearray(10_000_000_000)
    print("much")
except MemoryError:
    pass
"""


@needs_bwrap
def test_the_sandbox_has_no_network_one_folder_and_no_solutions(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = INSIDE.format(root=str(sixty.ROOT), home=str(classroom.Path.home()),
                             port=server.getsockname()[1], solutions=str(SOLUTIONS))  # fmt: skip
        run = [sys.executable, "-c", code]
        inside = subprocess.run(confined(run, tmp_path, [SOLUTIONS]), env=environment(tmp_path),
                                capture_output=True, text=True)  # fmt: skip
    assert (inside.returncode, inside.stdout.strip()) == (0, ""), inside.stderr
    assert (tmp_path / "mine").exists()
    for folder in (sixty.ROOT, classroom.Path.home()):
        assert not (folder / "written").exists()


def test_without_bubblewrap_it_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"^bubblewrap is not installed.*--no-sandbox"):
        confined(["true"], tmp_path)
    assert confined(["true"], tmp_path, sandbox=False) == ["true"]
