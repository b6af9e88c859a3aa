"""Take from a built site what no page of it uses: most of its style sheets, and a script."""

import re
from pathlib import Path

import tinycss2

CLASS = re.compile(r"\.((?:[\w-]|\\.)+)")
WORD = re.compile(r"[\w-]+")
# It draws icons that the style sheets draw as well, and is more than half of what a page loads.
ICONS = re.compile(r'<script[^>]*src="[^"]*/fontawesome\.js[^"]*"></script>')
# The words of the search are not needed before the first text is there.
SEARCH = re.compile(r'<script (src="(?:[\w/.]*/)?(?:searchtools|language_data|searchindex)\.js)')


def lighten(site: Path) -> None:
    """Make the pages of a site lighter, so that the first text is there sooner."""
    pages = list(site.rglob("*.html"))
    for page in pages:
        text = ICONS.sub("", page.read_text(encoding="utf-8"))
        if page.name != "search.html":  # there a script in the page waits for none
            text = SEARCH.sub(r"<script defer \1", text)
        page.write_text(text, encoding="utf-8")
    static = site / "_static"
    for path in {*static.rglob("*.map"), *static.rglob("fontawesome.js*")}:
        path.unlink()
    scripts = [path for path in static.rglob("*.js") if "mathjax" not in path.parts]
    used: set[str] = set()
    for path in (*pages, *scripts):
        used.update(WORD.findall(path.read_text(encoding="utf-8")))
    for path in static.rglob("*.css"):
        options = {"skip_comments": True, "skip_whitespace": True}
        rules = tinycss2.parse_stylesheet(path.read_text(encoding="utf-8"), **options)
        path.write_text("\n".join(kept(rules, used)), encoding="utf-8")


def kept(rules: list, used: set[str]) -> list[str]:
    """Return the rules of which every class is a word of some page or script.

    Args:
        rules: as tinycss2 has parsed them.
        used: words.
    """
    found = []
    for rule in rules:
        if rule.type == "qualified-rule":
            selector = tinycss2.serialize(rule.prelude).strip()
            # A comma may stand in brackets, as in :is(.a, .b): such a rule stays or goes as one.
            parts = [selector] if "(" in selector else selector.split(",")
            parts = [part for part in parts if "(" in part or needed(part, used)]
            if parts:
                found.append(f"{','.join(parts)}{{{tinycss2.serialize(rule.content)}}}")
        elif rule.type == "at-rule" and rule.lower_at_keyword in ("media", "supports"):
            inner = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
            if lines := kept(inner, used):
                head = f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}"
                found.append(f"{head}{{{''.join(lines)}}}")
        else:
            found.append(rule.serialize())
    return found


def needed(selector: str, used: set[str]) -> bool:
    """Return whether some element of some page may be meant."""
    return all(name.replace("\\", "") in used for name in CLASS.findall(selector))
