"""Smaller training budgets, for tests that ask whether a notebook runs, not what it finds."""

SMALL = {
    "03_ddpg": {"STOPS = 500, 2_000, 5_000, 12_000": "STOPS = 300, 600, 900, 4_000"},
    "07_bc": {"CAR_FRAMES = 4_000": "CAR_FRAMES = 1_600"},
    "08_her": {
        "live.train(25 * chapter_08.STEPS)": "live.train(8 * chapter_08.STEPS)",
        "= chapter_08.CURVE, chapter_08.PANEL": "= range(20_000, 20_003), range(10_000, 10_010)",
    },
}


def shrink(name: str, text: str) -> str:
    """Return a notebook's text with the small budgets of its name."""
    for old, new in SMALL[name].items():
        if text.count(old) != 1:
            raise ValueError(f"{name}: {old!r} stands in it {text.count(old)} times, not once")
        text = text.replace(old, new)
    return text
