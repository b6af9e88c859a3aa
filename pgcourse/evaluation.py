"""Evaluation on start states that training has not seen."""

from collections.abc import Iterable

import numpy as np

from pgcourse import checks
from pgcourse.envs import make_env


def evaluate(agent, env_id: str, seeds: Iterable[int]) -> np.ndarray:
    """Return the undiscounted return of the noise-free policy from each start seed.

    The environments are new ones and step side by side, so that one call of the policy
    serves them all. Nothing of the agent changes, neither its state nor its random streams.

    Args:
        agent: anything with `policy(obs)`, from (B, obs_dim) to actions (B, act_dim).
        env_id: a registered name such as "Pendulum-v1".
        seeds: one start state each.

    Returns:
        (number of seeds,).

    Raises:
        TypeError, ValueError: no seeds, a seed that is no integer of at least 0, or an
            environment that `make_env` refuses.
    """
    if not callable(getattr(agent, "policy", None)):
        raise TypeError(f"agent: got {agent!r}; expected something with a method policy(obs)")
    seeds = checks.start_seeds("seeds", seeds)
    envs = [make_env(env_id) for _ in seeds]
    obs = np.stack([env.reset(seed=seed)[0] for env, seed in zip(envs, seeds, strict=True)])
    returns = np.zeros(len(envs))
    running = list(range(len(envs)))
    while running:
        actions = agent.policy(obs[running])
        ended = set()
        for i, action in zip(running, actions, strict=True):
            obs[i], reward, terminated, truncated, _ = envs[i].step(action)
            returns[i] += reward
            if terminated or truncated:
                ended.add(i)
        running = [i for i in running if i not in ended]
    return returns
