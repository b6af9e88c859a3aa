"""Curves and rows of many seeds: thin for each seed, thick for the mean, no legend."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes

from pgcourse.display.colors import CHANCE, CHANCE_TEXT, text_color

APART = 11.0  # points between two labels


def draw_seeds(
    ax: Axes, steps: np.ndarray, values: np.ndarray, color: str, label: str, style: str = "-"
) -> None:
    """Draw a thin line for each seed and a thick one for their mean, with its label at the end.

    Args:
        steps: (points,).
        values: (seeds, points).
        color: a role's colour.
        label: written at the line's right end; labels that would overlap move apart.
        style: of the mean's line, such as "--".

    Raises:
        ValueError: values are not one row of `points` for each seed.
    """
    steps, values = np.asarray(steps, dtype=float), np.asarray(values, dtype=float)
    if values.ndim != 2 or not values.size or values.shape[1:] != steps.shape:
        raise ValueError(
            f"values: got shape {values.shape} with steps {steps.shape}; expected (seeds, points)"
        )
    ax.plot(steps, values.T, lw=0.8, alpha=0.35, color=color)
    mean = values.mean(axis=0)
    ax.plot(steps, mean, style, lw=2.2, color=color, zorder=3)
    ax.annotate(
        label, (steps[-1], mean[-1]), (6, 0), textcoords="offset points", va="center", size=8,
        color=text_color(color), gid="end",
    )  # fmt: skip
    spread([text for text in ax.texts if text.get_gid() == "end"], ax)


def spread(labels: list, ax: Axes) -> None:
    """Move labels at the ends of lines up and down until none covers another."""
    ax.autoscale_view()  # else the limits are those of before the newest line
    scale = 72.0 / ax.figure.dpi
    labels = sorted(labels, key=lambda text: text.xy[1])
    ends = [ax.transData.transform(text.xy)[1] * scale for text in labels]  # in points
    places = list(ends)
    for _ in range(50):
        for k in range(1, len(places)):
            push = APART - (places[k] - places[k - 1])
            if push > 0:
                places[k - 1], places[k] = places[k - 1] - push / 2, places[k] + push / 2
    for text, end, place in zip(labels, ends, places, strict=True):
        text.set_position((6, place - end))


def draw_arms(
    ax: Axes,
    names: Sequence[str],
    values: Sequence[np.ndarray],
    color: str,
    failed_below: float | None = None,
    *,
    failed: Sequence[np.ndarray] | None = None,
    middle: Callable[[np.ndarray], float] = np.mean,
) -> None:
    """Draw a row for each arm of a study, the first on top: a dot for a seed, a bar in the middle.

    Args:
        names: of the arms.
        values: (seeds,) for each arm.
        color: a role's colour.
        failed_below: seeds under this value are drawn hollow and counted at the right.
        failed: for each arm which seeds are drawn hollow, where another value says it.
        middle: where the bar is.

    Raises:
        ValueError: names and values are not equally many, or an arm has no seeds.
    """
    values = [np.asarray(arm, dtype=float) for arm in values]
    if len(names) != len(values):
        raise ValueError(f"values: got {len(values)} for {len(names)} names; expected as many")
    for row, arm in enumerate(values):
        if arm.ndim != 1 or not arm.size:
            raise ValueError(f"values: got shape {arm.shape} in row {row}; expected (seeds,)")
        hollow = arm < (-np.inf if failed_below is None else failed_below)
        hollow = hollow if failed is None else np.asarray(failed[row])
        # In three lanes, so that seeds of nearly the same value do not hide each other.
        height = row + 0.17 * (np.argsort(np.argsort(arm)) % 3 - 1)
        ax.plot(arm[~hollow], height[~hollow], "o", ms=4, mew=0, alpha=0.7, color=color)
        ax.plot(arm[hollow], height[hollow], "o", ms=4.5, mfc="white", mec=CHANCE, mew=1)
        ax.plot([middle(arm)] * 2, [row - 0.36, row + 0.36], lw=2.2, color=color, zorder=3)
        if failed is None and hollow.any():
            ax.annotate(
                f"{hollow.sum()} of {len(arm)} fail", (1, row), (6, 0), va="center", size=8,
                xycoords=("axes fraction", "data"), textcoords="offset points", color=CHANCE_TEXT,
            )  # fmt: skip
    if failed_below is not None:
        ax.axvline(failed_below, color=CHANCE, lw=1, ls=":", zorder=0)
        ax.annotate(
            "failed", (failed_below, 1), (-4, 0), ha="right", va="top", size=8, color=CHANCE_TEXT,
            xycoords=("data", "axes fraction"), textcoords="offset points",
        )  # fmt: skip
    ax.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y")
