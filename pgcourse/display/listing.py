"""Live listings: a notebook shows the very code that training calls."""

import ast
import inspect
import textwrap

from IPython.display import display


def show_source(*objects) -> None:
    """Display the source of functions, methods or classes as one Markdown code block.

    A docstring is cut to its first line, and the checks of arguments above a function are left
    out: what stays is what runs, line by line.

    Args:
        objects: things whose Python source can be read.

    Raises:
        TypeError: an object has no Python source.
    """
    blocks, module = [], None
    for thing in objects:
        try:
            source = folded(textwrap.dedent(inspect.getsource(thing)).rstrip())
        except (TypeError, OSError):
            raise TypeError(
                f"objects: got {thing!r}; expected a function, method or class written in Python"
            ) from None
        if thing.__module__ != module:
            module = thing.__module__
            source = f"# {module.replace('.', '/')}.py\n{source}"
        blocks.append(source)
    text = "\n\n\n".join(blocks)
    display({"text/markdown": f"```python\n{text}\n```", "text/plain": text}, raw=True)


def folded(source: str) -> str:
    """Return source as it is read: no checks of arguments, docstrings of one line each."""
    lines = source.splitlines()
    nodes = [node for node in ast.walk(ast.parse(source)) if hasattr(node, "decorator_list")]
    for node in sorted(nodes, key=lambda node: -node.lineno):  # from the end, so that lines stay
        if ast.get_docstring(node) is not None:
            text = node.body[0].value
            first = lines[text.lineno - 1].rstrip()
            if text.end_lineno > text.lineno:
                lines[text.lineno - 1 : text.end_lineno] = [first + '"""']
        for mark in reversed(node.decorator_list):
            if isinstance(mark, ast.Call) and getattr(mark.func, "id", "") == "arguments":
                del lines[mark.lineno - 1 : mark.end_lineno]
    return "\n".join(line.removesuffix("  # fmt: skip") for line in lines)
