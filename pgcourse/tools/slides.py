"""Make a deck of slides of each chapter: `python -m pgcourse.tools.slides`, to build/slides/.

The decks come from the same notebooks and their stored outputs, by the rules in `slides_of`.
They load nothing from another host.
"""

import argparse
import base64
import io
import re
import shutil
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbconvert import SlidesExporter
from nbformat import NotebookNode
from PIL import Image
from traitlets.config import Config

from pgcourse.tools.course import NUMBERED, ROOT
from pgcourse.tools.page import MathMLPages

OUT = ROOT / "build" / "slides"
HEIGHT, LINE, CODE_LINE, CODE_LINES = 640, 40, 23, 26  # of a slide, in pixels; and lines of code
LEFT_OUT = ("Exercises", "References", "Seeds and hyper-parameters")
DOCSTRING = re.compile(r'\n +"""(?:.*?)"""', re.DOTALL)
HIDE = {"tags": ["remove-input"]}
STYLE = """<link rel="icon" href="data:,">
<style>
.reveal { font-size: 28px; }
.reveal h1 { font-size: 1.9em; } .reveal h2 { font-size: 1.5em; }
.reveal h1, .reveal h2, .reveal h3 { text-transform: none; }
.reveal .slides { text-align: left; }
.reveal pre, .reveal .jp-RenderedText pre { font-size: 17px; line-height: 1.35; width: 100%;
  box-shadow: none; }
.reveal .jp-RenderedImage img { zoom: 1.35; max-height: 380px; max-width: 100%; width: auto; }
.reveal table { font-size: 19px; }
.reveal p, .reveal ul { margin: 0.5em 0; }
.reveal .equation { display: flex; justify-content: space-between; font-size: 1.1em; }
.reveal .equation math { margin: 0 auto; }
.reveal .jp-Cell { padding: 0; }
</style>"""
START = """<script src="reveal/dist/reveal.js"></script>
<script>Reveal.initialize({width: 1280, height: 720, margin: 0.04, center: false,
  hash: true, slideNumber: "c/t", transition: "none", controlsTutorial: false});</script>
</html>"""


class Piece(NamedTuple):
    """Something that stands on a slide, and the height that it will take, in pixels."""

    cell: NotebookNode
    height: int
    section: bool = False  # begins a section


def slides_of(notebook: NotebookNode) -> NotebookNode:
    """Return the notebook as it is shown in a lecture.

    A section is a column of slides. Listings lose their docstrings; code that only draws a
    picture is left out, and so are cells that show nothing. Slides are filled from the top.
    """
    cells, used = [], 0
    for cell, height, section in pieces(notebook):
        fits = used + height <= HEIGHT and not section
        kind = "-" if fits else "slide" if section else "subslide"
        cell.metadata["slideshow"] = {"slide_type": kind}
        cells.append(cell)
        used = height + (used if fits else 0)
    return nbformat.v4.new_notebook(cells=cells, metadata=notebook.metadata)


def pieces(notebook: NotebookNode) -> Iterator[Piece]:
    """Yield what is shown of a notebook."""
    skipping = False
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            if heading := re.match(r"##? (?:\d+\. )?(.+)", cell.source):
                skipping = any(name in heading[1] for name in LEFT_OUT)
            if not skipping:
                yield from prose(cell.source)
        elif not skipping:
            for output in cell.outputs:
                yield from shown(cell, output)


def prose(text: str) -> Iterator[Piece]:
    """Yield Markdown block by block; a heading stays with what follows it."""
    blocks = re.split(r"\n\n+", text.strip())
    if blocks[0].startswith("#") and len(blocks) > 1:
        blocks[:2] = ["\n\n".join(blocks[:2])]
    for block in blocks:
        lines = sum(1 + len(line) // 95 for line in block.splitlines() if line)
        height = LINE * lines + 20 + 50 * block.count("$$") + 40 * block.startswith("#")
        yield Piece(nbformat.v4.new_markdown_cell(block), height, block.startswith(("# ", "## ")))


def shown(cell: NotebookNode, output: NotebookNode) -> Iterator[Piece]:
    """Yield an output: a listing, a picture, or what a short cell printed, with the cell."""
    data = output.get("data", {})
    if "text/markdown" in data:
        for piece in listing(re.sub(r"^```python\n|\n```$", "", data["text/markdown"])):
            height = CODE_LINE * len(piece.splitlines()) + 40
            yield Piece(nbformat.v4.new_markdown_cell(f"```python\n{piece}\n```"), height)
    elif "image/png" in data:
        picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
        height = min(513, round(1.35 * picture.height)) + 20
        yield Piece(nbformat.v4.new_code_cell("", outputs=[output], metadata=HIDE), height)
    elif output.output_type == "stream":
        lines = len(cell.source.splitlines()) + len(output.text.splitlines())
        hide = CODE_LINE * lines + 60 > HEIGHT or len(cell.source.splitlines()) > 16
        source = "" if hide else cell.source
        lines = len(source.splitlines()) + sum(
            1 + len(line) // 110 for line in output.text.splitlines()
        )
        made = nbformat.v4.new_code_cell(source, outputs=[output], metadata=HIDE if hide else {})
        yield Piece(made, CODE_LINE * lines + 60)


def listing(text: str) -> Iterator[str]:
    """Yield a listing without its docstrings, in parts of at most CODE_LINES lines."""
    lines = DOCSTRING.sub("", text).splitlines()
    while len(lines) > CODE_LINES:  # cut before the last function that fits, if there is one
        starts = [
            k for k in range(5, CODE_LINES) if re.match(r" *(?:def|class|@|# pgcourse)", lines[k])
        ]
        cut = starts[-1] if starts else CODE_LINES
        while cut > 5 and re.match(r" *(?:class|@|# pgcourse)", lines[cut - 1]):
            cut -= 1  # what belongs to the next part
        yield "\n".join(lines[:cut]).strip("\n")
        lines = lines[cut:]
    yield "\n".join(lines).strip("\n")


class Deck(MathMLPages, SlidesExporter):
    """nbconvert's slides, with formulas as MathML."""


def deck(notebook: NotebookNode, title: str) -> str:
    """Return the page of a chapter's slides; reveal.js is expected beside it, in reveal/."""
    config = Config()
    config.SlidesExporter.reveal_url_prefix = "reveal"
    config.SlidesExporter.reveal_theme = "white"
    config.TagRemovePreprocessor.remove_input_tags = {"remove-input"}
    config.TagRemovePreprocessor.enabled = True
    exporter = Deck(config=config, exclude_input_prompt=True, exclude_output_prompt=True)
    html, _ = exporter.from_notebook_node(
        slides_of(notebook), resources={"metadata": {"name": title}}
    )
    html = re.sub(r'<script[^>]*\bsrc="https?:[^>]*>\s*</script>', "", html)
    html = re.sub(r'<script type="module">.*?</script>', "", html, flags=re.DOTALL)
    html = html[: html.rindex("<script>\nrequire(")] + START
    return html.replace("</head>", STYLE + "</head>", 1)


def build(out: Path = OUT) -> list[Path]:
    """Write the decks, and reveal.js beside them; return their paths."""
    shutil.rmtree(out, ignore_errors=True)
    reveal = Path(find_spec("sphinx_revealjs").origin).parent / "_static" / "revealjs"
    dist = out / "reveal" / "dist"
    shutil.copytree(reveal / "dist" / "theme" / "fonts", dist / "theme" / "fonts")
    for name in ("reveal.js", "reveal.css", "theme/white.css"):
        shutil.copy(reveal / "dist" / name, dist / name)
    made = []
    for path in sorted((ROOT / "notebooks").glob(NUMBERED)):
        html = deck(nbformat.read(path, as_version=4), path.stem)
        made.append(out / f"{path.stem}.html")
        made[-1].write_text(html, encoding="utf-8")
    return made


def main() -> int:
    """Make the decks and say where they are."""
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    print(*(path.relative_to(ROOT) for path in build()), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
