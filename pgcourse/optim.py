"""Gradient steps: PyTorch's Adam for the eager update, the same written out for the compiled."""

import torch
from torch import Tensor, nn


def descend(network: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """One step of one network down a loss; no other network gets a gradient.

    Args:
        network: its weights change.
        optimizer: of these weights.
        loss: (), a function of them.
    """
    weights = list(network.parameters())
    for weight, grad in zip(weights, torch.autograd.grad(loss, weights), strict=True):
        weight.grad = grad
    optimizer.step()


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
    """Return an Adam's settings and its state of each weight, made if no step was taken yet.

    Raises:
        ValueError: the optimiser is not Adam, or has settings that `adam_step` does not know.
    """
    (group,) = optimizer.param_groups
    if type(optimizer) is not torch.optim.Adam or group["weight_decay"] or group["maximize"]:
        raise ValueError(
            f"optimizer: got {type(optimizer).__name__} with {group | {'params': '...'}}; "
            "compile=True expects torch.optim.Adam without weight decay"
        )
    names = ["exp_avg", "exp_avg_sq"] + ["max_exp_avg_sq"] * group["amsgrad"]
    for weight in group["params"]:
        if weight not in optimizer.state:
            zeros = {name: torch.zeros_like(weight) for name in names}
            optimizer.state[weight] = {"step": torch.zeros((), device=weight.device)} | zeros
    states = [optimizer.state[weight] for weight in group["params"]]
    t = states[0]["step"].item() + 1
    seen1, seen2 = (1 - beta**t for beta in group["betas"])  # of 1, by m and v so far
    settings = {name: group[name] for name in ("betas", "eps", "amsgrad")}
    settings["rate"] = torch.tensor(group["lr"] / seen1, dtype=torch.float64)
    settings["scale"] = torch.tensor(seen2**-0.5, dtype=torch.float64)
    return settings, states
