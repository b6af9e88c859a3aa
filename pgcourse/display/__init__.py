"""What a notebook shows."""

from pathlib import Path

from matplotlib import pyplot as plt

from pgcourse.display import colors as colors
from pgcourse.display.arm import arm_film as arm_film
from pgcourse.display.arm import draw_hindsight as draw_hindsight
from pgcourse.display.arm import draw_hits as draw_hits
from pgcourse.display.car import car_film as car_film
from pgcourse.display.car import draw_filter as draw_filter
from pgcourse.display.car import draw_phase as draw_phase
from pgcourse.display.curves import draw_arms as draw_arms
from pgcourse.display.curves import draw_seeds as draw_seeds
from pgcourse.display.drive import drive as drive
from pgcourse.display.listing import show_source
from pgcourse.display.networks import draw_cloning as draw_cloning
from pgcourse.display.networks import draw_networks as draw_networks
from pgcourse.display.pendulum import draw_maps as draw_maps
from pgcourse.display.pendulum import draw_ridge as draw_ridge
from pgcourse.display.plots import plot_history, show_figure
from pgcourse.display.proximal import draw_clip as draw_clip
from pgcourse.display.proximal import draw_moves as draw_moves
from pgcourse.display.proximal import draw_proximal as draw_proximal
from pgcourse.display.replay import draw_corridor as draw_corridor
from pgcourse.display.replay import draw_replay as draw_replay
from pgcourse.display.returns import draw_errors as draw_errors
from pgcourse.display.returns import draw_estimates as draw_estimates
from pgcourse.display.returns import draw_learning as draw_learning
from pgcourse.display.returns import draw_starts as draw_starts
from pgcourse.display.returns import draw_study as draw_study
from pgcourse.display.returns import draw_swings as draw_swings
from pgcourse.display.rollouts import balance_film as balance_film
from pgcourse.display.rollouts import draw_rollout as draw_rollout
from pgcourse.display.rollouts import draw_trade as draw_trade
from pgcourse.display.sliders import sliders
from pgcourse.display.soft import draw_soft as draw_soft
from pgcourse.display.swing import swing_film as swing_film
from pgcourse.display.video import render_episode, save_video, show_video
from pgcourse.display.video import show_film as show_film

plt.style.use(Path(__file__).with_name("pgcourse.mplstyle"))

# What is drawn for one chapter or another is imported from here, and is no name of pgcourse's.
__all__ = [
    "plot_history",
    "render_episode",
    "save_video",
    "show_figure",
    "show_source",
    "show_video",
    "sliders",
]
