"""The mountain car: a film, its phase plane, and what a filter of demonstrations sees."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure

from pgcourse.display import colors
from pgcourse.display.networks import arrow, note
from pgcourse.display.pendulum import HALO, color_bar
from pgcourse.display.video import camera

LEFT, RIGHT, FLAG, FASTEST = -1.2, 0.6, 0.45, 0.07  # positions; the largest velocity per step
FRAMES, MORE = 120, 10  # of a film: 6 s at 20 a second; steps after the last car's flag
SMALL = 8.5  # points: 6 px where the picture is 368 px wide
# Outlines in pixels about the point where the car stands, and of its push to the right.
BODY = np.array([[-13, 4], [-13, 10], [-8, 11], [-5, 17], [5, 17], [8, 11], [13, 10], [13, 4]])
WHEELS = np.array([[-7.5, 4], [7.5, 4]])
ARROW = np.array([[0, 23.5], [0, 26.5], [22, 26.5], [22, 30], [31, 25], [22, 20], [22, 23.5]])
ROLES = ((colors.TEACHER, colors.TEACHER_TEXT, "teacher"), (colors.ACTOR, colors.ACTOR, "student"))
PASSES = (colors.MET, colors.MET_TEXT, "passes")
DROPPED = (colors.CHANCE, colors.CHANCE_TEXT, "dropped")


class Drive:
    """One episode in the film: what moves of it, and where it is after each step."""

    def __init__(self, title: str, episode: np.ndarray, color: str, hill: Axes, phase: Axes):
        x, v, self.push, reward = episode.T
        self.returns, self.last, self.met = np.cumsum([0.0, *reward]), len(x), reward[-1] > 50
        # An episode ends one step after its last row, which hardly changes the velocity.
        self.x, self.v = np.append(x, np.clip(x[-1] + v[-1], LEFT, RIGHT)), np.append(v, v[-1])
        self.turns = [0, *np.flatnonzero(np.diff(self.v[1:] > 0)) + 2]
        road = np.linspace(LEFT - 0.06, RIGHT + 0.06, 181)
        hill.set(xlim=(road[0], road[-1]), ylim=(-1.3, 2.0))
        hill.axis("off")
        hill.set_title(title, color=colors.text_color(color), pad=3)
        hill.fill_between(road, np.sin(3 * road), -1.3, color="#EEF0F3", lw=0)
        hill.plot(road, np.sin(3 * road), color=colors.CHANCE, lw=1.2)
        self.pixel = np.array([road[-1] - road[0], 3.3]) / hill.get_window_extent().size
        pole = np.array([[0, 0], [0, 36], [15, 30], [0, 24]]) * self.pixel
        pole += [FLAG, np.sin(3 * FLAG)]
        hill.plot(*pole.T, color=colors.MET, lw=1.6)
        hill.fill(*pole[1:].T, color=colors.MET, lw=0)
        self.text = hill.text(-0.52, 1.95, "", size=SMALL, ha="center", va="top", linespacing=1.4)
        self.pale = hill.add_collection(PolyCollection([], fc=color, alpha=0.3))
        self.body = hill.add_collection(PolyCollection([], fc=color, ec="white", lw=0.8))
        self.arrow = hill.add_collection(PolyCollection([], fc=colors.CRITIC))
        (self.wheels,) = hill.plot([], [], "o", ms=5, color=colors.NOTE, mec="white", mew=0.8)
        (self.path,) = phase.plot([], [], color=color, ls=":" if color == colors.CHANCE else "-")
        (self.dot,) = phase.plot([], [], "o", ms=7, color=color, mec="white", mew=1.2)
        moving = [self.path, self.dot, self.pale, self.body, self.wheels, self.arrow, self.text]
        self.moving = moving  # from the back to the front

    def place(self, shape: np.ndarray, x: float) -> np.ndarray:
        """Return an outline in pixels, (n, 2), as points on the hill that follow its slope."""
        along = np.array([1.0, 3 * np.cos(3 * x)]) / self.pixel
        c, s = along / np.hypot(*along)
        return np.array([x, np.sin(3 * x)]) + shape @ np.array([[c, s], [-s, c]]) * self.pixel

    def show(self, step: int, whole: bool = False) -> None:
        """Move everything to after so many steps; `whole` shows where the car turned, too."""
        k = min(step, self.last)
        x, ended = self.x[k], k == self.last
        self.body.set_verts([self.place(BODY, x)])
        self.wheels.set_data(*self.place(WHEELS, x).T)
        turns = [self.x[turn] for turn in self.turns if whole and turn < k]
        self.pale.set_verts([self.place(BODY, turn) for turn in turns])
        push = 0.0 if ended or whole else np.clip(self.push[k], -1, 1)
        self.arrow.set_verts([self.place(ARROW * [push, 1], x)] if abs(push) > 0.05 else [])
        self.path.set_data(self.x[: k + 1], self.v[: k + 1])
        self.dot.set_data([x], [self.v[k]])
        when = f"flag after {k} steps" if ended and self.met else f"step {k}"
        self.text.set_text(f"{when}\nreturn {round(self.returns[k])}".replace("-", "−"))
        self.text.set_color(colors.MET_TEXT if ended and self.met else colors.NOTE)


def check(name: str, parts: dict[str, tuple], most: int, expected: str, fit) -> None:
    """Refuse no parts, too many, or arrays that are not finite or do not fit; ValueError."""
    if not 1 <= len(parts) <= most:
        raise ValueError(f"{name}: got {len(parts)}; expected {expected}")
    for title, arrays in parts.items():
        finite = all(np.isfinite(x).all() for x in arrays)
        if not finite or not fit(*arrays):
            got = " and ".join(str(x.shape) for x in arrays) if finite else "NaN or infinity"
            raise ValueError(f"{name}: got {got} for {title!r}; expected {expected}")


def car_film(episodes: dict[str, np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
    """Draw cars in their valley side by side, each above its path through the phase plane.

    Args:
        episodes: title -> (T, 4), one or two of them: position, velocity, action and reward of
            each step. The last one is ours, in the actor's colour; the other is grey and dotted.

    Returns:
        At most 120 frames of (300, 720, 3), uint8, one for every n-th step, and a poster of the
        same size with the whole paths, for `show_film`. The film ends soon after the last car
        that meets the flag; if none does, with the longest episode.

    Raises:
        ValueError: none or more than two episodes, or other shapes, or numbers not finite.
    """
    found = {title: (np.asarray(steps, dtype=float),) for title, steps in episodes.items()}
    fit = lambda x: x.shape[1:] == (4,) and x.size  # noqa: E731
    check("episodes", found, 2, "one or two finite arrays (T, 4)", fit)
    fig = Figure(figsize=(7.2, 3.0), dpi=100, layout="none")
    drives, width = [], 0.88 / len(found)
    for k, (title, (steps,)) in enumerate(found.items()):
        left, color = 0.115 + k * width, colors.ACTOR if k == len(found) - 1 else colors.CHANCE
        hill = fig.add_axes((left, 0.47, width - 0.015, 0.445))
        phase = fig.add_axes((left, 0.15, width - 0.015, 0.31))
        drives.append(Drive(title, steps, color, hill, phase))
        phase_axes(phase)
        phase.set(xlim=hill.get_xlim(), xlabel="position")
        phase.set_ylabel("" if k else "velocity\n(per step)", labelpad=1)
        phase.tick_params(labelleft=not k)
    longest = max(drive.last for drive in drives)
    end = min(longest, MORE + max([drive.last for drive in drives if drive.met], default=longest))
    hint = hill.text(0.985, 0.05, "", size=SMALL, ha="right", transform=hill.transAxes)
    moving = [hint] + [artist for drive in drives for artist in drive.moving]
    take = camera(fig, moving)

    def frame(step: int, whole: bool = False) -> np.ndarray:
        hint.set_text("pale: start and turns" if whole else "arrow: push")
        hint.set_color(colors.NOTE if whole else colors.CRITIC)
        for drive in drives:
            drive.show(step, whole)
        return take()

    steps = [*range(0, end, -(-end // (FRAMES - 1))), end]
    return [frame(step) for step in steps], frame(end, whole=True)


def phase_axes(ax: Axes) -> None:
    """Give axes the car's positions and velocities, and the flag."""
    ax.set(xlim=(LEFT - 0.04, RIGHT), ylim=(-1.1 * FASTEST, 1.1 * FASTEST))
    ax.set(xticks=[-1, -0.5, 0, 0.5], yticks=[-0.06, 0, 0.06])
    ax.tick_params(labelsize=SMALL)
    ax.axvline(FLAG, color=colors.MET, lw=1.4, zorder=1)
    # The name stands where no state is: an episode ends at the flag.
    ax.text(FLAG + 0.02, -FASTEST, "flag", color=colors.MET_TEXT, size=SMALL, rotation=90)


def draw_phase(panels: dict[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Draw states of the car, coloured by an action or by whether a filter accepts them.

    Args:
        panels: title -> (states (n, 2), values (n,)), one or two of them; values are actions in
            [-1, 1], or bools, whose share is added to the title.

    Raises:
        ValueError: none or more than two panels, other shapes or numbers.
    """
    found = {name: tuple(map(np.asarray, pair)) for name, pair in panels.items()}
    fit = lambda x, y: x.shape == (*y.shape, 2) and x.ndim == 2 and x.size and abs(y).max() <= 1  # noqa: E731
    check("panels", found, 2, "1 or 2 pairs of (n, 2) and (n,), bool or in [-1, 1]", fit)
    fig = Figure(figsize=(7.2, 3.0))
    axes = fig.subplots(1, len(found), sharey=True, squeeze=False)[0]
    marks, dots, levels = [], None, BoundaryNorm(np.linspace(-1, 1, 10), 256)
    for ax, (name, (states, values)) in zip(axes, found.items(), strict=True):
        phase_axes(ax)
        if values.dtype == bool:
            name = f"{name}: {values.mean():.0%} pass"
            marks = ax.plot(*states[~values].T, "o", ms=3, mfc="none", mec=colors.CHANCE, mew=0.5)
            marks += ax.plot(*states[values].T, "o", ms=2.6, color=colors.MET, mew=0)
        else:  # a push near 0 is nearly white: every dot has a darker rim
            dots = ax.scatter(*states.T, c=values, cmap=colors.TORQUE, norm=levels, s=9, lw=0.5)
            dots.set_edgecolor(colors.TORQUE(levels(values)) * [0.7, 0.7, 0.7, 1])
        ax.set(title=name, xlabel="position")
    axes[0].set_ylabel("velocity (per step)")
    if dots is not None:
        color_bar(fig, dots, [-1, 0, 1], "action", ax=list(axes))
    if marks:
        words, where = ["passes", "dropped"], "outside lower right"
        fig.legend(marks[::-1], words, loc=where, ncols=2, fontsize=SMALL, markerscale=1.6)
    return fig


def draw_filter(panels: dict[str, tuple[np.ndarray, np.ndarray, float, float]]) -> Figure:
    """Draw what a Q-filter sees in a state: the value of every action, and of two of them.

    The arrow from the student's value to the teacher's is the advantage: up, and the row passes.

    Args:
        panels: title -> (actions (k,), rising within [-1, 1]; values (k,); the demonstrated
            action; the policy's), one or two of them.

    Raises:
        ValueError: none or more than two panels, other shapes or numbers.
    """
    split = {title: (*parts[:2], parts[2:]) for title, parts in panels.items()}
    found = {title: [np.asarray(x, float) for x in parts] for title, parts in split.items()}
    fit = lambda x, q, two: (  # noqa: E731
        x.shape == q.shape == (x.size,) and x.size > 1 and (np.diff(x) > 0).all()
        and two.shape == (2,) and np.abs([*x, *two]).max() <= 1
    )  # fmt: skip
    check("panels", found, 2, "1 or 2 of (k,) actions, rising, (k,) values and two actions", fit)
    fig = Figure(figsize=(7.2, 3.0))
    axes = fig.subplots(1, len(found), squeeze=False)[0]
    for ax, (title, (actions, q, two)) in zip(axes, found.items(), strict=True):
        ax.plot(actions, q, color=colors.CRITIC)
        levels, room = np.interp(two, actions, q), np.ptp(q) or 1.0
        gain = levels[0] - levels[1]
        for x, y, (color, dark, name) in zip(two, levels, ROLES, strict=True):
            ax.plot([x, 1.6], [y, y], color=color, lw=0.9, ls=":", zorder=1)
            ax.plot(x, y, "o", ms=8, color=color, mec=dark, zorder=4 + (name == "teacher"))
            # The higher one's name stands above the curve, and beside it if that is free.
            up = 1 if (gain > 0) == (name == "teacher") else -1
            near = x + np.outer([-1, 1], [0.05, 0.3])
            free = (np.interp(near, actions, q * up, -np.inf, -np.inf) <= y * up).all(axis=1) * 1
            side = free[1] - free[0] * (x > -0.7)  # no name over the axis
            place = {"ha": ("center", "left", "right")[side], "va": ("top", "bottom")[up > 0]}
            y += 0.05 * up * room
            note(ax, x + 0.06 * side, y, name, dark, SMALL, path_effects=HALO, **place)
        color, dark, word = PASSES if gain > 0 else DROPPED
        ax.axhspan(*sorted(levels), color=color, alpha=0.12, lw=0, zorder=0)
        arrow(ax, (1.6, levels[1]), (1.6, levels[0]), color, 2.2)
        y, where = (min(levels), "bottom") if abs(gain) < 0.2 * room else (levels.mean(), "center")
        said = f"{word}\n{float(f'{gain:.2g}'):+g}".replace("-", "−")
        note(ax, 1.7, y, said, dark, SMALL, weight="bold", ha="left", va=where)
        ax.set(xlim=(-1.4, 2.45), xticks=[-1, 0, 1], title=f"{title}: {word}")
        ax.set_ylim(min(q) - 0.25 * room, max(q) + 0.25 * room)
        ax.set_xlabel("action", x=1.4 / 3.85)
        ax.tick_params(labelsize=SMALL)
    axes[0].set_ylabel("critic's value")
    return fig
