"""What agents learn: environments, demonstrations, and the best possible control of one task."""

from pgcourse.tasks.bits import register_bit_flip
from pgcourse.tasks.demos import load_demos, record_demos, save_demos
from pgcourse.tasks.envs import ActionNormalizer, make_env
from pgcourse.tasks.pendulum import OptimalAgent, optimal_values
from pgcourse.tasks.robot import PICK_AND_PLACE, DemoResets, pick_and_place

__all__ = [
    "PICK_AND_PLACE",
    "ActionNormalizer",
    "DemoResets",
    "OptimalAgent",
    "load_demos",
    "make_env",
    "optimal_values",
    "pick_and_place",
    "record_demos",
    "register_bit_flip",
    "save_demos",
]
