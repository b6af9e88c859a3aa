"""Build the course as a static site: `python -m pgcourse.tools.site`, to build/site/.

Nothing is run: the pages show the committed outputs. They load nothing from another host.
With --serve the site is shown on this machine.
"""

import argparse
import functools
import http.server
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image

from pgcourse.tools import chapters
from pgcourse.tools.course import ROOT, pages
from pgcourse.tools.lighten import lighten

SOURCE = Path(__file__).parent / "site_source"
OUT = ROOT / "build" / "site"
# The playable pendulum stands before this heading of chapter 03; the notebook knows nothing of it.
PLAY_BEFORE = re.compile(r"## \d+\. What the critic believes")
FORMULA = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)


def one_equation(found: re.Match) -> str:
    """Keep Sphinx from splitting a formula that has lines of its own, such as cases."""
    formula = found[1].strip()
    return f"\\begin{{equation*}}\n{formula}\n\\end{{equation*}}" if r"\\" in formula else found[0]


def play() -> str:
    """Return the Markdown that puts the playable pendulum on a page."""
    return f"```{{raw}} html\n{(SOURCE / 'play.html').read_text(encoding='utf-8')}```\n"


def play_files(static: Path) -> None:
    """Write what the playable pendulum loads, and the picture that stands there without it."""
    for name in ("play.js", "play.css"):
        shutil.copy(SOURCE / name, static)
    (static / "play").mkdir()
    for path in (SOURCE / "play").glob("*.json"):
        script = f"Play.data.{path.stem} = {path.read_text(encoding='utf-8')}"
        (static / "play" / f"{path.stem}.js").write_text(script, encoding="utf-8")
    with Image.open(ROOT / "notebooks" / "03_ddpg.png") as film:  # its first picture is a poster
        film.save(static / "play.png")


def prepare(path: Path) -> str:
    """Return a notebook's text, with alternative texts and formulas as Sphinx wants them."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = FORMULA.sub(one_equation, "".join(cell["source"]))
            if PLAY_BEFORE.match(cell["source"]):
                invited = (SOURCE / "play_03.md").read_text(encoding="utf-8")
                cell["source"] = f"{invited}\n{play()}\n{cell['source']}"
        for output in cell.get("outputs", []):
            if alt := output.get("metadata", {}).get("image/png", {}).get("alt"):
                cell["metadata"]["mystnb"] = {"image": {"alt": alt}}
    return json.dumps(notebook)


def readme() -> str:
    """Return README.md with its links as they are on the site."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"\]\(notebooks/((?!TEACHING)[\w./]+)\)", r"](\1)", text)
    for name in ("LICENSE", "notebooks/TEACHING.md"):  # not on the site
        text = text.replace(f"[{name}]({name})", f"`{name}`")
    return text.replace("# pgcourse\n", "# About the course\n", 1)


def build(out: Path = OUT) -> int:
    """Build the site and return Sphinx's exit code; a warning counts as a failure."""
    source = out.parent / "site_source"
    for folder in (source, out):
        shutil.rmtree(folder, ignore_errors=True)
    (source / "_static").mkdir(parents=True)
    for name in ("custom.css", "custom.js", "favicon.svg"):
        shutil.copy(SOURCE / name, source / "_static")
    play_files(source / "_static")
    shutil.copy(SOURCE / "conf.py", source)
    found, index = chapters.chapters(), (SOURCE / "index.md").read_text(encoding="utf-8")
    index = index.replace("{{play}}", play()).replace("{{cards}}", chapters.cards(found))
    index = index.replace("{{overview}}", chapters.overview(found))
    index = index.replace("{{contents}}", chapters.contents(found))
    (source / "index.md").write_text(index, encoding="utf-8")
    for path in pages():
        (source / path.name).write_text(prepare(path), encoding="utf-8")
        if path.with_suffix(".png").exists():
            shutil.copy(path.with_suffix(".png"), source)
    (source / "evidence").mkdir()
    for path in (ROOT / "notebooks" / "evidence").glob("*.json"):
        shutil.copy(path, source / "evidence")
    (source / "exercises").mkdir()
    for path in sorted((ROOT / "notebooks" / "exercises").glob("*.ipynb")):
        (source / "exercises" / path.name).write_text(prepare(path), encoding="utf-8")
    (source / "readme.md").write_text(readme(), encoding="utf-8")
    command = [sys.executable, "-m", "sphinx", "-qW", "--keep-going", "-b", "html", source, out]
    code = subprocess.call([*map(str, command)])
    for page in out.rglob("*.html"):  # a folded cell is called what is written on it
        text = page.read_text(encoding="utf-8")
        page.write_text(text.replace(' aria-label="Toggle hidden content"', ""), encoding="utf-8")
    lighten(out)
    shutil.rmtree(source)
    return code


def serve(out: Path, port: int) -> None:
    """Show a folder on this machine until interrupted."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(out))
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        print(f"http://localhost:{server.server_port}/", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


def main() -> int:
    """Build, and serve if asked."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--serve", action="store_true", help="build, then show it on localhost")
    parser.add_argument("--port", type=int, default=8000, help="0 takes any free one (8000)")
    options = parser.parse_args()
    code = build()
    if not code:
        files = [path for path in OUT.rglob("*") if path.is_file()]
        print(f"{OUT.relative_to(ROOT)}: {len(files)} files", file=sys.stderr)
        if options.serve:
            serve(OUT, options.port)
    return code


if __name__ == "__main__":
    sys.exit(main())
