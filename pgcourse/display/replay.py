"""Pictures of prioritised replay: one update with demonstrations that stay, and a corridor."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from pgcourse.display.colors import ACTOR, CHANCE, CRITIC, INK, TEACHER
from pgcourse.display.curves import spread
from pgcourse.display.networks import LOSS, MU, Q, arrow, band, blank, box, note, pull


def draw_replay() -> Figure:
    """Draw one update of DDPGfD: the memory, both losses, and the priorities that come back."""
    fig, ax = blank(4.3, -5, 66)
    draw, one, many, climb = 56.0, 38.0, 21.0, 3.0
    for y, color, title in (
        (draw, CHANCE, "1  Memory: demonstrations stay, the rest is a ring"),
        (one, CRITIC, "2  Critic, one step ahead (Eq. 5)"),
        (many, CRITIC, "3  Critic, up to n steps ahead (Eqs. 1, 5)"),
        (climb, ACTOR, "4  Actor (Eq. 6)"),
    ):
        band(ax, y + 1, 14.5, color, INK if color == CHANCE else color, title)
    shares = 0.9, 0.5, 0.8, 0.6, 0.3, 0.15, 0.6, 0.2, 0.1, 0.35, 0.2, 0.5
    for k, share in enumerate(shares):
        kind = TEACHER if k < 4 else CHANCE
        at = (17 + 4.2 * k, draw - 4.5)
        ax.add_patch(Rectangle(at, 3.4, 8.5 * share, fc=kind, ec="none", alpha=0.75))
    note(ax, LOSS, draw, "likelier to be drawn,\nthe higher (Eqs. 2, 3)", size=8.5)
    above = one + 21
    for y, symbols in ((one, "$s,a,r,s'$"), (many, "$s,a,R,s_{+k}$"), (climb, "$s$")):
        note(ax, 7.0, y, symbols, size=10)
        ax.plot([7.0, 7.0], [y + 3, above - 3], color=INK, lw=1.2)
        above = y
    ax.plot([7.0, 15.5], [draw, draw], color=INK, lw=1.2)
    for y, loss in ((one, r"mean $h\,(Q-y)^2$"), (many, r"$\zeta_1$ mean $h\,(Q-y^n)^2$")):
        box(ax, Q, y, "$Q$", CRITIC)
        box(ax, LOSS, y, loss, CRITIC, wide=True)
        arrow(ax, (13.5, y), (Q - 5.5, y))
        note(ax, 40, y + 2.2, "$s, a$")
        pull(ax, Q + 5.5, LOSS - 12.5, y, CRITIC)
    box(ax, MU, climb, r"$\mu$", ACTOR)
    box(ax, Q, climb, "$Q$", CRITIC)
    box(ax, LOSS, climb, r"$-$mean $h\,Q(s,\mu(s))$", ACTOR, wide=True)
    arrow(ax, (11, climb), (MU - 5.5, climb))
    pull(ax, MU + 5.5, Q - 5.5, climb, ACTOR)
    pull(ax, Q + 5.5, LOSS - 12.5, climb, ACTOR)
    arrow(ax, (Q, one + 4), (Q, draw - 5.2), CRITIC, 1.6, (0, (2, 2)))
    words = r"new priorities, from $\delta$ and $\nabla_{\!a}Q$: no gradient"
    note(ax, Q + 1.5, (one + draw) / 2 + 1.2, words, CRITIC, 8, ha="left")
    return fig


def draw_corridor(junk: list[int], updates: dict[str, list[np.ndarray]], title: str) -> Figure:
    """Draw how many updates each way of drawing rows needs, over the number of useless rows.

    Args:
        junk: numbers of useless rows; their places are evenly spaced.
        updates: at most five, name -> for each of these numbers (runs,); dots are runs, a line
            joins the means.
        title: the finding.

    Raises:
        ValueError: more than five, or a name has not as many arrays as there are numbers.
    """
    for name, found in updates.items():
        if len(found) != len(junk):
            raise ValueError(f"updates[{name!r}]: got {len(found)} arrays; expected {len(junk)}")
    fig = Figure(figsize=(7.2, 3.6))
    ax: Axes = fig.subplots()
    at = np.arange(len(junk), dtype=float)
    looks = (CHANCE, ":"), (CRITIC, "-"), (TEACHER, "--"), (ACTOR, "-."), (INK, "-")
    for (name, found), (color, line) in zip(updates.items(), looks[: len(updates)], strict=True):
        means = [runs.mean() for runs in found]
        for x, runs in zip(at, found, strict=True):
            ax.plot(np.full(len(runs), x), runs, "o", ms=3, mew=0, alpha=0.2, color=color)
        ax.plot(at, means, line, lw=2.2, color=color)
        ax.annotate(
            name, (at[-1], means[-1]), (9, 0), textcoords="offset points", va="center", size=8,
            color=INK, gid="end",
        )  # fmt: skip
    ax.set(yscale="log", xticks=at, xlim=(-0.2, at[-1] + 1.0), title=title)
    ax.set_xticklabels([f"{n:,}" for n in junk])
    ax.set(xlabel="useless rows beside the demonstration's 20", ylabel="updates")
    spread([text for text in ax.texts if text.get_gid() == "end"], ax)
    return fig
