"""Pictures of the pendulum's two states: angle (0 is up) and velocity."""

import math
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, Colormap
from matplotlib.figure import Figure
from matplotlib.patheffects import Normal, Stroke

from pgcourse.display.colors import ACTOR, EXACT, TORQUE
from pgcourse.tasks.pendulum import MAX_SPEED, MAX_TORQUE

KINDS = {"value": "value", "torque": "torque (N m)", "difference": "difference"}
HALO = [Stroke(linewidth=3.4, foreground="white"), Normal()]


def grids(panels: dict[str, Any], name: str = "panels") -> dict[str, np.ndarray]:
    """Return panels as float arrays; ValueError unless they are 1 to 6 finite grids."""
    found = {title: np.asarray(grid, dtype=float) for title, grid in panels.items()}
    expected = "expected 1 to 6 finite arrays (angles, velocities)"
    if not 1 <= len(found) <= 6:
        raise ValueError(f"{name}: got {len(found)}; {expected}")
    for title, grid in found.items():
        if grid.ndim != 2 or min(grid.shape) < 2 or not np.isfinite(grid).all():
            raise ValueError(f"{name}: got shape {grid.shape} for {title!r}; {expected}")
    return found


def unwrapped(angle: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """Return (T,) arrays with a NaN wherever the angle (rad) jumps from -π to π or back."""
    jumps = np.flatnonzero(np.abs(np.diff(angle)) > math.pi) + 1
    return [np.insert(np.asarray(x, dtype=float), jumps, np.nan) for x in (angle, *others)]


def state_axes(ax: Axes, columns: int = 1) -> None:
    """Give one of so many columns of axes the pendulum's angle, in words, and its velocity."""
    names = ["hanging", "−90°", "up", "90°", "hanging"]
    if columns > 2:
        names[1] = names[3] = ""
    ax.set(xlim=(-180, 180), xticks=[-180, -90, 0, 90, 180], xticklabels=names)
    ax.set(ylim=(-MAX_SPEED, MAX_SPEED), yticks=[-8, -4, 0, 4, 8])
    if columns > 1:  # the words stay inside, so that those of two panels do not meet
        for text, side in zip(ax.get_xticklabels()[::4], ("left", "right"), strict=False):
            text.set_ha(side)


def flat_map(
    ax: Axes, grid: np.ndarray, levels: np.ndarray, cmap: str | Colormap, high: float = MAX_SPEED
):
    """Fill axes with a grid in flat colours, one for each pair of levels; return the contours.

    The first and the last colour hold what is beyond their levels.
    """
    norm = BoundaryNorm(levels, 256)
    x, y = np.linspace(-180, 180, len(grid)), np.linspace(-high, high, grid.shape[1])
    grid = grid.clip(levels[0], levels[-1] - 1e-9)
    return ax.contourf(x, y, grid.T, levels=levels, cmap=cmap, norm=norm)


def tidy(value: float, how: Callable[[float], int] = round) -> float:
    """Return a value of two digits, rounded as `how` says: up, down or to the nearest."""
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 1) if value else 1.0
    return how(round(value / unit, 6)) * unit


def map_levels(
    grids: list[np.ndarray], kind: str, equal: float = 0.5
) -> tuple[np.ndarray, list[float]]:
    """Return 8 to 11 levels for maps of a kind, and the ticks of their colour bar.

    Values get levels between even ones (equal=0) and such that every colour covers the same area
    (equal=1), so that a map has contrast where it is flat.
    """
    if kind == "value":
        values = np.concatenate([grid.ravel() for grid in grids])
        even = np.linspace(values.min(), values.max(), 11)
        low, *inner, high = equal * np.quantile(values, np.linspace(0, 1, 11)) + (1 - equal) * even
        levels = {tidy(low, math.floor), *map(tidy, inner), tidy(high, math.ceil)}
        levels = sorted({round(level, 9) + 0.0 for level in levels})  # + 0.0: no −0
        levels = levels if len(levels) > 1 else [levels[0], levels[0] + 1.0]
        return np.array(levels), levels
    limit = MAX_TORQUE
    if kind == "difference":
        most = max(np.abs(grid).max() for grid in grids) or 1.0
        unit = 10.0 ** math.floor(math.log10(most))
        limit = next(unit * k for k in (1, 2, 4, 6, 8, 10) if unit * k >= most)
    return np.linspace(-limit, limit, 10), list(np.linspace(-limit, limit, 5))  # 9 colours


def layout(n: int, width: str = "velocity (rad/s)") -> tuple[Figure, list[Axes]]:
    """Return a figure of n panels over the angle: a row of up to three, else two rows."""
    rows = 1 if n <= 3 else 2
    columns = math.ceil(n / rows)
    fig = Figure(figsize=(7.2, 3.0 if rows == 1 else 4.5))
    axes = list(fig.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
    for k, ax in enumerate(axes):
        if k >= n - columns:
            ax.set_xlabel("angle")
            ax.tick_params(labelbottom=True)
        if k % columns == 0:
            ax.set_ylabel(width)
        state_axes(ax, columns)
    for ax in axes[n:]:
        ax.remove()
    return fig, axes[:n]


def color_bar(fig: Figure, filled, ticks: list[float], label: str = "", **where) -> None:
    """Add the colour bar of filled contours, with ticks but no strokes."""
    bar = fig.colorbar(filled, ticks=ticks, label=label, **({"aspect": 30, "pad": 0.01} | where))
    bar.ax.yaxis.set_major_formatter(lambda x, _: f"{x:g}".replace("-", "−"))
    bar.outline.set_visible(False)
    bar.ax.tick_params(which="both", length=0)


def draw_maps(
    panels: dict[str, np.ndarray],
    kind: str,
    *,
    visits: dict[str, tuple[np.ndarray, np.ndarray]] | None = None,
    label: str | None = None,
    levels: np.ndarray | None = None,
) -> Figure:
    """Draw maps over the pendulum's angle and velocity, with one colour bar for all.

    Args:
        panels: title -> (angles, velocities), 1 to 6 of them, on even grids over [-π, π] and
            [-8, 8], ends included, as `optimal_values` returns them.
        kind: "value", "torque" (N m) or "difference" (symmetric about 0).
        visits: title -> (angles, velocities) of visited states; lines enclose the densest cells
            that hold 50 and 90 % of them.
        label: of the colour bar.
        levels: the bounds of the flat colours, rising, the last ones open; default 8 to 11.

    Raises:
        ValueError: another kind, other shapes, or visits without a panel.
    """
    if kind not in KINDS:
        raise ValueError(f"kind: got {kind!r}; expected {', '.join(map(repr, KINDS))}")
    panels, visits = grids(panels), visits or {}
    if unknown := set(visits) - set(panels):
        raise ValueError(f"visits: got {sorted(unknown)}; expected titles of panels")
    bounds, ticks = map_levels(list(panels.values()), kind)
    if levels is not None:
        bounds, ticks = np.asarray(levels, dtype=float), list(levels)
    fig, axes = layout(len(panels))
    for ax, (title, grid) in zip(axes, panels.items(), strict=True):
        filled = flat_map(ax, grid, bounds, "cividis" if kind == "value" else TORQUE)
        ax.set_title(title)
        if title in visits:
            draw_visits(ax, *visits[title])
    color_bar(fig, filled, ticks, label or KINDS[kind], ax=axes)
    return fig


def draw_visits(ax: Axes, angle: np.ndarray, velocity: np.ndarray) -> None:
    """Enclose the densest cells that hold 50 and 90 % of the visited states (rad, rad/s)."""
    size, turn = 36, [[-math.pi, math.pi], [-MAX_SPEED, MAX_SPEED]]
    count = np.histogram2d(np.asarray(angle), np.asarray(velocity), bins=size, range=turn)[0]
    wrap = np.pad(np.pad(count, ((2, 2), (0, 0)), mode="wrap"), ((0, 0), (2, 2)))
    weights = np.array([1, 4, 6, 4, 1]) / 16  # smoothed, round the circle of the angle
    for axis in (0, 1):
        wrap = np.apply_along_axis(np.convolve, axis, wrap, weights, mode="same")
    smooth = wrap[1:-1, 2:-2]
    dense = np.sort(smooth[1:-1].ravel())[::-1]
    held = np.cumsum(dense) / dense.sum()
    levels = [dense[np.searchsorted(held, share)] for share in (0.9, 0.5)]
    x = np.degrees(-math.pi + (np.arange(size + 2) - 0.5) * 2 * math.pi / size)
    y = -MAX_SPEED + (np.arange(size) + 0.5) * 2 * MAX_SPEED / size
    lines = ax.contour(x, y, smooth.T, levels=levels, colors=EXACT, linewidths=[0.8, 1.6])
    plt.setp(lines, path_effects=[Stroke(linewidth=2.8, foreground="white"), Normal()])


def draw_ridge(panels: dict[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Draw Q over angle and action, its ridge (the best action, dashed) and the actor's action.

    The colours are of Q minus the best Q of the same angle.

    Args:
        panels: title -> (q, action), 1 to 6 of them: q (angles, actions), on even grids over
            [-π, π] and [-1, 1], ends included; action (angles,), in [-1, 1].

    Raises:
        ValueError: other shapes.
    """
    qs = grids({title: q for title, (q, _) in panels.items()})
    shown = {title: q - q.max(axis=1, keepdims=True) for title, q in qs.items()}
    bounds, ticks = map_levels(list(shown.values()), "value", equal=0.9)
    fig, axes = layout(len(panels), "action")
    for ax, (title, (_, action)) in zip(axes, panels.items(), strict=True):
        q, action = qs[title], np.asarray(action, dtype=float)
        if action.shape != q.shape[:1]:
            raise ValueError(f"panels: got action {action.shape} with q {q.shape} for {title!r}; "
                             "expected (angles,) and (angles, actions)")  # fmt: skip
        filled = flat_map(ax, shown[title], bounds, "cividis", high=1.0)
        x, best = np.linspace(-180, 180, len(q)), np.linspace(-1, 1, q.shape[1])[q.argmax(axis=1)]
        jumps = np.flatnonzero(np.abs(np.diff(best)) > 0.5) + 1
        x_best, best = (np.insert(values, jumps, np.nan) for values in (x, best))
        lines = ax.plot(x, action, color=ACTOR, lw=2.2, path_effects=HALO)
        lines += ax.plot(x_best, best, color=EXACT, ls=(0, (4, 2)), path_effects=HALO)
        ax.set(title=title, ylim=(-1.1, 1.1), yticks=[-1, 0, 1])
    words = ["the actor's action", "the action of the highest $Q$"]
    fig.legend(lines, words, loc="outside lower center", ncols=2, handlelength=3)
    color_bar(fig, filled, ticks, "$Q$ minus its best at this angle", ax=axes)
    return fig
