"""The decks of slides, in a lecture room's 1280 × 720."""

import subprocess
import sys

import pytest
from conftest import PYTHON, ROOT, SCREENSHOTS, SILENT, free_port, started

LECTURES = [f"{path.stem}_{k}" for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
            for k in (1, 2)]  # fmt: skip


@pytest.fixture(scope="module")
def decks():
    subprocess.run([PYTHON, "-m", "pgcourse.tools.slides"], cwd=ROOT, check=True, **SILENT)
    port = free_port()
    folder = ROOT / "build" / "slides"
    command = [sys.executable, "-m", "http.server", str(port), "--directory", str(folder)]
    process = started(command, f"http://localhost:{port}/", **SILENT)
    yield f"http://localhost:{port}"
    process.terminate()
    process.wait()


@pytest.mark.parametrize("name", LECTURES)
def test_nothing_runs_off_a_slide(watched, decks, name):
    found = watched(viewport={"width": 1280, "height": 720})
    page = found.page
    if page.goto(f"{decks}/{name}.html", wait_until="networkidle").status == 404:
        assert name.endswith("_2")
        pytest.skip("a chapter of one deck")
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    page.evaluate("document.documentElement.style.setProperty('--r-transition', 'none')")
    slides = page.evaluate("Reveal.getTotalSlides()")
    off, empty = [], []
    for k in range(slides):
        box = page.evaluate(
            """() => {
                const slide = Reveal.getCurrentSlide(), outer = slide.getBoundingClientRect();
                let right = 0, bottom = 0;
                for (const e of slide.querySelectorAll('p, li, img, td, pre, math, h1, h2')) {
                    const r = e.getBoundingClientRect();
                    right = Math.max(right, r.right, r.left + e.scrollWidth * r.width
                                     / (e.offsetWidth || Infinity));
                    bottom = Math.max(bottom, r.bottom);
                }
                return [right, bottom, slide.innerText.trim().length
                        + slide.querySelectorAll('img').length, slide.innerText.slice(0, 60)];
            }"""
        )
        if box[0] > 1281 or box[1] > 721:
            off.append((k, round(box[0]), round(box[1]), box[3]))
            page.screenshot(path=SCREENSHOTS / f"slides_{name}_off_{k}.png")
        if not box[2]:
            empty.append(k)
        if k % 6 == 0:
            page.screenshot(path=SCREENSHOTS / f"slides_{name}_{k:03d}.png")
        page.evaluate("Reveal.next()")
    print(f"\n{name}: {slides} slides")
    assert off == [] and empty == []
    assert found.errors == [] and found.elsewhere == []
    assert page.locator("math").count() > 0 and 20 <= slides <= 45
