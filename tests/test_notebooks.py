"""The committed notebooks, and the check itself: each fault is planted and must be reported."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import psutil
import pytest
from nbclient import NotebookClient

from pgcourse.tools.course import pages
from pgcourse.tools.notebooks import problems

ROOT = Path(__file__).parents[1]
NOTEBOOKS = pages()
LIMIT = 5  # seconds for a cell of the notebooks that hang


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_committed_notebook_is_one_clean_run(path):
    assert problems(path) == []


LISTED = "def double(x):\n    return 2 * x\n"
CELLS = [
    "import sys\nsys.path.insert(0, '.')\nfrom listed import double",
    "print('two times three is', double(3))",
    "last = 1",
]
LISTING = ["from pgcourse import show_source", "show_source(double)"]  # seconds to import


def run_once(folder, sources):
    """A small notebook that was run once, beside the module that it lists."""
    (folder / "listed.py").write_text(LISTED)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    NotebookClient(notebook, resources={"metadata": {"path": str(folder)}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    return nbformat.writes(notebook)


def stale_listing(notebook, folder):
    (folder / "listed.py").write_text(LISTED.replace("2 * x", "2 *  x"))


def changed_output(notebook, folder):
    notebook.cells[1].outputs[0].text = "two times three is 7\n"


def raises(notebook, folder):
    notebook.cells[2].source = "1 / 0"


def kernel_dies(notebook, folder):
    notebook.cells[2].source = "import os\nos._exit(1)"


def hangs(notebook, folder):
    notebook.cells[2].source = "import time\ntime.sleep(1000)\nopen('slept', 'w').close()"


def counts_out_of_order(notebook, folder):
    notebook.cells[1].execution_count = 7


def machine_path(notebook, folder):
    notebook.cells[1].outputs.append(nbformat.v4.new_output("stream", text="/" + "home/me/x\n"))


def stored_error(notebook, folder):
    notebook.cells[2].outputs = [
        nbformat.v4.new_output("error", ename="KeyError", evalue="", traceback=[])
    ]


def too_large(notebook, folder):
    notebook.cells.append(nbformat.v4.new_markdown_cell("x" * 3_000_001))


def nothing(notebook, folder):
    pass


# Those of one run, and what it must say of each. Only what is stored is wrong with the second's.
RUNS = [
    {nothing: []},
    {
        counts_out_of_order: ["counts_out_of_order.ipynb: cell 1 has execution count 7, not 2"],
        too_large: ["too_large.ipynb: it has 3,0"],
    },
    {
        stale_listing: ["FAILED .*stale_listing::ipynb::Cell 4"],
        changed_output: ["FAILED .*changed_output::ipynb::Cell 1"],
        raises: ["FAILED .*raises::ipynb::Cell 2", "ZeroDivisionError"],
        machine_path: ["machine_path.ipynb: cell 1 names a path of a machine"],
        stored_error: ["stored_error.ipynb: cell 2 stores an error, KeyError"],
    },
    {  # nbval waits for a dead kernel, too
        kernel_dies: ["FAILED .*kernel_dies::ipynb::Cell 2"],
        hangs: ["FAILED .*hangs::ipynb::Cell 2", f"Timeout of {LIMIT} seconds"],
    },
]
REPORTS = {fault: texts for run in RUNS for fault, texts in run.items()}


def plant(text, folder, fault):
    """Write a copy of a notebook with a fault, and return its path."""
    folder.mkdir()
    (folder / "listed.py").write_text(LISTED)
    notebook = nbformat.reads(text, as_version=4)
    fault(notebook, folder)
    nbformat.write(notebook, folder / f"{fault.__name__}.ipynb")
    return folder / f"{fault.__name__}.ipynb"


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Run the check on each run's notebooks: fault -> (exit code, output, folder)."""
    folder, found = tmp_path_factory.mktemp("faults"), {}
    short, long = (run_once(folder, CELLS + more) for more in ([], LISTING))
    for faults in RUNS:
        paths = [
            plant(long if f in (nothing, stale_listing) else short, folder / f.__name__, f)
            for f in faults
        ]
        command = [sys.executable, "-m", "pgcourse.tools.notebooks", *map(str, paths)]
        # The limit holds for every cell, and those of the others import what takes seconds.
        command += ["--cell-timeout", str(LIMIT)] if hangs in faults else []
        done = subprocess.run(
            command, capture_output=True, text=True, env=os.environ | {"PLANTED": str(folder)}
        )
        for fault in faults:
            said = done.stdout + done.stderr
            found[fault] = (done.returncode, said, folder)
    return found


@pytest.mark.parametrize("fault", REPORTS, ids=lambda fault: fault.__name__)
def test_a_planted_fault_is_reported_by_name(planted, fault):
    code, output, _ = planted[fault]
    assert (code == 0) == (fault is nothing), output
    for text in REPORTS[fault]:
        assert re.search(text, output), output
    assert fault.__name__ in output


def test_a_cell_that_hangs_is_not_waited_for_and_no_kernel_is_left(planted):
    folder = planted[hangs][2]
    assert not (folder / "hangs" / "slept").exists()
    for process in psutil.process_iter():
        try:
            left = process.environ().get("PLANTED") == str(folder)
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
