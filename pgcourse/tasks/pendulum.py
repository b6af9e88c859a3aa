"""The best possible control of Pendulum-v1, by value iteration on a grid of its two states."""

import math
from contextlib import closing
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from pgcourse import checks
from pgcourse.tasks.envs import make_env

STEPS, MAX_SPEED, MAX_TORQUE, DT = 200, 8.0, 2.0, 0.05  # as in gymnasium's Pendulum-v1


def dynamics(angle: Tensor, velocity: Tensor, torque: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return (reward, next angle, next velocity) of one step of the pendulum, 03 Eq. 11.

    Args:
        angle: in [-π, π], 0 is up (rad).
        velocity: in [-8, 8] (rad/s).
        torque: in [-2, 2] (N m); the three broadcast.
    """
    reward = -(angle**2 + 0.1 * velocity**2 + 0.001 * torque**2)
    velocity = velocity + (15.0 * torch.sin(angle) + 3.0 * torque) * DT
    velocity = velocity.clamp(-MAX_SPEED, MAX_SPEED)
    angle = torch.remainder(angle + velocity * DT + math.pi, 2 * math.pi) - math.pi
    return reward, angle, velocity


def interpolate(value: Tensor, angle: Tensor, velocity: Tensor) -> Tensor:
    """Return the value between the points of its grid, bilinear.

    Args:
        value: (angles, velocities), on even grids over [-π, π] and [-8, 8], ends included.
        angle, velocity: (n, m), anywhere in these ranges.

    Returns:
        (n, m).
    """
    points = torch.stack([velocity / MAX_SPEED, angle / math.pi], dim=-1)
    return grid_sample(value[None, None], points[None], align_corners=True)[0, 0]


def optimal_q(
    value: Tensor, angle: Tensor, velocity: Tensor, torque: Tensor, gamma: float
) -> Tensor:  # fmt: skip
    """Return reward + γ · value of the next state for every torque, 03 Eq. 12.

    Args:
        value: (angles, velocities), of the next state.
        angle, velocity: (n,).
        torque: (torques,).

    Returns:
        (n, torques).
    """
    reward, angle, velocity = dynamics(angle[:, None], velocity[:, None], torque)
    return reward + gamma * interpolate(value, angle, velocity)


def grid(angles: int, velocities: int) -> tuple[Tensor, Tensor]:
    """Return angle and velocity of all points of two even grids, (angles * velocities,) each.

    Raises:
        TypeError, ValueError: a grid has fewer than two points.
    """
    n, m = checks.integer("angles", angles, 2), checks.integer("velocities", velocities, 2)
    angle = torch.linspace(-math.pi, math.pi, n).repeat_interleave(m)
    return angle, torch.linspace(-MAX_SPEED, MAX_SPEED, m).repeat(n)


def observations(angle: Tensor, velocity: Tensor) -> Tensor:
    """Return what is observed of states (n,), their cosine, sine and velocity: (n, 3)."""
    return torch.stack([angle.cos(), angle.sin(), velocity], dim=1)


@lru_cache(maxsize=4)
def optimal_values(
    gamma: float = 1.0, angles: int = 201, velocities: int = 201, torques: int = 21
) -> Tensor:
    """Return the optimal value with 0, 1, ..., 200 steps to go: (201, angles, velocities).

    Args:
        gamma: discount per step.
        angles, velocities, torques: points of the three grids; they include both ends.

    Raises:
        TypeError, ValueError: gamma is not in [0, 1], or a grid has fewer than two points.
    """
    gamma = checks.real("gamma", gamma, 0.0, 1.0)
    points = grid(angles, velocities)
    torque = torch.linspace(-MAX_TORQUE, MAX_TORQUE, checks.integer("torques", torques, 2))
    values = [torch.zeros(angles, velocities)]
    for _ in range(STEPS):
        q = optimal_q(values[-1], *points, torque, gamma)
        values.append(q.amax(dim=1).reshape(angles, velocities))
    return torch.stack(values)


def soft_values(
    gamma: float, alpha: float, angles: int = 101, velocities: int = 101,
    torques: int = 21,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return the soft optimal value of every state, and its policy, 05 Eq. 3.

    Args:
        gamma: discount per step, below 1.
        alpha: the temperature, above 0.
        angles, velocities: points of the two grids; they include both ends.
        torques: cells of the third grid, of which each has its torque in the middle.

    Returns:
        values (angles, velocities), to 1e-3 / (1 − γ), and chances (angles, velocities, torques).

    Raises:
        TypeError, ValueError: an argument cannot work.
    """
    gamma = checks.real("gamma", gamma, 0.0, 1.0 - 1e-9)
    alpha = checks.real("alpha", alpha, 1e-6)
    torque = MAX_TORQUE * cell_middles(torques)
    points, shape = grid(angles, velocities), (angles, velocities)
    value = torch.zeros(shape)
    for _ in range(1_500):  # large numbers, rounded, may never come to rest
        q, before = optimal_q(value, *points, torque, gamma), value
        value = torch.logsumexp(q / alpha, dim=1) + math.log(2.0 / torques)
        value = (alpha * value).reshape(shape)
        if (value - before).abs().max() < 1e-3:  # to come: 1/(1 − γ) as much
            break
    return value, torch.softmax(q / alpha, dim=1).reshape(*shape, torques)


def cell_middles(cells: int) -> Tensor:
    """Return the middles of equal cells of [-1, 1], (cells,)."""
    return (2.0 * torch.arange(checks.integer("cells", cells, 2)) + 1.0) / cells - 1.0


def policy_values(
    agent, gamma: float, angles: int = 201, velocities: int = 201, steps: int = 1500
) -> Tensor:
    """Return every state's value under an agent's policy, by policy evaluation.

    Args:
        agent: anything with `policy(obs)`, from (B, 3) to actions (B, 1).
        gamma: discount per step.
        angles, velocities: points of the two grids; they include both ends.
        steps: how many rewards count; 0.99 to the power of 1,500 is 3e-7.

    Returns:
        (angles, velocities).

    Raises:
        TypeError, ValueError: as `optimal_values` does.
    """
    gamma = checks.real("gamma", gamma, 0.0, 1.0)
    shape, points = (angles, velocities), grid(angles, velocities)
    obs = observations(*points).numpy()
    action = torch.from_numpy(np.asarray(agent.policy(obs)))
    torque = MAX_TORQUE * action.clamp(-1.0, 1.0)[:, 0]
    reward, angle, velocity = (x.reshape(shape) for x in dynamics(*points, torque))
    value = torch.zeros(shape)
    for _ in range(checks.integer("steps", steps)):
        value = reward + gamma * interpolate(value, angle, velocity)
    return value


class OptimalAgent:
    """Acts greedily on the optimal values; counts its steps, so it plays one episode.

    It can stand wherever a trained agent can: in `evaluate` or `render_episode`.

    Args:
        values: from `optimal_values(gamma)`; None computes them with its defaults.
        gamma: the discount of these values.

    Raises:
        TypeError, ValueError: values of another shape than (201, angles, velocities), or gamma
            is not in [0, 1].
    """

    def __init__(self, values: Tensor | None = None, gamma: float = 1.0):
        self.gamma = checks.real("gamma", gamma, 0.0, 1.0)
        self.values = optimal_values(self.gamma) if values is None else values
        checks.instance("values", self.values, Tensor, "a tensor from optimal_values")
        if self.values.ndim != 3 or len(self.values) != STEPS + 1:
            shape = tuple(self.values.shape)
            raise ValueError(f"values: got shape {shape}; expected (201, angles, velocities)")
        self.torque = torch.linspace(-MAX_TORQUE, MAX_TORQUE, 21)
        self.to_go = STEPS

    def policy(self, obs: np.ndarray) -> np.ndarray:
        """Return the best actions with `to_go` steps left: (B, 3) to (B, 1)."""
        self.to_go = (self.to_go - 1) % STEPS
        rows = np.atleast_2d(np.asarray(obs, dtype=np.float32))
        cos, sin, velocity = torch.from_numpy(rows).T
        value, angle = self.values[self.to_go], torch.atan2(sin, cos)
        q = optimal_q(value, angle, velocity, self.torque, self.gamma)
        best = self.torque[q.argmax(dim=1, keepdim=True)] / MAX_TORQUE
        return best.numpy().reshape(*np.shape(obs)[:-1], 1)


def swing(player, angle: float, velocity: float) -> np.ndarray:
    """Return an episode of the pendulum that starts in a chosen state, (200, 4).

    Args:
        player: anything with `policy(obs)`, from (3,) to an action (1,).
        angle, velocity: of the start; 0 is up (rad), at most 8 either way (rad/s).

    Returns:
        a row for each step: angle and velocity before it, torque (N m), reward.

    Raises:
        TypeError, ValueError: a number that is not finite, or too fast.
    """
    start = checks.real("angle", angle), checks.real("velocity", velocity, -MAX_SPEED, MAX_SPEED)
    with closing(make_env("Pendulum-v1")) as env:
        env.reset(seed=0)
        env.unwrapped.state = np.array(start)
        obs, rows = np.array([np.cos(angle), np.sin(angle), velocity], dtype=np.float32), []
        for _ in range(STEPS):
            before = env.unwrapped.state
            obs, reward, *_ = env.step(player.policy(obs))
            wrapped = (before[0] + np.pi) % (2 * np.pi) - np.pi
            rows.append((wrapped, before[1], env.unwrapped.last_u, reward))
    return np.array(rows, dtype=np.float64)
