"""One update of an agent as a single compiled graph, for agents made with compile=True."""

import inspect
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value

from pgcourse.buffer import Batch
from pgcourse.equations import soft_update
from pgcourse.optim import adam_state, adam_step


class Objective(nn.Module):
    """A loss as a module, so that `functional_call` can run it with other weights.

    Args:
        network: the network whose weights are to be replaced.
        objective: batch -> (loss, numbers to record), which uses that network.
    """

    def __init__(self, network: nn.Module, objective: Callable):
        super().__init__()
        self.network, self.objective = network, objective

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return what the objective returns."""
        return self.objective(batch)


class CompiledUpdate:
    """What `update_model` does with a batch: losses, gradients, Adam, targets, as one graph.

    The agent, its networks and its optimisers stay the owners of every number, so compiled
    and eager updates, saving and loading mix freely. Where a loss is not finite, the weights
    of its network stay as they are; the other network, targets and moments may still move.

    Args:
        agent: has critic_objective and actor_objective, four networks, two Adam optimisers.
    """

    def __init__(self, agent):
        self.agent = agent
        self.run: Callable | None = None  # made by the first call
        self.failed = False

    def __getstate__(self) -> dict:
        return {"agent": self.agent, "run": None, "failed": False}  # code stays in its process

    def __call__(self, batch: Batch) -> dict[str, Tensor] | None:
        """Update the agent and return the numbers to record; None if this can't be compiled."""
        if self.failed:
            return None
        agent = self.agent
        adam = [adam_state(agent.critic_optimizer), adam_state(agent.actor_optimizer)]
        if self.run is not None:
            return self.run(batch, adam)
        self.objectives = [
            Objective(agent.critic, agent.critic_objective),
            Objective(agent.actor, agent.actor_objective),
        ]
        # All agents of a process share one limit of 8; a study over gamma or tau needs more.
        known = "recompile_limit" in inspect.signature(torch.compile).parameters
        limit = {"recompile_limit": 64} if known else {}
        self.run = torch.compile(self.update, fullgraph=True, **limit)
        try:
            return self.run(batch, adam)
        except Exception as error:  # before anything was changed; a bad batch will show eager too
            self.failed = True
            reason = str(error).strip().partition("\n")[0]
            warnings.warn(
                "compile=True failed, the updates run eager; it needs a C++ compiler "
                f"({type(error).__name__}: {reason})",
                stacklevel=2,
            )
            return None

    @torch.no_grad()
    def update(self, batch: Batch, adam: list) -> dict[str, Tensor]:
        """One update of everything: critic, actor, then both targets (03 Eqs. 6 to 9)."""
        parts = {}
        for objective, (settings, states) in zip(self.objectives, adam, strict=True):
            weights = dict(objective.named_parameters())
            grads, (loss, record) = grad_and_value(functional_call, argnums=1, has_aux=True)(
                objective, weights, (batch,)
            )
            for (name, weight), state in zip(weights.items(), states, strict=True):
                adam_step(weight, grads[name], state, settings, loss.isfinite())
            parts |= record
        soft_update(self.agent.actor_target, self.agent.actor, self.agent.tau)
        soft_update(self.agent.critic_target, self.agent.critic, self.agent.tau)
        return parts
