"""Run the notebooks as a reader would: `python -m pgcourse.tools.course`.

They run side by side, one for each core. Each executed notebook and an HTML page of it go to
build/. The last lines are one per notebook: its name, its seconds and the mean return, or
success, that it measured, or the cell that failed and its error. With --update the executed
notebooks also replace the committed ones.
"""

import argparse
import asyncio
import base64
import os
import re
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import psutil
from joblib import cpu_count
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from pgcourse.display.live import AUDIENCE
from pgcourse.tools.page import page

ROOT = Path(__file__).parents[2]
NUMBERED = "[0-9][0-9]_*.ipynb"
OWN_TASK = "own_task.ipynb"  # a page that is no chapter: no paper, no study, no exercises
# A cell hangs when its kernel uses next to no processor time for so long: a clock would also stop
# a machine that is only slow.
QUIET_SECONDS, BUSY, LOOK_EVERY = 180.0, 0.02, 5.0
NO_SCREEN = {"SDL_VIDEODRIVER": "dummy", "XDG_RUNTIME_DIR": tempfile.gettempdir()}
RESULT_TAG, PICTURE_TAG = "evaluation-return", "readme-picture"


class CellHangs(Exception):
    """A cell whose kernel does nothing."""


class NotebookFailed(Exception):
    """A notebook that did not run to its end: its name, the cell and the error, in a line."""


class Runner(NotebookClient):
    """A notebook client that says which section runs and passes progress bars on."""

    def __init__(self, nb: nbformat.NotebookNode, name: str, **options):
        super().__init__(nb, **options)
        self.notebook_name = name
        self.section = ""
        self.last_bar = time.monotonic()

    async def async_execute_cell(self, cell, cell_index, **options):
        """Announce a new section, then run the cell and watch it."""
        self.cell_index = cell_index
        if cell.cell_type == "markdown" and (found := re.search(r"^##? (.+)$", cell.source, re.M)):
            self.section = found[1]
            print(f"{self.notebook_name}: {self.section}", flush=True)
        running = asyncio.ensure_future(super().async_execute_cell(cell, cell_index, **options))
        quiet, used = 0.0, self.processor_seconds()
        while not running.done():
            await asyncio.wait({running}, timeout=LOOK_EVERY)
            before, used = used, self.processor_seconds()
            quiet = quiet + LOOK_EVERY if used - before < BUSY * LOOK_EVERY else 0.0
            if quiet >= QUIET_SECONDS and not running.done():
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                raise CellHangs(f"it used no processor time for {quiet:.0f} s")
        return await running

    def processor_seconds(self) -> float:
        """Seconds of processor time of the kernel and of what it started."""
        try:
            kernel = psutil.Process(self.km.provisioner.pid)
            family = [kernel, *kernel.children(recursive=True)]
        except psutil.Error:
            return 0.0  # it has just ended: nbclient notices
        return sum(seconds_of(process) for process in family)

    def output(self, outs, msg, display_id, cell_index):
        """Send what the kernel writes to stderr to the terminal; keep everything else."""
        if msg["msg_type"] != "stream" or msg["content"]["name"] != "stderr":
            return super().output(outs, msg, display_id, cell_index)
        text = msg["content"]["text"]
        if "it/s" not in text and "%|" not in text:
            print(text, file=sys.stderr, end="", flush=True)
        elif (
            time.monotonic() - self.last_bar > 5
        ):  # several bars at once would overwrite each other
            self.last_bar = time.monotonic()
            print(f"{self.notebook_name}: {text.split(chr(13))[-1].strip()}", file=sys.stderr)
        return None


def pages(root: Path = ROOT) -> list[Path]:
    """Return the notebooks of the chapters in their order, and then the page that is none."""
    folder = root / "notebooks"
    return [*sorted(folder.glob(NUMBERED)), *folder.glob(OWN_TASK)]


def seconds_of(process: psutil.Process) -> float:
    """Return the processor time of a process; 0 if it has ended."""
    try:
        return sum(process.cpu_times()[:2])
    except psutil.Error:
        return 0.0


def run_notebook(path: Path, out: Path) -> str:
    """Execute one notebook, write it and its page to `out`, and return its closing line.

    Raises:
        NotebookFailed: a cell failed, hung, or lost its kernel.
    """
    notebook = nbformat.read(path, as_version=4)
    start = time.monotonic()
    client = Runner(
        notebook,
        path.stem,
        timeout=None,
        kernel_name="python3",
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        resources={"metadata": {"path": str(path.parent)}},
    )
    try:
        client.execute()
    except (CellExecutionError, CellHangs, DeadKernelError) as error:
        at, said = getattr(client, "cell_index", "?"), str(error).strip()
        print(f"{path.stem}: {said}", file=sys.stderr)
        name = getattr(error, "ename", type(error).__name__)
        said = getattr(error, "evalue", said.partition("\n")[0])
        raise NotebookFailed(f"{path.stem}: FAILED in cell {at}, {name}: {said}") from None
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
    """Return the last "mean return" or "mean success", and its line's rest, of the tagged cell."""
    for cell in notebook.cells:
        if RESULT_TAG in cell.metadata.get("tags", []):
            text = "".join(output.get("text", "") for output in cell.outputs)
            if found := re.findall(r"mean (return|success)\s+([-+]?\d+\.\d+.*)", text):
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
    paths = pages(ROOT)
    if unknown := set(options.names) - {path.stem for path in paths}:
        parser.error(f"no notebook {', '.join(sorted(unknown))} in notebooks/")
    out = ROOT / "build"
    out.mkdir(exist_ok=True)
    os.environ |= {AUDIENCE: "terminal"} | NO_SCREEN
    chosen = [path for path in paths if not options.names or path.stem in options.names]
    lines = dict.fromkeys(path.stem for path in chosen)

    def run(path: Path) -> bool:
        try:
            lines[path.stem] = run_notebook(path, out)
        except NotebookFailed as failed:  # the others go on
            lines[path.stem] = str(failed)
            return False
        if options.update:
            shutil.copy(out / path.name, path)
            save_picture(path)
        return True

    with ThreadPoolExecutor(cpu_count()) as pool:
        good = list(pool.map(run, chosen))
    print(*lines.values(), sep="\n")
    return int(not all(good))


if __name__ == "__main__":
    sys.exit(main())
