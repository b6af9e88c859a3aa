"""Pictures, shown with a text for those who cannot see them."""

import io
from base64 import b64encode
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from matplotlib.figure import Figure

from pgcourse import checks
from pgcourse.parts.history import History


def png(fig: Figure) -> bytes:
    """Return a figure as a PNG picture."""
    file = io.BytesIO()
    fig.savefig(file, format="png", dpi=90, bbox_inches="tight")
    return file.getvalue()


def show_png(picture: bytes, alt: str, more: dict[str, Any] | None = None, **options):
    """Display a PNG picture with a text for those who cannot see it.

    Args:
        picture: the file's content.
        alt: the text.
        more: the same thing in other forms, by MIME type; a program shows the one it likes best.
        options: of IPython's `display`.
    """
    data = {"image/png": b64encode(picture).decode(), "text/plain": alt} | (more or {})
    # IPython's Image would do, but the one in Colab (7.34) knows no alternative text.
    return display(data, metadata={"image/png": {"alt": alt}}, raw=True, **options)


def show_figure(fig: Figure, alt: str) -> None:
    """Display a figure once, with a text for those who cannot see it, and close it."""
    checks.instance("fig", fig, Figure, "a matplotlib Figure")
    checks.instance("alt", alt, str, "a text")
    show_png(png(fig), alt)
    plt.close(fig)


def running_mean(values: list[float], window: int) -> np.ndarray:
    """Return the mean of the last `window` values (fewer at the start), one per value."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    last = np.arange(1, len(sums))
    first = np.maximum(last - window, 0)
    return (sums[last] - sums[first]) / (last - first)


def plot_history(history: History) -> Figure:
    """Draw the returns of the training episodes and every loss against environment steps."""
    checks.instance("history", history, History, "the History that train returns")
    names = list(history.losses)
    fig = Figure(figsize=(4 * (1 + len(names)), 3), layout="constrained")
    axes = fig.subplots(1, 1 + len(names), squeeze=False)[0]
    axes[0].plot(history.score_steps, history.scores, ".", alpha=0.4, label="one episode")
    mean = running_mean(history.scores, 10)
    axes[0].plot(history.score_steps, mean, label="mean of the last 10")
    axes[0].set(title="training episodes", ylabel="return (sum of rewards)")
    axes[0].legend(loc="lower right")
    for ax, name in zip(axes[1:], names, strict=True):
        ax.plot(history.loss_steps[name], running_mean(history.losses[name], 100), lw=1)
        ax.set(title=f"{name}, mean of 100 updates", ylabel=name)
    for ax in axes:
        ax.set_xlabel("environment steps")
        ax.grid(alpha=0.3)
    return fig
