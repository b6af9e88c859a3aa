"""The companion module of the course: what the notebooks show is what runs here."""

from pgcourse.bc import BCAgent
from pgcourse.buffer import Batch, ReplayBuffer
from pgcourse.ddpg import DDPGAgent
from pgcourse.demos import load_demos, record_demos, save_demos
from pgcourse.envs import ActionNormalizer, make_env
from pgcourse.equations import (
    actor_loss,
    bc_loss,
    critic_loss,
    q_filter,
    soft_update,
    td_target,
)
from pgcourse.evaluation import RandomAgent, evaluate, interval
from pgcourse.explore import sliders
from pgcourse.history import Episode, History
from pgcourse.listing import show_source
from pgcourse.networks import Actor, Critic
from pgcourse.noise import OUNoise
from pgcourse.optimal import OptimalAgent, optimal_return, optimal_values
from pgcourse.plotting import plot_history, show_figure
from pgcourse.seeding import seed_everything
from pgcourse.study import run_study
from pgcourse.video import render_episode, save_video, show_video

__all__ = [
    "ActionNormalizer",
    "Actor",
    "BCAgent",
    "Batch",
    "Critic",
    "DDPGAgent",
    "Episode",
    "History",
    "OUNoise",
    "OptimalAgent",
    "RandomAgent",
    "ReplayBuffer",
    "actor_loss",
    "bc_loss",
    "critic_loss",
    "evaluate",
    "interval",
    "load_demos",
    "make_env",
    "optimal_return",
    "optimal_values",
    "plot_history",
    "q_filter",
    "record_demos",
    "render_episode",
    "run_study",
    "save_demos",
    "save_video",
    "seed_everything",
    "show_figure",
    "show_source",
    "show_video",
    "sliders",
    "soft_update",
    "td_target",
]
