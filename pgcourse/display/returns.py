"""What agents earn: start by start, arm by arm, and against what the critic promised."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pgcourse.display.colors import ACTOR, CHANCE, CHANCE_TEXT, CRITIC, EXACT
from pgcourse.display.curves import draw_arms, draw_seeds

DASHES, DOTS = (0, (4, 2)), (0, (1, 2))
# What is drawn of a player, from worst to best: colour, marker, line.
LOOKS = ((CHANCE, "x", DOTS), (ACTOR, "o", "-"), (EXACT, "_", DASHES))


def draw_starts(degrees: np.ndarray, returns: dict[str, np.ndarray]) -> Figure:
    """Draw the returns of a random, a trained and a best player, and what the trained one loses.

    Args:
        degrees: (starts,), each start's angle, 0 is up.
        returns: name -> (starts,), the three in this order.

    Raises:
        ValueError: not three of them, or of another length than degrees.
    """
    if [len(each) for each in returns.values()] != 3 * [len(degrees)]:
        shapes = {name: np.shape(each) for name, each in returns.items()}
        raise ValueError(f"returns: got {shapes}; expected three of {np.shape(degrees)}")
    fig = Figure(figsize=(7.2, 3.0))
    left, right = fig.subplots(1, 2)
    for (name, each), (color, marker, _) in zip(returns.items(), LOOKS, strict=True):
        left.plot(degrees, each, marker, color=color, ms=4 if marker == "o" else 6, label=name)
    _, trained, best = returns.values()
    right.plot(degrees, best - trained, "o", color=ACTOR, ms=4)
    left.set(title="Hanging starts cost a swing-up", ylabel="return", ylim=(None, 250))
    left.legend(loc="upper center", ncols=3, columnspacing=1.0)
    right.set(title="What is lost, start by start", ylabel="regret")
    for ax in (left, right):
        ax.set(xlabel="start angle (degrees, 0 is up)", xticks=range(-180, 181, 90))
    return fig


def draw_swings(paths: dict[str, np.ndarray]) -> Figure:
    """Draw the angle over time of a trained and of a best player, with their returns.

    Args:
        paths: name -> (T, 4), rows as `swing` returns them, in this order.
    """
    fig = Figure(figsize=(7.2, 3.0))
    ax = fig.subplots()
    for (name, path), (color, _, line) in zip(paths.items(), LOOKS[1:], strict=True):
        degrees = np.degrees(np.unwrap(path[:, 0]))
        text = f"{name}: return {path[:, 3].sum():.0f}"
        ax.plot(0.05 * np.arange(len(path)), degrees, ls=line, color=color, label=text)
    low, high = np.array(ax.get_ylim()).round(-1)
    ups = np.arange(np.floor(low / 360) * 360, high + 361, 360)
    for up in ups:
        ax.axhline(up, color=CHANCE, lw=0.6, zorder=0)
    ax.set(xlabel="time (s)", ylabel="angle (degrees)", title="One start, two ways up")
    ax.set(ylim=(low - 20, high + 0.25 * (high - low)))
    for up in ups[(ups >= low) & (ups <= high)]:
        ax.text(0.0, up + 4, "up", va="bottom", color=CHANCE_TEXT)
    ax.legend(loc="upper center", ncols=2)
    return fig


def draw_estimates(returns: np.ndarray, estimates: np.ndarray) -> Figure:
    """Draw a critic's estimates over the discounted returns that followed; none is above 0.

    Args:
        returns, estimates: (states,) both.
    """
    fig = Figure(figsize=(7.2, 3.0))
    ax = fig.subplots()
    low, top = np.min(returns), max(0.0, np.max(estimates)) + 12
    ax.axhspan(0.0, top, color=CHANCE, alpha=0.18, lw=0)
    ax.plot(returns, estimates, ".", color=CRITIC, ms=3, alpha=0.5)
    ax.axline((0, 0), slope=1, color=EXACT, ls=DASHES, lw=1.2)
    ax.text(low, top - 2, "no return can be up here", va="top", color=CHANCE_TEXT)
    ax.text(low / 4, 0.9 * low, "dashed: estimate = return", ha="center", color=EXACT)
    ax.set(xlabel="discounted return that followed", ylabel="critic's estimate", ylim=(None, top))
    ax.set_title("The critic promises more than comes")
    return fig


def draw_study(
    title: str, arms: dict[str, np.ndarray], references: dict[str, float], failed_below: float
) -> Figure:
    """Draw a row of dots for each arm of a study, one for a seed, and lines for references.

    Args:
        title: the finding.
        arms: name -> (seeds,), returns.
        references: name -> return; the best possible, then chance.
        failed_below: seeds under this return are drawn hollow and counted.
    """
    fig = Figure(figsize=(7.2, 4.5))
    ax: Axes = fig.subplots()
    for (name, x), line in zip(references.items(), (DASHES, DOTS), strict=False):
        ax.axvline(x, color=EXACT if line == DASHES else CHANCE, ls=line, lw=1.2, zorder=0)
        ax.annotate(
            name, (x, 1), (0, 3), xycoords=("data", "axes fraction"),
            textcoords="offset points", ha="center", va="bottom", size=8,
        )  # fmt: skip
    draw_arms(ax, list(arms), list(arms.values()), ACTOR, failed_below)
    ax.set_xlabel("mean return over held-out starts")
    ax.set_title(title, pad=18)
    return fig


def draw_errors(
    title: str,
    errors: dict[str, np.ndarray],
    returns: dict[str, np.ndarray],
    failed_below: float | None = None,
) -> Figure:
    """Draw two rows of dots for each arm, one for a seed: its critic's error, and its return.

    The bars are medians, and a seed that failed is hollow in both.

    Args:
        title: the finding.
        errors, returns: name -> (seeds,), the same names in both.
        failed_below: as for `draw_study`.
    """
    fig = Figure(figsize=(7.2, 3.0))
    left, right = fig.subplots(1, 2, sharey=True)
    names, low = list(errors), -np.inf if failed_below is None else failed_below
    failed = [returns[name] < low for name in names]
    draw_arms(left, names, list(errors.values()), CRITIC, failed=failed, middle=np.median)
    rows = [returns[name] for name in names]
    draw_arms(right, names, rows, ACTOR, failed_below, middle=np.median)
    left.axvline(0, color=EXACT, ls=DASHES, lw=1)
    left.set_xlabel("critic minus what came")
    right.set_xlabel("mean return")
    fig.suptitle(title, x=0.01, ha="left", weight="bold", size=10)
    return fig


def draw_learning(
    title: str,
    curves: dict[str, tuple[np.ndarray, np.ndarray, str, str]],
    xlabel: str = "environment steps",
) -> Figure:
    """Draw learning curves of several agents, every seed thin and each mean thick.

    Args:
        title: the finding.
        curves: label -> (x (points,), returns (seeds, points), colour, style of the mean).
        xlabel: what x is.
    """
    fig = Figure(figsize=(7.2, 3.0))
    ax = fig.subplots()
    for label, (x, values, color, style) in curves.items():
        draw_seeds(ax, x, values, color, label, style)
    for text in ax.texts:  # some curves end in the middle of others
        text.set(bbox={"fc": "white", "ec": "none", "alpha": 0.8, "pad": 1.0}, zorder=5)
    ax.set(title=title, xlabel=xlabel, ylabel="mean return")
    return fig
