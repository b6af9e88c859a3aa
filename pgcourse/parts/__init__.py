"""What agents are built of."""

from pgcourse.parts.buffer import Batch, ReplayBuffer
from pgcourse.parts.equations import (
    actor_loss,
    bc_loss,
    critic_loss,
    q_filter,
    soft_update,
    td_target,
)
from pgcourse.parts.networks import Actor, Critic
from pgcourse.parts.noise import OUNoise
from pgcourse.parts.normalize import Normalizer

__all__ = [
    "Actor",
    "Batch",
    "Critic",
    "Normalizer",
    "OUNoise",
    "ReplayBuffer",
    "actor_loss",
    "bc_loss",
    "critic_loss",
    "q_filter",
    "soft_update",
    "td_target",
]
