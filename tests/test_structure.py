"""The shape of the project: who imports whom, how long files are, what notebooks store."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

import pgcourse

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))

# From the ground up: a file may import only files of a line above its own.
LAYERS = [
    {"checks", "files", "history", "listing"},
    {"seeding", "buffer", "noise", "networks", "envs", "equations", "plotting"},
    {"evaluation", "video", "study", "demos", "checkpoint"},
    {"training"},
    {"ddpg"},
    {"bc"},
    {"__init__"},
]


def imports(path):
    """The files of pgcourse that a file imports, at any depth of its code."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            parts = node.module.split(".")
            if parts[0] == "pgcourse":
                yield from parts[1:2] or [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level:
            raise AssertionError(f"{path.name} uses a relative import")
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("pgcourse"):
                    yield alias.name.partition(".")[2]


def test_every_file_imports_only_files_below_it():
    level = {name: k for k, names in enumerate(LAYERS) for name in names}
    files = {path.stem: path for path in (ROOT / "pgcourse").glob("*.py")}
    assert set(files) == set(level)
    for name, path in files.items():
        for other in imports(path):
            assert level[other] < level[name], f"{name} imports {other}"


def test_what_a_learner_reads_stays_small():
    lines = {path.name: path.read_text().count("\n") for path in (ROOT / "pgcourse").glob("*.py")}
    assert {name: n for name, n in lines.items() if n > 210} == {}
    assert sum(lines.values()) <= 1_750


def test_public_names_exist_and_have_docstrings():
    for name in pgcourse.__all__:
        assert getattr(pgcourse, name).__doc__, name


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_committed_notebook_is_one_clean_run(path):
    nb = nbformat.read(path, as_version=4)
    nbformat.validate(nb)
    assert nb.metadata.kernelspec.name == "python3"
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [out for cell in code for out in cell.outputs if out.output_type == "error"]
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"/(home|root|Users|work|tmp|opt)/\w|[A-Z]:\\\\Users", text)
    assert len(text) < 3_000_000


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_code_cells_are_short_and_pictures_have_a_text(path):
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        lines = [line for line in cell.source.splitlines() if line.strip()]
        assert len(lines) <= 18, cell.source
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                assert output.metadata["image/png"]["alt"], cell.source
