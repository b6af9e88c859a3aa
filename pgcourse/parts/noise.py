"""Exploration noise."""

import numpy as np

from pgcourse import checks


class OUNoise:
    """Ornstein-Uhlenbeck noise, 03 Eq. 5: x ← x + κ (m − x) + σ ε, with ε ~ N(0, 1).

    Args:
        size: numbers in an action.
        mu: m, the mean that the noise is pulled back to.
        theta: κ, strength of the pull per step, in [0, 2]; 1 forgets the past at once.
        sigma: standard deviation of one step's push, at least 0.
        seed: seed of the noise's own stream; None draws a fresh one.

    Raises:
        TypeError, ValueError: an argument is of the wrong type or outside its range.
    """

    kept = ("state", "rng")

    def __init__(
        self,
        size: int,
        mu: float = 0.0,
        theta: float = 0.15,
        sigma: float = 0.2,
        seed: int | None = None,
    ):
        self.size = checks.integer("size", size)
        self.mu = checks.real("mu", mu)
        self.theta = checks.real("theta", theta, 0.0, 2.0)
        self.sigma = checks.real("sigma", sigma, 0.0)
        self.rng = np.random.default_rng(seed)
        self.reset()

    def reset(self) -> None:
        """Forget the past: start again at the mean."""
        self.state = np.full(self.size, self.mu)

    def sample(self) -> np.ndarray:
        """Advance one step and return the noise, (size,)."""
        push = self.sigma * self.rng.standard_normal(self.size)
        self.state = self.state + self.theta * (self.mu - self.state) + push
        return self.state.copy()
