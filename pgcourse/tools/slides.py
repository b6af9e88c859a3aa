"""Make decks of slides, one for each lesson of 90 minutes: `python -m pgcourse.tools.slides`.

The decks come from the same notebooks and their stored outputs, by the rules in `slides_of`;
the questions to the class are the chapters' goals. They load nothing from another host.
"""

import argparse
import base64
import io
import itertools
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

from pgcourse.tools import chapters
from pgcourse.tools.course import NUMBERED, ROOT
from pgcourse.tools.page import MathMLPages

OUT = ROOT / "build" / "slides"
WIDTH, HEIGHT, LINE, ROW, CODE_LINE, CODE_LINES = 1170, 660, 38, 31, 23, 26  # pixels; lines
MOST = 45  # slides for 90 minutes
LEFT_OUT = ("Exercises", "References", "Seeds and hyper-parameters", "What next")
DOCSTRING = re.compile(r'\n +"""(?:.*?)"""', re.DOTALL)
SENTENCE = re.compile(r"(?<=[.?!])(?<!Eq\.)(?<!Eqs\.)(?<!al\.)(?<!Fig\.)(?<!p\.) (?=[A-Z*`$\[])")
HIDE = {"tags": ["remove-input"]}
STYLE = """<link rel="icon" href="data:,">
<style>
.reveal { font-size: 28px; }
.reveal h1 { font-size: 1.9em; } .reveal h2 { font-size: 1.5em; }
.reveal h1, .reveal h2, .reveal h3 { text-transform: none; }
.reveal .slides { text-align: left; }
.reveal pre, .reveal .jp-RenderedText pre { font-size: 17px; line-height: 1.35; width: 100%;
  box-shadow: none; }
.reveal .jp-RenderedImage img { max-width: none; max-height: none; margin: 0; }
.reveal table { font-size: 19px; }
.reveal p, .reveal ul { margin: 0.5em 0; }
.reveal .equation { display: flex; justify-content: space-between; font-size: 1.1em; }
.reveal .equation math { margin: 0 auto; }
.reveal .jp-Cell { padding: 0; }
.reveal .long pre { font-size: 14px; line-height: 1.3; }
.reveal .ask { border-left: 6px solid #0072b2; padding-left: 1em; margin-top: 1em; }
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
    ratio: float = 0.0  # of a picture: height to width; it may be smaller to stay with its text


def slides_of(notebook: NotebookNode, goals: dict[int, str] | None = None) -> list[NotebookNode]:
    """Return the notebook as it is shown in lectures: one notebook for each of them.

    A section is a column of slides and ends with a question to the class. Of a paragraph the
    first sentence is shown. Listings lose their docstrings and are not cut; a picture is as
    large as its slide allows. Code that only draws a picture is left out, and so are cells that
    show nothing. A chapter with more slides than a lecture holds is cut before a section.

    Args:
        goals: for numbers of sections, what a reader can do after them.
    """
    cells, used = [], HEIGHT
    for cell, height, section, ratio in pieces(notebook, goals or {}):
        if ratio:
            room = HEIGHT - used if used + 0.7 * height <= HEIGHT else HEIGHT
            height = min(height, room)
            width = round((height - 20) / ratio)
            cell.outputs[0]["metadata"] = {"image/png": {"width": width}}
        fits = used + height <= HEIGHT and not section
        kind = "-" if fits else "slide" if section else "subslide"
        cell.metadata["slideshow"] = {"slide_type": kind}
        cells.append(cell)
        used = height + (used if fits else 0)
    kinds = [cell.metadata["slideshow"]["slide_type"] for cell in cells]
    count = sum(kind != "-" for kind in kinds)
    starts = [k for k, kind in enumerate(kinds) if kind == "slide"]
    lectures = -(-count // MOST)
    cuts = [0]
    for lecture in range(1, lectures):
        wanted = count * lecture / lectures
        cuts.append(min(starts, key=lambda k: abs(sum(kind != "-" for kind in kinds[:k]) - wanted)))
    return [
        nbformat.v4.new_notebook(cells=cells[begin:end], metadata=notebook.metadata)
        for begin, end in itertools.pairwise([*cuts, len(cells)])
    ]


def pieces(notebook: NotebookNode, goals: dict[int, str]) -> Iterator[Piece]:
    """Yield what is shown of a notebook."""
    skipping, number = False, 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            if heading := re.match(r"##? (?:(\d+)\. )?(.+)", cell.source):
                yield from question(goals.get(number))
                number = int(heading[1] or 0)
                skipping = any(name in heading[2] for name in LEFT_OUT)
            if not skipping:
                yield from prose(cell.source)
        elif not skipping:
            yield from shown(cell)


def question(goal: str | None) -> Iterator[Piece]:
    """Yield a slide for the class: can you do what this section was for?"""
    if goal:
        text = f'<div class="ask">\n\n**To the class.** Can you {goal}?\n\n</div>'
        yield Piece(nbformat.v4.new_markdown_cell(text), 150 + LINE * (len(goal) // 80))


def prose(text: str) -> Iterator[Piece]:
    """Yield Markdown block by block, paragraphs by their first sentence.

    A heading stays with what follows it.
    """
    blocks = [shortened(block) for block in re.split(r"\n\n+", text.strip())]
    if blocks[0].startswith("#") and len(blocks) > 1:
        blocks[:2] = ["\n\n".join(blocks[:2])]
    for block in blocks:
        yield Piece(
            nbformat.v4.new_markdown_cell(block), tall(block), block.startswith(("# ", "## "))
        )


def tall(block: str) -> int:
    """Return about how high a block of Markdown will be, in pixels."""
    height = 20 + 40 * block.startswith("#")
    for k, part in enumerate(block.split("$$")):
        if k % 2:
            height += 60 * (1 + part.count(r"\\"))
        else:
            row = ROW if part.startswith("|") else LINE
            height += sum(row * (1 + len(line) // 90) for line in part.splitlines() if line)
    return height


def shortened(block: str) -> str:
    """Return a paragraph's first sentence, or two if that is short; other blocks as they are."""
    if "$$" in block or not re.match(r"\*\*|[\w$`]", block):
        return block
    sentences = SENTENCE.split(block)
    short = sentences[0]
    for sentence in sentences[1:]:
        if len(short) > 90:
            break
        short += " " + sentence
    return short


def shown(cell: NotebookNode) -> Iterator[Piece]:
    """Yield a cell's listings and pictures, and what a short cell printed, with the cell."""
    printed = [output for output in cell.outputs if output.output_type == "stream"]
    for output in cell.outputs:
        data = output.get("data", {})
        if "text/markdown" in data:
            code = listing(re.sub(r"^```python\n|\n```$", "", data["text/markdown"]))
            lines, text = len(code.splitlines()), f"```python\n{code}\n```"
            if lines > CODE_LINES:
                text = f'<div class="long">\n\n{text}\n\n</div>'
            yield Piece(nbformat.v4.new_markdown_cell(text), min(HEIGHT, CODE_LINE * lines + 40))
        elif "image/png" in data:
            width, height = Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).size
            ratio = height / width
            made = nbformat.v4.new_code_cell("", outputs=[output], metadata=HIDE)
            yield Piece(made, round(min(HEIGHT, WIDTH * ratio + 20)), ratio=ratio)
    if printed:
        text = "".join(output.text for output in printed)
        lines = sum(1 + len(line) // 110 for line in text.splitlines())  # long ones are wrapped
        code = len(cell.source.splitlines())
        hide = CODE_LINE * (code + lines) + 60 > HEIGHT or code > 16
        source = "" if hide else cell.source
        lines += 0 if hide else code
        made = nbformat.v4.new_code_cell(
            source, outputs=[nbformat.v4.new_output("stream", text=text)],
            metadata=HIDE if hide else {},
        )  # fmt: skip
        yield Piece(made, CODE_LINE * lines + 60)


def listing(text: str) -> str:
    """Return a listing without its docstrings and empty lines at the ends."""
    return DOCSTRING.sub("", text).strip("\n")


class Deck(MathMLPages, SlidesExporter):
    """nbconvert's slides, with formulas as MathML."""


def deck(notebook: NotebookNode, title: str) -> str:
    """Return the page of a lecture's slides; reveal.js is expected beside it, in reveal/."""
    config = Config()
    config.SlidesExporter.reveal_url_prefix = "reveal"
    config.SlidesExporter.reveal_theme = "white"
    config.TagRemovePreprocessor.remove_input_tags = {"remove-input"}
    config.TagRemovePreprocessor.enabled = True
    exporter = Deck(config=config, exclude_input_prompt=True, exclude_output_prompt=True)
    html, _ = exporter.from_notebook_node(notebook, resources={"metadata": {"name": title}})
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
        goals = chapters.read(path).goal_after()
        for k, lecture in enumerate(slides_of(nbformat.read(path, as_version=4), goals), start=1):
            made.append(out / f"{path.stem}_{k}.html")
            made[-1].write_text(deck(lecture, f"{path.stem}, part {k}"), encoding="utf-8")
    return made


def main() -> int:
    """Make the decks and say where they are."""
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    print(*(path.relative_to(ROOT) for path in build()), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
