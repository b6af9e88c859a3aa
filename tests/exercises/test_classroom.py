"""A class is marked whatever its members send, and nothing but its own folder is touched."""

import copy
import csv
import io
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from pgcourse.tools import classroom, marking
from pgcourse.tools.exercises import SOLUTIONS
from pgcourse.tools.flags import role
from pgcourse.tools.marking import Mark
from pgcourse.tools.sandbox import confined, environment
from tests import class_of_sixty as sixty
from tests.exercises.students import Class, needs_bwrap

SECONDS = 10.0
HER = Class("08_her", 4, "her-04")
# A kernel and a judge for each take seconds, so some spoil several exercises, each in its own way;
# `python -m tests.class_of_sixty` has all kinds, one by one.
CODES, HONEST, CHEATS = HER.accidents(SECONDS), HER.honest(), HER.cheats()
KINDS = {kind: HONEST[kind] for kind in ("perfect", "warns", "talks", "zipped", "twice",
                                         "no_answer")}  # fmt: skip
ACCIDENTS = {
    "three accidents": {
        "her-01": ("syntax error", "SyntaxError"),
        "her-02": ("endless loop", "ran longer than 10 s"),
        "her-04": ("endless answer", "The check ran longer than 10 s"),
    },
    "three more": {
        "her-01": ("10 GB", "MemoryError"),
        "her-02": ("dead kernel", "ended the kernel"),
        "her-04": ("dying answer", "ended the process of its check"),
    },
}  # fmt: skip
for kind, codes in ACCIDENTS.items():
    KINDS[kind] = HER.unlucky({name: CODES[code] for name, (code, _) in codes.items()})
KINDS |= {"attacks": HER.cheat(*HER.attacks().values()), "edits checks": CHEATS["edits checks"]}
KINDS |= HER.broken()


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
    said = {(one.student, mark.cell): mark.said for one in found for mark in one.marks}
    for kind, codes in ACCIDENTS.items():
        for name, (_, words) in codes.items():
            assert words in said[students[kind].name, f"{name}-check"], name
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
    perfect = next(text for name, text in pages.items() if name.startswith("Jürgen Groß, perfect "))
    assert "32 of 32 points" in perfect and "Right." in perfect and "<script" not in perfect


def test_a_text_is_for_the_teacher_and_a_name_is_no_formula():
    marks = [Mark("text-answer", 3), Mark("a-check", 2, 2.0, "Right."), Mark("b-check", 1, 0.0)]
    one = classroom.Submission("=HYPERLINK(1)", "7", "a.ipynb", chapter="03_ddpg", marks=marks)
    assert classroom.summary(one) == "2 of 6 points, 3 to mark by hand"
    (row,) = csv.DictReader(io.StringIO(classroom.table([one])))
    assert row["student"] == "'=HYPERLINK(1)" and row["text-answer"] == "by hand"
    assert (row["points"], row["of"], row["to mark by hand"]) == ("2", "6", "3")


INSIDE = """
import pathlib, socket
for name in ({root!r}, {home!r}, "/etc", "/usr", "/", "/run", "/var/tmp"):
    try:
        (pathlib.Path(name) / "written").write_text("x")
        print("wrote", name)
    except OSError:
        pass
for address in (("127.0.0.1", {port}), {path!r}):
    kind = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    try:
        socket.socket(kind).connect(address)
        print("connected to", address)
    except OSError:
        pass
print(*(str(path) for path in map(pathlib.Path, {secrets!r}) if path.exists()))
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
    own, other = tmp_path / "own", tmp_path / "other student"
    own.mkdir(), other.mkdir()
    secrets = [str(path) for path in (SOLUTIONS, sixty.ROOT / ".git", sixty.ROOT / "tests", other)]
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind(str(other / "bus"))
        local.listen()
        code = INSIDE.format(
            root=str(sixty.ROOT), home=str(Path.home()), port=server.getsockname()[1],
            path=str(other / "bus"), secrets=secrets,
        )  # fmt: skip
        run = confined([sys.executable, "-c", code], own)
        inside = subprocess.run(run, env=environment(own), capture_output=True, text=True)
    assert (inside.returncode, inside.stdout.strip()) == (0, ""), inside.stderr
    assert (own / "mine").exists()


LINK = """
import os, pathlib
fonts = next(pathlib.Path("matplotlib").glob("fontlist-*"))
fonts.unlink()
fonts.symlink_to({target!r})
pathlib.Path("gymnasium.py").write_text("raise SystemExit")
os._exit(1)
"""


@needs_bwrap
def test_a_link_left_behind_writes_nothing_outside_and_a_module_is_not_the_judges(tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "target").write_text("the teacher's")
    attack = LINK.format(target=str(tmp_path / "target"))
    notebook = HER.notebook(**{"her-04-answer": attack})
    found = marking.mark(notebook, HER.source, tmp_path / "work", seconds=SECONDS)
    assert (tmp_path / "target").read_text() == "the teacher's"
    points = {one.cell: one.points for one in found if one.cell.endswith("-check")}
    assert points == HER.points("her-04")


@needs_bwrap
def test_an_answer_cannot_speak_for_later_checks(tmp_path):
    attack = """
def future_index(*a, **k):
    import os
    for number in range(3, 40):
        for path in (number, f"/proc/{os.getppid()}/fd/{number}"):
            try:
                target = path if isinstance(path, int) else os.open(path, os.O_WRONLY)
                os.write(target, b'{"right": true, "said": "Right."}\\n' * 50)
            except OSError:
                pass
"""
    notebook = HER.notebook(**{"her-04-answer": attack})
    found = marking.mark(notebook, HER.source, tmp_path, seconds=SECONDS)
    points = {one.cell: one.points for one in found if one.cell.endswith("-check")}
    later = {name: mark for name, mark in HER.points("her-04").items() if name != "her-04-check"}
    assert {name: points[name] for name in later} == later


@needs_bwrap
def test_what_takes_too_long_costs_no_other_exercise_however_often(tmp_path):
    spoiled = {f"her-0{k}-answer": "while True:\n    pass" for k in (4, 6, 9)}
    chapter = Class("08_her", 9, "her-04")
    found = marking.mark(chapter.notebook(**spoiled), chapter.source, tmp_path, seconds=3.0)
    points = {one.cell: one.points for one in found if one.cell.endswith("-check")}
    assert points == chapter.points(*(name.removesuffix("-answer") for name in spoiled))


@needs_bwrap
def test_a_notebook_that_takes_too_long_is_not_marked_to_its_end(tmp_path):
    found = marking.mark(HER.notebook(), HER.source, tmp_path, seconds=SECONDS, minutes=0.0)
    assert {one.said for one in found} == {"Not gradable: the cells before it took too long."}
    assert {one.points for one in found} == {0.0}


def zipped(files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()


def test_an_export_may_hold_zips_odd_metadata_broken_zips_and_namesakes(tmp_path):
    text = nbformat.writes(HER.blank).encode()
    odd = copy.deepcopy(HER.blank)
    odd.cells[0].metadata["nbgrader"] = None
    odd.cells[1].metadata["nbgrader"]["grade_id"] = ["x"]
    broken = bytearray(zipped({"08_her.ipynb": text}))
    broken[-60:-40] = bytes(20)
    export = {
        "Anna Ng_1_assignsubmission_file_/hand-in.zip": zipped({"08_her.ipynb": text}),
        "Anna Ng_2_assignsubmission_file_/08_her.ipynb": text,
        "Ben Ng_3_assignsubmission_file_/08_her.ipynb": nbformat.writes(odd).encode(),
        "Cem Ng_4_assignsubmission_file_/all.zip": bytes(broken),
        "Dag Ng_5_assignsubmission_file_/08_her.ipynb": b"\xef\xbb\xbf" + text,
        "Dag Ng_5_assignsubmission_file_/08_her (1).ipynb": text,
    }
    chapters = {"08_her": HER.source}
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "export.zip").write_bytes(zipped(export))
    (tmp_path / "export.zip").write_bytes(zipped(export))
    for place in (tmp_path / "in", tmp_path / "export.zip"):
        found = classroom.submissions(place, chapters)
        who = sorted((one.student, one.number, one.chapter) for one in found)
        assert who == [
            ("Anna Ng", "1", "08_her"), ("Anna Ng", "2", "08_her"), ("Ben Ng", "3", "08_her"),
            ("Cem Ng", "4", ""), ("Dag Ng", "5", "08_her"), ("Dag Ng", "5", "08_her"),
        ]  # fmt: skip
        assert [one.doubts for one in found if one.number == "5"] == 2 * [
            ["2 notebooks of this chapter were sent"]
        ]
        classroom.write_pages(found, tmp_path / "in")
    (tmp_path / "flat").mkdir()
    for name in ("anna", "ben"):
        (tmp_path / "flat" / f"{name}.ipynb").write_bytes(text)
    assert [one.student for one in classroom.submissions(tmp_path / "flat", chapters)] == [
        "anna", "ben",
    ]  # fmt: skip


def test_a_text_that_goes_on_in_a_new_cell_is_for_the_teacher():
    source = nbformat.read(SOLUTIONS / "07_bc.ipynb", as_version=4)
    given = {role(cell): cell for cell in source.cells if role(cell)}
    blank = Class("07_bc", 1, "bc-06").blank
    assert marking.first_marks(blank, given)["bc-03-answer"].points == 0.0
    at = [role(cell) for cell in blank.cells].index("bc-03-answer")
    blank.cells.insert(at + 1, nbformat.v4.new_markdown_cell("Because."))
    assert marking.first_marks(blank, given)["bc-03-answer"].points is None


def test_without_bubblewrap_it_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"^bubblewrap is not installed.*--no-sandbox"):
        confined(["true"], tmp_path)
    assert confined(["true"], tmp_path, sandbox=False) == ["true"]
