"""DDPG from demonstrations (Vecerik et al. 2017, section 3, where a step has 40 updates)."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from pgcourse import checks
from pgcourse.agents.bc import BCAgent
from pgcourse.agents.ddpg import DDPGAgent
from pgcourse.agents.off_policy import OffPolicyAgent
from pgcourse.parts import prioritized as p
from pgcourse.parts.equations import actor_loss, l2_penalty, td_target
from pgcourse.runs.interrupt import HeldInterrupt
from pgcourse.tasks.demos import episodes_of


class DDPGfDAgent(OffPolicyAgent):
    """DDPG with n-step targets and a prioritised buffer, in which demonstrations stay for ever.

    Args:
        env, memory_size, batch_size, args, options: as for `OffPolicyAgent`.
        demo: transitions of episodes in order, as `record_demos` returns them.
        n, alpha, beta: as for `PrioritizedBuffer`; alpha and beta are the paper's, all else ours.
        n_weight, l2: weights ζ1 of the n-step loss and ζ2 of `l2_penalty`.
        slope_weight, epsilon, epsilon_demo: ζ3, p0 and pD of `priority`.
        pretrain: updates of the critic with demonstrations alone, before the first step.

    Raises:
        TypeError, ValueError: an argument cannot work, or the demonstrations do not fit the env.
    """

    def __init__(
        self, env: Any, memory_size: int = 100_000, batch_size: int = 128, *args: Any,
        demo: list[tuple], n: int = 10, n_weight: float = 1.0, alpha: float = 0.3,
        beta: float = 1.0, slope_weight: float = 1.0, epsilon: float = 0.01,
        epsilon_demo: float = 0.1, l2: float = 1e-5, pretrain: int = 1_000, **options: Any,
    ):  # fmt: skip
        super().__init__(env, memory_size, batch_size, *args, **options)
        self.n_weight, self.l2 = checks.real("n_weight", n_weight, 0.0), checks.real("l2", l2, 0.0)
        self.pretrain = checks.integer("pretrain", pretrain, 0)
        self.slope_weight = checks.real("slope_weight", slope_weight, 0.0)
        self.epsilon = checks.real("epsilon", epsilon, 1e-9)  # at 0 a row is never drawn again
        self.epsilon_demo = checks.real("epsilon_demo", epsilon_demo, 0.0)
        sizes = self.obs_dim, self.act_dim, memory_size, batch_size, self.stream_seed("memory")
        self.memory = p.PrioritizedBuffer(*sizes, n=n, gamma=self.gamma, alpha=alpha, beta=beta)
        self.memory.keep(episodes_of(demo, self.obs_dim, self.act_dim))

    # Networks and lists are those of chapter 03, what comes before the first step is that of 07.
    build, _begin = DDPGAgent.build, BCAgent._begin

    def reset(self) -> np.ndarray:
        """Start an episode: no n-step row of the last one reaches into it."""
        self.memory.cut()
        return super().reset()

    def learn_from_demos(self, updates: int) -> None:
        """Bring a new agent to so many updates; the actor waits: its critic knows nothing yet."""
        self.learners["actor"].every = updates + 1  # its turn would come after the last of them
        with HeldInterrupt() as stop:
            while self.total_steps == 0 and self.updates < updates:
                self.history.add_update(0, self.update_model())
                stop.check()
        self.learners["actor"].every = 1

    def update_model(self) -> dict[str, float]:
        """Draw a batch, make one update with it, and give its rows new priorities."""
        self.updates, batch = self.updates + 1, self.sample()
        record = self.update(batch)
        self.memory.update_priorities(self.priorities(batch))
        return record

    def priorities(self, batch: p.PrioritizedBatch) -> np.ndarray:
        """Return the priorities of a batch, (B,), by the 1-step error as it is now."""
        action = batch.action.clone().requires_grad_()
        q = self.critic(batch.obs, action)
        (slope,) = torch.autograd.grad(q.sum(), action)
        terms = slope, batch.demo, self.slope_weight, self.epsilon, self.epsilon_demo
        return p.priority((q - self.target(batch)).detach(), *terms).cpu().numpy()

    def target(self, batch: p.PrioritizedBatch) -> Tensor:
        """Return the 1-step target, 03 Eq. 6, (B,)."""
        next_q = self.critic_target(batch.next_obs, self.actor_target(batch.next_obs))
        return td_target(batch.reward, next_q, batch.terminated, self.gamma)

    def critic_objective(self, batch: p.PrioritizedBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return 1-step loss + ζ1 · n-step loss + ζ2 · L2, 06 Eq. 5, and what to record."""
        q = self.critic(batch.obs, batch.action)
        next_q = self.critic_target(batch.n_next_obs, self.actor_target(batch.n_next_obs))
        more = p.n_step_target(batch.n_reward, next_q, batch.n_terminated, batch.n_discount)
        one, many = (p.weighted_critic_loss(q, y, batch.weight) for y in (self.target(batch), more))
        loss = one + self.n_weight * many + self.l2 * l2_penalty(self.critic)
        return loss, {"critic_loss": loss, "n_loss": many, "demo_share": batch.demo.mean()}

    def actor_objective(self, batch: p.PrioritizedBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the weighted actor loss + ζ2 · L2, 06 Eq. 6, and what to record."""
        q = batch.weight * self.critic(batch.obs, self.actor(batch.obs))
        loss = actor_loss(q) + self.l2 * l2_penalty(self.actor)
        return loss, {"actor_loss": loss}
