"""Spelling, doubled words and links of everything that is read."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NOTEBOOKS += sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb"))
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def cells(path, kind):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == kind]


def prose(path):
    """The text of a Markdown file or of a notebook's Markdown cells, without code and maths."""
    if path.suffix == ".ipynb":
        text = "\n\n".join(cells(path, "markdown"))
    else:
        text = path.read_text(encoding="utf-8")
    return re.sub(r"```.*?```|\$\$.*?\$\$|`[^`\n]*`|\$[^$\n]*\$", " x ", text, flags=re.DOTALL)


def headings(path):
    """The anchors that GitHub and Jupyter give to headings."""
    text = "\n".join(cells(path, "markdown")) if path.suffix == ".ipynb" else path.read_text()
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    github = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    return github | {title.replace(" ", "-") for title in titles}


READ = [ROOT / "README.md", ROOT / "notebooks" / "TEACHING.md", *NOTEBOOKS]


def test_spelling(tmp_path):
    for path in NOTEBOOKS:  # pictures are long words, too
        text = "\n".join(cells(path, "markdown") + cells(path, "code"))
        (tmp_path / f"{path.stem}.txt").write_text(text, encoding="utf-8")
    places = [
        str(ROOT / name)
        for name in ("README.md", "notebooks/TEACHING.md", "Makefile", "pgcourse", "tests")
    ]
    skipped = ".venv,node_modules,*.json"  # weights in letters are no words
    found = subprocess.run(
        [sys.executable, "-m", "codespell_lib", "-S", skipped, str(tmp_path), *places],
        capture_output=True, text=True,
    )  # fmt: skip
    assert found.stdout == "" and found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("path", READ, ids=lambda path: path.name)
def test_no_word_stands_twice_and_no_hyphen_is_a_dash(path):
    for line in prose(path).splitlines():
        if line.lstrip().startswith(("|", "- ")):
            line = line.lstrip("|- ")
        assert not re.search(r"\b([A-Za-z]{2,}) \1\b", line), line
        assert " - " not in line, line


@pytest.mark.parametrize("path", READ, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    text = prose(path)
    for target in LINK.findall(text):
        if target.startswith("https://"):
            continue  # listed by test_external_links_are_known, not fetched
        assert not re.match(r"[a-z]+:", target), f"{target}: not https"
        file, _, anchor = target.partition("#")
        found = path.parent / file if file else path
        assert found.exists(), target
        assert not anchor or anchor in headings(found), target


def test_external_links_are_known():
    """The hosts that a reader is sent to; a new one is added here on purpose."""
    links = {link for path in READ for link in LINK.findall(prose(path)) if "://" in link}
    hosts = {link.split("/")[2] for link in links}
    assert hosts <= {"arxiv.org", "github.com", "colab.research.google.com"}, sorted(links)
    for link in links:
        if "arxiv.org" in link:
            assert re.fullmatch(r"https://arxiv\.org/abs/\d{4}\.\d{4,5}", link), link
