"""Make a class of sixty and mark it: `python -m tests.class_of_sixty [CHAPTER]`.

Prints the points expected and given, the seconds, and whether anything else was touched.
"""

import hashlib
import sys
import tempfile
import time
from pathlib import Path

from pgcourse.tools import classroom
from pgcourse.tools.course import ROOT
from pgcourse.tools.exercises import SOLUTIONS
from tests.exercises.students import Class, Student

SECONDS = 60.0  # the most for a cell
CLASSES = {
    "03_ddpg": lambda: Class("03_ddpg", 3, "ddpg-02"),
    "07_bc": lambda: Class("07_bc", 10, "bc-06"),
    "08_her": lambda: Class("08_her", 7, "her-04"),
    "bugs": lambda: Class("bugs", 3, "bugs-03"),
}
FIRST = "Jürgen Zoë María Łukasz Ayşe O'Neil Søren François Anaïs Noël Chloë Björn".split()
LAST = ["Groß", "van den Berg", "Núñez", "Smith-Jones", "Ng"]


def write(student: Student, folder: Path, k: int) -> None:
    """Write a submission as Moodle exports it, every third one as Canvas does."""
    for file, text in student.files.items():
        if k % 3 == 2:
            path = folder / f"{student.name}_{100 + k}_{9_000 + k}_{file}"
        else:
            path = folder / f"{student.name}_{100 + k}_assignsubmission_file_" / file
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text)


def sixty(chapter: Class, count: int = 60) -> list[tuple[str, Student]]:
    """Return (kind, student) of a class: one of each kind, the rest honest."""
    museum = chapter.chapter == "bugs"
    cheats = chapter.museum() if museum else chapter.cheats()
    kinds = chapter.spoiled(SECONDS) | cheats | chapter.broken() | chapter.honest()
    kinds = list(kinds.items())
    more = [item for item in kinds if item[0] in ("perfect", "half", "untouched")]
    kinds += [more[k % len(more)] for k in range(count - len(kinds))]
    names = [f"{first} {last}" for last in LAST for first in FIRST]
    return [(kind, make(names[k])) for k, (kind, make) in enumerate(kinds[:count])]


def compare(kind: str, student: Student, found: list[classroom.Submission]) -> str:
    """Return what differs from what is expected, or nothing."""
    mine = [one for one in found if one.student == student.name]
    if len(mine) != 1:
        return f"{kind}: {len(mine)} rows"
    (one,) = mine
    if student.points is None:
        return "" if one.trouble else f"{kind}: marked"
    given = {mark.cell: mark for mark in one.marks if mark.cell.endswith("-check")}
    if one.trouble or set(given) != set(student.points):
        return f"{kind}: {one.trouble} {sorted(given)}"
    wrong = {
        cell: (points, given[cell].points, given[cell].said)
        for cell, points in student.points.items() if given[cell].points != points
    }  # fmt: skip
    unseen = [text for text in student.doubts if not any(text in doubt for doubt in one.doubts)]
    if wrong or unseen:
        return f"{kind}: (expected, given, said) {wrong} not pointed out {unseen}"
    return ""


def state() -> str:
    """Return a fingerprint of the course's own files, by size and time."""
    rooms = (ROOT / "notebooks", ROOT / "pgcourse", ROOT / "tests")
    paths = sorted(path for room in rooms for path in room.rglob("*") if path.is_file())
    lines = [
        f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}"
        for path in paths if path.suffix != ".pyc"
    ]  # fmt: skip
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def main() -> int:
    """Make the class, mark it, compare."""
    chapter = CLASSES[sys.argv[1] if len(sys.argv) > 1 else "03_ddpg"]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "export of the class"
        folder.mkdir()
        everybody = sixty(chapter)
        for k, (_, student) in enumerate(everybody):
            write(student, folder, k)
        before, begin = state(), time.monotonic()
        found = classroom.mark_class(folder, SOLUTIONS, 2, seconds=SECONDS)
        print(f"{len(everybody)} students, {time.monotonic() - begin:.0f} s")
        print("the checkout is untouched" if state() == before else "THE CHECKOUT WAS CHANGED")
        differences = []
        for kind, student in everybody:
            differs = compare(kind, student, found)
            differences += [differs] if differs else []
            most = sum(student.points.values()) if student.points else 0
            (one, *_) = [one for one in found if one.student == student.name]
            print(f"{kind:22s} expected {most:3g}, given {classroom.summary(one)}")
        print(*differences or ["all as expected"], sep="\n")
    return int(bool(differences))


if __name__ == "__main__":
    sys.exit(main())
