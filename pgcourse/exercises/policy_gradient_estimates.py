"""Checks of chapter 01's exercises on single estimates of a gradient, and on how they scatter."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pgcourse.exercises.ddpg_kit import array, close
from pgcourse.exercises.grading import call, expect, fresh, number, right


def tell(name: str, found: Any, wanted: Any, slips: dict[str, Any], hint: str) -> None:
    """Give the hint of the slip that leads to an answer, if it is not the wanted one."""
    if not close(found, wanted):
        for why, slip in slips.items():
            expect(not close(found, slip), f"{name}: {why}")
        expect(False, f"{name}: {hint}")


# 3: one estimate of each episode.


def check_estimates(answer: Callable) -> None:
    """Grade each episode's estimate of the gradient of a linear policy."""
    rng = fresh()
    for t, n, d in ((4, 3, 2), (1, 1, 1), (30, 5, 3)):
        obs, noise = (torch.from_numpy(rng.normal(size=size)) for size in ((t, n, d), (t, n)))
        gains, weight = (torch.from_numpy(rng.normal(size=size)) for size in (d, (t, n)))
        log_std = float(rng.uniform(0.2, 0.8) * rng.choice([-1, 1]))
        action = obs @ gains + np.exp(log_std) * noise
        found = call(answer, obs, action, weight, gains, log_std)
        shape = tuple(getattr(found, "shape", ()))
        expect(shape != (d + 1,), "Return a row for each episode: add up steps, not episodes.")
        expect(shape != (t, n, d + 1), "That is a row for each step. Add up those of an episode.")
        found = array("estimates", found, (n, d + 1))
        case = f"{t} steps of {n} episodes, {d} gains"
        compare(found, obs, noise, weight, log_std, case)
    right("Their mean over many episodes is the gradient; a single one may be far from it.")


def compare(
    found: np.ndarray, obs: Tensor, noise: Tensor, weight: Tensor, log_std: float, case: str
) -> None:
    """Give the hint of the slip that leads to estimates, (n, d + 1), if they are not right."""
    std, wide, (t, _, d) = np.exp(log_std), noise[..., None], obs.shape
    score = torch.cat([obs * wide / std, wide**2 - 1], dim=2)
    wanted = torch.einsum("tnk,tn->nk", score, weight)
    if close(found, wanted):
        return
    for hint, slip in {
        "The sign is turned: an estimate of the gradient goes up, only a loss down.": -wanted,
        "Add up the steps of an episode, without a mean.": wanted / t,
        "The weights are missing.": score.sum(dim=0),
        "Each step has its own weight: multiply before you add up.": score.sum(dim=0)
        * weight.sum(dim=0)[:, None],
        "The order: first the gains, then log σ.": wanted.roll(1, dims=1),
    }.items():
        expect(not close(found, slip), hint)
    by_gains = {
        "the chain rule: how far does the mean move with a gain?": wide / std + 0 * obs,
        "Eq. 4 has ε / σ, and ε is (a − mean) / σ. Is yours ε?": obs * wide,
        "Eq. 4 has ε / σ, and ε is (a − mean) / σ. Where is σ?": obs * wide * std,
        "that is one σ too many below: a − mean is σ ε.": obs * wide / std**2,
        "log_std is the logarithm of σ, not σ.": obs * wide * std / log_std**2,
    }
    slips = {why: (slope * weight[..., None]).sum(dim=0) for why, slope in by_gains.items()}
    values = f"{case}: the first should be {wanted[0, 0]:.4f}; yours is {found[0, 0]:.4f}."
    tell("By the gains", found[:, :d], wanted[:, :d], slips, values)
    by_width = {
        "log π has the term − log σ, too.": noise**2,
        "that is the slope by σ; σ moves by σ times the step of log σ.": (noise**2 - 1) / std,
        "a wider policy makes distant draws likelier: look at the sign of ε².": -(noise**2) - 1,
        "ε is (a − mean) / σ. Is yours a − mean?": (std * noise) ** 2 - 1,
        "log_std is the logarithm of σ, not σ.": (noise * std / log_std) ** 2 - 1,
    }
    slips = {why: (slope * weight).sum(dim=0) for why, slope in by_width.items()}
    values = f"{case}: the first should be {wanted[0, d]:.4f}; yours is {found[0, d]:.4f}."
    tell("By log σ", found[:, d], wanted[:, d], slips, values)


# 6: predict, then measure.


def check_spread(total: Any, to_go: Any, minus: Any, delta: Any, measured: Callable) -> None:
    """Grade four variances of an estimate of two steps, and their measurement for any length."""
    tell("total", number("total", total), 16.0, {
        "that is the mean square. Take the squared mean, 2², from it.": 20.0,
        "so it would be with θ = 0. Here each reward is 1 more.": 8.0,
        "that is the deviation. The variance is its square.": 4.0,
        "that is for the return to go: here both scores have the sum of both rewards.": 10.0,
    }, "the sum of both draws, S, times 2 + S. S is normal, with variance 2.")  # fmt: skip
    tell("to_go", number("to_go", to_go), 10.0, {
        "that is the mean square. Take the squared mean, 2², from it.": 14.0,
        "so it would be without the 1 in each reward.": 5.0,
        "that is the deviation. The variance is its square.": 10.0**0.5,
        "that is for the total return: the second score has only its own reward.": 16.0,
        "the first score has both rewards, each with its 1.": 7.0,
        "a step's own reward counts, too.": 2.0,
    }, "multiply out both scores times their returns, and take the variance of each "
       "product: different ones do not correlate, as E[ε³] = 0.")  # fmt: skip
    tell("minus", number("minus", minus), 5.0, {
        "that is the mean square. Take the squared mean, 2², from it.": 9.0,
        "that is the deviation. The variance is its square.": 5.0**0.5,
        "the value takes every 1 away; that is still the return to go.": 10.0,
        "that is for δ: the first score still has the second draw.": 4.0,
    }, "what is left of a return to go is the draws in it.")  # fmt: skip
    tell("delta", number("delta", delta), 4.0, {
        "that is the mean square. Take the squared mean, 2², from it.": 8.0,
        "E[ε⁴] is 3, so ε² has the variance 3 − 1. There are two steps.": 2.0,
        "ε² has the variance 3 − 1; the mean square is 3.": 6.0,
        "the value of before and after take the later draw away.": 5.0,
    }, "what is δ here? Each step's reward is 1 + ε, and one step less is left.")  # fmt: skip
    rng = fresh()
    for n, t in ((60, 2), (60, 5), (40, 1), (300, 50)):
        compare_spreads(measured, rng.normal(size=(n, t)))
    right("Each line takes out what a score has no part in. The longer, the more it helps.")


def compare_spreads(measured: Callable, noise: np.ndarray) -> None:
    """Give the hint of the slip that leads to a measured variance, if one is not right."""
    t = noise.shape[1]
    found = array("measured", call(measured, noise), (4,))
    left, later = t - np.arange(t), np.triu(np.ones((t, t)))  # of each step, itself included
    reward = 1.0 + noise
    weights = {
        "total": reward @ np.ones((t, t)),
        "to_go": reward @ later.T,
        "minus": noise @ later.T,
        "delta": noise,
    }
    own = {
        "total": {"without the 1 in each reward.": noise @ np.ones((t, t))},
        "to_go": {
            "without the 1 in each reward.": noise @ later.T,
            "add up what comes after a step, not before.": reward @ later,
            "a step's own reward counts, too.": reward @ later.T - reward,
            "that is the total return.": weights["total"],
        },
        "minus": {
            "V of before a step counts its own reward: how many are left?": noise @ later.T + 1,
            "the number of steps left differs from step to step.": reward @ later.T - t,
            "the value is added.": reward @ later.T + left,
            "that is still the return to go.": weights["to_go"],
        },
        "delta": {
            "the values are missing: that is the reward.": reward,
            "that is λ = 1.": weights["minus"],
            "V of before the step is taken away, V of after it is added.": noise + 2,
        },
    }
    for k, (name, weight) in enumerate(weights.items()):
        each = (noise * weight).sum(axis=1)
        wanted = each.var(ddof=int(close(found[k], each.var(ddof=1))))  # either will do
        slips = {
            "that is the mean square.": (each**2).mean(),
            "that is the deviation. The variance is its square.": each.std(),
            "add up the steps of an episode, without a mean.": each.var() / t**2,
            "the variance of an episode's sum, not of single steps.": (noise * weight).var(),
            "the variance of the weights; the scores are missing.": weight.sum(axis=1).var(),
        } | {why: (noise * slip).sum(axis=1).var() for why, slip in own[name].items()}
        near = f"{t} steps: it should be {wanted:.4f}; yours is {found[k]:.4f}."
        tell(f"measured, {name}", found[k], wanted, slips, near)
