"""Inputs of one size: a running mean and deviation."""

import numpy as np

from pgcourse import checks


class Normalizer:
    """Shifts and scales each number of an input by the mean and deviation of all seen so far.

    Andrychowicz et al. 2017, appendix A: observations and goals are scaled so, and clipped.

    Args:
        size: numbers in an input.
        clip: results lie in [-clip, clip].
        least: the smallest deviation that is divided by; an input that never changes becomes 0.

    Raises:
        TypeError, ValueError: size is not a positive integer, clip or least is not positive.
    """

    kept = ("count", "mean", "squares")

    def __init__(self, size: int, clip: float = 5.0, least: float = 1e-2):
        self.size = checks.integer("size", size)
        self.clip = checks.real("clip", clip, 1e-6)
        self.least = checks.real("least", least, 1e-12)
        self.count = 0
        self.mean = np.zeros(self.size)
        self.squares = np.zeros(self.size)  # the sum of squared distances from the mean

    def update(self, rows: np.ndarray) -> None:
        """Take rows into account, (n, size); the result is that of all rows at once.

        Raises:
            ValueError: another shape, or a number that is not finite.
        """
        rows = np.asarray(rows, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.size or not np.isfinite(rows).all():
            raise ValueError(f"rows: got shape {rows.shape}; expected finite (n, {self.size})")
        if not len(rows):
            return
        # Chan, Golub and LeVeque 1983: means and squares of two parts give those of the whole.
        gap, whole = rows.mean(axis=0) - self.mean, self.count + len(rows)
        self.squares += ((rows - rows.mean(axis=0)) ** 2).sum(axis=0)
        self.squares += gap**2 * self.count * len(rows) / whole
        self.mean += gap * len(rows) / whole
        self.count = whole

    @property
    def deviation(self) -> np.ndarray:
        """The deviation that is divided by, (size,)."""
        return np.maximum(np.sqrt(self.squares / max(self.count, 1)), self.least)

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Return rows normalised and clipped: (..., size) to the same, float32."""
        scaled = (np.asarray(rows, dtype=np.float64) - self.mean) / self.deviation
        return np.clip(scaled, -self.clip, self.clip).astype(np.float32)
