"""The public address, and the first cell in a pretended Colab."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pgcourse.tools.publish import UNPUBLISHED, publish

ROOT = Path(__file__).parents[1]
NAMES = [path.stem for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))]
PAGES = [*NAMES, "own_task"]
EXERCISES = [f"exercises/{name}" for name in (*NAMES, "bugs")]


def first_cell(root, name="03_ddpg"):
    notebook = json.loads((root / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))
    return "".join(next(c for c in notebook["cells"] if c["cell_type"] == "code")["source"])


@pytest.fixture
def course(tmp_path):
    """A copy of the course, as a git repository."""
    if shutil.which("git") is None:
        pytest.skip("needs git")
    root = tmp_path / "origin"
    for name in ("pgcourse", "notebooks"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "README.md", root)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "course"]):
        subprocess.run([*git, *command], cwd=root, check=True)
    return root


def test_publish_writes_one_address_everywhere_and_takes_it_back(course):
    before = {path: path.read_bytes() for path in course.rglob("*") if path.suffix != ".pyc"
              and path.is_file() and ".git" not in path.parts}  # fmt: skip
    publish(course, "somebody/pgcourse")
    for name in PAGES + EXERCISES:
        assert 'COURSE = "https://github.com/somebody/pgcourse"' in first_cell(course, name)
    readme = (course / "README.md").read_text(encoding="utf-8")
    assert readme.count("/github/somebody/pgcourse/blob/main/notebooks/") == len(PAGES)
    assert UNPUBLISHED not in readme
    publish(course, "")
    assert {path: path.read_bytes() for path in before} == before


def test_a_bad_address_is_refused_and_nothing_is_written(course):
    before = (course / "notebooks" / "03_ddpg.ipynb").read_bytes()
    with pytest.raises(ValueError, match="^repo: got 'https://x'; expected owner/name"):
        publish(course, "https://x")
    assert (course / "notebooks" / "03_ddpg.ipynb").read_bytes() == before


def test_the_first_cells_are_the_same_and_short():
    for names in (PAGES, EXERCISES):
        cells = {first_cell(ROOT, name) for name in names}
        assert len(cells) == 1
        assert cells.pop().count("\n") < 12


def colab(folder, cell, again=False):
    """Run the first cell, twice if asked, where `google.colab` is loaded; print where it ends."""
    code = (
        "import sys, types\n"
        "sys.modules['google.colab'] = types.ModuleType('google.colab')\n"
        f"cell = {cell!r}\n"
        + "exec(cell)\n" * (2 if again else 1)
        + "import pgcourse\nprint(pgcourse.__file__)\nprint(os.getcwd())"
    )
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=env, capture_output=True, text=True
    )


@pytest.mark.parametrize("name", ["03_ddpg", "exercises/bugs"])
@pytest.mark.parametrize("again", [False, True])
def test_in_colab_it_fetches_the_course_and_moves_to_the_notebooks(course, tmp_path, again, name):
    content = tmp_path / "content"
    content.mkdir()
    cell = first_cell(course, name).replace('COURSE = ""', f'COURSE = "{course}"')
    for _ in range(2):  # a restarted kernel finds the folder of the first
        done = colab(content, cell, again)
        assert done.returncode == 0, done.stderr
        module, where = done.stdout.splitlines()[-2:]
        assert Path(module) == content / "pgcourse" / "pgcourse" / "__init__.py"
        assert Path(where) == (content / "pgcourse" / "notebooks" / name).parent


def test_without_network_it_says_what_to_do(tmp_path):
    cell = first_cell(ROOT).replace('COURSE = ""', 'COURSE = "/no/such/course"')
    done = colab(tmp_path, cell)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("RuntimeError: Could not fetch the course") and last.endswith(".")


@pytest.mark.parametrize("name", ["03_ddpg", "exercises/bugs"])
def test_outside_colab_it_does_nothing(tmp_path, name):
    code = f"exec({first_cell(ROOT, name)!r})\nprint(os.getcwd())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.strip() == str(tmp_path) and list(tmp_path.iterdir()) == []
