"""What agents are built of."""

from pgcourse.parts.buffer import Batch, ReplayBuffer
from pgcourse.parts.equations import (
    actor_loss,
    bc_loss,
    clip_target,
    critic_loss,
    q_filter,
    soft_update,
    td_target,
)
from pgcourse.parts.hindsight import HindsightBuffer
from pgcourse.parts.networks import Actor, Critic
from pgcourse.parts.noise import OUNoise
from pgcourse.parts.normalize import Normalizer
from pgcourse.parts.seeding import seed_everything

__all__ = [
    "Actor",
    "Batch",
    "Critic",
    "HindsightBuffer",
    "Normalizer",
    "OUNoise",
    "ReplayBuffer",
    "actor_loss",
    "bc_loss",
    "clip_target",
    "critic_loss",
    "q_filter",
    "seed_everything",
    "soft_update",
    "td_target",
]
