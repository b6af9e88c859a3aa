"""Write the course's public address: `python -m pgcourse.tools.publish owner/name`.

The address goes to two places: the constant COURSE in the first code cell of each notebook,
those of the exercises included, and the badges in README.md. A fork needs nothing else.
"""

import argparse
import json
import re
import sys
from pathlib import Path

from pgcourse.tools.course import ROOT, pages
from pgcourse.tools.exercises import write

BADGES = re.compile(r"(<!-- badges -->\n).*?(<!-- /badges -->)", re.DOTALL)
COURSE = re.compile(r'^COURSE = ".*?"', re.MULTILINE)
UNPUBLISHED = (
    "The course has no public address yet. `make publish REPO=owner/name` writes it into the "
    "notebooks and puts Colab badges here; `make publish REPO=` takes it back.\n"
)


def badges(repo: str, names: list[str]) -> str:
    """Return what stands between the marks in README.md."""
    if not repo:
        return UNPUBLISHED
    base = f"https://colab.research.google.com/github/{repo}/blob/main/notebooks"
    image = "https://colab.research.google.com/assets/colab-badge.svg"
    return "".join(f"[![Open {n} in Colab]({image})]({base}/{n}.ipynb) {n}\n\n" for n in names)


def publish(root: Path, repo: str) -> None:
    """Write an address, or take it back with ""; ValueError if it is not owner/name."""
    if repo and not re.fullmatch(r"[\w.-]+/[\w.-]+", repo, re.ASCII):
        raise ValueError(f"repo: got {repo!r}; expected owner/name, as GitHub writes it")
    address = f"https://github.com/{repo}" if repo else ""
    paths = pages(root)
    solutions = root / "notebooks" / "solutions"
    for path in [*paths, *sorted(solutions.glob("*.ipynb"))]:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        cell = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
        source, found = COURSE.subn(f'COURSE = "{address}"', "".join(cell["source"]))
        if found != 1:
            raise ValueError(
                f"{path.name}: its first code cell sets COURSE {found} times, not once"
            )
        cell["source"] = source.splitlines(keepends=True)
        text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        path.write_text(text, encoding="utf-8")
    write(solutions, root / "notebooks" / "exercises")
    readme = root / "README.md"
    found = badges(repo, [path.stem for path in paths])
    text = BADGES.sub(lambda m: m[1] + found + m[2], readme.read_text(encoding="utf-8"))
    readme.write_text(text, encoding="utf-8")


def main() -> int:
    """Write the address given on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("repo", help='owner/name; "" takes the address back')
    try:
        publish(ROOT, parser.parse_args().repo)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
