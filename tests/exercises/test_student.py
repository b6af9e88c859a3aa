"""The zip for students: what is in it, and that it works where it is unpacked."""

import os
import re
import subprocess
import sys
import zipfile

import pytest

from pgcourse.tools.course import ROOT
from pgcourse.tools.student import OWN, contents, pack


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("student")
    pack(folder / "a.zip")
    pack(folder / "b.zip")
    assert (folder / "a.zip").read_bytes() == (folder / "b.zip").read_bytes()
    with zipfile.ZipFile(folder / "a.zip") as file:
        file.extractall(folder)
    return folder / "pgcourse-student"


def test_it_holds_the_course_and_no_solutions(unpacked):
    names = contents()
    assert {"LICENSE", "demo.pkl", "requirements.txt", "pgcourse/agents/ddpg.py"} <= set(names)
    for own in ("README.md", "Makefile", "venv.mk"):
        assert (unpacked / own).read_bytes() == (ROOT / OWN / own).read_bytes()
    assert {f"notebooks/{p.name}" for p in (ROOT / "notebooks").glob("*.ipynb")} <= set(names)
    assert any(name.startswith("notebooks/exercises/") for name in names)
    assert not any("solutions" in name or "TEACHING" in name or name.startswith("tests/")
                   for name in names)  # fmt: skip
    for path in unpacked.rglob("*.ipynb"):
        assert "### BEGIN SOLUTION" not in path.read_text(encoding="utf-8")


FIRST = """
import json, pathlib, pgcourse
print(pgcourse.__file__)
for path in sorted(pathlib.Path().glob("*.ipynb")):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    role = [cell["metadata"].get("nbgrader", {}).get("grade_id", "") for cell in cells]
    last = next(k for k, cell in enumerate(role) if cell.endswith("-check"))
    code = ["".join(c["source"]) for c in cells[: last + 1] if c["cell_type"] == "code"]
    said = "nothing"
    try:
        exec("\\n".join(code), {"__name__": "__main__"})
    except Exception as error:
        said = type(error).__name__
    print(path.stem, "said", said)
"""


def test_the_first_exercise_of_each_notebook_runs_there(unpacked):
    """The cells up to the first check run in that folder, and give a hint: nothing is answered."""
    folder = unpacked / "notebooks" / "exercises"
    environment = os.environ | {"PYTHONPATH": str(unpacked), "MPLBACKEND": "agg"}
    run = subprocess.run([sys.executable, "-c", FIRST], cwd=folder, env=environment,
                         capture_output=True, text=True)  # fmt: skip
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert str(unpacked) in lines[0]
    names = sorted(path.stem for path in (ROOT / "notebooks" / "exercises").glob("*.ipynb"))
    hints = [line for line in lines if " said " in line]
    assert hints == [f"{name} said Hint" for name in names]


def test_what_the_readme_tells_a_student_to_type_is_there(unpacked):
    readme = (unpacked / "README.md").read_text(encoding="utf-8")
    make = (unpacked / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"make ([a-z-]+)", readme):
        assert f"\n{target}:" in make
    for name in re.findall(r"`(notebooks/[\w/.]+)`", readme):
        assert (unpacked / name).exists()
    said = subprocess.run(
        ["make", "--no-print-directory"], cwd=unpacked, capture_output=True, text=True
    ).stdout
    assert [line.split()[0] for line in said.splitlines()] == ["help", "lab", "hand-in", "clean"]
    subprocess.run(["make", "hand-in", f"PYTHON={sys.executable}"], cwd=unpacked, check=True)
    with zipfile.ZipFile(unpacked / "hand-in.zip") as file:
        names = sorted(path.name for path in (ROOT / "notebooks" / "exercises").glob("*.ipynb"))
        assert sorted(file.namelist()) == names


def test_a_hint_is_one_line_on_the_screen_and_names_the_learners_own():
    """In IPython, as in a notebook."""
    code = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell()\n"
        "shell.run_cell('from pgcourse.exercises import ddpg as exercise')\n"
        "shell.run_cell('def half_life_update(a, b, h):\\n    moved = {}\\n    return moved[h]')\n"
        "shell.run_cell('exercise.check_half_life_update(half_life_update)')\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    (line,) = run.stdout.strip().splitlines()
    assert re.fullmatch(
        r"Not yet\. half_life_update raised KeyError: [\d.]+ "
        r"\(line 3 of its cell: return moved\[h\]\)", line
    )  # fmt: skip
