"""Rendered episodes: recorded, shown in a notebook, written to a file."""

import io
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import gymnasium as gym
import imageio.v3 as iio
import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from pgcourse import checks
from pgcourse.display.plots import COLOURS, indexed, show_png
from pgcourse.parts.history import Episode
from pgcourse.tasks.envs import make_env

HOLD = 1800.0  # ms that a film's last frame is held


def render_episode(agent, env: str | Callable[..., gym.Env], seed: int, **options) -> Episode:
    """Play one episode of the noise-free policy and keep a frame per step.

    Args:
        agent: anything with `policy(obs)`, from (obs_dim,) to an action (act_dim,).
        env, options: as for `make_env`.
        seed: the start state.

    Raises:
        TypeError, ValueError: the environment cannot draw itself, or the seed is refused.
    """
    seed = checks.integer("seed", seed, low=0)
    with closing(make_env(env, "rgb_array", **options)) as made:
        obs, _ = made.reset(seed=seed)
        draw = drawer(made)
        if draw is None:
            raise ValueError(f"env: got {env!r}; expected one that draws itself as 'rgb_array'")
        score, frames, terminated, truncated = 0.0, [], False, False
        while not (terminated or truncated):
            obs, reward, terminated, truncated, _ = made.step(agent.policy(obs))
            score += float(reward)
            frames.append(draw())
    return Episode(score, frames, bool(terminated))


def drawer(env: gym.Env) -> Callable[[], np.ndarray] | None:
    """Return what draws an environment that has been reset, or None if it cannot draw itself."""
    # gymnasium's checker refuses environments that list no render modes, though they may draw.
    for draw in (env.render, env.unwrapped.render):
        try:
            check_frames([draw()])
            return draw
        except (AssertionError, NotImplementedError, TypeError, ValueError):
            continue
    return None


def show_video(frames: list[np.ndarray], alt: str, fps: float = 20.0, every: int = 2) -> None:
    """Display frames as an animated PNG: it plays in Jupyter and HTML, else it is a still.

    Args:
        frames: (height, width, 3) each, uint8; shown at half size.
        alt: a text for those who cannot see it.
        fps: recorded frames per second.
        every: keep each `every`-th frame only, at the same speed.

    Raises:
        TypeError, ValueError: no frames, or fps or every are not positive.
    """
    fps, every = checks.real("fps", fps, low=0.1), checks.integer("every", every)
    check_frames(frames)
    small = [Image.fromarray(frame).reduce(2).quantize(64) for frame in frames[::every]]
    file = io.BytesIO()
    # Pillow merges equal frames and adds up their time, so the length in seconds is kept.
    small[0].save(
        file, "PNG", save_all=True, append_images=small[1:],
        duration=1000.0 * every / fps, loop=0, optimize=True,
    )  # fmt: skip
    show_png(file.getvalue(), alt, density=1)


def show_film(
    frames: list[np.ndarray], poster: np.ndarray, alt: str, fps: float = 20.0, density: int = 1
) -> None:
    """Display a drawn film as an animated PNG; where nothing moves, its poster is seen.

    Args:
        frames: (height, width, 3) each, uint8; the last one is held for 1.8 s.
        poster: the same size; it makes the film's point without motion.
        alt: a text for those who cannot see it.
        fps: frames per second.
        density: pixels of a frame for each pixel of the page.

    Raises:
        TypeError, ValueError: no frames, other sizes, or fps or density are not positive.
    """
    checks.instance("alt", alt, str, "a text")
    fps, density = checks.real("fps", fps, low=0.1), checks.integer("density", density)
    check_frames(frames)
    check_frames([frames[0], poster], "poster")
    show_png(film(frames, poster, fps), alt, density=density)


def camera(fig: Figure, moving: list[Artist]) -> Callable[[], np.ndarray]:
    """Return what takes a figure's picture, (height, width, 3), and redraws only what moves.

    Args:
        fig: all of it but `moving` stays as it is now.
        moving: from the back to the front.
    """
    canvas = FigureCanvasAgg(fig)
    for artist in moving:
        artist.set_animated(True)
    canvas.draw()
    still = canvas.copy_from_bbox(fig.bbox)

    def take() -> np.ndarray:
        canvas.restore_region(still)
        for artist in moving:
            artist.axes.draw_artist(artist)
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()

    return take


def film(frames: list[np.ndarray], poster: np.ndarray, fps: float) -> bytes:
    """Return an animated PNG whose default image is the poster, with one palette for all."""
    clear = COLOURS - 1  # the last colour is transparent
    images = indexed([poster, *frames], clear)
    colours = images[0].getpalette()[: 3 * clear]
    flat = [np.asarray(image) for image in images]
    for k, (last, now) in enumerate(pairwise(flat[1:]), start=2):  # only what changes is stored
        images[k] = Image.fromarray(np.where(now == last, clear, now).astype(np.uint8))
    for image in images:
        image.putpalette(colours + [0] * (3 * COLOURS - len(colours)))
    file = io.BytesIO()
    images[0].save(
        file, "PNG", save_all=True, default_image=True, append_images=images[1:], loop=0,
        duration=[1000.0 / fps] * (len(frames) - 1) + [HOLD], transparency=clear,
        disposal=0, blend=1, compress_level=8,
    )  # fmt: skip
    return file.getvalue()


def save_video(path: str | Path, frames: list[np.ndarray], fps: float = 20.0) -> None:
    """Write frames to an .mp4, .gif or .png (animated) file through imageio.

    Args:
        path: where to; the ending names the format.
        frames: (height, width, 3) each, uint8.
        fps: frames per second.

    Raises:
        TypeError, ValueError: another ending, no frames, or fps is not positive.
    """
    checks.instance("path", path, str | Path, "a file name")
    path, fps = Path(path), checks.real("fps", fps, low=0.1)
    check_frames(frames)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"path: got {str(path)!r}; expected a folder that exists")
    if path.suffix == ".mp4":
        iio.imwrite(path, np.stack(frames), plugin="FFMPEG", fps=fps, macro_block_size=2)
    elif path.suffix in (".gif", ".png"):
        iio.imwrite(path, np.stack(frames), plugin="pillow", duration=1000.0 / fps, loop=0)
    else:
        raise ValueError(f"path: got {str(path)!r}; expected an ending .mp4, .gif or .png")


def check_frames(frames: list[np.ndarray], name: str = "frames") -> None:
    """Refuse anything but frames of one size; TypeError or ValueError."""
    expected = "expected arrays (height, width, 3) of one size, uint8"
    checks.instance(name, frames, list | tuple | np.ndarray, f"a list; {expected}")
    if not len(frames):
        raise ValueError(f"{name}: got none; {expected}")
    for frame in frames:
        shape, dtype = getattr(frame, "shape", None), getattr(frame, "dtype", type(frame).__name__)
        if dtype != np.uint8 or len(shape) != 3 or shape[2] != 3 or shape != frames[0].shape:
            raise ValueError(f"{name}: got one of {dtype} with shape {shape}; {expected}")
