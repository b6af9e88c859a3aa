"""The agents, a file for each algorithm, on the frame of `agent` and `off_policy`."""

from pgcourse.agents.a2c import A2CAgent
from pgcourse.agents.bc import BCAgent
from pgcourse.agents.ddpg import DDPGAgent
from pgcourse.agents.ddpgfd import DDPGfDAgent
from pgcourse.agents.her import HERAgent
from pgcourse.agents.ppo import PPOAgent
from pgcourse.agents.reinforce import ReinforceAgent
from pgcourse.agents.sac import SACAgent
from pgcourse.agents.td3 import TD3Agent

__all__ = [
    "A2CAgent",
    "BCAgent",
    "DDPGAgent",
    "DDPGfDAgent",
    "HERAgent",
    "PPOAgent",
    "ReinforceAgent",
    "SACAgent",
    "TD3Agent",
]
