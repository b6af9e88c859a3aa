"""The first notebook in JupyterLab, driven as a reader would: open, Run All, look, move sliders."""

import io
import json
import re
import subprocess
import time

import pytest
from budgets import shrink
from conftest import PYTHON, ROOT, SCREENSHOTS, started_lab
from PIL import Image

NAME = "03_ddpg.ipynb"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab on a copy of the notebooks, with smaller budgets."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "notebooks").mkdir()
    text = (ROOT / "notebooks" / NAME).read_text(encoding="utf-8")
    notebook = json.loads(shrink("03_ddpg", text))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    (folder / "notebooks" / NAME).write_text(json.dumps(notebook), encoding="utf-8")
    process, url = started_lab(folder)
    yield url
    process.terminate()
    process.wait()


def pictures(page, section):
    """The addresses of the pictures of one section, or of all of them if it is ""."""
    return page.evaluate(
        """title => {
            let here = title === "", found = [];
            for (const cell of document.querySelectorAll('.jp-Cell')) {
                const h = cell.querySelector('.jp-RenderedMarkdown h2');
                if (h) here = h.textContent.includes(title);
                if (here) found.push(...[...cell.querySelectorAll('.jp-OutputArea img')]
                                        .map(e => e.src));
            }
            return found;
        }""",
        section,
    )


def test_run_all_with_live_plot_video_and_sliders(watched, lab):
    found = watched(viewport={"width": 1280, "height": 900})
    page = found.page
    page.goto(f"{lab}/lab/tree/{NAME}")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
    page.wait_for_selector("text=Python 3 (ipykernel) | Idle", timeout=60_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()

    # The run: its bar moves, one plot is redrawn in its place, and none is left over.
    bars, plots, deadline = set(), [], time.monotonic() + 900
    while time.monotonic() < deadline:
        now = pictures(page, "The run")
        assert len(now) <= 2  # the live plot, and the plot of the next cell
        if now and now[0] not in plots:
            plots.append(now[0])
        for text in page.locator(".jp-OutputArea-output", has_text="%").all_inner_texts():
            bars.update(re.findall(r"(\d+)%", text))
        # A folded cell may have an empty prompt.
        texts = page.locator(".jp-CodeCell .jp-InputPrompt").all_text_contents()
        counts = [text.strip() for text in texts if text.strip()]
        if not {"[ ]:", "[*]:"} & set(counts):
            break
        page.wait_for_timeout(100)
    page.screenshot(path=SCREENSHOTS / "lab_end.png")
    cells = [c for c in json.loads((ROOT / "notebooks" / NAME).read_text())["cells"]
             if c["cell_type"] == "code"]  # fmt: skip
    folded = [c["metadata"].get("jupyter", {}).get("source_hidden", False) for c in cells]
    assert counts == [f"[{k + 1}]:" for k, hidden in enumerate(folded) if not hidden]
    assert page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error'], "
                        ".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']"
                        ).count() == 0  # fmt: skip
    print(f"\nbar seen at {len(bars)} values, live plot drawn {len(plots)} times")
    assert len(bars) >= 3 and len(plots) >= 3

    # The film has frames.
    video, *_ = pictures(page, "")
    data = page.evaluate(
        "async source => [...new Uint8Array(await (await fetch(source)).arrayBuffer())]", video
    )
    assert Image.open(io.BytesIO(bytes(data))).n_frames > 20

    # Sliders: a key moves one, and its picture changes. No still picture stands beside.
    boxes = page.locator(".jp-OutputArea-output:has(.widget-slider)")
    assert boxes.count() == 1
    for k in range(boxes.count()):
        box = boxes.nth(k)
        picture = box.locator("img")
        assert picture.count() == 1
        before = picture.get_attribute("src")
        box.scroll_into_view_if_needed()
        box.locator(".noUi-handle").first.focus()
        page.keyboard.press("ArrowLeft")
        changed = [picture.element_handle(), before]
        page.wait_for_function("([e, old]) => e.src !== old", arg=changed, timeout=20_000)
        box.screenshot(path=SCREENSHOTS / f"lab_sliders_{k}.png")
    assert found.elsewhere == []


def test_the_notebooks_run_from_another_directory(tmp_path):
    """`jupyter execute`, which is how other programs run a notebook; a short copy of it."""
    notebook = json.loads((ROOT / "notebooks" / NAME).read_text(encoding="utf-8"))
    notebook["cells"] = notebook["cells"][:30]
    (tmp_path / "notebooks").mkdir()
    path = tmp_path / "notebooks" / NAME
    path.write_text(json.dumps(notebook), encoding="utf-8")
    run = subprocess.run([PYTHON, "-m", "jupyter", "execute", "--inplace", f"notebooks/{NAME}"],
                         cwd=tmp_path, capture_output=True, text=True)  # fmt: skip
    assert run.returncode == 0, run.stderr
    done = json.loads(path.read_text(encoding="utf-8"))
    counts = [c["execution_count"] for c in done["cells"] if c["cell_type"] == "code"]
    assert counts == list(range(1, len(counts) + 1))
