"""The shape of the project: who imports whom, how long files are."""

import ast
from pathlib import Path

import pgcourse

ROOT = Path(__file__).parents[1]

# From the ground up: a file may import only files of a line above its own.
LAYERS = [
    {"checks", "files", "history", "listing"},
    {
        "seeding",
        "buffer",
        "noise",
        "networks",
        "envs",
        "goals",
        "equations",
        "normalize",
        "optim",
        "plotting",
    },
    {"evaluation", "explore", "video", "study", "demos", "checkpoint", "compiled", "her"},
    {"training", "optimal", "robot"},
    {"ddpg"},
    {"bc", "her_agent"},
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
    assert {name: n for name, n in lines.items() if n > 225} == {}
    assert sum(lines.values()) <= 2_960


def test_public_names_exist_and_have_docstrings():
    for name in pgcourse.__all__:
        assert getattr(pgcourse, name).__doc__, name
