"""The shape of the project: who imports whom, how long files are."""

import ast
import re
from pathlib import Path

import pgcourse

ROOT = Path(__file__).parents[1]
MODULE = ROOT / "pgcourse"
# From the ground up: a room imports only itself and rooms before it.
ROOMS = ["checks", "files", "parts", "tasks", "display", "runs", "agents", "__init__"]
ROOMS += ["studies", "exercises", "tools"]


def imports(path):
    """The modules of pgcourse that a file imports, at any depth of its code, as dotted names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path.name} uses a relative import"
            if node.module.partition(".")[0] == "pgcourse":
                for alias in node.names:
                    deeper = f"{node.module}.{alias.name}"
                    yield deeper if source(deeper) else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("pgcourse"))


def source(name):
    """The file of a dotted name, or None."""
    path = ROOT / Path(*name.split("."))
    for found in (path.with_suffix(".py"), path / "__init__.py"):
        if found.exists():
            return found
    return None


def files():
    return sorted(p for p in MODULE.rglob("*.py") if "site_source" not in p.parts)


def room(path):
    return path.relative_to(MODULE).parts[0].removesuffix(".py")


def test_a_room_imports_only_rooms_before_it():
    assert {room(path) for path in files()} == set(ROOMS)
    for path in files():
        for name in imports(path):
            other = room(source(name))
            assert ROOMS.index(other) <= ROOMS.index(room(path)), f"{path} imports {name}"


def test_no_two_files_import_each_other_in_a_circle():
    arrows = {path: {source(name) for name in imports(path)} - {path} for path in files()}
    while arrows:
        ends = [path for path, to in arrows.items() if not to & set(arrows)]
        assert ends, f"in a circle: {sorted(arrows)}"
        for path in ends:
            del arrows[path]


def test_what_a_learner_reads_stays_small():
    lines = {p.name: p.read_text(encoding="utf-8").count("\n") for p in files()
             if room(p) not in ("exercises", "tools")}  # fmt: skip
    assert {name: n for name, n in lines.items() if n > 250} == {}


def test_public_names_exist_and_have_docstrings():
    assert len(pgcourse.__all__) == len(set(pgcourse.__all__)) < 48
    for name in pgcourse.__all__:
        assert getattr(pgcourse, name).__doc__, name


def test_the_readmes_table_names_every_file_of_the_module():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text[text.index("## The module") :].partition("\n```")[0]
    named = {}
    for line in table.splitlines():
        if found := re.match(r"\| `([\w/]+)/`", line):
            named[found[1]] = set(re.findall(r"`(\w+)\.py`", line))
        elif line.startswith("| `checks.py`"):
            named[""] = set(re.findall(r"`(\w+)\.py`", line.split("|")[1]))
    for place in ("", "parts", "tasks", "display", "runs", "agents", "studies"):
        there = {p.stem for p in (MODULE / place).glob("*.py")} - {"__init__"}
        assert named[place] == there, place
