"""The program that runs the course, on notebooks of a few cells."""

import nbformat
import pytest

from pgcourse.tools import course
from pgcourse.tools.course import NotebookFailed, run_notebook, save_picture


def write(path, *cells):
    made = []
    for cell in cells:
        source, tags = cell if isinstance(cell, tuple) else (cell, [])
        new = nbformat.v4.new_markdown_cell if source.startswith("#") else nbformat.v4.new_code_cell
        made.append(new(source, metadata={"tags": tags}))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=made, metadata={"kernelspec": kernel}), path)


def outputs(path):
    return "".join(
        output.get("text", "")
        for cell in nbformat.read(path, 4).cells
        for output in cell.get("outputs", [])
    )


def test_a_notebook_is_run_where_it_lies_and_its_closing_line_names_seconds_and_return(
    tmp_path, capsys
):
    (tmp_path / "build").mkdir()
    write(
        tmp_path / "04_toy.ipynb",
        "# Toy\n\n## A section",
        "import os, sys\nprint(os.path.basename(os.getcwd()), file=sys.stdout)",
        "import sys\nprint('a warning', file=sys.stderr)",
        (
            "print('untrained: mean return -9.5')\nprint('trained: mean return -1.5')",
            ["evaluation-return"],
        ),
    )
    line = run_notebook(tmp_path / "04_toy.ipynb", tmp_path / "build")
    assert line.startswith("04_toy: ") and line.endswith(" s, mean evaluation return -1.5")
    executed = tmp_path / "build" / "04_toy.ipynb"
    assert outputs(executed).startswith(tmp_path.name)
    assert [
        c.execution_count for c in nbformat.read(executed, 4).cells if c.cell_type == "code"
    ] == [1, 2, 3]
    assert "A section" in (tmp_path / "build" / "04_toy.html").read_text()
    shown = capsys.readouterr()
    assert "04_toy: Toy" in shown.out
    assert "a warning" in shown.err and "a warning" not in outputs(executed)


def test_a_notebook_that_fails_says_so_and_is_written_all_the_same(tmp_path):
    write(tmp_path / "05_bad.ipynb", "# Bad", "x = 1", "1 / 0")
    line = "05_bad: FAILED in cell 2, ZeroDivisionError: division by zero"
    with pytest.raises(NotebookFailed, match=f"^{line}$"):
        run_notebook(tmp_path / "05_bad.ipynb", tmp_path)
    assert (tmp_path / "05_bad.ipynb").exists()


def test_the_readme_picture_is_the_one_of_the_tagged_cell(tmp_path):
    code = (
        "from IPython.display import Image, display\nimport base64\n"
        "display(Image(base64.b64decode('iVBORw0KGgo='), format='png'))"
    )
    write(tmp_path / "06_pic.ipynb", (code, ["readme-picture"]))
    (tmp_path / "build").mkdir()
    run_notebook(tmp_path / "06_pic.ipynb", tmp_path / "build")
    save_picture(tmp_path / "build" / "06_pic.ipynb")
    assert (tmp_path / "build" / "06_pic.png").read_bytes() == b"\x89PNG\r\n\x1a\n"


def test_a_cell_that_does_nothing_hangs_and_one_that_works_slowly_does_not(tmp_path, monkeypatch):
    monkeypatch.setattr(course, "LOOK_EVERY", 0.5)
    monkeypatch.setattr(course, "QUIET_SECONDS", 1.5)
    works = "import time\nwhile time.process_time() < 4:\n    pass"
    write(tmp_path / "05_slow.ipynb", works)
    assert run_notebook(tmp_path / "05_slow.ipynb", tmp_path).startswith("05_slow: ")
    inside = works.replace(chr(10), chr(92) + "n")
    child = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', '{inside}'])"
    write(tmp_path / "05_child.ipynb", child)
    assert run_notebook(tmp_path / "05_child.ipynb", tmp_path).startswith("05_child: ")
    write(tmp_path / "05_hang.ipynb", "# Hangs", "import time\ntime.sleep(1000)")
    with pytest.raises(NotebookFailed, match="cell 1, CellHangs: it used no processor time"):
        run_notebook(tmp_path / "05_hang.ipynb", tmp_path)


def test_notebooks_run_side_by_side_and_one_that_fails_stops_no_other(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(course, "ROOT", tmp_path)
    monkeypatch.setattr("sys.argv", ["course"])
    folder = tmp_path / "notebooks"
    folder.mkdir()
    wait = (
        "import os, time\nopen('{}', 'w').close()\n"
        "while not os.path.exists('{}'):\n    time.sleep(0.1)"
    )
    result = ("print('mean return -1.5')", ["evaluation-return"])
    if course.cpu_count() > 1:  # each waits for the other
        write(folder / "01_a.ipynb", wait.format("a", "b"), result)
        write(folder / "02_b.ipynb", wait.format("b", "a"), "1 / 0")
    else:
        write(folder / "01_a.ipynb", result)
        write(folder / "02_b.ipynb", "1", "1 / 0")
    write(folder / "03_dies.ipynb", "import os\nos._exit(1)")
    write(folder / "04_d.ipynb", result)
    assert course.main() == 1
    lines = capsys.readouterr().out.splitlines()[-4:]
    assert lines[0].startswith("01_a: ") and lines[0].endswith("mean evaluation return -1.5")
    assert lines[1] == "02_b: FAILED in cell 1, ZeroDivisionError: division by zero"
    assert lines[2].startswith("03_dies: FAILED in cell 0, DeadKernelError")
    assert lines[3].startswith("04_d: ")
