"""What a notebook shows."""

from pgcourse.display.listing import show_source
from pgcourse.display.plots import plot_history, show_figure
from pgcourse.display.sliders import sliders
from pgcourse.display.video import render_episode, save_video, show_video

__all__ = [
    "plot_history",
    "render_episode",
    "save_video",
    "show_figure",
    "show_source",
    "show_video",
    "sliders",
]
