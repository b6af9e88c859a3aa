"""What no page uses is taken from the site, and nothing else."""

import tinycss2

from pgcourse.tools.lighten import kept, lighten


def rules(text):
    return tinycss2.parse_stylesheet(text, skip_comments=True, skip_whitespace=True)


def test_a_rule_stays_if_some_page_may_need_it():
    used = {"card", "sd-g-3"}
    for text, left in (
        (".card{a:b}", ".card{a:b}"),
        (".gone{a:b}", ""),
        (".gone,.card p{a:b}", ".card p{a:b}"),
        (".card .gone{a:b}", ""),
        ("p,a:hover{a:b}", "p,a:hover{a:b}"),
        (":is(.gone,.card){a:b}", ":is(.gone,.card){a:b}"),
        ("@media print{.gone{a:b}}", ""),
        ("@media print{.gone{a:b}.card{a:b}}", "@media print{.card{a:b}}"),
        ("@font-face{a:b}", "@font-face{a:b}"),
        (r".sd-g\-3{a:b}", ".sd-g-3{a:b}"),
    ):
        assert "".join(kept(rules(text), used)).replace(" ", "") == left.replace(" ", "")


def test_a_site_is_lighter_and_shows_the_same(tmp_path):
    static = tmp_path / "_static" / "scripts"
    static.mkdir(parents=True)
    for name in ("fontawesome.js", "fontawesome.js.map", "theme.js"):
        (static / name).write_text("e.classList.add('shown')")
    (static / "a.css").write_text(".shown{a:b}.red{a:b}.never{a:b}")
    icons = '<script defer src="_static/scripts/fontawesome.js?x=1"></script>'
    search = '<script src="_static/searchtools.js"></script>'
    for name in ("index.html", "search.html"):
        (tmp_path / name).write_text(f'{icons}{search}<p class="red big">')
    lighten(tmp_path)
    assert {path.name for path in static.iterdir()} == {"theme.js", "a.css"}
    assert (static / "a.css").read_text() == ".shown{a:b}\n.red{a:b}"
    later = search.replace("<script", "<script defer")
    assert (tmp_path / "index.html").read_text() == f'{later}<p class="red big">'
    assert (tmp_path / "search.html").read_text() == f'{search}<p class="red big">'
