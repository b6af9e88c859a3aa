"""The agents, a file for each algorithm, on the frame of `agent` and `off_policy`."""

from pgcourse.agents.bc import BCAgent
from pgcourse.agents.ddpg import DDPGAgent
from pgcourse.agents.her import HERAgent
from pgcourse.agents.sac import SACAgent
from pgcourse.agents.td3 import TD3Agent

__all__ = ["BCAgent", "DDPGAgent", "HERAgent", "SACAgent", "TD3Agent"]
