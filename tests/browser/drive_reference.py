"""What gymnasium says of recorded episodes, as JSON; test_drive.py compares the page with it."""

import json
import sys

import numpy as np

from pgcourse.tasks.envs import make_env
from pgcourse.tasks.recording import PAGE, retrace

name, episodes = json.load(sys.stdin)
env, answer = make_env(name), {"next": [], "rewards": []}
for episode in episodes:
    env.reset()
    for state, action in zip(episode["states"][:-1], episode["actions"], strict=True):
        env.unwrapped.state = np.array(state, dtype=PAGE[name][0])
        _, reward, *_ = env.step(np.array(action, dtype=np.float32))
        answer["next"].append(env.unwrapped.state.tolist())
        answer["rewards"].append(float(reward))
answer["ends"] = [row[4] for row in retrace(name, episodes)]
json.dump(answer, sys.stdout)
