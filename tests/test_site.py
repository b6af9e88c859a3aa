"""The site is built from what is committed; tests/browser looks at it in a browser."""

import json
import re

import pytest

from pgcourse.tools.site import FORMULA, build, one_equation, prepare
from tests.test_publish import NAMES, PAGES, ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("build") / "site"
    assert build(out) == 0  # Sphinx's warnings count
    return {path.stem: path.read_text(encoding="utf-8") for path in out.glob("*.html")}


def test_there_is_a_page_for_each_notebook_and_the_index_leads_to_it(site):
    for name in PAGES:
        assert f'href="{name}.html"' in site["index"]
        assert site[name].count("<img") >= (5 if name in NAMES else 4)


def test_the_agent_is_played_with_on_two_pages(site):
    with_it = {name for name, page in site.items() if 'class="play"' in page}
    assert with_it == {"index", "03_ddpg"}
    after = site["03_ddpg"].partition('class="play"')[2]
    assert "<h2>13. What was learned" not in after and "<h2>14. What the critic" in after


def test_pages_load_nothing_from_another_host(site):
    for page in site.values():
        loaded = re.findall(r'<(?:script|img|link|source)\b[^>]*?(?:src|href)="([^"]+)', page)
        assert [address for address in loaded if "//" in address] == []


def test_every_picture_has_its_own_text(site):
    for name in NAMES:
        texts = re.findall(r'<img[^>]*alt="([^"]*)"', site[name])
        assert len(texts) >= 5 and all(len(text) > 20 for text in texts)
        assert len(set(texts)) == len(texts)


def test_a_formula_with_lines_stays_one_formula():
    text = FORMULA.sub(one_equation, r"$$a = \begin{cases} 1 \\ 0 \end{cases}$$ and $$b$$")
    assert text.startswith(r"\begin{equation*}") and text.endswith(r"\end{equation*} and $$b$$")


def test_preparing_a_notebook_changes_no_code():
    path = ROOT / "notebooks" / "03_ddpg.ipynb"
    before, after = json.loads(path.read_text(encoding="utf-8")), json.loads(prepare(path))
    code = [["".join(c["source"]) for c in nb["cells"] if c["cell_type"] == "code"]
            for nb in (before, after)]  # fmt: skip
    assert code[0] == code[1]
