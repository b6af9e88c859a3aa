"""Pictures, shown with a text for those who cannot see them."""

import io
import math
from base64 import b64encode
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from PIL import Image

from pgcourse import checks
from pgcourse.display.colors import ACTOR, CRITIC, MET, NOTE, TEACHER
from pgcourse.parts.history import History

DPI, SHOWN = 200, 100  # stored, and shown, per inch: sharp on a fine screen
COLOURS = 128


def png(fig: Figure) -> bytes:
    """Return a figure as a PNG picture as wide as the figure, of 128 colours if that will do."""
    drawn = io.BytesIO()
    fig.savefig(drawn, format="png", dpi=DPI, bbox_inches=None)
    full = Image.open(drawn).convert("RGB")
    (flat,) = indexed([np.asarray(full)])
    off = np.abs(np.asarray(full, dtype=np.int16) - np.asarray(flat.convert("RGB"))).max(axis=2)
    file = io.BytesIO()
    (flat if (off > 24).mean() < 0.002 else full).save(file, "PNG", optimize=True)
    return file.getvalue()


def indexed(pictures: list[np.ndarray], colours: int = COLOURS) -> list[Image.Image]:
    """Return pictures in one palette: their commonest colours exactly, means for soft edges.

    So the white ground stays white, and a role keeps its colour. (Pillow alone finds the nearest
    colour only roughly, and makes white grey.)

    Args:
        pictures: (height, width, 3) each, uint8; every eighth has a say in the palette.
        colours: how many.
    """
    places = np.array([1 << 16, 1 << 8, 1], dtype=np.int32)
    packed = [picture.astype(np.int32) @ places for picture in pictures]
    values, counts = np.unique(np.stack(packed[::8]), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    exact, rest = unpacked(values[order[: colours // 2]]), unpacked(values[order[colours // 2 :]])
    if len(rest):
        means = Image.fromarray(rest[None]).quantize(colours - len(exact)).getpalette()
        exact = np.concatenate([exact, np.reshape(means, (-1, 3))])[:colours].astype(np.uint8)
    nearest = np.zeros(1 << 24, dtype=np.uint8)  # for every colour there could be
    for picture in packed:
        nearest[picture] = 1
    there = np.flatnonzero(nearest)
    table, found = exact.astype(np.float32), unpacked(there).astype(np.float32)
    nearest[there] = ((table**2).sum(axis=1) - 2 * found @ table.T).argmin(axis=1)
    images = [Image.fromarray(nearest[picture]) for picture in packed]
    for image in images:
        image.putpalette(exact.tobytes())
    return images


def unpacked(values: np.ndarray) -> np.ndarray:
    """Return numbers 0xRRGGBB, (n,), as colours (n, 3), uint8."""
    return np.stack([values >> 16, values >> 8, values], axis=-1).astype(np.uint8)


def show_png(
    picture: bytes, alt: str, more: dict[str, Any] | None = None, density: int = 2, **options
):
    """Display a PNG picture with a text for those who cannot see it.

    Args:
        picture: the file's content.
        alt: the text.
        more: the same thing in other forms, by MIME type; a program shows the one it likes best.
        density: pixels of the file for each pixel of the page.
        options: of IPython's `display`.
    """
    data = {"image/png": b64encode(picture).decode(), "text/plain": alt} | (more or {})
    width = int.from_bytes(picture[16:20], "big")  # where a PNG file has it
    # IPython's Image would do, but the one in Colab (7.34) knows no alternative text.
    metadata = {"image/png": {"alt": alt, "width": width // density}}
    return display(data, metadata=metadata, raw=True, **options)


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


def thousands(axis: Axis) -> None:
    """Write 4000 as 4k on an axis."""
    axis.set_major_formatter(lambda x, _: f"{x / 1000:g}k" if abs(x) >= 1000 else f"{x:g}")


def words(name: str) -> str:
    """Return a loss's name as words: critic_loss is "Critic's loss", q_term "Q term"."""
    spelt = {"bc": "cloning", "kl": "KL"}
    first, *rest = [spelt.get(word, word) for word in name.split("_")]
    first = first[:1].upper() + first[1:]
    return f"{first}'s loss" if rest == ["loss"] else " ".join([first, *rest])


def plot_history(history: History) -> Figure:
    """Draw the returns of the training episodes and every loss against environment steps."""
    checks.instance("history", history, History, "the History that train returns")
    names = list(history.losses)
    rows = math.ceil((1 + len(names)) / 3)
    columns = math.ceil((1 + len(names)) / rows)
    fig = Figure(figsize=(7.2, 1.5 + 1.5 * rows))
    axes = fig.subplots(rows, columns, squeeze=False, sharex=True).ravel()
    axes[0].plot(history.score_steps, history.scores, ".", ms=3, alpha=0.4, color=ACTOR)
    axes[0].plot(history.score_steps, running_mean(history.scores, 10), lw=2.2, color=ACTOR)
    title = "Return of training episodes" if columns < 3 else "Return"
    axes[0].set(title=title, ylabel="sum of rewards")
    window = min(100, max([1, *(len(history.losses[name]) // 10 for name in names)]))
    roles = {"critic": CRITIC, "q": CRITIC, "bc": TEACHER, "pass": MET}
    for ax, name in zip(axes[1:], names, strict=False):
        color = roles.get(name.split("_")[0], ACTOR)
        ax.plot(history.loss_steps[name], running_mean(history.losses[name], window), color=color)
        ax.set(title=words(name))
    for ax in axes[1 + len(names) - columns : 1 + len(names)]:
        ax.tick_params(labelbottom=True)
    for ax in axes[1 + len(names) :]:
        ax.remove()
    thousands(axes[0].xaxis)  # shared by all
    fig.supxlabel(
        "environment steps (a dot is one episode; lines are means of 10 episodes or "
        f"{window} updates)",
        size=8, color=NOTE,
    )  # fmt: skip
    return fig
