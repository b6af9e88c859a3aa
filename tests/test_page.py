import base64
import io
import re

import nbformat
from PIL import Image

from pgcourse.tools.page import page
from pgcourse.tools.slides import MOST, WIDTH, deck, slides_of

TEXT = r"""Inline $\gamma \ge 0$ and a numbered one:

$$y = r + \gamma\,(1 - d)\, Q' \tag{6}$$

Code `$HOME` stays."""


def test_a_page_has_formulas_as_mathml_and_loads_nothing():
    listing = nbformat.v4.new_output("display_data", {"text/markdown": "```python\nx = 1\n```"})
    cells = [nbformat.v4.new_markdown_cell(TEXT), nbformat.v4.new_code_cell("1", outputs=[listing])]
    html = page(nbformat.v4.new_notebook(cells=cells), "04_toy")
    assert html.count("<math") == 2 and "<span>(6)</span>" in html
    text = re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)
    assert r"\gamma" not in text and r"\tag" not in text and "$$" not in text
    assert "<code>$HOME</code>" in html
    assert "<title>04_toy</title>" in html
    assert '<script src="http' not in html
    assert "highlight" in html  # the listing is coloured


def test_a_deck_shows_listings_without_docstrings_and_loads_nothing():
    source = '# pgcourse/toy.py\ndef f(x):\n    """Return x."""\n    return x'
    out = nbformat.v4.new_output("display_data", {"text/markdown": f"```python\n{source}\n```"})
    printed = nbformat.v4.new_output("stream", text="7\n")
    cells = [
        nbformat.v4.new_markdown_cell("# Title\n\nText."),
        nbformat.v4.new_code_cell("import os"),
        nbformat.v4.new_markdown_cell("## 1. Section\n\n" + TEXT),
        nbformat.v4.new_code_cell("show_source(f)", outputs=[out]),
        nbformat.v4.new_code_cell("print(7)", outputs=[printed]),
        nbformat.v4.new_markdown_cell("## 2. Exercises\n\nMany."),
    ]
    (lecture,) = slides_of(nbformat.v4.new_notebook(cells=cells), {1: "do it"})
    html = deck(lecture, "04_toy")
    shown = html.partition('<div class="slides">')[2]
    assert "Return x." not in shown and "show_source" not in shown and "import" not in shown
    assert shown.count("Can you do it?") == 1
    assert "Many." not in shown and shown.count("<math") == 2
    assert 'src="http' not in html and "import mermaid" not in html


def test_a_listing_is_never_cut_and_a_picture_fills_its_slide():
    code = "def f():\n" + "    pass\n" * 35
    out = nbformat.v4.new_output("display_data", {"text/markdown": f"```python\n{code}```"})
    file = io.BytesIO()
    Image.new("RGB", (200, 100)).save(file, "png")
    png = base64.b64encode(file.getvalue()).decode()
    picture = nbformat.v4.new_output("display_data", {"image/png": png})
    cells = [
        nbformat.v4.new_markdown_cell("# Title\n\n" + "Words. " * 200),
        nbformat.v4.new_code_cell("f", outputs=[out, picture]),
    ]
    (lecture,) = slides_of(nbformat.v4.new_notebook(cells=cells))
    title, listed, drawn = lecture.cells
    assert title.source.count("Words.") < 20  # the first sentences only
    assert listed.source.count("pass") == 35 and 'class="long"' in listed.source
    assert drawn.metadata.slideshow.slide_type == "subslide"
    assert drawn.outputs[0].metadata["image/png"]["width"] == WIDTH


def test_a_long_chapter_gives_lectures_of_90_minutes_cut_before_a_section():
    cells = [nbformat.v4.new_markdown_cell(f"## {k}. S\n\nText.") for k in range(1, 101)]
    lectures = slides_of(nbformat.v4.new_notebook(cells=cells))
    assert [len(lecture.cells) for lecture in lectures] == [33, 34, 33]
    assert all(len(lecture.cells) <= MOST for lecture in lectures)
