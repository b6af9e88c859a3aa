"""The mountain car: a film, its phase plane, and what demonstrations and their filter do."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pgcourse.display.colors import (
    ACTOR,
    CHANCE,
    CRITIC,
    MET,
    MET_TEXT,
    NOTE,
    TEACHER,
    TEACHER_TEXT,
    TORQUE,
    text_color,
)

LEFT, RIGHT, FLAG, FASTEST = -1.2, 0.6, 0.45, 0.07  # positions; the largest velocity per step
FRAMES = 120  # of a film: 6 s at 20 a second
DOTS = (0, (1, 1.5))


def hill(position: np.ndarray) -> np.ndarray:
    """Return the height of the hill, as gymnasium draws it."""
    return np.sin(3 * position) * 0.45 + 0.55


class Drive:
    """One episode in the film: what moves of it, and where it is at each step."""

    def __init__(self, title: str, episode: np.ndarray, color: str, ax: Axes, phase: Axes):
        self.position, self.velocity, self.action, reward = episode.T
        self.returns, self.last = np.cumsum(reward), len(episode) - 1
        self.met, self.color = reward[-1] > 50, color
        road = np.linspace(LEFT, RIGHT, 121)
        ax.plot(road, hill(road), color=CHANCE, lw=1.2)
        ax.plot([FLAG, FLAG], [hill(FLAG), hill(FLAG) + 0.22], color=MET, lw=1.6)
        ax.plot(FLAG + 0.04, hill(FLAG) + 0.19, ">", ms=7, color=MET, mew=0)
        ax.set(xlim=(LEFT - 0.05, RIGHT + 0.12), ylim=(-0.28, 1.5), aspect="equal")
        ax.axis("off")
        ax.text(-0.3, 1.42, title, size=10, weight="bold", color=text_color(color), ha="center")
        (self.car,) = ax.plot([], [], "o", ms=11, color=color, mec="white", mew=1.2, zorder=5)
        (self.push,) = ax.plot([], [], color=CRITIC, lw=2.2, zorder=4)
        self.text = ax.text(-0.3, -0.2, "", size=8, color=NOTE, ha="center")
        line = DOTS if color == CHANCE else "-"
        (self.path,) = phase.plot([], [], color=color, ls=line, lw=1.8, zorder=3)
        (self.dot,) = phase.plot([], [], "o", ms=8, color=color, mec="white", mew=1.2, zorder=5)

    def show(self, step: int) -> None:
        """Move everything to a step of the task."""
        k = min(step, self.last)
        x = self.position[k]
        self.car.set_data([x], [hill(x) + 0.06])
        tip = x + 0.22 * np.clip(self.action[k], -1, 1) * (k < self.last)
        self.push.set_data([x, tip], [hill(x) + 0.2] * 2)
        self.path.set_data(self.position[: k + 1], self.velocity[: k + 1])
        self.dot.set_data([x], [self.velocity[k]])
        met = k == self.last and self.met
        when = f"flag after {k + 1} steps" if met else f"step {k + 1}"
        self.text.set_text(f"{when}    return {round(self.returns[k])}".replace("-", "−"))
        self.text.set_color(MET_TEXT if met else NOTE)

    def moving(self) -> list:
        """Return what is drawn anew for each frame, from the back to the front."""
        return [self.path, self.dot, self.push, self.car, self.text]


def car_film(episodes: Mapping[str, np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
    """Draw cars in their valley side by side, and their paths through the phase plane.

    Args:
        episodes: title -> (T, 4), one or two of them: position, velocity, action and reward of
            each step. The last one is ours, in the actor's colour; the other is grey and dotted.

    Returns:
        At most 121 frames of (300, 720, 3), uint8, and a poster of the same size with the whole
        paths, for `show_film`. A film ends with our episode.

    Raises:
        ValueError: none or more than two episodes, or other shapes, or numbers not finite.
    """
    found = {title: np.asarray(steps, dtype=float) for title, steps in episodes.items()}
    expected = "expected one or two finite arrays (T, 4)"
    if not 1 <= len(found) <= 2:
        raise ValueError(f"episodes: got {len(found)}; {expected}")
    for title, steps in found.items():
        if steps.ndim != 2 or steps.shape[1] != 4 or not len(steps) or not np.isfinite(steps).all():
            raise ValueError(f"episodes: got shape {steps.shape} for {title!r}; {expected}")
    fig = Figure(figsize=(7.2, 3.0), dpi=100, layout="none")
    canvas = FigureCanvasAgg(fig)
    phase = fig.add_axes((0.715, 0.17, 0.27, 0.7))
    phase_axes(phase)
    phase.set(xlabel="position", ylabel="velocity (per step)", title="Position and velocity")
    width, drives = 0.625 / len(found), []
    for k, (title, steps) in enumerate(found.items()):
        color = ACTOR if k == len(found) - 1 else CHANCE
        ax = fig.add_axes((k * width, 0.02, width, 0.96))
        drives.append(Drive(title, steps, color, ax, phase))
    ours = drives[-1].last
    steps = np.unique(np.linspace(0, ours, min(FRAMES, ours + 1)).round().astype(int))
    moving = [artist for drive in drives for artist in drive.moving()]
    for artist in moving:
        artist.set_animated(True)
    canvas.draw()
    still = canvas.copy_from_bbox(fig.bbox)

    def frame(step: int) -> np.ndarray:
        canvas.restore_region(still)
        for drive in drives:
            drive.show(step)
        for artist in moving:
            artist.axes.draw_artist(artist)
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()

    frames = [frame(step) for step in steps]
    return frames, frames[-1]


def phase_axes(ax: Axes, flag: bool = True) -> None:
    """Give axes the car's positions and velocities, and the flag."""
    ax.set(xlim=(LEFT, RIGHT), ylim=(-FASTEST, FASTEST), xticks=[-1, -0.5, 0, 0.5])
    ax.set(yticks=[-0.06, -0.03, 0, 0.03, 0.06])
    if flag:
        ax.axvline(FLAG, color=MET, lw=1.4)
        ax.text(FLAG - 0.03, -FASTEST * 0.94, "flag", color=MET_TEXT, size=8, ha="right")


def draw_phase(panels: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Draw states of the car, coloured by an action or by whether a filter accepts them.

    Args:
        panels: title -> (states (n, 2), values (n,)), one or two of them; values are actions in
            [-1, 1], or bools, whose share is added to the title.

    Raises:
        ValueError: none or more than two panels, or other shapes.
    """
    expected = "expected one or two pairs of (n, 2) and (n,)"
    if not 1 <= len(panels) <= 2:
        raise ValueError(f"panels: got {len(panels)}; {expected}")
    fig = Figure(figsize=(7.2, 3.0))
    axes = fig.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    dots = None
    for ax, (title, (states, values)) in zip(axes, panels.items(), strict=True):
        states, values = np.asarray(states), np.asarray(values)
        if states.ndim != 2 or states.shape[1] != 2 or values.shape != (len(states),):
            raise ValueError(f"panels: got {states.shape} and {values.shape}; {expected}")
        phase_axes(ax)
        ax.set(xlabel="position", title=title)
        if values.dtype == bool:
            ax.plot(*states[~values].T, "o", ms=2.5, mfc="none", mec=CHANCE, mew=0.5, alpha=0.6)
            ax.plot(*states[values].T, "o", ms=2.5, color=MET, mew=0)
            ax.set_title(f"{title}: {values.mean():.0%} pass")
        else:
            dots = ax.scatter(*states.T, c=values, cmap=TORQUE, vmin=-1, vmax=1, s=5, lw=0)
            ax.set_facecolor("#EDEFF2")  # a push near 0 is nearly white
    axes[0].set_ylabel("velocity (per step)")
    if dots is not None:
        bar = fig.colorbar(dots, ax=list(axes), label="action", ticks=[-1, 0, 1], aspect=30)
        bar.outline.set_visible(False)
    return fig


def draw_filter(panels: Mapping[str, tuple[np.ndarray, np.ndarray, float, float]]) -> Figure:
    """Draw what a Q-filter sees in a state: the value of every action, and of two of them.

    Args:
        panels: title -> (actions (k,), values (k,), the demonstrated action, the policy's).

    Raises:
        ValueError: none or more than two panels.
    """
    if not 1 <= len(panels) <= 2:
        raise ValueError(f"panels: got {len(panels)}; expected one or two")
    fig = Figure(figsize=(7.2, 3.0))
    axes = fig.subplots(1, len(panels), squeeze=False)[0]
    for ax, (title, (actions, q, shown, own)) in zip(axes, panels.items(), strict=True):
        ax.plot(actions, q, color=CRITIC)
        shown_q, own_q = np.interp([shown, own], actions, q)
        room = np.ptp(q) or 1.0
        for x, y, color, dark, name in (
            (shown, shown_q, TEACHER, TEACHER_TEXT, "teacher"),
            (own, own_q, ACTOR, ACTOR, "student"),
        ):
            ax.axhline(y, color=color, lw=0.8, ls=":", zorder=0)
            ax.plot(x, y, "o", ms=8, color=color, mec=dark, mew=1, zorder=4)
            ax.annotate(
                name, (x, y), (0, 9), textcoords="offset points", color=dark, ha="center", size=8
            )
        passes = shown_q > own_q
        ax.set(
            xlabel="action",
            ylim=(min(q) - 0.1 * room, max(q) + 0.25 * room),
            xlim=(-1.2, 1.2),
            xticks=[-1, 0, 1],
        )
        ax.set_title(f"{title}: {'passes' if passes else 'dropped'}")
    axes[0].set_ylabel("critic's value")
    return fig
