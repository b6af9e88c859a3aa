"""A film of pendulum episodes: the rod, and beside it the same path over the value."""

import math

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.patheffects import Normal, Stroke

from pgcourse.display.colors import ACTOR, CHANCE, CHANCE_TEXT, CRITIC, INK, NOTE, text_color
from pgcourse.display.pendulum import (
    HALO,
    color_bar,
    flat_map,
    grids,
    map_levels,
    state_axes,
    unwrapped,
)
from pgcourse.display.video import camera
from pgcourse.tasks.pendulum import DT, MAX_TORQUE

SIZE, FRAMES, TRAIL = (7.2, 3.0), 121, 10  # inches at 100 dpi; from 0 to 6 s


class Scene:
    """One episode in the film: what moves of it, and where it is at each step."""

    def __init__(self, title: str, episode: np.ndarray, color: str, place, on_map):
        self.angle, self.velocity, self.torque, reward = episode[:FRAMES].T
        self.returns, self.last = np.cumsum([0.0, *reward]), len(self.angle) - 1
        # A growing angle turns to the right, as on the map (gymnasium draws it the other way).
        tips = np.stack([np.sin(self.angle), np.cos(self.angle)], axis=1)
        self.rods = np.stack([np.zeros_like(tips), tips], axis=1)
        ax = place
        ax.set(xlim=(-1.25, 1.25), ylim=(-1.75, 1.6), aspect="equal")
        ax.axis("off")
        ax.add_patch(Circle((0, 0), 1.0, fc="none", ec="#E3E6EA", lw=1, ls=(0, (2, 3))))
        ax.text(0, 1.38, title, size=10, weight="bold", color=text_color(color), ha="center")
        width = 5.5
        self.trail = ax.add_collection(LineCollection([], colors=color, linewidths=width))
        (self.rod,) = ax.plot([], [], color=color, lw=width + 1.5, zorder=4)
        (self.arc,) = ax.plot([], [], color=CRITIC, lw=2.2, zorder=5)
        (self.head,) = ax.plot([], [], ls="", ms=8, color=CRITIC, mew=0, zorder=5)
        ax.plot(0, 0, "o", ms=5, color=INK, zorder=6)
        self.text = ax.text(0, -1.42, "", size=8, color=NOTE, ha="center")
        (self.path,) = on_map.plot([], [], color=color, path_effects=HALO, zorder=4)
        if color == CHANCE:  # grey would drown in the map's own
            rim = [Stroke(linewidth=3.2, foreground=CHANCE_TEXT), Normal()]
            self.path.set(color="white", ls=":", path_effects=rim)
        (self.dot,) = on_map.plot([], [], "o", ms=8, mfc=color, mec="white", mew=1.4, zorder=6)
        self.trail.set_capstyle("round")

    def show(self, step: int, whole: bool = False) -> None:
        """Move everything to a step of 0.05 s; `whole` shows all poses until then."""
        k = min(step, self.last)
        first, every = (0, 4) if whole else (max(0, k - TRAIL), 2)
        poses = self.rods[first:k:every]
        self.trail.set_segments(list(poses))
        self.trail.set_alpha(np.linspace(0.08, 0.35, len(poses)) if len(poses) else None)
        self.rod.set_data(*self.rods[k].T)
        turn = 0.0 if whole else self.torque[k] / MAX_TORQUE * 1.9
        arc = np.linspace(0.0, turn, 24)
        self.arc.set_data(0.34 * np.sin(arc), 0.34 * np.cos(arc))
        self.head.set_data([0.34 * math.sin(turn)], [0.34 * math.cos(turn)])
        self.head.set_marker((3, 0, -math.degrees(turn) - math.copysign(90, turn)))
        for artist in (self.arc, self.head):
            artist.set_visible(abs(turn) > 0.1)
        x, y = unwrapped(self.angle[: k + 1], self.velocity[: k + 1])
        self.path.set_data(np.degrees(x), y)
        self.dot.set_data([math.degrees(self.angle[k])], [self.velocity[k]])
        self.text.set_text(f"{k * DT:.2f} s    return {self.returns[k]:.0f}".replace("-", "−"))

    def moving(self) -> list:
        """Return what is drawn anew for each frame, from the back to the front."""
        front = [self.rod, self.arc, self.head, self.text]
        return [self.trail, *front, self.path, self.dot]


def swing_film(
    episodes: dict[str, np.ndarray], value: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray]:
    """Draw the first 6 s of episodes side by side, and their paths over the value.

    Args:
        episodes: title -> (T, 4), one or two of them: angle (rad, 0 is up), velocity (rad/s),
            torque (N m) and reward of each step of 0.05 s. The last one is ours, in the actor's
            colour; the one before is grey and dotted.
        value: (angles, velocities), on even grids over [-π, π] and [-8, 8].

    Returns:
        Frames of (300, 720, 3), uint8, one for each step of 0.05 s, and a poster of
        the same size with the whole paths, for `show_film`.

    Raises:
        ValueError: none or more than two episodes, or other shapes.
    """
    value = grids({"value": value}, "value")["value"]
    episodes = {title: np.asarray(steps, dtype=float) for title, steps in episodes.items()}
    expected = "expected one or two arrays (T, 4)"
    if not 1 <= len(episodes) <= 2:
        raise ValueError(f"episodes: got {len(episodes)}; {expected}")
    for title, steps in episodes.items():
        if steps.ndim != 2 or steps.shape[1] != 4 or not len(steps):
            raise ValueError(f"episodes: got shape {steps.shape} for {title!r}; {expected}")
    fig = Figure(figsize=SIZE, dpi=100, layout="none")
    on_map = fig.add_axes((0.585, 0.16, 0.325, 0.72))
    levels, ticks = map_levels([value], "value")
    filled = flat_map(on_map, value, levels, "cividis")
    state_axes(on_map)
    on_map.set(xlabel="angle", ylabel="velocity (rad/s)", title="Path over the best value")
    color_bar(fig, filled, ticks, cax=fig.add_axes((0.925, 0.16, 0.014, 0.72)))
    scenes, width = [], 0.5 / len(episodes)
    for k, (title, steps) in enumerate(episodes.items()):
        place = fig.add_axes((0.01 + k * width, 0.02, width, 0.96))
        color = ACTOR if k == len(episodes) - 1 else CHANCE
        scenes.append(Scene(title, steps, color, place, on_map))
    hint = on_map.text(0.26, 0.035, "", size=8, ha="center", transform=fig.transFigure)
    moving = [hint] + [artist for scene in scenes for artist in scene.moving()]
    take = camera(fig, moving)

    def frame(step: int, whole: bool = False) -> np.ndarray:
        hint.set_text("a pose every 0.2 s" if whole else "arrow: torque")
        hint.set_color(NOTE if whole else CRITIC)
        for scene in scenes:
            scene.show(step, whole)
        return take()

    last = max(scene.last for scene in scenes)
    return [frame(step) for step in range(last + 1)], frame(last, whole=True)
