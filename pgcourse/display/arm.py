"""The robot arm in pictures: a film of players side by side, hits and misses, and hindsight."""

import copy
import importlib
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from matplotlib.transforms import Affine2D
from PIL import Image

from pgcourse import checks
from pgcourse.display.colors import ACTOR, CHANCE, CHANCE_TEXT, INK, MET, MET_TEXT, NOTE, TEACHER
from pgcourse.display.plots import DPI
from pgcourse.tasks.envs import make_env, split_obs

EVERY, HELD = 2, 6  # steps of 0.04 s for each frame; how often an episode's last is repeated
WIDTH, HEIGHT, TOP, TALL = 1440, 400, 54, 560  # pixels: a frame, a panel, titles, a frame
AZIMUTH, ELEVATION, AFAR, VIEW = 155.0, -16.0, 8.0, 0.68  # the camera; metres from top to bottom
LOOK_AT, TABLE = np.array([1.33, 0.75, 0.64]), 0.4  # what it looks at; the table's height
PARTS = ("upperarm_roll", "elbow", "forearm_roll", "wrist", "gripper")  # others stand in the way
RING, GOAL = 0.05, 0.03  # radii, m: where the goal is met, and of the ball that shows it
PALE = "#E3E6EA"

Shot = tuple[np.ndarray, np.ndarray, float, bool]  # picture, goal in it, distance (m), is it met


@contextmanager
def stage(env: gym.Env, width: int) -> Iterator[Callable[[np.ndarray], tuple]]:
    """Yield what draws an arm's simulation in the course's colours and leaves it as it is.

    It takes a goal and returns a picture (height, width, 3) and the pixel (x, y) of the goal.
    """
    import mujoco

    importlib.reload(mujoco.gl_context)  # what can draw here may have been found out since
    model = copy.copy(env.unwrapped.model)  # the simulation keeps its own
    for k in range(model.ngeom):
        name, table = model.body(model.geom_bodyid[k]).name, model.geom_size[k][0] == 0.25
        shown = table or name == "object0" or any(part in name for part in PARTS)
        color = TEACHER if name == "object0" else "0.93" if table else "0.78"
        model.geom_rgba[k] = to_rgba(color, float(shown))
    model.geom_matid[:], model.light_active[:], model.site_rgba[:, 3] = -1, 0, 0.0
    model.vis.quality.offsamples = 0  # edges are smooth once shown at half size
    model.tex_data[:] = 255  # a white sky
    light, size = model.vis.headlight, model.vis.global_
    light.ambient[:], light.diffuse[:], light.specular[:] = 0.72, 0.3, 0.0
    size.offwidth, size.offheight = width, HEIGHT
    size.fovy = 2 * math.degrees(math.atan(VIEW / 2 / AFAR))
    camera, shape = mujoco.MjvCamera(), mujoco.mjtGeom
    camera.azimuth, camera.elevation, camera.distance = AZIMUTH, ELEVATION, AFAR
    camera.lookat[:] = LOOK_AT
    a, e = math.radians(AZIMUTH), math.radians(ELEVATION)
    right = np.array([math.sin(a), -math.cos(a), 0.0])
    ahead = np.array([math.cos(e) * math.cos(a), math.cos(e) * math.sin(a), math.sin(e)])
    green, upright = np.array(to_rgba(MET), dtype=np.float32), np.eye(3).ravel()
    with closing(mujoco.Renderer(model, HEIGHT, width)) as renderer:

        def draw(goal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            renderer.update_scene(env.unwrapped.data, camera)
            renderer.scene.lights[0].dir[:] = -0.4, 0.25, -0.88  # from above, a little in front
            half = np.array([0.0, 0.0, max(goal[2] - TABLE, 0.002) / 2])
            for kind, sizes, place in (
                (shape.mjGEOM_SPHERE, [GOAL, 0.0, 0.0], goal),
                (shape.mjGEOM_CYLINDER, [0.003, half[2], 0.0], goal - half),  # on a pole
                (shape.mjGEOM_CYLINDER, [0.02, 0.001, 0.0], goal - 2 * half),  # with a foot
            ):
                geom = renderer.scene.geoms[renderer.scene.ngeom]
                mujoco.mjv_initGeom(geom, kind, np.array(sizes), place, upright, green)
                renderer.scene.ngeom += 1
            x, y, z = np.stack([right, np.cross(right, ahead), ahead]) @ (goal - LOOK_AT)
            pixel = np.array([x, -y]) * HEIGHT / VIEW * AFAR / (AFAR + z) + [width / 2, HEIGHT / 2]
            # Few shades: a film that is a third smaller.
            return ((renderer.render().astype(int) + 7) // 15 * 15).astype(np.uint8), pixel

        yield draw


def play(env: gym.Env, player: Any, seed: int, draw: Callable[[np.ndarray], tuple]) -> list[Shot]:
    """Play an episode and return a shot for every second step."""
    obs, shots, step, over = env.reset(seed=seed)[0], [], 0, False
    while True:
        _, block, goal = split_obs(obs, 3)
        if step % EVERY == 0 or over:
            distance = float(np.linalg.norm(block - goal))
            shots.append((*draw(goal), distance, distance <= RING))
        if over:
            return shots
        obs, _, terminated, truncated, _ = env.step(player.policy(obs))
        step, over = step + 1, terminated or truncated


def sheet(titles: Sequence[str], grid: list[list[Shot]], foot: str, last: bool) -> np.ndarray:
    """Draw shots, a column for each player: one row with words below, or more with words beside.

    Args:
        foot: what is said below one row.
        last: whether the episodes are over, so that a goal not met is missed.
    """
    ground = Image.new("RGBA", (WIDTH, TALL), "white")  # Matplotlib would resample the pictures
    fig = Figure(figsize=(WIDTH / DPI, TALL / DPI), dpi=DPI, layout="none", facecolor="none")
    there = {"transform": Affine2D().scale(1, -1).translate(0, TALL)}  # pixels from left and top
    share, bold = min(WIDTH // len(titles), WIDTH // 2), {"size": 10, "weight": "bold"}
    start, one = (WIDTH - share * len(titles)) // 2 + 12, len(grid) == 1
    step, write = (TALL - TOP) // len(grid), partial(fig.text, **there)
    for (row, column), _ in np.ndenumerate(np.empty((len(grid), len(titles)))):
        (picture, goal, distance, met), tall = grid[row][column], HEIGHT if one else step - 14
        scale, left, top = tall / HEIGHT, start + column * share, TOP + row * step
        wide = round(scale * picture.shape[1])
        ground.paste(Image.fromarray(picture).resize((wide, tall)), (left, top))
        at, place = (left + scale * goal[0], top + scale * goal[1]), {"fc": "none", **there}
        edge = {"ec": MET, "lw": 2.6} if met else {"ec": "#D5D9DF", "lw": 0.8}
        fig.add_artist(Circle(at, scale * RING / VIEW * HEIGHT, ec=MET, lw=1.6 * scale, **place))
        fig.add_artist(Rectangle((left, top), wide, tall, **edge, **place))
        word, color = ("met", MET_TEXT) if met else ("missed" if last else "", CHANCE_TEXT)
        text = f"block {math.ceil(100 * distance)} cm from the goal"
        if one:
            write(left, top + tall + 38, text, color=NOTE)
            write(left + wide, top + tall + 38, word, color=color, ha="right", **bold)
        else:
            left += wide + 20
            write(left, top + 28, f"start {row + 1}", color=CHANCE_TEXT)
            write(left, top + 64, word, color=color, **bold)
            write(left, top + 82, text.replace(" from", "\nfrom"), color=NOTE, va="top")
        if not row:
            write(start + column * share, 36, titles[column], color=INK, **bold)
    if one:
        write(start, TALL - 14, foot, color=CHANCE_TEXT)
        write(WIDTH - start, TALL - 14, "ring: 5 cm around the goal", color=MET_TEXT, ha="right")
    FigureCanvasAgg(fig).draw()
    ground.alpha_composite(Image.fromarray(np.asarray(fig.canvas.buffer_rgba())))
    return np.asarray(ground)[..., :3].copy()


def arm_film(
    players: dict[str, Any], env: str, seeds: Sequence[int]
) -> tuple[list[np.ndarray], np.ndarray]:
    """Draw players side by side, in one episode after the other.

    Args:
        players: title -> anything with `policy(obs)`, from (31,) to an action (4,); one to three.
        env: PICK_AND_PLACE.
        seeds: the start states, one to three.

    Returns:
        Frames of (560, 1440, 3), uint8, 12.5 for a second, and a poster of the same size with
        the last picture of every episode, for `show_film`.

    Raises:
        TypeError, ValueError: another number of players or seeds, or env is no such arm.
    """
    for name, given in (("players", players), ("seeds", seeds)):
        if not 1 <= len(given) <= 3:
            raise ValueError(f"{name}: got {len(given)}; expected one to three")
    for title, player in players.items():
        if not callable(getattr(player, "policy", None)):
            raise TypeError(f"players: got {player!r} for {title!r}; expected one with policy(obs)")
    seeds = [checks.integer("seeds", seed, low=0) for seed in seeds]
    width = min(WIDTH // len(players), WIDTH // 2) - 24
    with closing(make_env(env, "rgb_array")) as arm:
        if arm.observation_space.shape != (31,) or not hasattr(arm.unwrapped, "model"):
            raise ValueError(f"env: got {env!r}; expected PICK_AND_PLACE")
        arm.reset(seed=seeds[0])
        with stage(arm, width) as draw:
            plays = [[play(arm, each, seed, draw) for each in players.values()] for seed in seeds]
    frames, titles = [], list(players)
    for row, shots in enumerate(plays, start=1):
        over = max(map(len, shots)) - 1
        for k in range(over + 1):
            foot = f"start {row} of {len(seeds)}    {k * EVERY * 0.04:.1f} s"
            now = [each[min(k, len(each) - 1)] for each in shots]
            frames.append(sheet(titles, [now], foot, k == over))
        frames += HELD * frames[-1:]
    last = [[each[-1] for each in shots] for shots in plays]
    return frames, frames[-1] if len(seeds) == 1 else sheet(titles, last, "", True)


def draw_hits(starts: np.ndarray, goals: np.ndarray, met: np.ndarray, title: str) -> Figure:
    """Draw where the goals of episodes were, seen from the side, and which of them were met.

    Args:
        starts, goals: (episodes, 3) both, metres: the block's place at the start, and the goal.
        met: (episodes,), bool.
        title: the finding.

    Raises:
        ValueError: other shapes.
    """
    starts, goals, met = np.asarray(starts), np.asarray(goals), np.asarray(met, dtype=bool)
    for name, given in (("starts", starts), ("goals", goals)):
        if met.ndim != 1 or given.shape != (len(met), 3):
            raise ValueError(f"{name}: got {given.shape}, met {met.shape}; expected (n, 3), (n,)")
    (x, y), z = 100 * (goals - starts)[:, :2].T, 100 * (goals - starts)[:, 2]
    along, low = np.hypot(x, y), z < 0.5
    z[low] = -3.0 * (1 + np.argsort(np.argsort(along[low])) % 3)  # in lanes, to be told apart
    fig = Figure(figsize=(7.2, 3.0))
    ax = fig.subplots()
    ax.axhspan(-12.0, 0.0, color=PALE, lw=0, zorder=0)
    ax.plot(along[met], z[met], "o", ms=5.5, color=MET, mec="white", mew=0.5)
    ax.plot(along[~met], z[~met], "o", ms=5, mfc="none", mec=CHANCE_TEXT, mew=1.2)
    ax.set(xlim=(0, None), ylim=(-12, 48), yticks=range(0, 50, 10), title=title)
    ax.set_xlabel("from the block's start to the goal, along the table (cm)")
    ax.set_ylabel("height above the table (cm)")
    beside = {"transform": ax.get_yaxis_transform(), "va": "center"}
    for height, name, part in ((24.0, "in the air", ~low), (-6.0, "on the table", low)):
        hits, misses = (met & part).sum(), (~met & part).sum()
        ax.text(1.02, height + 4.2, name, color=NOTE, **beside)
        ax.text(1.02, height, f"● {hits} met", color=MET_TEXT, **beside)
        ax.text(1.02, height - 4.2, f"○ {misses} missed", color=CHANCE_TEXT, **beside)
    return fig


def draw_hindsight() -> Figure:
    """Draw one path told twice: with its goal missed, and with a goal that its last step meets."""
    x = np.array([0.0, 0.3, 1.1, 1.8, 2.6, 3.5, 4.5, 5.5, 6.3, 7.2])
    y = np.array([0.0, 0.7, 1.3, 1.9, 2.5, 2.1, 1.7, 1.4, 1.5, 1.9])
    tales = [("What happened", "the goal is missed: nothing to learn from")]
    tales += [("Told again, in hindsight", "the place it came to was the goal")]
    fig, right = Figure(figsize=(7.2, 3.0), layout="none"), {"ha": "right", "va": "center"}
    for again, (title, text) in enumerate(tales):
        ax = fig.add_axes((0.02 + 0.5 * again, 0.0, 0.46, 1.0), xlim=(-0.5, 8.1), ylim=(-3.2, 6.2))
        ax.axis("off")
        ax.text(-0.4, 5.65, title, size=10, weight="bold", color=INK)
        ax.text(-0.4, 5.0, text, color=NOTE)
        ax.plot(x, y, "o-", color=ACTOR, mfc="white", ms=5, mew=1.4)
        ax.plot(0, 0, "o", color=ACTOR, ms=7)
        ax.text(0.3, -0.1, "start", color=ACTOR, va="center")
        ax.plot(6.4, 4.0, "*", ms=16, mfc="white", mec=CHANCE, mew=1.3, alpha=1 - 0.5 * again)
        if again:
            ax.plot(x[-1], y[-1], "*", ms=20, color=MET, mec="white", zorder=4)
            ax.text(7.5, 0.6, "goal in hindsight", color=MET_TEXT, **right)
        else:
            ax.text(5.95, 4.0, "wanted goal", color=CHANCE_TEXT, **right)
        ax.text(-0.4, -1.45, "reward of each step", size=8, color=NOTE)
        for k in range(9):
            met = again and k == 8
            color, word = ("white", "0") if met else (INK, "−1")
            box = Rectangle((0.9 * k - 0.4, -2.9), 0.84, 1.15, color=MET_TEXT if met else PALE)
            ax.add_patch(box)
            ax.text(0.9 * k + 0.02, -2.34, word, color=color, ha="center", va="center")
    return fig
