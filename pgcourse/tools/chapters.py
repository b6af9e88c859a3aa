"""What is told of every chapter, made from the chapters: `python -m pgcourse.tools.chapters`.

A chapter says what it is in one cell of its notebook, tagged "chapter": a comment in TOML, which
no page shows. From it come the tables of README.md and TEACHING.md, the cards and the contents of
the web pages, the goals on the slides, and the smaller budgets of tests. --check only says what
is stale.
"""

import argparse
import json
import re
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from pgcourse.tools.course import NUMBERED, ROOT

TAG = "chapter"
HEADING = re.compile(r"## Exercise (\d+) · (.+?) \*\((\d+) min, (\d+) points?\)\*")
ARXIV = re.compile(r"arXiv ([\d.]+)")
FILE = re.compile(r"`(\w+)\.py`")


@dataclass(frozen=True)
class Chapter:
    """What a chapter says of itself.

    Args:
        name: of the notebook, as "03_ddpg".
        title: as in the table of chapters.
        papers: each as "Lillicrap et al. 2015, arXiv 1509.02971".
        blurb: what it teaches, and on which task; sentences.
        result: what came out, in half a line.
        reading: minutes, estimated.
        running: minutes, measured.
        core: which exercises to choose, and how long they take.
        goals: section or sections -> what a reader can do after them.
        start: for whom it is a good beginning; only of chapters that are one.
        small: line of a cell -> that line with a smaller budget, for tests.
    """

    name: str
    title: str
    papers: list[str]
    blurb: str
    result: str
    reading: int
    running: int
    core: str
    goals: dict[str, str]
    start: str = ""
    small: dict[str, str] = field(default_factory=dict)

    @property
    def number(self) -> str:
        """Its two digits."""
        return self.name[:2]

    def goal_after(self) -> dict[int, str]:
        """Return the goals by the last section of each."""
        return {int(re.findall(r"\d+", key)[-1]): goal for key, goal in self.goals.items()}


def read(path: Path) -> Chapter:
    """Return what a notebook says of itself.

    Raises:
        ValueError: there is not one cell tagged "chapter", or something in it is missing or odd.
    """
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    tagged = [cell for cell in cells if TAG in cell["metadata"].get("tags", [])]
    if len(tagged) != 1:
        raise ValueError(f"{path.name}: {len(tagged)} cells are tagged {TAG!r}; expected one")
    try:
        return Chapter(name=path.stem, **tomllib.loads(told(tagged[0])))
    except (tomllib.TOMLDecodeError, TypeError) as error:
        expected = ", ".join(list(Chapter.__dataclass_fields__)[1:])
        raise ValueError(f"{path.name}: its cell {TAG!r}: {error}; expected {expected}") from None


def told(cell: dict) -> str:
    """Return the TOML in a cell's comment, whose first line says what it is."""
    return "".join(cell["source"]).partition("\n")[2].removesuffix("-->")


def chapters(root: Path = ROOT) -> list[Chapter]:
    """Return the chapters in their order."""
    return [read(path) for path in sorted((root / "notebooks").glob(NUMBERED))]


def exercises_of(chapter: Chapter, root: Path = ROOT) -> list[tuple[str, str, int, int]]:
    """Return (number, title, minutes, points) of each of a chapter's exercises, maybe none."""
    path = root / "notebooks" / "solutions" / f"{chapter.name}.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"] if path.exists() else []
    found = [HEADING.match("".join(cell["source"])) for cell in cells]
    return [(m[1], m[2], int(m[3]), int(m[4])) for m in found if m]


def linked(paper: str) -> str:
    """Return a paper with a link to arXiv."""
    return ARXIV.sub(r"[arXiv \1](https://arxiv.org/abs/\1)", paper)


def in_readme(found: list[Chapter]) -> str:
    """Return README's table of chapters."""
    lines = ["| chapter | paper | to read, to run | what came out |", "|---|---|---|---|"]
    for one in found:
        papers = "; ".join(map(linked, one.papers))
        link = f"[{one.number} {one.title}](notebooks/{one.name}.ipynb)"
        lines.append(f"| {link} | {papers} | {one.reading} min, {one.running} min | {one.result} |")
    return "\n".join(lines)


def taught(found: list[Chapter]) -> str:
    """Return README's list of what the chapters teach."""
    return "\n".join(f"- **{one.number}** {one.blurb}" for one in found)


def goals(found: list[Chapter]) -> str:
    """Return the goals for the teacher's guide."""
    parts = []
    for one in found:
        rows = "\n".join(f"| {sections} | {goal} |" for sections, goal in one.goals.items())
        parts.append(
            f"After chapter {one.number} a student can\n\n| section | goal |\n|---|---|\n{rows}"
        )
    return "\n\n".join(parts)


def minutes(found: list[Chapter], root: Path = ROOT) -> str:
    """Return how long each chapter takes, as rows of the guide's table."""
    rows = []
    for one in found:
        every = sum(row[2] for row in exercises_of(one, root))
        rows.append(
            f"| {one.number} | {one.reading} min | {one.running} min | {one.core} | {every} min |"
        )
    return "\n".join(rows)


def cards(found: list[Chapter]) -> str:
    """Return the web pages' cards, one for each chapter to start with."""
    return "\n\n".join(
        f":::{{grid-item-card}} {one.number} · {one.title}\n:link: {one.name}\n:link-type: doc\n\n"
        f"{one.start}\n:::"
        for one in found
        if one.start
    )


def overview(found: list[Chapter]) -> str:
    """Return the web pages' table of all chapters."""
    lines = ["| chapter | what it teaches | read, run |", "|---|---|---|"]
    for one in found:
        link = f"[{one.number}&nbsp;{one.title}]({one.name}.ipynb)"
        lines.append(f"| {link} | {one.blurb} | {one.reading}, {one.running}&nbsp;min |")
    return "\n".join(lines)


def contents(found: list[Chapter], root: Path = ROOT) -> str:
    """Return the web pages' table of contents."""
    there = root / "notebooks" / "exercises"
    pages = [
        page
        for one in found
        for page in (one.name, f"exercises/{one.name}")
        if page == one.name or (there / f"{one.name}.ipynb").exists()
    ]
    return "\n".join(pages)


def files_named(text: str, root: Path = ROOT) -> str:
    """Return README with every file in its table of the module's rooms."""

    def row(found: re.Match) -> str:
        there = {path.stem for path in (root / "pgcourse" / found[1]).glob("*.py")} - {"__init__"}
        kept = [name for name in FILE.findall(found[2]) if name in there]
        names = [*kept, *sorted(there - set(kept))]
        names.sort(key=lambda name: name if name.startswith("chapter_") else "")  # those last
        return f"| `{found[1]}/` | {', '.join(f'`{name}.py`' for name in names)} |"

    return re.sub(r"^\| `(\w+)/` \| (`\w+\.py`[^|]*) \|", row, text, flags=re.MULTILINE)


def between(text: str, mark: str, new: str) -> str:
    """Return a text with what stands between two marks replaced."""
    whole = re.compile(rf"(<!-- {mark} -->\n).*?(\n<!-- /{mark} -->)", re.DOTALL)
    if len(whole.findall(text)) != 1:
        raise ValueError(f"<!-- {mark} --> and <!-- /{mark} --> should stand there once")
    return whole.sub(lambda found: found[1] + new + found[2], text)


def fill(root: Path = ROOT, check: bool = False) -> list[str]:
    """Write what is made from the chapters; return the names of the files that changed."""
    found, stale = chapters(root), []
    readme, guide = root / "README.md", root / "notebooks" / "TEACHING.md"
    texts = {path: path.read_text(encoding="utf-8") for path in (readme, guide)}
    new = {
        readme: files_named(texts[readme], root),
        guide: between(texts[guide], "goals", goals(found)),
    }
    for mark, made in (("chapters", in_readme(found)), ("taught", taught(found))):
        new[readme] = between(new[readme], mark, made)
    rows = re.compile(r"(?:^\| \d\d \| \d+ min \| .*\n)+", re.MULTILINE)
    new[guide] = rows.sub(lambda _: minutes(found, root) + "\n", new[guide], count=1)
    for path, text in texts.items():
        if new[path] != text:
            stale.append(path.name)
            if not check:
                path.write_text(new[path], encoding="utf-8")
    return stale


def main() -> int:
    """Write, or check."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if one is stale")
    options = parser.parse_args()
    stale = fill(check=options.check)
    print(*(f"{name}: {'stale' if options.check else 'written'}" for name in stale), sep="\n")
    return int(options.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
