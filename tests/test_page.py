import re

import nbformat

from pgcourse.tools.page import page
from pgcourse.tools.slides import CODE_LINES, deck, listing

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
    html = deck(nbformat.v4.new_notebook(cells=cells), "04_toy")
    shown = html.partition('<div class="slides">')[2]
    assert "Return x." not in shown and "show_source" not in shown and "import" not in shown
    assert "Many." not in shown and shown.count("<math") == 2
    assert 'src="http' not in html and "import mermaid" not in html


def test_a_long_listing_is_cut_before_a_function():
    functions = [f"def f{k}():\n" + "    pass\n" * 9 for k in range(5)]
    found = list(listing("".join(functions)))
    assert "\n".join(found).count("pass") == 45
    for part in found:
        assert part.startswith("def") and len(part.splitlines()) <= CODE_LINES
