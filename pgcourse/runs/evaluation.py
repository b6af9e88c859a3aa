"""Evaluation on held-out start states."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing

import gymnasium as gym
import numpy as np

from pgcourse import checks
from pgcourse.tasks.envs import make_env


def evaluate(
    agent, env: str | Callable[..., gym.Env], seeds: Iterable[int], **options
) -> np.ndarray:
    """Return the undiscounted return of the noise-free policy from each start seed.

    The environments are new ones and step side by side, so that one call of the policy
    serves them all. Nothing of the agent changes, neither its state nor its random streams.

    Args:
        agent: anything with `policy(obs)`, from (B, obs_dim) to actions (B, act_dim).
        env, options: as for `make_env`.
        seeds: one start state each.

    Returns:
        (number of seeds,).

    Raises:
        TypeError, ValueError: no seeds, a seed that is no integer of at least 0, an environment
            that `make_env` refuses, or actions or rewards that are not what they should be.
    """
    check_policy(agent)
    seeds = checks.start_seeds("seeds", seeds)
    with ExitStack() as stack:
        envs = [stack.enter_context(closing(make_env(env, **options))) for _ in seeds]
        obs = np.stack([env.reset(seed=seed)[0] for env, seed in zip(envs, seeds, strict=True)])
        returns = np.zeros(len(envs))
        running = list(range(len(envs)))
        while running:
            actions = agent.policy(obs[running])
            ended, shape = set(), (len(running), *envs[0].action_space.shape)
            checks.vector("agent.policy(obs)", actions, shape)  # not kept: it may round
            for i, action in zip(running, actions, strict=True):
                obs[i], reward, terminated, truncated, _ = envs[i].step(action)
                returns[i] += reward
                if terminated or truncated:
                    ended.add(i)
            running = [i for i in running if i not in ended]
    for seed, found in zip(seeds, returns, strict=True):
        if not np.isfinite(found):
            raise ValueError(f"env: got a return of {found} from seed {seed}; expected finite ones")
    return returns


def successes(
    agent, env: str | Callable[..., gym.Env], seeds: Iterable[int], **options
) -> np.ndarray:
    """Return for each start seed what `is_success` says after the noise-free policy's last step.

    Args:
        agent, seeds: as for `evaluate`.
        env, options: an environment that says is_success in its info, as those with goals do.

    Returns:
        (number of seeds,), bool.

    Raises:
        TypeError, ValueError: as `evaluate` does, or the environment does not say is_success.
    """
    check_policy(agent)
    found, seeds = [], checks.start_seeds("seeds", seeds)
    with closing(make_env(env, **options)) as made:
        for seed in seeds:
            obs, ended = made.reset(seed=seed)[0], False
            while not ended:
                obs, _, terminated, truncated, info = made.step(agent.policy(obs))
                ended = terminated or truncated
            if "is_success" not in info:
                raise ValueError(f"env: got {env!r}; expected one whose info has is_success")
            found.append(bool(info["is_success"]))
    return np.array(found)


def play(
    agent, env: str | Callable[..., gym.Env], seed: int, steps: int | None = None, **options
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what happens in one episode of the noise-free policy.

    Args:
        agent, env, options: as for `evaluate`.
        seed: the start state.
        steps: stop after so many; None goes on to the episode's end.

    Returns:
        obs (T + 1, obs_dim), action (T, act_dim) and reward (T,).

    Raises:
        TypeError, ValueError: as `evaluate` does.
    """
    check_policy(agent)
    seed = checks.integer("seed", seed, 0)
    with closing(make_env(env, **options)) as made:
        obs, actions, rewards, ended = [made.reset(seed=seed)[0]], [], [], False
        while not ended and len(actions) != steps:
            actions.append(agent.policy(obs[-1]))
            after, reward, terminated, truncated, _ = made.step(actions[-1])
            obs.append(after)
            rewards.append(float(reward))
            ended = terminated or truncated
    return np.array(obs), np.array(actions), np.array(rewards)


def check_policy(agent) -> None:
    """Refuse an agent that has no method policy; TypeError."""
    if not callable(getattr(agent, "policy", None)):
        raise TypeError(f"agent: got {agent!r}; expected something with a method policy(obs)")


def interval(values: Iterable[float], resamples: int = 10_000, seed: int = 0) -> np.ndarray:
    """Return the 95% percentile bootstrap interval of a mean, (2,).

    Args:
        values: one number per start state, seed or pair; with ten or fewer the interval is
            too narrow.
        resamples: how often as many values are drawn with replacement.
        seed: of the draws.

    Raises:
        ValueError: no values, one that is not finite, or one that is a list itself.
    """
    values = np.asarray(list(values), dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError(f"values: got {values}; expected a list of finite numbers, at least one")
    draws = np.random.default_rng(seed).choice(values, (resamples, len(values)))
    return np.percentile(draws.mean(axis=1), [2.5, 97.5])


class RandomAgent:
    """Uniform actions in [-1, 1]: the zero of a normalised score.

    Args:
        act_dim: numbers in an action.
        seed: of its stream.
    """

    def __init__(self, act_dim: int, seed: int = 0):
        self.act_dim = checks.integer("act_dim", act_dim)
        self.rng = np.random.default_rng(seed)

    def policy(self, obs: np.ndarray) -> np.ndarray:
        """Return a random action for every obs: (..., obs_dim) to (..., act_dim)."""
        shape = (*np.shape(obs)[:-1], self.act_dim)
        return self.rng.uniform(-1.0, 1.0, shape).astype(np.float32)
