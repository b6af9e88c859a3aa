"""The update of any off-policy agent as a single compiled graph: see `OffPolicyAgent.compile`."""

import inspect
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value

from pgcourse.parts.equations import soft_update


class Objective(nn.Module):
    """A loss as a module, so that `functional_call` can run it with other weights.

    Args:
        network: the network whose weights are to be replaced.
        objective: batch -> (loss, numbers to record), which uses that network.
    """

    def __init__(self, network: nn.Module, objective: Callable):
        super().__init__()
        self.network, self.objective = network, objective

    def forward(self, batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return what the objective returns."""
        return self.objective(batch)


class CompiledUpdate:
    """What `OffPolicyAgent.update` does with a batch: losses, gradients, Adam, slow copies.

    The agent, its networks and its optimisers stay the owners of every number, so compiled
    and eager updates, saving and loading mix freely. Where a loss is not finite, the weights
    of its network stay as they are; the other networks, slow copies and moments may still move.

    Args:
        agent: has learners, followers, updates, tau and an eager update.
    """

    def __init__(self, agent):
        self.agent = agent
        self.run: Callable | None = None  # made by the first call, as are the objectives
        self.failed = False

    def __getstate__(self) -> dict:
        return {"agent": self.agent, "run": None, "failed": False}  # code stays in its process

    def __call__(self, batch) -> dict[str, float]:
        """Update the agent and return the numbers to record."""
        agent = self.agent
        if not self.failed:
            if self.run is None:
                self.objectives = {
                    name: Objective(each.network, each.objective)
                    for name, each in agent.learners.items()
                }
                self.run = compiled(self.update)
            due = [name for name, e in agent.learners.items() if agent.updates % e.every == 0]
            followers = [e for e in agent.followers.values() if agent.updates % e.every == 0]
            adam = [adam_state(agent.learners[name].optimizer) for name in due]
            objectives = [self.objectives[name] for name in due]
            try:
                parts = self.run(batch, objectives, adam, followers)
            except Exception as error:  # before anything changed; a bad batch will show eager too
                self.failed = True
                reason = str(error).strip().partition("\n")[0]
                warnings.warn(
                    "compile() failed, the updates run eager; it needs a C++ compiler "
                    f"({type(error).__name__}: {reason})",
                    stacklevel=2,
                )
            else:
                return agent.history.read(agent.total_steps, parts)
        return type(agent).update(agent, batch)

    @torch.no_grad()
    def update(self, batch, objectives: list, adam: list, followers: list) -> dict[str, Tensor]:
        """One update of everything, in the order of the lists."""
        parts = {}
        for objective, (settings, states) in zip(objectives, adam, strict=True):
            weights = dict(objective.named_parameters())
            grads, (loss, record) = grad_and_value(functional_call, argnums=1, has_aux=True)(
                objective, weights, (batch,)
            )
            for (name, weight), state in zip(weights.items(), states, strict=True):
                adam_step(weight, grads[name], state, settings, loss.isfinite())
            parts |= record
        for each in followers:
            soft_update(each.slow, each.network, self.agent.tau)
        return parts


def compiled(function: Callable) -> Callable:
    """Return a function as one graph; all agents of a process share one limit of 8 graphs."""
    known = "recompile_limit" in inspect.signature(torch.compile).parameters
    more = {}
    if known:
        # A study over gamma or tau, or an update of several kinds, needs more.
        more["recompile_limit"] = 64
        # Before each call the graph looks whether anything changed; PyTorch's own functions do not.
        more["options"] = {"guard_filter_fn": lambda guards: [not of_torch(one) for one in guards]}
    # Not dynamic: gamma as a variable of the graph cannot be checked to be finite.
    return torch.compile(function, fullgraph=True, dynamic=False, **more)


def of_torch(guard) -> bool:
    """Return whether a guard of a graph watches a function of PyTorch's modules."""
    return guard.name.startswith("G['__import_torch")


def adam_step(weight: Tensor, grad: Tensor, state: dict, settings: dict, allowed: Tensor) -> None:
    """One step of Adam (Kingma and Ba 2015, Algorithm 1), or of AMSGrad, in place.

    Args:
        weight, grad: of one shape.
        state: "step" (), "exp_avg" m, "exp_avg_sq" v, for AMSGrad "max_exp_avg_sq".
        settings: from `adam_state`.
        allowed: (), a bool; where it is False the weight stays as it is.
    """
    beta1, beta2 = settings["betas"]
    grad = torch.where(allowed, grad, 0.0)
    state["step"].add_(1)
    m = state["exp_avg"].lerp_(grad, 1 - beta1)
    v = state["exp_avg_sq"].mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
    if settings["amsgrad"]:
        v = state["max_exp_avg_sq"].copy_(torch.maximum(state["max_exp_avg_sq"], v))
    size = v.sqrt() * settings["scale"] + settings["eps"]
    weight.sub_(torch.where(allowed, settings["rate"] * m / size, 0.0))


def adam_state(optimizer: torch.optim.Optimizer) -> tuple[dict, list[dict[str, Tensor]]]:
    """Return an Adam's settings for the next step, and its state of each weight.

    Raises:
        ValueError: the optimiser is not Adam, or has settings that `adam_step` does not know.
    """
    (group,) = optimizer.param_groups
    if type(optimizer) is not torch.optim.Adam or group["weight_decay"] or group["maximize"]:
        raise ValueError(
            f"optimizer: got {type(optimizer).__name__} with {group | {'params': '...'}}; "
            "compile() expects torch.optim.Adam without weight decay"
        )
    states = [optimizer.state[weight] for weight in group["params"]]
    t = states[0]["step"].item() + 1
    seen1, seen2 = (1 - beta**t for beta in group["betas"])  # of 1, by m and v so far
    settings = {name: group[name] for name in ("betas", "eps", "amsgrad")}
    settings["rate"] = torch.tensor(group["lr"] / seen1, dtype=torch.float64)
    settings["scale"] = torch.tensor(seen2**-0.5, dtype=torch.float64)
    return settings, states
