"""Live listings: a notebook shows the very code that training calls."""

import inspect
import textwrap

from IPython.display import display


def show_source(*objects) -> None:
    """Display the source of functions, methods or classes as one Markdown code block.

    Args:
        objects: things whose Python source can be read.

    Raises:
        TypeError: an object has no Python source.
    """
    blocks, module = [], None
    for thing in objects:
        try:
            source = textwrap.dedent(inspect.getsource(thing)).rstrip()
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
