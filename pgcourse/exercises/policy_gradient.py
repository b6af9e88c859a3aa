"""Checks of the exercises of chapter 01: baselines, returns, advantages, a loss; others apart."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pgcourse.exercises.ddpg_kit import array, attempt, close
from pgcourse.exercises.grading import call, expect, fresh, lock, number, right
from pgcourse.exercises.policy_gradient_estimates import check_estimates as check_estimates
from pgcourse.exercises.policy_gradient_estimates import check_spread as check_spread
from pgcourse.exercises.policy_gradient_signs import check_signs as check_signs
from pgcourse.exercises.policy_gradient_update import check_update as check_update
from pgcourse.parts.returns import discounted_returns, gae, gaussian_log_density


def check_baseline(gradient: Any, plain: Any, mean: Any, best: Any) -> None:
    """Grade a gradient, two variances and the best constant of two arms that pay 3 and 1."""
    gradient, plain = number("gradient", gradient), number("plain", plain)
    mean, best = number("mean", mean), number("best", best)
    expect(not close(gradient, 0.5), "That is the gradient at p = 0.5. Here p is 0.9.")
    expect(not close(gradient, 0.09), "p (1 − p) is how p grows. How does the mean reward?")
    expect(close(gradient, 0.18), f"It is (3 − 1) p (1 − p); yours is {gradient:g}.")
    expect(not close(plain, 0.162), "That is the mean square. Take the squared mean from it.")
    expect(not close(plain, 0.36), "That is the deviation. The variance is its square.")
    expect(
        close(plain, 0.1296),
        f"The estimate is 3 · 0.1 with chance 0.9, and 1 · (−0.9) with 0.1; yours {plain:g}.",
    )
    expect(not close(mean, 0.2628), "That is the mean square. Take the squared mean from it.")
    expect(not close(mean, 0.48), "That is the deviation. The variance is its square.")
    expect(not close(mean, 0.7056), "The mean reward is 2.8 and not 2: p is 0.9.")
    expect(
        close(mean, 0.2304),
        f"The estimate is 0.2 · 0.1 with chance 0.9, else (−1.8) · (−0.9); yours {mean:g}.",
    )
    expect(
        not close(best, 2.8),
        "That is the mean reward. Its variance is what you found above; it is not the smallest.",
    )
    expect(not close(best, 2.0), "So it would be at p = 0.5, where both scores have one size.")
    expect(
        close(best, 1.2),
        "With the best constant both draws lead to the same estimate: (3 − b) · 0.1 is "
        f"(1 − b) · (−0.9). Yours is {best:g}.",
    )
    right("Draws that move θ far should have the smallest surprises, so b lies near their reward.")


def check_to_go(answer: Callable) -> None:
    """Grade the returns of one episode, step by step."""
    rewards = np.array([1.0, 2.0, 4.0])
    found = array("to_go", call(answer, rewards, True, 6.0, 0.5), (3,))
    for slip, hint in (
        ([7, 6, 4], "γ is missing."),
        ([3.75, 5.5, 7], "After a true end nothing comes; last_value counts after a time limit."),
        ([1, 3, 7], "Add up what comes after a step, not what came before."),
        ([1, 2.5, 5.25], "Add up what comes after a step, not what came before."),
        ([3, 2, 1], "γ is applied from the episode's start; begin at the step itself."),
        ([3, 3, 3], "That is the total. Each step has its own return."),
        ([4, 4, 3], "The order is upside down."),
        ([2, 2, 0], "A step's own reward counts, too, without γ."),
    ):
        expect(not close(found, slip), hint)
    expect(close(found, [3, 4, 4]), f"It should be [3, 4, 4]; yours is {found.tolist()}.")
    found = array("to_go", call(answer, rewards, False, 6.0, 0.5), (3,))
    expect(
        not close(found, [3, 4, 4]),
        "A time limit cut it: last_value stands for what would have come.",
    )
    expect(not close(found, [4.5, 7, 10]), "γ applies to last_value, too.")
    expect(close(found, [3.75, 5.5, 7]), f"Cut: [3.75, 5.5, 7]; yours is {found.tolist()}.")
    rng = fresh()
    for n, over, gamma in ((1, True, 0.9), (1, False, 0.9), (30, False, 0.0), (200, True, 0.97)):
        rewards, last = rng.normal(size=n), float(rng.normal())
        found = array("to_go", call(answer, rewards, over, last, gamma), (n,))
        columns = [torch.zeros(n, 1, dtype=torch.float64) for _ in range(3)]
        columns[0][-1], columns[1][-1], columns[2][-1] = last, float(over), float(not over)
        wanted = discounted_returns(torch.from_numpy(rewards)[:, None], *columns, gamma)[:, 0]
        expect(
            close(found, wanted),
            f"{n} random rewards, terminated {over}, γ {gamma:g}: the first should be "
            f"{wanted[0]:.4f}; yours is {found[0]:.4f}.",
        )
    right("These are what REINFORCE weighs its scores by.")


def check_advantages(answer: Callable) -> None:
    """Grade generalised advantages of several environments."""
    ones, zeros = torch.ones(3, 1), torch.zeros(3, 1)
    value = torch.tensor([[2.0], [1.0], [2.0]])
    after, end = torch.tensor([[1.0], [2.0], [9.0]]), torch.tensor([[0.0], [0.0], [1.0]])

    def ask(*columns: Tensor, gamma: float = 1.0, lam: float = 0.5) -> np.ndarray:
        return array("advantages", call(answer, *columns, gamma, lam), tuple(columns[0].shape))

    found = ask(ones, value, after, end, zeros)[:, 0]
    for slip, hint in (
        ([0, 2, -1], "These are the surprises δ. Add up those that follow, λ weighs them."),
        ([1, 1, -1], "λ is missing."),
        ([3, 6, 8], "After a true end V(s') does not count."),
        ([0, 2, 0], "Go backwards: each A needs the A of the step after it."),
        ([3.75, 3.5, 1], "Take V(s) away in each surprise."),
        ([-0.75, -1.5, 1], "The sign is turned: δ is r + γ V(s') − V(s)."),
        ([-1, 1.5, 0.75], "The order is upside down."),
    ):
        expect(not close(found, slip), hint)
    expect(close(found, [0.75, 1.5, -1]), f"It should be [0.75, 1.5, −1]; yours {found.tolist()}.")
    found = ask(ones, value, after, zeros, end)[:, 0]
    expect(
        not close(found, [0.75, 1.5, -1]),
        "A time limit is no end of the task: V(s') counts in its surprise.",
    )
    expect(close(found, [3, 6, 8]), f"Cut by a limit: [3, 6, 8]; yours is {found.tolist()}.")
    two = [torch.cat([x, x.flip(0)]) for x in (ones, value, after, end, zeros)]
    found, wanted = ask(*two)[:, 0], gae_of(two, 1.0, 0.5)[:, 0]
    expect(
        close(found, wanted),
        f"Two episodes in a row, in one column: {wanted.tolist()}; yours is {found.tolist()}. "
        "No advantage reaches over the end of its episode.",
    )
    rng = fresh()
    for t, n, gamma, lam in ((1, 1, 0.9, 0.9), (20, 3, 0.99, 0.95), (9, 2, 0.7, 0.0), (9, 4, 1, 1)):
        rows = [torch.from_numpy(rng.normal(size=(t, n))) for _ in range(3)]
        kind = torch.from_numpy(rng.integers(0, 6, (t, n)))
        rows += [(kind == 0).double(), (kind == 1).double()]
        found, wanted = ask(*rows, gamma=gamma, lam=lam), gae_of(rows, gamma, lam)
        expect(
            close(found, wanted),
            f"{t} random steps of {n} environments, γ {gamma:g}, λ {lam:g}: the first should be "
            f"{wanted[0, 0]:.4f}; yours is {found[0, 0]:.4f}. Falls and time limits both end it.",
        )
    right("With λ = 1 it is the return less the value, with λ = 0 one surprise.")


def gae_of(rows: list[Tensor], gamma: float, lam: float) -> Tensor:
    """Return advantages of columns in the exercise's order."""
    reward, value, after, terminated, truncated = rows
    return gae(reward, after, terminated, truncated, value, gamma, lam)


def check_loss(answer: Callable) -> None:
    """Grade the policy's loss by its value and its gradients."""
    rng = fresh()
    for n, dim in ((1, 1), (6, 1), (5, 3)):
        draws = [torch.from_numpy(rng.normal(size=shape)) for shape in ((n, dim), (dim,), (n, dim))]
        mean, log_std, action = (x.requires_grad_() for x in draws)
        weight = torch.from_numpy(rng.normal(size=n)).requires_grad_()
        action = action.detach()
        loss = attempt("policy_loss", answer, mean, log_std, action, weight)
        expect(loss is not None and loss is not ..., "policy_loss returns nothing yet.")
        expect(isinstance(loss, Tensor), f"Return a tensor; got {type(loss).__name__}.")
        expect(loss.shape == (), f"Return one number; yours has the shape {tuple(loss.shape)}.")
        expect(loss.requires_grad, "Your loss has no gradient; the densities must keep theirs.")
        log_density = gaussian_log_density(action, mean, log_std)
        wanted, spare = -(log_density * weight.detach()).mean(), 0.5 * math.log(2 * math.pi)
        z = (action - mean) / log_std.exp()
        for slip, hint in (
            (-wanted, "The sign is turned: a loss goes down, and the policy should go up."),
            (n * wanted, "Take the mean over the rows, not the sum."),
            (wanted / dim, "Add up the log-densities of an action's numbers; take no mean there."),
            (-(log_density.exp() * weight).mean(), "The logarithm of the density, not itself."),
            (-log_density.mean() * weight.mean(), "Each row has its own weight: multiply first."),
            (-((log_density + log_std.sum()) * weight).mean(), "Minus log σ is missing."),
            (-((-0.5 * z**2 + spare - log_std).sum(dim=1) * weight).mean(), "Minus ½ log 2π."),
            (
                -((-0.5 * (action - mean) ** 2 - log_std - spare).sum(dim=1) * weight).mean(),
                "The distance is measured in deviations: divide by σ.",
            ),
        ):
            same = close(slip.item(), wanted.item(), 1e-6)  # with one row or number some are
            expect(same or not close(loss.item(), slip.item(), 1e-6), hint)
        expect(
            close(loss.item(), wanted.item(), 1e-6)
            or close(loss.item() - wanted.item(), -spare * dim * weight.mean().item(), 1e-6),
            f"{n} rows, {dim} numbers: the loss should be {wanted:.5f}; yours is {loss:.5f}.",
        )
        inputs = mean, log_std, weight
        grads = torch.autograd.grad(loss, inputs, allow_unused=True)
        expect(
            grads[2] is None or not grads[2].any(), "A gradient reaches the advantage; it is data."
        )
        truth = torch.autograd.grad(wanted, inputs[:2])
        for name, found, right_one in zip(("mean", "log_std"), grads[:2], truth, strict=True):
            expect(
                found is not None and close(found, right_one, 1e-6),
                f"The value is right, and the gradient of {name} is not: something was detached.",
            )
    right("Its value says nothing. Its gradient is Eq. 6, with advantages as weights.")


lock()
