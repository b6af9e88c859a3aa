"""DDPG with behavior cloning from demonstrations (Nair et al. 2017)."""

from typing import Any

import torch
from torch import Tensor, nn

from pgcourse import checks
from pgcourse.agents.ddpg import DDPGAgent
from pgcourse.agents.off_policy import OffPolicyAgent
from pgcourse.parts.buffer import Batch, ReplayBuffer
from pgcourse.parts.equations import actor_loss, bc_loss, q_filter, soft_filter
from pgcourse.runs.interrupt import HeldInterrupt
from pgcourse.tasks.demos import plain


class BCAgent(OffPolicyAgent):
    """DDPG whose every batch holds demonstrations, which the actor also imitates.

    Args:
        env, memory_size, batch_size, args, options: as for `OffPolicyAgent`.
        demo_batch_size: N_D, demonstration transitions added to each batch.
        demo: transitions (obs, action, reward, next_obs, terminated): see `load_demos`.
        lambda1: weight of the policy gradient, at least 0.
        lambda2: weight of the cloning loss, at least 0.
        q_filter: True imitates only where the critic prefers the demonstrator (07 Eq. 4), "soft"
            weighs by how much it does (07 Eq. 5), False imitates every row.
        pretrain: updates with demonstrations alone, unfiltered, before `train`'s first step.

    Raises:
        TypeError, ValueError: an argument cannot work, or the demonstrations do not fit
            the environment.
    """

    def __init__(
        self,
        env: Any,
        memory_size: int = 100_000,
        batch_size: int = 128,
        demo_batch_size: int = 64,
        *args: Any,
        demo: list[tuple],
        lambda1: float = 1e-3,
        lambda2: float = 1.0,
        q_filter: bool | str = True,
        pretrain: int = 0,
        **options: Any,
    ):
        super().__init__(env, memory_size, batch_size, *args, **options)
        self.demo_batch_size = checks.integer("demo_batch_size", demo_batch_size)
        self.lambda1 = checks.real("lambda1", lambda1, 0.0)
        self.lambda2 = checks.real("lambda2", lambda2, 0.0)
        self.q_filter = check_filter(q_filter)
        self.pretrain = checks.integer("pretrain", pretrain, 0)
        checks.instance("demo", demo, list | tuple, "a list of transitions")
        if len(demo) < demo_batch_size:
            raise ValueError(
                f"demo: got {len(demo)} transitions; expected at least demo_batch_size, "
                f"{demo_batch_size}"
            )
        stream = self.stream_seed("demo")
        self.demo_memory = ReplayBuffer(
            self.obs_dim, self.act_dim, len(demo), demo_batch_size, stream
        )
        self.demo_memory.extend(plain(row, self.obs_dim, self.act_dim) for row in demo)

    # Networks, lists and the critic's loss are those of chapter 03.
    build, critic_objective = DDPGAgent.build, DDPGAgent.critic_objective

    def sample(self) -> Batch:
        """Draw N replayed transitions followed by N_D demonstrations."""
        replayed, demo = super().sample(), self.sample_demo()
        return Batch(*map(torch.cat, zip(replayed, demo, strict=True)))

    def sample_demo(self) -> Batch:
        """Draw N_D demonstrations."""
        return self.to_tensors(self.demo_memory.sample_batch())

    def _begin(self, *run: Any) -> None:
        """Set where a run starts and ends, and learn from the demonstrations before it."""
        OffPolicyAgent._begin(self, *run)  # not super(): `HERAgent` has this method too
        self.learn_from_demos(self.pretrain)

    def learn_from_demos(self, updates: int) -> None:
        """Bring a new agent to so many updates with demonstrations alone, and without a filter.

        A filter would ask a critic that has seen nothing. They are updates like all others, so
        that a run that is stopped among them goes on to the same bits.

        Raises:
            KeyboardInterrupt: after a whole update.
        """
        filtered, self.q_filter = self.q_filter, False
        try:
            with HeldInterrupt() as stop:
                while self.total_steps == 0 and self.updates < updates:
                    self.updates += 1
                    self.history.add_update(0, self.update(self.sample_demo()))
                    stop.check()
        finally:
            self.q_filter = filtered

    def actor_objective(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return λ1 · actor loss + λ2 · cloning loss, 07 Eq. 3, and a record."""
        action = self.actor(batch.obs)
        q = self.critic(batch.obs, action)
        n, filtered = self.demo_batch_size, self.q_filter
        distance, pass_rate = cloning(self.critic, batch, action, q, n, filtered)
        q_term, bc_term = self.lambda1 * actor_loss(q), self.lambda2 * distance
        loss = q_term + bc_term
        record = {"actor_loss": loss, "q_term": q_term, "bc_term": bc_term}
        return loss, record | {"pass_rate": pass_rate}


def cloning(
    critic: nn.Module,
    batch: Batch,
    action: Tensor,
    q: Tensor,
    n: int,
    filtered: bool | str,
) -> tuple[Tensor, Tensor]:
    """Return the last n rows' loss, 07 Eqs. 1, 4, 5, and the share that passes.

    Args:
        critic: judges the demonstrated actions.
        batch: B rows, of which the last n are demonstrations.
        action, q: (B, act_dim) and (B,), the policy's own and their values.
        n: N_D, how many.
        filtered: True, "soft" or False, as for `BCAgent`.
    """
    with torch.no_grad():
        demo_q = critic(batch.obs[-n:], batch.action[-n:])
    weigh = {True: q_filter, "soft": soft_filter, False: every_row}[filtered]
    mask = weigh(demo_q, q[-n:])
    return bc_loss(action[-n:], batch.action[-n:], mask), mask.mean()


def every_row(demo_q: Tensor, policy_q: Tensor) -> Tensor:
    """Return 1.0 for each row, (N_D,): no filter."""
    return torch.ones_like(demo_q)


def check_filter(value: bool | str) -> bool | str:
    """Return the argument q_filter, or refuse it; TypeError or ValueError."""
    if isinstance(value, str) and value != "soft":
        raise ValueError(f"q_filter: got {value!r}; expected True, False or 'soft'")
    return value if isinstance(value, str) else checks.flag("q_filter", value)
