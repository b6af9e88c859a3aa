"""An HTML page of a notebook that reads the same without a network."""

import re

import nbformat
from jinja2 import pass_context
from latex2mathml.converter import convert
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

STYLE = """<style>
.jp-RenderedMarkdown pre, .jp-RenderedMarkdown pre * { font-family: monospace; }
.jp-RenderedMarkdown pre { overflow-x: auto; }
.equation { display: flex; justify-content: space-between; margin: 1em 0;
  overflow: auto hidden; padding: 2px; }
.equation math { margin: 0 auto; }
.jp-RenderedImage img { max-width: 100%; }
</style>"""


class MathMLRenderer(IPythonRenderer):
    """Formulas become MathML, which browsers draw without a script."""

    def inline_math(self, body: str) -> str:
        """Convert a formula in a line of text."""
        return convert(body)

    def block_math(self, body: str) -> str:
        """Convert a formula on a line of its own, with its number at the right."""
        number = re.search(r"\\tag\{(.+?)\}", body)
        formula = convert(re.sub(r"\\tag\{.+?\}", "", body), display="block")
        label = f"<span>({number[1]})</span>" if number else ""
        return f'<div class="equation">{formula}{label}</div>'

    multiline_math = block_math


class MathMLPages:
    """For an exporter of nbconvert's: formulas become MathML, and need no script."""

    @pass_context
    def markdown2html(self, context, source: str) -> str:
        """Convert Markdown with formulas to HTML."""
        return MarkdownWithMath(renderer=MathMLRenderer(escape=False)).render(source)


class PageExporter(MathMLPages, HTMLExporter):
    """nbconvert's page, with formulas as MathML."""


def page(notebook: nbformat.NotebookNode, title: str) -> str:
    """Return the HTML page of an executed notebook."""
    html, _ = PageExporter(template_name="lab").from_notebook_node(
        notebook, resources={"metadata": {"name": title}}
    )
    html = re.sub(r'<script[^>]*\bsrc="https?:[^>]*>\s*</script>', "", html)
    return html.replace("</head>", STYLE + "</head>", 1)
