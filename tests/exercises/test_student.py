"""The zip for students: what is in it, and that it works where it is unpacked."""

import json
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


@pytest.mark.parametrize("name", [p.stem for p in (ROOT / "notebooks" / "exercises").glob("*")])
def test_the_first_exercise_runs_there(unpacked, name):
    """The cells up to the first check run in that folder, and give a hint: nothing is answered."""
    path = unpacked / "notebooks" / "exercises" / f"{name}.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    role = [cell["metadata"].get("nbgrader", {}).get("grade_id", "") for cell in cells]
    last = next(k for k, cell in enumerate(role) if cell.endswith("-check"))
    code = "\n".join("".join(c["source"]) for c in cells[: last + 1] if c["cell_type"] == "code")
    environment = os.environ | {"PYTHONPATH": str(unpacked), "MPLBACKEND": "agg"}
    code = f"import pgcourse; print(pgcourse.__file__)\n{code}"
    run = subprocess.run([sys.executable, "-c", code], cwd=path.parent, env=environment,
                         capture_output=True, text=True)  # fmt: skip
    assert str(unpacked) in run.stdout.splitlines()[0]
    assert run.stderr.splitlines()[-1].startswith("AssertionError: "), run.stderr
