"""The function approximators."""

import copy
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from pgcourse import checks

Sizes = Sequence[int]
Unit = Callable[[], nn.Module]
ReLU = partial(nn.ReLU, inplace=True)  # one array less to write per layer


def mlp(
    in_dim: int, out_dim: int, init_w: float, hidden: Sizes, unit: Unit = ReLU
) -> nn.Sequential:
    """Hidden layers of ReLU or other units; the last layer starts in ±init_w."""
    sizes = [checks.integer("in_dim", in_dim), *checks.sizes("hidden", hidden)]
    last = nn.Linear(sizes[-1], checks.integer("out_dim", out_dim))
    init_w = checks.real("init_w", init_w, low=0.0)
    nn.init.uniform_(last.weight, -init_w, init_w)
    nn.init.uniform_(last.bias, -init_w, init_w)
    layers = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), unit()]
    return nn.Sequential(*layers, last)


def tanh_mlp(in_dim: int, out_dim: int, gain: float, hidden: Sizes) -> nn.Sequential:
    """Hidden layers of tanh units, all layers orthogonal (Huang et al. 2022, detail 2).

    Args:
        in_dim, out_dim, hidden: as for `mlp`.
        gain: size of the last layer's weights; that of the others is √2, and biases start at 0.
    """
    net = mlp(in_dim, out_dim, 0.0, hidden, nn.Tanh)
    layers = [layer for layer in net if isinstance(layer, nn.Linear)]
    for layer in layers:
        last = layer is layers[-1]
        nn.init.orthogonal_(layer.weight, checks.real("gain", gain, 0.0) if last else 2.0**0.5)
        nn.init.zeros_(layer.bias)
    return net


class Actor(nn.Module):
    """The policy μ(s): obs (B, in_dim) to action (B, out_dim) in [-1, 1].

    Args:
        in_dim: numbers in an observation.
        out_dim: numbers in an action.
        init_w: the last layer starts uniform in ±init_w (Lillicrap et al. 2015, section 7).
        hidden: units of each hidden layer.

    Raises:
        TypeError, ValueError: a size is not a positive integer, or init_w is negative.
    """

    def __init__(self, in_dim: int, out_dim: int, init_w: float = 3e-3, hidden: Sizes = (128, 128)):
        super().__init__()
        self.net = mlp(in_dim, out_dim, init_w, hidden)

    def forward(self, obs: Tensor) -> Tensor:
        """Return tanh of the last layer, (B, out_dim)."""
        return torch.tanh(self.net(obs))


class Critic(nn.Module):
    """The action value Q(s, a): obs (B, obs_dim) and action (B, act_dim) to (B,).

    Args:
        in_dim: obs_dim + act_dim.
        init_w: the last layer starts uniform in ±init_w.
        hidden: units of each hidden layer.

    Raises:
        TypeError, ValueError: a size is not a positive integer, or init_w is negative.
    """

    def __init__(self, in_dim: int, init_w: float = 3e-3, hidden: Sizes = (128, 128)):
        super().__init__()
        self.net = mlp(in_dim, 1, init_w, hidden)

    def forward(self, obs: Tensor, action: Tensor) -> Tensor:
        """Return one value per row, (B,) and not (B, 1)."""
        return self.net(torch.cat([obs, action], dim=-1)).squeeze(-1)


class Value(nn.Module):
    """The state value V(s) of tanh units: obs (B, in_dim) to (B,).

    Args:
        in_dim: numbers in an observation.
        gain: as for `tanh_mlp`.
        hidden: units of each hidden layer.

    Raises:
        TypeError, ValueError: a size is not a positive integer, or gain is negative.
    """

    def __init__(self, in_dim: int, gain: float = 1.0, hidden: Sizes = (64, 64)):
        super().__init__()
        self.net = tanh_mlp(in_dim, 1, gain, hidden)

    def forward(self, obs: Tensor) -> Tensor:
        """Return one value per row, (B,) and not (B, 1)."""
        return self.net(obs).squeeze(-1)


def slow_copy(network: nn.Module) -> nn.Module:
    """Return a copy that no loss trains: a target network as it starts."""
    return copy.deepcopy(network).requires_grad_(False)
