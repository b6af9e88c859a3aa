"""Run the notebooks as Colab does: `python -m tests.hosted [--full]`.

A new folder, which holds a notebook and nothing else; `google.colab` is loaded before the first
cell; the course's address is a git repository on this machine, with what is committed. The
module that runs must be the one that the first cell brought.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from tests.budgets import shrink

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
PAGES += [ROOT / "notebooks" / "own_task.ipynb"]
SILENT = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
SHOWN = ("torch", "gymnasium", "numpy", "matplotlib", "IPython", "ipywidgets", "pillow")


def pretend(folder: Path) -> None:
    """Make kernels started from here load a `google.colab` of ours first."""
    stub = folder / "stub" / "google" / "colab"
    stub.mkdir(parents=True)
    (stub / "__init__.py").write_text("")
    startup = folder / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00_colab.py").write_text("import google.colab\n")
    os.environ["IPYTHONDIR"] = str(folder / "ipython")
    os.environ["PYTHONPATH"] = str(folder / "stub")
    os.environ["PGCOURSE_AUDIENCE"] = "terminal"
    os.environ["SDL_VIDEODRIVER"] = "dummy"


def run(path: Path, folder: Path, origin: str, full: bool) -> str:
    """Run one notebook in an empty folder and return its closing line."""
    content = folder / path.stem / "content"
    content.mkdir(parents=True)
    text = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(text if full else shrink(path.stem, text), as_version=4)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    first.source = first.source.replace('COURSE = ""', f"COURSE = {json.dumps(origin)}")
    where = nbformat.v4.new_code_cell("import pgcourse\nprint(pgcourse.__file__)")
    notebook.cells += [nbformat.v4.new_code_cell(first.source), where]  # the first, once more
    start = time.monotonic()
    NotebookClient(
        notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": content}}
    ).execute()
    module = Path(notebook.cells[-1].outputs[0]["text"].strip())
    assert module.parents[1] == content / "pgcourse", module
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    return f"{path.stem}: {len(counts)} cells in {time.monotonic() - start:.0f} s"


def main() -> None:
    """Run the notebooks and print what ran, with versions."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--full", action="store_true", help="with the real training budgets")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pretend(folder)
        code = subprocess.call([sys.executable, "-c", "import pgcourse"], cwd=folder, **SILENT)
        before = "not installed before" if code else "installed before, but not the one that ran"
        origin = folder / "origin.git"
        subprocess.run(["git", "clone", "-q", "--bare", ROOT, origin], check=True)
        lines = [run(path, folder, str(origin), options.full) for path in PAGES]
    print(*lines, sep="\n")
    versions = (f"{package} {importlib.metadata.version(package)}" for package in SHOWN)
    print("pgcourse:", before)
    print(f"Python {platform.python_version()},", ", ".join(versions))


if __name__ == "__main__":
    main()
