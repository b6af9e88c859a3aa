import re

import nbformat

from pgcourse.tools.page import page

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
