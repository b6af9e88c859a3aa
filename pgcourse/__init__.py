"""The companion module of the course: what the notebooks show is what runs here."""

from pgcourse.bc import BCAgent
from pgcourse.buffer import Batch, ReplayBuffer
from pgcourse.ddpg import DDPGAgent
from pgcourse.demos import load_demos, record_demos, save_demos
from pgcourse.envs import ActionNormalizer, FlatGoal, make_env
from pgcourse.equations import (
    actor_loss,
    bc_loss,
    clip_target,
    critic_loss,
    q_filter,
    soft_update,
    td_target,
)
from pgcourse.evaluation import RandomAgent, evaluate, interval, successes
from pgcourse.explore import sliders
from pgcourse.goals import BitFlip, register_bit_flip
from pgcourse.her import HindsightBuffer
from pgcourse.her_agent import HERAgent
from pgcourse.history import Episode, History
from pgcourse.listing import show_source
from pgcourse.networks import Actor, Critic
from pgcourse.noise import OUNoise
from pgcourse.normalize import Normalizer
from pgcourse.optimal import OptimalAgent, optimal_return, optimal_values
from pgcourse.plotting import plot_history, show_figure
from pgcourse.robot import PICK_AND_PLACE, DemoResets, pick_and_place
from pgcourse.seeding import seed_everything
from pgcourse.study import run_study
from pgcourse.video import render_episode, save_video, show_video

__all__ = [
    "PICK_AND_PLACE",
    "ActionNormalizer",
    "Actor",
    "BCAgent",
    "Batch",
    "BitFlip",
    "Critic",
    "DDPGAgent",
    "DemoResets",
    "Episode",
    "FlatGoal",
    "HERAgent",
    "HindsightBuffer",
    "History",
    "Normalizer",
    "OUNoise",
    "OptimalAgent",
    "RandomAgent",
    "ReplayBuffer",
    "actor_loss",
    "bc_loss",
    "clip_target",
    "critic_loss",
    "evaluate",
    "interval",
    "load_demos",
    "make_env",
    "optimal_return",
    "optimal_values",
    "pick_and_place",
    "plot_history",
    "q_filter",
    "record_demos",
    "register_bit_flip",
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
    "successes",
    "td_target",
]
