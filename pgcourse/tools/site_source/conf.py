"""How Sphinx makes the course's site; called by pgcourse.tools.site."""

from importlib.util import find_spec
from pathlib import Path

from sphinx.util.fileutil import copy_asset

project = "pgcourse"
html_title = "pgcourse"
author = "the pgcourse authors"
copyright = "2026, the pgcourse authors, MIT licence"
extensions = ["myst_nb", "sphinx_design"]
exclude_patterns = []

# The pages show what is committed: nothing is run.
nb_execution_mode = "off"
nb_code_prompt_show, nb_code_prompt_hide = "Show the code", "Hide the code"
nb_ipywidgets_js = {}  # no scripts from elsewhere; a widget's place is taken by its picture
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
myst_heading_anchors = 3
suppress_warnings = ["mystnb.unknown_mime_type", "myst.header"]

html_theme = "sphinx_book_theme"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_js_files = ["custom.js"]
html_favicon = "_static/favicon.svg"
html_context = {"default_mode": "auto"}
html_sidebars = {"**": ["navbar-logo.html", "search-field.html", "sbt-sidebar-nav.html"]}
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navbar_persistent": [],
    "use_download_button": False,
    "use_fullscreen_button": False,
    "show_toc_level": 2,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
language = "en"

mathjax_path = "mathjax/tex-chtml.js"
mathjax3_config = {"options": {"enableMenu": False}}


def copy_mathjax(app, error):
    """Serve the formulas' script and fonts with the pages: two of the package's many files."""
    if error is None:
        source = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
        out = Path(app.outdir) / "_static" / "mathjax"
        copy_asset(source / "tex-chtml.js", out)
        copy_asset(source / "output" / "chtml" / "fonts", out / "output" / "chtml" / "fonts")


def setup(app):
    """Called by Sphinx."""
    app.connect("build-finished", copy_mathjax)
