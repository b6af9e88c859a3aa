"""A right DDPGfD, written differently: its n-step rows are made when they are stored."""

from typing import Any

import numpy as np
import torch

from pgcourse.agents.ddpgfd import DDPGfDAgent
from pgcourse.parts.prioritized import PrioritizedBatch, PrioritizedBuffer
from pgcourse.tasks.demos import episodes_of


class WaitingBuffer(PrioritizedBuffer):
    """A row waits outside until its n steps are known; one row is drawn from each B-th of all."""

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self.waiting: list[tuple] = []
        self.ahead: dict[int, tuple] = {}  # by a row's place, what came of it within n steps

    def cut(self) -> None:
        """Say that the episode is over: nothing more will come for the rows that wait."""
        while self.waiting:
            self._admit()

    def sample_batch(self) -> PrioritizedBatch:
        """Draw rows by priority, in random order, with weights that are at most 1."""
        chance = self.share[: len(self)] / self.share[: len(self)].sum()
        points = (np.arange(self.batch_size) + self.rng.random(self.batch_size)) / self.batch_size
        rows = np.searchsorted(np.cumsum(chance), points, side="right").clip(max=len(self) - 1)
        self.drawn = rows = self.rng.permutation(rows)
        ahead = (np.array(c, dtype=np.float32) for c in zip(*(self.ahead[r] for r in rows)))  # noqa: B905
        weight = ((chance.min() / chance[rows]) ** self.beta).astype(np.float32)
        demo = (rows < self.permanent).astype(np.float32)
        return PrioritizedBatch(*(column[rows] for column in self.data), *ahead, weight, demo)

    def _write(self, row: tuple) -> None:
        self.waiting.append(row)
        if row[-1]:
            self.cut()
        elif len(self.waiting) == self.n:
            self._admit()

    def _admit(self) -> None:
        total = 0.0
        for _, _, reward, _, _ in reversed(self.waiting):
            total = reward + self.gamma * total
        place = int(self.row_of(self.stored))
        self.ahead[place] = total, *self.waiting[-1][3:], self.gamma ** len(self.waiting)
        super()._write(self.waiting.pop(0))


class OtherDDPGfD(DDPGfDAgent):
    """A right agent, written differently: other draws, other formulas, rows that wait."""

    def __init__(self, *args: Any, demo: list[tuple], **options: Any):
        super().__init__(*args, demo=demo, **options)
        own = self.memory
        self.memory = WaitingBuffer(
            self.obs_dim, self.act_dim, own.size - len(demo), own.batch_size,
            self.stream_seed("memory"), n=own.n, gamma=own.gamma, alpha=own.alpha, beta=own.beta,
        )  # fmt: skip
        self.memory.keep(episodes_of(demo, self.obs_dim, self.act_dim))

    def priorities(self, batch: PrioritizedBatch) -> np.ndarray:
        """Return the priorities of a batch, (B,): first the slope, then the error."""
        action = batch.action.detach().requires_grad_()
        q = self.critic(batch.obs, action)
        q.backward(torch.ones_like(q), inputs=[action])
        pull = self.slope_weight * action.grad.norm(dim=1).square()
        error = (self.target(batch) - q).detach().square()
        bonus = torch.where(batch.demo > 0, self.epsilon_demo, 0.0)
        return (error + pull + bonus + self.epsilon).cpu().numpy()

    def critic_objective(self, batch: PrioritizedBatch) -> tuple[torch.Tensor, dict]:
        """Return the critic's loss and what to record."""
        with torch.no_grad():
            later = self.critic_target(batch.n_next_obs, self.actor_target(batch.n_next_obs))
            later = later.masked_fill(batch.n_terminated > 0, 0.0)
            many = torch.addcmul(batch.n_reward, batch.n_discount, later)
        q, one = self.critic(batch.obs, batch.action), self.target(batch)
        errors = (q - one).square() + self.n_weight * (q - many).square()
        loss = torch.dot(batch.weight, errors) / len(q) + self.l2 * self.squares(self.critic)
        return loss, {"critic_loss": loss}

    def actor_objective(self, batch: PrioritizedBatch) -> tuple[torch.Tensor, dict]:
        """Return the actor's loss and what to record."""
        q = self.critic(batch.obs, self.actor(batch.obs))
        loss = self.l2 * self.squares(self.actor) - torch.dot(batch.weight, q) / len(q)
        return loss, {"actor_loss": loss}

    def squares(self, network: torch.nn.Module) -> torch.Tensor:
        """Return the sum of all squared weights and biases."""
        return torch.cat([w.flatten() for w in network.parameters()]).square().sum()
