"""What a run shows while it lasts."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from IPython import get_ipython
from tqdm import tqdm
from tqdm.auto import tqdm as tqdm_auto

from pgcourse.display.plots import plot_history, png, show_png
from pgcourse.parts.history import History

AUDIENCE = "PGCOURSE_AUDIENCE"  # overrides the guess: run by a program, a notebook looks the same


_silent: ContextVar[bool] = ContextVar("silent", default=False)


@contextmanager
def silence() -> Iterator[None]:
    """Let nobody watch what runs inside: neither bars nor plots, in this thread alone."""
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


def audience() -> str:
    """Say who is watching: "notebook", "terminal" or "nobody"."""
    if _silent.get():
        return "nobody"
    if chosen := os.environ.get(AUDIENCE):
        return chosen
    if getattr(get_ipython(), "kernel", None) is not None:
        return "notebook"
    return "terminal" if sys.stderr.isatty() else "nobody"


class Monitor:
    """A progress bar and, in a notebook, a live plot every `plotting_interval` ticks."""

    def __init__(self, total: int, plotting_interval: int = 0, unit: str = "step"):
        watching = audience()
        bar = tqdm_auto if watching == "notebook" else tqdm
        self.bar = bar(total=total, unit=unit, mininterval=0.5, disable=watching == "nobody")
        self.interval = plotting_interval if watching == "notebook" else 0
        self.plot = None
        self.ticks = 0

    def __enter__(self) -> "Monitor":
        return self

    def __exit__(self, *error) -> None:
        self.bar.close()

    def tick(self, history: History | None = None, steps: int = 1) -> None:
        """Count steps and draw the history when its turn has come."""
        self.ticks += steps
        self.bar.update(steps)
        if history is None or not self.interval or self.ticks % self.interval >= steps:
            return
        drawn, first = png(plot_history(history)), self.plot is None
        where = {"display_id": True if first else self.plot.display_id, "update": not first}
        self.plot = show_png(drawn, "returns and losses so far", **where) or self.plot
