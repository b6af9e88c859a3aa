"""Smaller training budgets, for tests that ask whether a notebook runs, not what it finds."""

import json
import tomllib


def shrink(name: str, text: str) -> str:
    """Return a notebook's text with the small budgets that its cell "chapter" names."""
    notebook = json.loads(text)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    own = [cell for cell in notebook["cells"] if "chapter" in cell["metadata"].get("tags", [])]
    if not own:  # a page that is none
        return text
    (own,) = own
    # As pgcourse.tools.chapters reads it, which the browser's environment does not have.
    told = "".join(own["source"]).partition("\n")[2].removesuffix("-->")
    for old, new in tomllib.loads(told).get("small", {}).items():
        found = [cell for cell in code if old in "".join(cell["source"])]
        if len(found) != 1 or "".join(found[0]["source"]).count(old) != 1:
            raise ValueError(f"{name}: {old!r} should stand in it once; {len(found)} cells have it")
        found[0]["source"] = "".join(found[0]["source"]).replace(old, new)
    return json.dumps(notebook)
