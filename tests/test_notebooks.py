"""The committed notebooks, and the check itself: each fault is planted and must be reported."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import psutil
import pytest
from nbclient import NotebookClient

from pgcourse.tools.notebooks import problems

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
LIMIT = 5  # seconds for a cell of the planted notebooks


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_committed_notebook_is_one_clean_run(path):
    assert problems(path) == []


LISTED = "def double(x):\n    return 2 * x\n"
CELLS = [
    "import sys\nsys.path.insert(0, '.')",
    "from listed import double\nfrom pgcourse import show_source",
    "show_source(double)",
    "print('two times three is', double(3))",
    "last = 1",
]


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A small notebook that was run once, beside the module that it lists."""
    folder = tmp_path_factory.mktemp("sound")
    (folder / "listed.py").write_text(LISTED)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    NotebookClient(notebook, resources={"metadata": {"path": str(folder)}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    return notebook


def stale_listing(notebook, folder):
    (folder / "listed.py").write_text(LISTED.replace("2 * x", "2 *  x"))


def changed_output(notebook, folder):
    notebook.cells[3].outputs[0].text = "two times three is 7\n"


def raises(notebook, folder):
    notebook.cells[4].source = "1 / 0"


def kernel_dies(notebook, folder):
    notebook.cells[4].source = "import os\nos._exit(1)"


def hangs(notebook, folder):
    notebook.cells[4].source = "import time\ntime.sleep(1000)"


def counts_out_of_order(notebook, folder):
    notebook.cells[3].execution_count = 7


def machine_path(notebook, folder):
    notebook.cells[3].outputs.append(nbformat.v4.new_output("stream", text="/" + "home/me/x\n"))


def stored_error(notebook, folder):
    notebook.cells[4].outputs = [
        nbformat.v4.new_output("error", ename="KeyError", evalue="", traceback=[])
    ]


def too_large(notebook, folder):
    notebook.cells.append(nbformat.v4.new_markdown_cell("x" * 3_000_001))


def nothing(notebook, folder):
    pass


REPORTS = {
    nothing: [],
    stale_listing: ["::Cell 2 FAILED"],
    changed_output: ["::Cell 3 FAILED"],
    raises: ["::Cell 4 FAILED", "ZeroDivisionError"],
    kernel_dies: ["::Cell 4 FAILED"],
    hangs: ["::Cell 4 FAILED", "Timeout of 5 seconds"],
    counts_out_of_order: ["04_toy.ipynb: cell 3 has execution count 7, not 4"],
    machine_path: ["04_toy.ipynb: cell 3 names a path of a machine"],
    stored_error: ["04_toy.ipynb: cell 4 stores an error, KeyError"],
    too_large: ["04_toy.ipynb: it has 3,0"],
}


def check(sound, folder, fault):
    """Plant a fault in a copy and run the check on it: (exit code, output, seconds)."""
    folder.mkdir()
    (folder / "listed.py").write_text(LISTED)
    notebook = nbformat.from_dict(sound)
    notebook = nbformat.reads(nbformat.writes(notebook), as_version=4)
    fault(notebook, folder)
    nbformat.write(notebook, folder / "04_toy.ipynb")
    command = [sys.executable, "-m", "pgcourse.tools.notebooks", str(folder / "04_toy.ipynb")]
    start = time.monotonic()
    done = subprocess.run(
        [*command, "--cell-timeout", str(LIMIT)],
        capture_output=True, text=True, env=os.environ | {"PLANTED": folder.name},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr, time.monotonic() - start


@pytest.fixture(scope="module")
def reports(sound, tmp_path_factory):
    """All faults, two at a time."""
    folder = tmp_path_factory.mktemp("faults")
    with ThreadPoolExecutor(2) as pool:
        jobs = {f: pool.submit(check, sound, folder / f.__name__, f) for f in REPORTS}
    return {fault: job.result() for fault, job in jobs.items()}


@pytest.mark.parametrize("fault", REPORTS, ids=lambda fault: fault.__name__)
def test_a_planted_fault_is_reported_by_name_in_time_and_leaves_no_kernel(reports, fault):
    code, output, seconds = reports[fault]
    assert (code == 0) == (fault is nothing), output
    for text in REPORTS[fault]:
        assert text in output, output
    assert "04_toy" in output
    assert seconds < LIMIT + 20 + reports[nothing][2]  # starting Python takes time of its own
    for process in psutil.process_iter():
        try:
            left = process.environ().get("PLANTED") == fault.__name__
        except psutil.Error:
            continue
        assert not left, process


def test_the_other_faults_of_a_stored_notebook(tmp_path):
    cells = [
        nbformat.v4.new_code_cell("x\n" * 19, execution_count=1),
        nbformat.v4.new_code_cell("1", execution_count=2),
    ]
    picture = nbformat.v4.new_output("display_data", {"image/png": "iVBORw0KGgo="})
    cells[1].outputs = [picture]
    kernel = {"name": "julia", "display_name": "Julia"}
    path = tmp_path / "n.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    assert problems(path) == [
        "its kernel is julia, not python3",
        "cell 0 has more than 18 lines of code",
        "cell 1 stores a picture without a text for those who cannot see it",
    ]
    path.write_text("{}")
    assert problems(path)[0].startswith("it is not a notebook")
