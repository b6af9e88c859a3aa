"""A study of seconds: `Evidence("tests.tiny", folder)`."""

import time

import numpy as np

from pgcourse.studies.evidence import networks_of, trained
from tests.kinds import make

JOBS = [(arm, seed) for arm in ("DDPG", "SAC") for seed in range(4)]
KEPT = {("SAC", 1): "tiny_sac"}


def train(arm, seed):
    """Train for a moment."""
    time.sleep(0.2)
    agent = make(arm, seed)
    row = trained(agent, 60, 3, lambda agent: agent.policy(np.ones((4, 3)))[:, 0])
    return row | ({"networks": networks_of(agent, "actor")} if (arm, seed) in KEPT else {})
