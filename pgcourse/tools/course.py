"""Run the numbered notebooks as a reader would: `python -m pgcourse.tools.course`.

Writes each executed notebook and an HTML page of it to build/, and ends with one line per
notebook: its name, its seconds and the mean return, or success, that it measured. With
--update the executed notebooks also replace the committed ones.
"""

import argparse
import base64
import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from pgcourse.display.live import AUDIENCE
from pgcourse.tools.page import page

ROOT = Path(__file__).parents[2]
NUMBERED = "[0-9][0-9]_*.ipynb"
CELL_SECONDS = 1_800  # a cell that takes longer hangs; machines differ by a factor of five
NO_SCREEN = {"SDL_VIDEODRIVER": "dummy", "XDG_RUNTIME_DIR": tempfile.gettempdir()}
RESULT_TAG, PICTURE_TAG = "evaluation-return", "readme-picture"


class Runner(NotebookClient):
    """A notebook client that says which section runs and passes progress bars on."""

    def __init__(self, nb: nbformat.NotebookNode, name: str, **options):
        super().__init__(nb, **options)
        self.notebook_name = name
        self.section = ""
        self.last_bar = time.monotonic()

    async def async_execute_cell(self, cell, cell_index, **options):
        """Announce a new section, then run the cell."""
        if cell.cell_type == "markdown" and (found := re.search(r"^##? (.+)$", cell.source, re.M)):
            self.section = found[1]
            print(f"{self.notebook_name}: {self.section}", flush=True)
        return await super().async_execute_cell(cell, cell_index, **options)

    def output(self, outs, msg, display_id, cell_index):
        """Send what the kernel writes to stderr to the terminal; keep everything else."""
        if msg["msg_type"] != "stream" or msg["content"]["name"] != "stderr":
            return super().output(outs, msg, display_id, cell_index)
        text = msg["content"]["text"]
        if "it/s" not in text and "%|" not in text:
            print(text, file=sys.stderr, end="", flush=True)
        elif sys.stderr.isatty():
            print("\r" + text.split("\r")[-1].rstrip(), file=sys.stderr, end="", flush=True)
            if "100%|" in text:
                print(file=sys.stderr)
        elif time.monotonic() - self.last_bar > 5:  # a log file wants few lines
            self.last_bar = time.monotonic()
            print(text.split("\r")[-1].strip(), file=sys.stderr, flush=True)
        return None


def run_notebook(path: Path, out: Path) -> str:
    """Execute one notebook, write it and its page to `out`, and return its closing line."""
    notebook = nbformat.read(path, as_version=4)
    start = time.monotonic()
    client = Runner(
        notebook,
        path.stem,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        resources={"metadata": {"path": str(path.parent)}},
    )
    try:
        client.execute()
    finally:  # a notebook that failed is worth reading too
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)  # time stamps: they only make diffs
        notebook.metadata.pop("language_info", None)
        notebook.metadata.pop("widgets", None)
        nbformat.write(notebook, out / path.name)
    seconds = time.monotonic() - start
    html = page(notebook, path.stem)
    (out / path.name).with_suffix(".html").write_text(html, encoding="utf-8")
    return f"{path.stem}: {seconds:.0f} s, mean evaluation {evaluation_result(notebook)}"


def evaluation_result(notebook: nbformat.NotebookNode) -> str:
    """Return the last "mean return" or "mean success" in the outputs of the cell tagged for it."""
    for cell in notebook.cells:
        if RESULT_TAG in cell.metadata.get("tags", []):
            text = "".join(output.get("text", "") for output in cell.outputs)
            if found := re.findall(r"mean (return|success)\s+([-+]?\d+\.\d+)", text):
                return " ".join(found[-1])
    return "return not reported"


def save_picture(path: Path) -> None:
    """Write the picture of the cell tagged for the README beside the notebook."""
    for cell in nbformat.read(path, as_version=4).cells:
        if PICTURE_TAG in cell.metadata.get("tags", []):
            png = next(
                o.data["image/png"] for o in cell.outputs if "image/png" in o.get("data", {})
            )
            path.with_suffix(".png").write_bytes(base64.b64decode(png))


def main() -> int:
    """Run the notebooks named on the command line, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="notebooks, such as 03_ddpg (all)")
    parser.add_argument("--update", action="store_true", help="replace the committed outputs")
    options = parser.parse_args()
    paths = sorted((ROOT / "notebooks").glob(NUMBERED))
    if unknown := set(options.names) - {path.stem for path in paths}:
        parser.error(f"no notebook {', '.join(sorted(unknown))} in notebooks/")
    out = ROOT / "build"
    out.mkdir(exist_ok=True)
    os.environ |= {AUDIENCE: "terminal"} | NO_SCREEN
    lines, failed = [], False
    for path in paths:
        if options.names and path.stem not in options.names:
            continue
        try:
            lines.append(run_notebook(path, out))
            if options.update:
                shutil.copy(out / path.name, path)
                save_picture(path)
        except CellExecutionError as error:
            failed = True
            print(error, file=sys.stderr)
            lines.append(f"{path.stem}: FAILED, {error.ename}: {error.evalue}")
    print("\n".join(lines))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
