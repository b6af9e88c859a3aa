"""Say what in a student's notebook a teacher should look at before believing its marks."""

import ast
import symtable
from collections.abc import Iterator

import nbformat
from IPython.core.inputtransformer2 import TransformerManager

from pgcourse.exercises.honest import LOOKS

# Ways to another function's variables.
FRAMES = set("gi_frame cr_frame ag_frame tb_frame f_back f_locals f_globals f_builtins".split())
MODULES = set("sys os io gc inspect builtins subprocess importlib ctypes pickle".split())
OFFERED = "imports"  # the cells whose grade_id ends so bind the course's names
# Of an answer that is no test these are plain Python.
CALLED = LOOKS - {"type", "isinstance", "issubclass", "hasattr", "repr", "types", "operator"}
HARMLESS = {"__init__", "__call__", "__len__", "__getitem__", "__name__"}  # as in super().__init__


def role(cell: nbformat.NotebookNode) -> str:
    """Return a cell's name in nbgrader, or nothing."""
    about = cell.metadata.get("nbgrader", {})
    return str(about.get("grade_id", "")) if isinstance(about, dict) else ""


def bound(code: str) -> Iterator[str]:
    """Yield the global names that code binds or deletes, wherever in it; SyntaxError."""
    waiting = [symtable.symtable(code, "cell", "exec")]
    while waiting:
        table = waiting.pop()
        waiting += table.get_children()
        for symbol in table.get_symbols():
            everywhere = table.get_type() == "module" or symbol.is_declared_global()
            if everywhere and (symbol.is_assigned() or symbol.is_imported()):
                yield symbol.get_name()


def root(node: ast.AST) -> str | None:
    """Return the name at the start of `a.b[c].d`, or None."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def parts(code: str, course: set[str]) -> Iterator[str]:
    """Yield what in the code of an answer is worth a look; `course` are the course's names."""
    yield from (f"binds {name} anew" for name in bound(code) if name in course)
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
            for module in modules:
                if module.split(".")[0] in CALLED | {"pgcourse"}:
                    yield f"imports {module}"
        elif isinstance(node, ast.Name):
            if node.id in CALLED - course or node.id.startswith("__"):
                yield f"uses {node.id}"
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name.startswith("__") and node.name not in HARMLESS:
                yield f"defines {node.name}"
        elif isinstance(node, ast.Attribute):
            hidden = node.attr.startswith("__") and node.attr not in HARMLESS
            if hidden or node.attr in FRAMES | MODULES:
                yield f"uses {node.attr}"
            if not isinstance(node.ctx, ast.Load) and (name := root(node)) in course:
                yield f"changes {name}.{node.attr}"
        elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            if root(node) in course:
                yield f"changes {root(node)}"


def flags(submitted: nbformat.NotebookNode, source: nbformat.NotebookNode) -> list[str]:
    """Return what to look at, a sentence each: cells whose code could change or read the checks.

    Args:
        submitted: the student's notebook.
        source: the notebook with the solutions, for the course's names and its check cells.
    """
    given = {role(cell): cell for cell in source.cells if role(cell)}
    course = {
        name for key, cell in given.items() if key.endswith(OFFERED)
        for name in bound(cell.source)
    }  # fmt: skip
    found, seen = [], set()
    for number, cell in enumerate(submitted.cells):
        key = role(cell)
        if key and key in seen:
            found.append(f"cell {number}: {key} stands there twice")
        seen.add(key)
        original = given.get(key)
        if cell.cell_type != "code" or (original and original.source == cell.source):
            continue
        if original and not original.metadata.nbgrader.solution and not key.endswith("-check"):
            found.append(f"cell {number}: {key} was changed")
        try:
            code = TransformerManager().transform_cell(cell.source)  # %time and the like
            what = dict.fromkeys(parts(code, course))
        except (SyntaxError, ValueError, RecursionError):
            what = ["is no Python"]
        found += [f"cell {number}: {key or 'an added cell'} {one}" for one in what]
    asked = [key for key, cell in given.items()
             if cell.metadata.nbgrader.grade or cell.metadata.nbgrader.solution]  # fmt: skip
    return found + [f"{key} is missing" for key in asked if key not in seen]
