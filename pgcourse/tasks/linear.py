"""A task whose policy gradient is known: a point on a line, pushed by a Gaussian policy.

The weights θ are three numbers: the two gains of the mean, and the logarithm of the deviation.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from pgcourse import checks
from pgcourse.parts.returns import discounted_returns, gae

HORIZON, DT = 50, 0.1
MOVE = torch.tensor([[1.0, DT], [0.0, 1.0]], dtype=torch.float64)  # position, velocity
PUSH = torch.tensor([0.0, DT], dtype=torch.float64)
COST = torch.diag(torch.tensor([1.0, 0.1], dtype=torch.float64))  # of a state, x' COST x
EFFORT = 0.01  # of an action, EFFORT a²
START = 0.3  # deviation of the first position and velocity
THETA = torch.tensor([0.5, 1.0, 0.0], dtype=torch.float64)  # a policy that is not the best

Curvature = float | tuple[float, float]


class Episodes(NamedTuple):
    """Whole episodes of the task, side by side."""

    state: Tensor  # (HORIZON + 1, n, 2)
    action: Tensor  # (HORIZON, n)
    reward: Tensor  # (HORIZON, n)


def check_theta(theta: Tensor) -> Tensor:
    """Return θ if it is three finite numbers; TypeError or ValueError otherwise."""
    checks.instance("theta", theta, Tensor, "a tensor (3,)")
    if theta.shape != (3,) or not theta.isfinite().all():
        raise ValueError(f"theta: got {theta}; expected three finite numbers, shape (3,)")
    return theta


def expected_return(theta: Tensor) -> Tensor:
    """Return J(θ), (), exactly and differentiably, 01 Eq. 11.

    The second moments of the state, S = E[x x'], go from step to step.
    """
    gains, std = check_theta(theta)[:2], theta[2].exp()
    after = MOVE - torch.outer(PUSH, gains)
    second, found = START**2 * torch.eye(2, dtype=theta.dtype), torch.zeros((), dtype=theta.dtype)
    for _ in range(HORIZON):
        found = found - (COST * second).sum() - EFFORT * (gains @ second @ gains + std**2)
        second = after @ second @ after.T + std**2 * torch.outer(PUSH, PUSH)
    return found


def exact_gradient(theta: Tensor = THETA) -> Tensor:
    """Return ∇J(θ), (3,), by automatic differentiation."""
    theta = theta.clone().requires_grad_()
    return torch.autograd.grad(expected_return(theta), theta)[0]


def play_linear(episodes: int, generator: torch.Generator, theta: Tensor = THETA) -> Episodes:
    """Play episodes with drawn actions.

    Args:
        episodes: how many, n.
        generator: of the first states and of the actions' noise.
        theta: the policy's weights.
    """
    n, draws = checks.integer("episodes", episodes), {"generator": generator}
    gains, std = check_theta(theta)[:2], theta[2].exp()
    state = [START * torch.randn(n, 2, dtype=theta.dtype, **draws)]
    action, reward = [], []
    for _ in range(HORIZON):
        x = state[-1]
        action.append(-(x @ gains) + std * torch.randn(n, dtype=theta.dtype, **draws))
        reward.append(-((x @ COST) * x).sum(dim=1) - EFFORT * action[-1] ** 2)
        state.append(x @ MOVE.T + action[-1][:, None] * PUSH)
    return Episodes(*(torch.stack(each) for each in (state, action, reward)))


def exact_values(state: Tensor, theta: Tensor = THETA, curvature: Curvature = 1.0) -> Tensor:
    """Return V(x) of the policy at every step, (HORIZON + 1, n); after the last it is 0.

    V is a parabola that opens downwards, −x' P x − c, with P and c from the last step backwards.

    Args:
        state: (HORIZON + 1, n, 2).
        theta: the policy's weights.
        curvature: what the critic sees of the parabola, 1 is the truth; one number, or one for
            position and one for velocity, of which 0 is blind.
    """
    gains, std = check_theta(theta)[:2], theta[2].exp()
    after = MOVE - torch.outer(PUSH, gains)
    bowl, constant = torch.zeros(2, 2, dtype=theta.dtype), torch.zeros((), dtype=theta.dtype)
    found = [state[-1, :, 0] * 0.0]
    for x in reversed(state[:-1] * torch.as_tensor(curvature, dtype=theta.dtype).sqrt()):
        constant = constant + std**2 * (EFFORT + PUSH @ bowl @ PUSH)
        bowl = COST + EFFORT * torch.outer(gains, gains) + after.T @ bowl @ after
        found.append(-((x @ bowl) * x).sum(dim=1) - constant)
    return torch.stack(found[::-1])


def scores(played: Episodes, theta: Tensor = THETA) -> Tensor:
    """Return ∇ log π(a|x) of every action, (HORIZON, n, 3), 01 Eq. 4."""
    std = check_theta(theta)[2].exp()
    noise = (played.action + played.state[:-1] @ theta[:2]) / std
    return torch.cat([-played.state[:-1] * noise[..., None] / std, noise[..., None] ** 2 - 1], -1)


def advantages(
    played: Episodes,
    kind: str,
    lam: float = 1.0,
    curvature: Curvature = 1.0,
    theta: Tensor = THETA,
) -> Tensor:
    """Return what the scores are weighted by, (HORIZON, n).

    Args:
        played: whole episodes.
        kind: "total" return, return "to go", or "gae" with the exact value.
        lam: λ of the last.
        curvature: as for `exact_values`.
        theta: the policy's weights.
    """
    zeros = torch.zeros_like(played.reward)
    ended = zeros.clone()
    ended[-1] = 1.0
    if kind == "gae":
        value = exact_values(played.state, theta, curvature)
        return gae(played.reward, value[1:], ended, zeros, value[:-1], 1.0, lam)
    if kind not in ("total", "to go"):
        raise ValueError(f"kind: got {kind!r}; expected 'total', 'to go' or 'gae'")
    to_go = discounted_returns(played.reward, zeros, ended, zeros, 1.0)
    return to_go if kind == "to go" else to_go[:1].expand_as(to_go)


def estimates(played: Episodes, advantage: Tensor, theta: Tensor = THETA) -> Tensor:
    """Return each episode's estimate of the gradient, (n, 3), 01 Eq. 5."""
    return (scores(played, theta) * advantage[..., None]).sum(dim=0)


def spread_and_bias(found: Tensor, truth: Tensor) -> tuple[float, float, float, float]:
    """Return how far estimates, (n, 3), scatter, and in which way their mean is wrong.

    Returns:
        the trace of their covariance; the mean's distance to the truth and its length, both in %
        of the truth's length; and the angle between the two, in degrees.
    """
    mean, size = found.mean(dim=0), truth.norm()
    off, length = (mean - truth).norm() / size, mean.norm() / size
    cosine = (mean @ truth / (mean.norm() * size)).clamp(-1.0, 1.0)
    numbers = found.var(dim=0).sum(), 100.0 * off, 100.0 * length, torch.rad2deg(cosine.acos())
    return tuple(number.item() for number in numbers)
