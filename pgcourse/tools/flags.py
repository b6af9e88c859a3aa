"""Say what in a student's notebook a teacher should look at before believing its marks."""

import ast
from collections.abc import Iterator

import nbformat

from pgcourse.exercises.honest import LOOKS

OFFERED = "imports"  # the cells whose grade_id ends so bind the course's names
OWN_METHODS = {"__init__", "__call__", "__len__", "__getitem__", "__iter__", "__next__"}
OWN_METHODS |= {"__name__", "__main__", "__version__", "__repr__", "__enter__", "__exit__"}
PLAIN = {"type", "isinstance", "issubclass", "hasattr", "repr", "types", "operator", "copy"}
CALLED = LOOKS - PLAIN


def role(cell: nbformat.NotebookNode) -> str:
    """Return a cell's name in nbgrader, or nothing."""
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")


def bound(tree: ast.AST) -> Iterator[str]:
    """Yield the names that a cell binds at its top level."""
    for node in getattr(tree, "body", []):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name).split(".")[0] for alias in node.names)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        else:
            yield from (
                name.id for name in ast.walk(node)
                if isinstance(name, ast.Name) and not isinstance(name.ctx, ast.Load)
            )  # fmt: skip


def root(node: ast.AST) -> str | None:
    """Return the name at the start of `a.b[c].d`, or None."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def parts(tree: ast.AST, course: set[str]) -> Iterator[str]:
    """Yield what in the code of an answer is worth a look; `course` are the course's names."""
    yield from (f"binds {name} anew" for name in bound(tree) if name in course)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
            for module in modules:
                if module.split(".")[0] in CALLED | {"pgcourse"}:
                    yield f"imports {module}"
        elif isinstance(node, ast.Global) and course & set(node.names):
            yield f"binds {', '.join(course & set(node.names))} anew"
        elif isinstance(node, ast.Name):
            if node.id in CALLED - course or node.id.startswith("__"):
                yield f"uses {node.id}"
        elif isinstance(node, ast.Attribute):
            if node.attr.startswith("__") and node.attr not in OWN_METHODS:
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
        for name in bound(ast.parse(cell.source))
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
            tree = ast.parse(cell.source)
        except SyntaxError:  # a magic, or an answer that does not run: no marks to doubt
            continue
        what = dict.fromkeys(parts(tree, course))
        found += [f"cell {number}: {key or 'an added cell'} {one}" for one in what]
    return found + [f"{key} is missing" for key in given if key not in seen]
