"""Re-create demo.pkl: `python -m pgcourse.tools.demo`."""

import os

import numpy as np
import torch

from pgcourse import DDPGAgent, record_demos, save_demos
from pgcourse.display.live import AUDIENCE
from pgcourse.tools.course import ROOT

# Starts that neither training nor evaluation uses. Start states differ more than policies: this
# seed gives a set of average difficulty (the agent scores -137 on the panel of notebook 03).
EPISODES, FIRST_SEED = 20, 30_000


def main() -> None:
    """Train notebook 03's agent and record it on new start states."""
    os.environ.setdefault(AUDIENCE, "terminal")
    torch.set_num_threads(1)
    agent = DDPGAgent("Pendulum-v1", 100_000, 128, 1.0, 0.1, initial_random_steps=1_000, seed=0)
    agent.train(10_000)
    demos = record_demos(agent.policy, "Pendulum-v1", EPISODES, FIRST_SEED)
    save_demos(ROOT / "demo.pkl", demos)
    returns = np.array([row[2] for row in demos]).reshape(EPISODES, -1).sum(axis=1)
    print(f"demo.pkl: {len(demos):,} transitions, mean return {returns.mean():.1f}")


if __name__ == "__main__":
    main()
