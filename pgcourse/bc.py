"""DDPG with behavior cloning from demonstrations (Nair et al. 2017)."""

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from pgcourse import checks
from pgcourse.buffer import Batch, ReplayBuffer
from pgcourse.ddpg import DDPGAgent
from pgcourse.demos import plain
from pgcourse.equations import actor_loss, bc_loss, q_filter


class BCAgent(DDPGAgent):
    """DDPG whose every batch holds demonstrations, which the actor also imitates.

    Args:
        env, memory_size, batch_size, ou_noise_theta, ou_noise_sigma, gamma, tau,
            initial_random_steps, seed, device, compile: as for `DDPGAgent`.
        demo_batch_size: N_D, demonstration transitions added to each batch.
        demo: transitions (obs, action, reward, next_obs, terminated): see `load_demos`.
        lambda1: weight of the policy gradient, at least 0.
        lambda2: weight of the cloning loss, at least 0.
        q_filter: imitate only where the critic prefers the demonstrator (07 Eq. 3).

    Raises:
        TypeError, ValueError: an argument cannot work, or the demonstrations do not fit
            the environment.
    """

    def __init__(
        self,
        env: gym.Env,
        memory_size: int,
        batch_size: int,
        demo_batch_size: int,
        ou_noise_theta: float,
        ou_noise_sigma: float,
        demo: list[tuple],
        gamma: float = 0.99,
        tau: float = 5e-3,
        initial_random_steps: int = 10_000,
        lambda1: float = 1e-3,
        lambda2: float = 1.0,
        q_filter: bool = True,
        seed: int = 777,
        device: str | None = None,
        compile: bool = False,
    ):
        super().__init__(
            env, memory_size, batch_size, ou_noise_theta, ou_noise_sigma,
            gamma, tau, initial_random_steps, seed, device, compile,
        )  # fmt: skip
        self.settings |= {
            "demo_batch_size": demo_batch_size, "lambda1": lambda1, "lambda2": lambda2,
            "q_filter": q_filter,
        }  # fmt: skip
        self.demo_batch_size = checks.integer("demo_batch_size", demo_batch_size)
        self.lambda1 = checks.real("lambda1", lambda1, 0.0)
        self.lambda2 = checks.real("lambda2", lambda2, 0.0)
        self.q_filter = checks.flag("q_filter", q_filter)
        checks.instance("demo", demo, list | tuple, "a list of transitions")
        if len(demo) < demo_batch_size:
            raise ValueError(
                f"demo: got {len(demo)} transitions; expected at least demo_batch_size, "
                f"{demo_batch_size}"
            )
        # A seed of its own: the other streams stay those of a DDPGAgent with the same seed.
        self.demo_memory = ReplayBuffer(
            self.obs_dim, self.act_dim, len(demo), demo_batch_size, seed + 1
        )
        self.demo_memory.extend(plain(row, self.obs_dim, self.act_dim) for row in demo)

    @staticmethod
    def demo_rows(*columns: np.ndarray) -> list[tuple]:
        """Return the demonstrations that a demonstration buffer was filled with."""
        rows = zip(*columns, strict=True)
        return [(o, a, float(r), n, bool(t)) for o, a, r, n, t in rows]

    def sample(self) -> Batch:
        """Draw N replayed transitions followed by N_D demonstrations."""
        replayed, demo = super().sample(), self.to_tensors(self.demo_memory.sample_batch())
        return Batch(*map(torch.cat, zip(replayed, demo, strict=True)))

    def actor_objective(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return λ1 · actor loss + λ2 · cloning loss, 07 Eq. 4, and the numbers to record."""
        action = self.actor(batch.obs)
        q = self.critic(batch.obs, action)
        demo = slice(-self.demo_batch_size, None)
        with torch.no_grad():
            demo_q = self.critic(batch.obs[demo], batch.action[demo])
        mask = q_filter(demo_q, q[demo]) if self.q_filter else torch.ones_like(demo_q)
        q_term = self.lambda1 * actor_loss(q)
        bc_term = self.lambda2 * bc_loss(action[demo], batch.action[demo], mask)
        loss = q_term + bc_term
        record = {"actor_loss": loss, "q_term": q_term, "bc_term": bc_term}
        return loss, record | {"pass_rate": mask.mean()}
