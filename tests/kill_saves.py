"""Kill a process that saves checkpoints at random moments: `python -m tests.kill_saves 300`."""

import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import torch

from pgcourse import DDPGAgent
from pgcourse.runs.checkpoint import read_state


def kill_saves(kills: int, folder: Path) -> dict[str, int]:
    """Return how many kills left a file that cannot be read, or an older one than acknowledged."""
    torch.set_num_threads(1)
    path, chance = Path(folder) / "killed.pt", random.Random(0)
    agent = DDPGAgent("Pendulum-v1", 500, 8, 1.0, 0.1, initial_random_steps=0)
    agent.train(60)
    agent.save(path)
    corrupt = lost = 0
    acknowledged = agent.total_steps
    for _ in range(kills):
        receive, send = os.pipe()
        child = os.fork()
        if child == 0:
            while True:  # save, then acknowledge, over and over
                agent.total_steps += 1
                agent.save(path)
                os.write(send, agent.total_steps.to_bytes(8, "big"))
        os.close(send)
        time.sleep(chance.uniform(0.0, 0.03))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(receive, "rb") as pipe:
            news = pipe.read()
        acknowledged = int.from_bytes(news[-8:], "big") if news else acknowledged
        try:
            stored = read_state(path, agent.state_dict())["counts"]["total_steps"]
            lost += stored < acknowledged
            agent.total_steps = acknowledged = stored
        except ValueError:
            corrupt += 1
    return {"kills": kills, "corrupt": corrupt, "lost": lost}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(kill_saves(int(sys.argv[1]), Path(folder)))
