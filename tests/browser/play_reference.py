"""What PyTorch and gymnasium say, as JSON; test_play.py compares the page with it."""

import json
import sys

import gymnasium as gym
import numpy as np
import torch
from torch.nn.utils import vector_to_parameters

from pgcourse import Actor, Critic, OptimalAgent, optimal_values
from pgcourse.tools.play import FOLDER, unpacked


def networks(name, states):
    """[action, value] of a player's own networks for each [angle, velocity, action]."""
    found = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    actor, critic = Actor(3, 1), Critic(4)
    for part, network in (("actor", actor), ("critic", critic)):
        vector_to_parameters(unpacked(found[part]["weights"]), network.parameters())
    angle, velocity, action = torch.tensor(states, dtype=torch.float64).T
    obs = torch.stack([angle.cos(), angle.sin(), velocity], dim=1).float()
    with torch.no_grad():
        return torch.stack([actor(obs)[:, 0], critic(obs, action.float()[:, None])], dim=1).tolist()


def physics(gravity, rng):
    """Rows of [angle, velocity, torque, next angle, next velocity], 200 steps of one episode."""
    env, rows = gym.make("Pendulum-v1", g=gravity).unwrapped, []
    env.reset(seed=0)
    for torque in np.cumsum(rng.normal(0, 0.5, 200)):
        before = env.state
        env.step(np.array([torque], dtype=np.float32))
        rows.append([*map(float, before), float(env.last_u), *map(float, env.state)])
    return rows


def optimum(states):
    """The action that the module's own near-optimal agent takes with 200 steps to go."""
    agent, obs = OptimalAgent(optimal_values(0.99, 101, 101), 0.99), []
    agent.to_go = 0  # the next is 199
    for angle, velocity, _ in states:
        obs.append([np.cos(angle), np.sin(angle), velocity])
    return agent.policy(np.array(obs))[:, 0].tolist()


torch.set_num_threads(1)
rng = np.random.default_rng(0)
states = rng.uniform([-np.pi, -8, -1], [np.pi, 8, 1], (200, 3)).tolist()
answer = {name: networks(name, states) for name in ("untrained", "half", "trained")}
answer |= {"states": states, "optimal": optimum(states)}
answer["physics"] = {g: physics(float(g), rng) for g in ("10", "3")}
json.dump(answer, sys.stdout)
