"""A policy that draws its actions, and what its randomness is worth (Haarnoja et al. 2018b)."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from pgcourse.checks import arguments, integer, real
from pgcourse.parts.networks import mlp, tanh_mlp


@arguments(mean="B A", log_std="B A", noise="B A")
def squashed_gaussian(
    mean: Tensor, log_std: Tensor, noise: Tensor
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return a = tanh(u), u = mean + std · ε, and log π(a), (B,), 05 Eqs. 5, 6.

    The density of a is that of u divided by da/du = 1 − tanh²(u), whose logarithm
    is written as 2 (log 2 − u − softplus(−2u)), finite where tanh(u) rounds to 1.

    Args:
        mean, log_std: of the Gaussian of u.
        noise: ε, standard normal.
    """
    u = mean + log_std.exp() * noise
    log_density = -0.5 * noise**2 - log_std - 0.5 * math.log(2.0 * math.pi)
    log_slope = 2.0 * (math.log(2.0) - u - softplus(-2.0 * u))
    return torch.tanh(u), (log_density - log_slope).sum(dim=1)


@arguments(q="B", log_density="B", alpha="")
def soft_value(q: Tensor, log_density: Tensor, alpha: Tensor) -> Tensor:
    """Return drawn actions' values with their entropy, Q − α log π, 05 Eq. 2."""
    return q - alpha * log_density


@arguments(alpha="", log_density="B", target_entropy=(-math.inf, math.inf))
def temperature_loss(
    alpha: Tensor, log_density: Tensor, target_entropy: float
) -> Tensor:  # fmt: skip
    """Return the loss that raises α while the entropy is too low, 05 Eq. 8.

    Args:
        log_density: of drawn actions; no gradient goes through it.
        target_entropy: the entropy wanted, in nats.
    """
    return -(alpha * (log_density.detach() + target_entropy)).mean()


class GaussianActor(nn.Module):
    """A policy that draws: obs (B, in_dim) to the Gaussian of which tanh makes an action.

    Args:
        in_dim, out_dim, init_w, hidden: as for `Actor`.

    Raises:
        TypeError, ValueError: as `Actor` does.
    """

    LOG_STD = (-20.0, 2.0)  # wide enough for any use, and exp stays finite

    def __init__(
        self, in_dim: int, out_dim: int, init_w: float = 3e-3, hidden: Sequence[int] = (128, 128)
    ):
        super().__init__()
        self.net = mlp(in_dim, 2 * integer("out_dim", out_dim), init_w, hidden)

    def gaussian(self, obs: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and logarithm of the standard deviation, (B, out_dim) each."""
        mean, log_std = self.net(obs).chunk(2, dim=-1)
        return mean, log_std.clamp(*self.LOG_STD)

    def forward(self, obs: Tensor) -> Tensor:
        """Return the action without a draw, tanh of the mean, (B, out_dim)."""
        return torch.tanh(self.gaussian(obs)[0])


class GaussianPolicy(nn.Module):
    """A Gaussian around a network of tanh units, with one deviation for all states.

    Args:
        in_dim, out_dim, gain, hidden: as for `tanh_mlp`; so small a gain makes all means near 0.
        log_std: where the logarithm of the deviation starts; it is learned.

    Raises:
        TypeError, ValueError: a size is not a positive integer, or gain is negative.
    """

    def __init__(
        self, in_dim: int, out_dim: int, log_std: float, gain: float = 0.01,
        hidden: Sequence[int] = (64, 64),
    ):  # fmt: skip
        super().__init__()
        self.net = tanh_mlp(in_dim, integer("out_dim", out_dim), gain, hidden)
        self.log_std = nn.Parameter(torch.full((out_dim,), real("log_std", log_std)))

    def forward(self, obs: Tensor) -> Tensor:
        """Return the mean, (B, out_dim), which no bound holds."""
        return self.net(obs)


class Temperature(nn.Module):
    """One positive number to be learned, α, kept as its logarithm; it starts at 1."""

    def __init__(self):
        super().__init__()
        self.log_alpha = nn.Parameter(torch.zeros(()))

    def forward(self) -> Tensor:
        """Return α, ()."""
        return self.log_alpha.exp()
