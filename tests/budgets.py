"""Smaller training budgets, for tests that ask whether a notebook runs, not what it finds."""

SMALL = {
    "03_ddpg": {
        "FRAMES = 12_000": "FRAMES = 4_000",
        "RANDOM_STEPS + 7_000, range(5), 4": "RANDOM_STEPS + 300, range(1), 2",
        "rounds=9, calls=40": "rounds=2, calls=5",
    },
    "07_bc": {
        "RANDOM_STEPS + 3_000": "RANDOM_STEPS + 200",
        "RANDOM_STEPS + 5_000": "RANDOM_STEPS + 200",
        "RANDOM_STEPS + 4_000": "RANDOM_STEPS + 200",
        "SEEDS = range(5)": "SEEDS = range(2)",
    },
    "08_her": {
        "BIT_EPISODES = (2, 4, 6, 8, 10), 250": "BIT_EPISODES = (2, 4, 6), 20",
        "ARM_EPISODES, ARM_PIECES = 200, 8": "ARM_EPISODES, ARM_PIECES = 8, 2",
        "range(20_000, 20_040)": "range(20_000, 20_003)",
        "range(10_000, 10_100)": "range(10_000, 10_010)",
        "DEMOS, DEMO_SEED = 100, 1_000": "DEMOS, DEMO_SEED = 10, 1_000",
    },
}


def shrink(name: str, text: str) -> str:
    """Return a notebook's text with the small budgets of its name."""
    for old, new in SMALL[name].items():
        if text.count(old) != 1:
            raise ValueError(f"{name}: {old!r} stands in it {text.count(old)} times, not once")
        text = text.replace(old, new)
    return text
