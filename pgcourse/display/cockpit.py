"""The widgets that `drive` returns; drive.js is what they show."""

import io
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import gymnasium as gym
import numpy as np
import traitlets
from IPython.display import display
from PIL import Image

from pgcourse import checks
from pgcourse.display.live import audience
from pgcourse.tasks.demos import Transition, plain
from pgcourse.tasks.envs import check_spaces
from pgcourse.tasks.recording import retrace

WIDTH, QUALITY = 640, 80  # of the pictures that the kernel sends: pixels at most, and JPEG's
ALT = "A cockpit for {}: with a running kernel, the reader drives."


class Cockpit(anywidget.AnyWidget):
    """What both cockpits share: a task, a count of recorded episodes, a picture."""

    _esm = Path(__file__).with_name("drive.js")
    _css = Path(__file__).with_name("drive.css")
    task = traitlets.Dict().tag(sync=True)

    def __init__(self, task: dict[str, Any], picture: np.ndarray):
        super().__init__(task=task)
        self.picture = picture

    def _ipython_display_(self, **_) -> None:
        """Display the cockpit, and bring a still picture along for pages without a kernel."""
        data, metadata = self._repr_mimebundle_() if audience() == "notebook" else ({}, {})
        alt, still = ALT.format(self.task["name"]), compressed(self.picture, "PNG")
        data = data | {"image/png": b64encode(still).decode(), "text/plain": alt}
        display(data, metadata=(metadata or {}) | {"image/png": {"alt": alt}}, raw=True)


class PageCockpit(Cockpit):
    """A cockpit whose physics run in the page; it holds states and actions, no transitions."""

    episodes = traitlets.List().tag(sync=True)

    def __init__(self, env: str, starts: list[list[float]], picture: np.ndarray):
        super().__init__({"name": env, "starts": starts, "dim": 1, "limit": limit(env)}, picture)

    @property
    def demo(self) -> list[Transition]:
        """All recorded transitions, each made anew by gymnasium; ValueError if one is not its."""
        return retrace(self.task["name"], self.episodes)


class KernelCockpit(Cockpit):
    """A cockpit for any environment: an action comes from the page, a picture goes back."""

    count = traitlets.Int().tag(sync=True)

    def __init__(self, env: gym.Env, draw: Callable[[], np.ndarray], seed: int):
        name = env.spec.id if env.spec else type(env.unwrapped).__name__
        self.env, self.draw, self.seed = env, draw, seed
        self.dims, self.episodes, self.rows = check_spaces(env), [], None
        fps = min(30.0, float(env.metadata.get("render_fps") or 30))
        super().__init__({"name": name, "dim": self.dims[1], "fps": fps}, draw())
        self.on_msg(self.hear)

    @property
    def demo(self) -> list[Transition]:
        """All recorded transitions."""
        return [row for episode in self.episodes for row in episode]

    def hear(self, _, content: dict[str, Any], __) -> None:
        """Do what the page asks for; what goes wrong is said in the page."""
        kind = content.get("kind") if isinstance(content, dict) else None
        if kind not in ("look", "start", "step", "stop", "undo"):
            return
        try:
            getattr(self, kind)(*([content.get("action")] if kind == "step" else []))
        except Exception as error:
            self.rows = None
            self.send({"kind": "error", "text": f"{type(error).__name__}: {error}"})

    def look(self) -> None:
        """Send a picture."""
        self.send({"kind": "frame"}, [compressed(self.draw(), "JPEG")])

    def start(self) -> None:
        """Begin an episode."""
        # Only the first reset is seeded: each episode starts from another state.
        self.obs, self.seed = np.array(self.env.reset(seed=self.seed)[0]), None
        self.rows = []
        self.show("")

    def step(self, action: list[float]) -> None:
        """Take a step and record it."""
        if self.rows is None:
            return
        action = checks.vector("action", np.array(action), self.dims[1], limit=1.0)
        next_obs, reward, terminated, truncated, _ = self.env.step(action)
        row = (self.obs, action, float(reward), next_obs, bool(terminated))
        self.rows.append(plain(row, *self.dims))
        self.obs = np.array(next_obs)
        self.show("terminated" if terminated else "truncated" if truncated else "")

    def show(self, end: str) -> None:
        """Send a picture, and keep the episode if this is its end."""
        news = {"kind": "frame", "step": len(self.rows), "score": sum(row[2] for row in self.rows)}
        if end:
            self.episodes.append(self.rows)
            self.stop()
        self.send(news | {"end": end}, [compressed(self.draw(), "JPEG")])

    def stop(self) -> None:
        """Forget an episode that has not ended."""
        self.rows, self.count = None, len(self.episodes)

    def undo(self) -> None:
        """Forget the last recorded episode."""
        del self.episodes[-1:]
        self.count = len(self.episodes)


def compressed(picture: np.ndarray, form: str) -> bytes:
    """Return a picture (height, width, 3) as a file."""
    image, file = Image.fromarray(picture), io.BytesIO()
    image.thumbnail((WIDTH, WIDTH))
    image.save(file, form, quality=QUALITY, optimize=form == "PNG")
    return file.getvalue()


def limit(env: str) -> int:
    """Return after how many steps an episode of a registered environment is truncated."""
    return gym.spec(env).max_episode_steps
