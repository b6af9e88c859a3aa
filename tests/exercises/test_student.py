"""The zip for students: what is in it, and that it works where it is unpacked."""

import os
import subprocess
import sys
import zipfile

import pytest

from pgcourse.tools.course import ROOT
from pgcourse.tools.student import contents, pack


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
    assert {"README.md", "demo.pkl", "Makefile", "pgcourse/agents/ddpg.py"} <= set(names)
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
    assert hints == [f"{name} said AssertionError" for name in names]
