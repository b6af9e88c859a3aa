"""Agents that learn from rollouts: one update as a diagram, a pole, and estimators."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pgcourse.display.colors import ACTOR, CHANCE, CHANCE_TEXT, CRITIC, EXACT, INK
from pgcourse.display.networks import LOSS, MU, Q, arrow, band, blank, box, note, pull
from pgcourse.display.video import camera


def draw_rollout() -> Figure:
    """Draw one update of an actor-critic: rollout, advantages, the policy's and value's steps."""
    fig, ax = blank(4.5, -3, 66)
    rows = (
        (57.0, CHANCE, INK, "1  Rollout: a whole episode of each environment"),
        (40.0, CHANCE, INK, "2  Advantages (Eqs. 9, 10), once, as data"),
        (22.0, ACTOR, ACTOR, "3  Policy's step (Eq. 8): one"),
        (4.5, CRITIC, CRITIC, "4  Value's steps (Eq. 7): five"),
    )
    play, weigh, climb, fit = (row[0] for row in rows)
    for row in rows:
        band(ax, row[0], 14, *row[1:])
    for y, symbols in ((play, "$s$"), (weigh, "$s, s'$"), (climb, "$s, a$"), (fit, "$s$")):
        note(ax, 7.5, y - 1, symbols, size=11)
    box(ax, MU - 8, play - 1, r"$\pi$", ACTOR)
    box(ax, LOSS + 1, play - 1, "environments", CHANCE, wide=True)
    arrow(ax, (11, play - 1), (MU - 13.5, play - 1))
    arrow(ax, (MU - 2.5, play - 1), (LOSS - 11.5, play - 1))
    note(ax, (MU + Q) / 2 + 6, play + 1.4, r"$a=\mu_\theta(s)+\sigma\varepsilon$, drawn")
    box(ax, Q - 1, weigh - 1, "$V$", CRITIC)
    box(ax, LOSS + 1, weigh - 1, r"$A=\delta+\gamma\lambda A'$", CHANCE, wide=True)
    arrow(ax, (11, weigh - 1), (Q - 6.5, weigh - 1))
    arrow(ax, (Q + 4.5, weigh - 1), (LOSS - 11.5, weigh - 1))
    arrow(ax, (LOSS, play - 5), (LOSS, weigh + 3))
    note(ax, LOSS + 2, 49.0, "$r$")
    box(ax, MU - 8, climb - 1, r"$\pi$", ACTOR)
    box(ax, LOSS + 1, climb - 1, r"$-$ mean $(\log\pi\cdot A)$", ACTOR, wide=True)
    arrow(ax, (11, climb - 1), (MU - 13.5, climb - 1))
    pull(ax, MU - 2.5, LOSS - 11.5, climb - 1, ACTOR)
    note(ax, (MU + Q) / 2 + 6, climb + 2.4, r"log $\pi(a|s)$")
    note(ax, (MU + Q) / 2 + 6, climb - 5.4, r"$\nabla_\theta$", ACTOR, 11)
    box(ax, Q - 1, fit - 1, "$V$", CRITIC)
    box(ax, LOSS + 1, fit - 1, "mean $(V-G)^2$", CRITIC, wide=True)
    arrow(ax, (11, fit - 1), (Q - 6.5, fit - 1))
    pull(ax, Q + 4.5, LOSS - 11.5, fit - 1, CRITIC)
    note(ax, (Q + LOSS) / 2 - 3.5, fit - 5.4, r"$\nabla_\phi$", CRITIC, 11)
    arrow(ax, (LOSS, weigh - 5), (LOSS, climb + 3))
    for y in (28.6, 29.8):
        ax.plot([LOSS - 3.4, LOSS + 3.4], [y, y], color=INK, lw=2.2, solid_capstyle="butt")
    note(ax, LOSS - 5, 29.2, "no gradient passes: $A$ is data", size=8, ha="right")
    right = LOSS + 15
    ax.plot([LOSS + 13.5, right, right], [weigh - 1, weigh - 1, fit - 1], color=INK, lw=1.2)
    arrow(ax, (right, fit - 1), (LOSS + 13.5, fit - 1))
    note(ax, right - 0.8, 13.2, "$G=A+V$", size=8, ha="right")
    return fig


def balance_film(
    paths: dict[str, np.ndarray], dt: float, limit: float
) -> tuple[list[np.ndarray], np.ndarray]:
    """Draw carts that balance a pole, side by side, above the angles of their poles over time.

    Args:
        paths: title -> (T, 2), position in m and angle in rad; the untrained agent's first. One
            that is shorter stays where it ended.
        dt: seconds of a step.
        limit: angle in rad beyond which a pole has fallen.

    Returns:
        frames of (360, 720, 3), uint8, one for every second step, and a poster, for `show_film`.

    Raises:
        ValueError: not two arrays of such a shape.
    """
    if [np.shape(path)[1:] for path in paths.values()] != [(2,), (2,)]:
        shapes = {title: np.shape(path) for title, path in paths.items()}
        raise ValueError(f"paths: got {shapes}; expected two of (T, 2)")
    fig, moving = Figure(figsize=(7.2, 3.6), dpi=100, layout="none"), []
    strip: Axes = fig.add_axes((0.1, 0.13, 0.87, 0.3))
    last = max(map(len, paths.values())) - 1
    looks = (CHANCE, ":"), (ACTOR, "-")
    for k, ((title, path), (color, line)) in enumerate(zip(paths.items(), looks, strict=True)):
        ax: Axes = fig.add_axes((0.02 + 0.49 * k, 0.5, 0.47, 0.42))
        ax.set(xlim=(-1.1, 1.1), ylim=(-0.15, 0.75), aspect="equal")
        ax.axis("off")
        ax.set_title(title, color=color if color == ACTOR else CHANCE_TEXT, loc="center")
        ax.plot([-1.1, 1.1], [0, 0], color=INK, lw=1, zorder=0)
        cart = ax.plot([], [], color=INK, lw=9, solid_capstyle="butt")[0]
        pole = ax.plot([], [], color=color, lw=4, solid_capstyle="round")[0]
        moving += [cart, pole]
        strip.plot(dt * np.arange(len(path)), np.degrees(path[:, 1]), line, color=color, lw=1.6)
    bound = np.degrees(limit)
    for side in (-1, 1):
        strip.axhspan(side * bound, side * 1.4 * bound, color=CHANCE, alpha=0.18, lw=0)
    strip.text(dt * last, 1.2 * bound, "fallen", ha="right", va="center", color=CHANCE_TEXT)
    strip.set(xlabel="time (s)", ylabel="angle (°)", ylim=(-1.4 * bound, 1.4 * bound))
    now = strip.axvline(0.0, color=INK, lw=1)
    take = camera(fig, [*moving, now])

    def frame(step: int) -> np.ndarray:
        for k, path in enumerate(paths.values()):
            x, angle = path[min(step, len(path) - 1)]
            moving[2 * k].set_data([x - 0.12, x + 0.12], [0, 0])
            moving[2 * k + 1].set_data([x, x + 0.6 * np.sin(angle)], [0, 0.6 * np.cos(angle)])
        now.set_xdata([dt * step] * 2)
        return take()

    return [frame(step) for step in range(0, last + 1, 2)], frame(last)


def draw_trade(title: str, lams: list[str], exact: list, wrong: list, others: dict) -> Figure:
    """Draw how many episodes an estimator needs over how far its mean is off.

    Args:
        title: the finding.
        lams: of the rows of the next two.
        exact, wrong: (episodes, bias in %) of estimators with an exact and with a wrong value.
        others: label -> (episodes, bias) of estimators without a value.
    """
    fig = Figure(figsize=(7.2, 3.0))
    ax = fig.subplots()
    for rows, style, color, text, where, side in (
        (exact, "-", EXACT, "exact value", (-11.5, 130), -8),
        (wrong, "--", CRITIC, "value of half the curvature", (25, 720), 8),
    ):
        ax.plot(*np.array(rows)[:, ::-1].T, style, marker="o", color=color)
        ax.text(*where, text, color=color, size=8)
        for lam, (y, x) in zip(lams, rows, strict=True):
            look = {"size": 8, "ha": "right" if side < 0 else "left", "va": "center"}
            up = {lams[0]: 5, lams[-2]: 4, lams[-1]: -5}.get(lam, 0)  # the last two are close
            words = rf"$\lambda$ = {lam}"
            ax.annotate(words, (x, y), (side, up), textcoords="offset points", **look)
    for name, (y, x) in others.items():
        ax.plot(x, y, "s", color=CHANCE)
        ax.annotate(name, (x, y), (8, -3), textcoords="offset points", size=8, color=CHANCE_TEXT)
    ax.set(title=title, xlabel="the mean's error (% of the gradient)", xlim=(-12, 60))
    ax.set(ylabel="episodes for an error of 10 %", yscale="log", ylim=(40, 13_000))
    ax.set_yticks([100, 1_000, 10_000], ["100", "1,000", "10,000"])
    return fig
