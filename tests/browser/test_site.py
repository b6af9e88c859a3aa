"""The published pages, as a browser shows them."""

import io
import time
from pathlib import Path

import pytest
from conftest import ROOT, SCREENSHOTS
from PIL import Image

CHAPTERS = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"))
EXERCISES = [f"exercises/{p.stem}" for p in (ROOT / "notebooks" / "exercises").glob("*.ipynb")]
NAMES = ["index", *CHAPTERS, "own_task", *EXERCISES, "readme"]
AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
SIZES = {"laptop": (1280, 800), "phone": (360, 740)}


def opened(watched, site, name, size="laptop", dark=False, **options):
    width, height = SIZES[size]
    found = watched(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        **options,
    )
    found.page.goto(f"{site}/{name}.html", wait_until="networkidle")
    return found


def test_little_is_waited_for_before_the_first_text(watched, site):
    found = opened(watched, site, "index")
    text, waited = found.page.evaluate(
        """() => [performance.getEntriesByType("navigation")[0].decodedBodySize,
                  performance.getEntriesByType("resource")
                  .filter(e => e.renderBlockingStatus === "blocking")
                  .reduce((sum, e) => sum + e.decodedBodySize, 0)]"""
    )
    print(f"index: {text:,} bytes, and {waited:,} before they are shown")
    assert 50_000 < text + waited < 300_000


@pytest.mark.parametrize("name", [*NAMES, "search", "genindex"])
def test_a_page_loads_without_errors_and_asks_no_other_host(watched, site, name):
    found = opened(watched, site, name)
    assert found.errors == [] and found.elsewhere == []


@pytest.mark.parametrize("name", CHAPTERS)
def test_formulas_are_drawn(watched, site, name):
    page = opened(watched, site, name).page
    assert page.locator("mjx-container").count() > 40
    assert page.locator("mjx-merror").count() == 0
    assert page.locator(".math:not(:has(mjx-container))").count() == 0
    text = page.locator("main").inner_text()
    assert "$$" not in text and "\\tag" not in text and "\\frac" not in text
    flat = page.evaluate(
        "[...document.querySelectorAll('mjx-container')].filter(e => e.clientHeight < 5).length"
    )
    assert flat == 0  # each has a height, so its font is there


@pytest.mark.parametrize("name", NAMES)
def test_every_picture_is_there_and_has_a_text(watched, site, name):
    page = opened(watched, site, name).page
    pictures = page.evaluate(
        """async () => {
            const all = [...document.querySelectorAll('main img')];
            all.forEach(e => e.loading = 'eager');
            await Promise.all(all.map(e => e.decode().catch(() => 0)));
            return all.map(e => [e.src, e.naturalWidth, e.alt]);
        }"""
    )
    assert [p for p in pictures if p[1] < 50] == []
    assert [p for p in pictures if len(p[2]) < 20 or p[2].startswith("_images")] == []
    if name in CHAPTERS:
        assert len(pictures) > 4


@pytest.mark.parametrize("name", CHAPTERS)
def test_the_animation_moves(watched, site, name):
    page = opened(watched, site, name).page
    source = page.locator("main img[alt^='Animation'], main img[alt^='Film']").first.get_attribute(
        "src"
    )
    picture = Image.open(io.BytesIO(page.request.get(f"{site}/{source}").body()))
    assert picture.n_frames > 20


@pytest.mark.parametrize("name", NAMES)
def test_a_phone_scrolls_down_only(watched, site, name):
    page = opened(watched, site, name, "phone").page
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    outside = page.evaluate(
        """[...document.querySelectorAll('p, h1, h2, img, li')]
           .filter(e => e.checkVisibility() && e.getBoundingClientRect().right > 361)
           .filter(e => !e.closest('table, .math, dialog, .bd-sidebar-secondary'))
           .map(e => e.outerHTML.slice(0, 100))"""
    )
    assert outside == []
    cut = page.evaluate(
        """[...document.querySelectorAll('mjx-container')]
           .filter(e => e.getBoundingClientRect().left < 0).map(e => e.outerHTML.slice(0, 100))"""
    )
    assert cut == []  # nothing can be scrolled to that lies left of the page


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_axe_finds_nothing(watched, site, name, size, dark):
    """WCAG 2.1 A and AA, with contrast, and headings in order."""
    page, mode = opened(watched, site, name, size, dark).page, "dark" if dark else "light"
    page.add_script_tag(path=str(AXE))
    found = page.evaluate(
        """async () => (await axe.run(document, {
            runOnly: {type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']},
            rules: {'heading-order': {enabled: true}},
        })).violations.map(v => [v.id, v.nodes.length, v.nodes[0].html.slice(0, 200),
                                 v.nodes[0].failureSummary])"""
    )
    page.screenshot(path=SCREENSHOTS / f"{name.replace('/', '_')}_{size}_{mode}.png")
    assert found == []


@pytest.mark.parametrize("name", CHAPTERS)
def test_contents_links_lead_to_their_sections(watched, site, name):
    page = opened(watched, site, name).page
    links = page.evaluate(
        "[...document.querySelectorAll('.bd-sidebar-secondary a[href^=\"#\"]')].map(e => e.hash)"
    )
    assert len(links) >= 12
    assert page.evaluate("hs => hs.filter(h => !document.getElementById(h.slice(1)))", links) == []


def test_links_between_pages_work(watched, site):
    for name in NAMES:
        page = opened(watched, site, name).page
        for link in set(page.evaluate(
            "[...document.querySelectorAll('a')].map(e => e.href.split('#')[0])"
        )):  # fmt: skip
            if link.startswith(site):
                assert page.request.get(link).ok, link


@pytest.mark.parametrize("name", CHAPTERS)
def test_listings_are_coloured(watched, site, name):
    page = opened(watched, site, name).page
    colours = page.evaluate(
        """new Set([...document.querySelectorAll('.cell_output .highlight-python span')]
                   .map(e => getComputedStyle(e).color)).size"""
    )
    assert colours >= 3


@pytest.mark.parametrize("name", CHAPTERS)
def test_it_prints(watched, site, name):
    page = opened(watched, site, name).page
    pdf = page.pdf(format="A4")
    (SCREENSHOTS / f"{name}.pdf").write_bytes(pdf)
    assert pdf.count(b"/Type /Page\n") > 10


def test_how_much_and_how_soon(watched, site):
    """Reported, not judged: bytes, and seconds until the text and the formulas are there."""
    print()
    for name in NAMES:
        found = watched(viewport={"width": 1280, "height": 800})
        sizes = []
        found.page.on("response", lambda r, sizes=sizes: sizes.append(len(r.body())))
        start = time.monotonic()
        found.page.goto(f"{site}/{name}.html", wait_until="domcontentloaded")
        text = time.monotonic() - start
        if name in CHAPTERS:
            found.page.wait_for_selector("mjx-container", state="attached")
        formulas = time.monotonic() - start
        found.page.wait_for_load_state("networkidle")
        print(f"{name}: {len(sizes)} files, {sum(sizes):,} bytes, text after {text:.1f} s, "
              f"formulas after {formulas:.1f} s")  # fmt: skip
