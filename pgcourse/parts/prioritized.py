"""Prioritised replay of 1-step and n-step rows, and rows that stay (Schaul et al. 2016)."""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pgcourse import checks
from pgcourse.checks import arguments
from pgcourse.parts.buffer import Batch, ReplayBuffer

NOT_NEGATIVE, FROM_0_TO_1 = (0.0, math.inf), (0.0, 1.0)


class PrioritizedBatch(NamedTuple):
    """B transitions, and what came of each within n steps; arrays or tensors, float32."""

    obs: np.ndarray  # (B, obs_dim)
    action: np.ndarray  # (B, act_dim), in [-1, 1]
    reward: np.ndarray  # (B,)
    next_obs: np.ndarray  # (B, obs_dim)
    terminated: np.ndarray  # (B,), 1.0 where the episode truly ended, else 0.0
    n_reward: np.ndarray  # (B,), discounted rewards of k steps, k at most n
    n_next_obs: np.ndarray  # (B, obs_dim), after k steps
    n_terminated: np.ndarray  # (B,), of the last of the k steps
    n_discount: np.ndarray  # (B,), gamma^k
    weight: np.ndarray  # (B,), the smaller, the likelier it was to be drawn; the largest is 1
    demo: np.ndarray  # (B,), 1.0 for rows that stay for ever, else 0.0


class PrioritizedBuffer(ReplayBuffer):
    """A ring of transitions, in order, of which some are drawn more often than others.

    Rows are drawn in proportion to priority^alpha, 06 Eq. 3. An n-step row
    is put together when it is drawn, from the rows behind it: up to the end of its episode, a time
    limit, or the newest row, so it has k steps, and k is at most n.

    Args:
        obs_dim, act_dim, size, batch_size, seed: as for `ReplayBuffer`; what `keep` stores takes no
            room of the ring.
        n: the most steps of an n-step row.
        gamma: discount per step, in [0, 1].
        alpha: how much priorities count, in [0, 1]; 0 is uniform sampling.
        beta: how much the weights correct for that, in [0, 1].

    Raises:
        TypeError, ValueError: an argument cannot work.
    """

    kept = ("stored", "permanent", "rows", "rng")

    def __init__(
        self, obs_dim: int, act_dim: int, size: int, batch_size: int = 32, seed: int | None = None,
        *, n: int = 1, gamma: float = 0.99, alpha: float = 0.3, beta: float = 1.0,
    ):  # fmt: skip
        super().__init__(obs_dim, act_dim, size, batch_size, seed)
        self.n = checks.integer("n", n)
        self.gamma = checks.real("gamma", gamma, 0.0, 1.0)
        self.alpha = checks.real("alpha", alpha, 0.0, 1.0)
        self.beta = checks.real("beta", beta, 0.0, 1.0)
        self.share = np.zeros(size)  # priority^alpha
        self.last = np.zeros(size, dtype=bool)  # of its episode, whether it terminated or not
        self.permanent = 0  # rows, the first ones, that are never overwritten
        self.drawn = np.zeros(0, dtype=np.int64)  # rows of the last sample

    def rows(self) -> dict[str, np.ndarray]:
        """Return views of the rows that are filled, by the names of a batch, share and last."""
        more = {"share": self.share[: len(self)], "last": self.last[: len(self)]}
        return super().rows() | more

    def check(self) -> None:
        """Refuse rows that cannot be, as a file may hold them; ValueError."""
        share = self.rows()["share"]
        if not (np.isfinite(share) & (share > 0.0)).all():
            raise ValueError("a priority that is not positive and finite")
        if not self.permanent < self.size or not self.permanent <= self.stored:
            raise ValueError(f"{self.permanent} rows that stay, of {self.stored} in {self.size}")

    def row_of(self, count: np.ndarray | int) -> np.ndarray | int:
        """Return where the transition with this number goes: the ring is behind what stays."""
        ring = self.permanent + (count - self.permanent) % (self.size - self.permanent)
        return np.where(count < self.permanent, count, ring)

    def cut(self) -> None:
        """Say that the episode of the newest row is over: no n-step row goes on behind it."""
        if self.stored:
            self.last[self.row_of(self.stored - 1)] = True

    def keep(self, demo: list[list[tuple]]) -> None:
        """Store whole episodes that are never overwritten, in room of their own before the ring.

        Args:
            demo: episodes, each a list of transitions (obs, action, reward, next_obs, terminated).

        Raises:
            TypeError, ValueError: no transition, a bad one, or a buffer that is not empty.
        """
        more = sum(map(len, demo))
        if self.stored or not more:
            raise ValueError(
                f"demo: got {more} transitions for a buffer of {self.stored}; expected at least one"
                ", for an empty buffer"
            )
        self.size += more
        room = [np.zeros((self.size, *c.shape[1:]), c.dtype) for c in (*self.data, self.share)]
        self.data, self.share = Batch(*room[:-1]), room[-1]
        self.last = np.zeros(self.size, dtype=bool)
        for episode in demo:
            self.extend(episode)
            self.cut()
        self.permanent = more

    def sample_batch(self) -> PrioritizedBatch:
        """Draw `batch_size` rows by priority, with replacement, and leave their places in `drawn`.

        Raises:
            ValueError: nothing is stored yet.
        """
        if not self.stored:
            raise ValueError("sample_batch: got an empty buffer; expected a stored row")
        mass = np.cumsum(self.share[: len(self)])
        rows = np.searchsorted(mass, self.rng.random(self.batch_size) * mass[-1], side="right")
        self.drawn = rows = rows.clip(max=len(self) - 1)  # a product may round up to the whole
        ratio = torch.from_numpy(self.share[rows] * (len(self) / mass[-1]))
        return PrioritizedBatch(
            *(column[rows] for column in self.data),
            *self.n_step(rows),
            importance_weights(ratio, self.beta).float().numpy(),
            (rows < self.permanent).astype(np.float32),
        )

    def n_step(self, rows: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return n_reward, n_next_obs, n_terminated and n_discount of rows (B,)."""
        window = rows[:, None] + np.arange(self.n)
        over = window >= self.size  # the ring goes on at its first row
        window[over] = self.row_of(self.permanent + window[over] - self.size)
        ends = self.last[window] | (window == self.row_of(self.stored - 1))
        inside = np.cumsum(ends, axis=1) - ends == 0  # no end before it
        steps = inside.sum(axis=1)
        final = window[np.arange(len(rows)), steps - 1]
        discount = inside * self.gamma ** np.arange(self.n)
        return (
            (self.data.reward[window] * discount).sum(axis=1).astype(np.float32),
            self.data.next_obs[final],
            self.data.terminated[final],
            (self.gamma**steps).astype(np.float32),
        )

    def update_priorities(self, priority: np.ndarray) -> None:
        """Give the rows of the last sample new priorities.

        Args:
            priority: (batch_size,), positive and finite; of a row drawn twice the later one counts.

        Raises:
            TypeError, ValueError: anything else, and then nothing changes.
        """
        checks.instance("priority", priority, np.ndarray, "an array")
        good = priority.shape == self.drawn.shape
        if not good or not (np.isfinite(priority) & (priority > 0.0)).all():
            raise ValueError(
                f"priority: got {priority!r}; expected {len(self.drawn)} positive finite numbers"
            )
        self.share[self.drawn] = priority.astype(np.float64) ** self.alpha

    def _write(self, row: tuple) -> None:
        at = self.row_of(self.stored)
        # As likely as the likeliest, so that it is seen soon (Schaul et al. 2016, Algorithm 1).
        self.share[at] = self.share[: len(self)].max() if self.stored else 1.0
        self.last[at] = row[-1]
        for column, value in zip(self.data, row, strict=True):
            column[at] = value
        self.stored += 1


@arguments(n_reward="B", next_q="B", n_terminated="B", n_discount="B")
def n_step_target(
    n_reward: Tensor, next_q: Tensor, n_terminated: Tensor, n_discount: Tensor
) -> Tensor:
    """Return the n-step target, 06 Eq. 1: R + γ^k (1 − terminated) Q', (B,), without a gradient.

    The k rewards are those of the policy that acted then.

    Args:
        n_reward: R, the sum of γ^i r_i over k steps.
        next_q: the target critic's value of the state after them.
        n_terminated: 1.0 where the episode truly ended with them; a time limit is 0.0.
        n_discount: γ^k with the row's own k.
    """
    return (n_reward + n_discount * (1.0 - n_terminated) * next_q).detach()


@arguments(td_error="B", slope="B A", demo="B", slope_weight=NOT_NEGATIVE, epsilon=NOT_NEGATIVE,
           epsilon_demo=NOT_NEGATIVE)  # fmt: skip
def priority(
    td_error: Tensor, slope: Tensor, demo: Tensor,
    slope_weight: float, epsilon: float, epsilon_demo: float,
) -> Tensor:  # fmt: skip
    """Return p = δ² + ζ3 |∇a Q|² + p0 + pD, (B,), 06 Eq. 2.

    Args:
        td_error: δ, of the 1-step target.
        slope: ∇a Q(s, a), of the stored action.
        demo: 1.0 for demonstrations, else 0.0.
        slope_weight: ζ3.
        epsilon: p0, so that every row can be drawn.
        epsilon_demo: pD, for demonstrations alone.
    """
    return td_error**2 + slope_weight * (slope**2).sum(dim=1) + epsilon + epsilon_demo * demo


@arguments(ratio="B", beta=FROM_0_TO_1)
def importance_weights(ratio: Tensor, beta: float) -> Tensor:
    """Return h = (N P)^−β divided by the batch's largest, (B,), 06 Eq. 4.

    Args:
        ratio: N P(i), how much likelier than under uniform sampling each row was drawn.
        beta: 1 makes the mean over a batch that of uniform sampling, up to a factor; 0 corrects
            nothing.
    """
    weight = ratio**-beta
    return weight / weight.max()


@arguments(q="B", target="B", weight="B")
def weighted_critic_loss(q: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return the mean of h (Q − y)², (), 06 Eq. 5, for targets of one step or of several."""
    return (weight * (q - target) ** 2).mean()
