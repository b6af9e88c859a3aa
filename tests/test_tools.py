"""The program that runs the course, on notebooks of a few cells."""

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from pgcourse.tools.course import run_notebook, save_picture


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
    write(tmp_path / "05_bad.ipynb", "1 / 0")
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
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
