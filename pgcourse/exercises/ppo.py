"""Checks of chapter 02's exercises: rows left, the clip by hand, loss, KL, counted steps."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pgcourse.exercises.ddpg_kit import attempt, close
from pgcourse.exercises.grading import call, expect, fresh, lock, number, right
from pgcourse.exercises.ppo_lesson import check_lesson as check_lesson
from pgcourse.exercises.ppo_plot import check_plot as check_plot
from pgcourse.exercises.ppo_plot import draw_four as draw_four
from pgcourse.exercises.ppo_plot import table_of_four as table_of_four
from pgcourse.exercises.ppo_update import check_ppo_update as check_ppo_update
from pgcourse.parts.returns import clipped_objective, kl_estimate


def check_rows_left(half: Any, two: Any, claims: Any, answer: Callable) -> None:
    """Grade two predicted numbers of rows, a function that measures them, and what it says."""
    predicted = number("half", half), number("two", two)
    for name, m, found in (("half", 0.5, predicted[0]), ("two", 2.0, predicted[1])):
        wanted, square = 2_048 * np.exp(-(m**2)), np.exp(m**2)
        for slip, hint in (
            (wanted / 2_048, "That is a share. How many of 2,048 rows?"),
            (2_048 / (square - 1), "The variance is the mean square less the squared mean."),
            (2_048 / (1 + m**2), "The variance is e^(m/σ)² − 1, not (m/σ)²."),
            (2_048 / np.exp(m), "Look at the exponent again."),
            (2_048 / np.exp(m**2 / 2), "Look at the exponent again."),
            (2_048 / square**2, "Look at the exponent again."),
            (2_048 * square, "Fewer rows count, not more."),
        ):
            expect(not close(found, slip, 4e-3), f"{name}: {hint}")
        expect(
            close(found, wanted, 1e-2),
            f"{name}: divide 2,048 by the mean of ρ², if that of ρ is 1; yours is {found:g}.",
        )
    check_measured(answer)
    expect(claims is not ..., "claims has no answer yet.")
    expect(claims in ("more", "fewer"), f'claims should be "more" or "fewer"; got {claims!r}.')
    expect(
        claims == "more",
        "Measure it: two hundred rollouts, each with a number; is their median above yours?",
    )
    right("The few huge ratios that make the mean square are missing in most rollouts, so the "
          "measure is too kind just where rows are scarce.")  # fmt: skip


def check_measured(answer: Callable) -> None:
    """Grade the number of rows that a weighted mean stands on."""

    def ask(new: Tensor, old: Tensor) -> float:
        return number("rows_left", call(answer, new, old))

    ratio, old = torch.tensor([4.0, 1.0, 1.0, 2.0]), torch.tensor([-1.0, 0.5, 0.0, 2.0])
    found, total, squares = ask(ratio.log() + old, old), ratio.sum(), (ratio**2).sum()
    turned, new = 1 / ratio, ratio.log() + old
    for slip, hint in (
        (turned.sum() ** 2 / (turned**2).sum(), "The ratio is upside down: new by old."),
        (squares / total**2, "Yours is upside down: it grows when one row has all the weight."),
        (total / squares, "The sum of the ratios is squared, too."),
        (ratio.mean() ** 2 / squares, "Take sums, not means."),
        (total**2 / squares / 4, "That is a share of the rows. How many are they?"),
        (ratio.log().sum() ** 2 / (ratio.log() ** 2).sum(), "Ratios are meant, not their logs."),
        (new.exp().sum() ** 2 / (2 * new).exp().sum(), "The old density is missing."),
    ):
        expect(not close(found, slip.item(), 1e-4), hint)
    expect(close(found, 64 / 22), f"Ratios 4, 1, 1, 2 leave 64/22 rows; yours is {found:g}.")
    rng = fresh()
    for n, width in ((1, 1.0), (30, 0.1), (500, 2.0)):
        new, old = torch.from_numpy(rng.normal(scale=width, size=(2, n))).float()
        truth = 1 / ((new - old).double().softmax(dim=0) ** 2).sum().item()
        found = ask(new, old)
        expect(close(found, truth, 1e-3), f"{n} random rows: {truth:g} left; yours {found:g}.")
    new = torch.tensor([1_000.0, 1_000.0, 0.0])
    for shift in (0.0, -3_000.0):
        found = ask(new + shift, torch.zeros(3))
        expect(
            close(found, 2.0),
            f"Log ratios of {shift + 1_000:g}, the same, and {shift:g} leave 2 rows; yours is "
            f"{found:g}. All ratios may be divided by one number, before exp() sees them.",
        )


def check_by_hand(likelier: Any, likelier_slope: Any, rarer: Any, rarer_slope: Any) -> None:
    """Grade Eq. 3 and its slope along log π for an action of advantage −2, at 1.4 and at 0.7."""
    likelier = number("likelier", likelier)
    likelier_slope = number("likelier_slope", likelier_slope)
    rarer, rarer_slope = number("rarer", rarer), number("rarer_slope", rarer_slope)
    expect(not close(likelier, -2.4), "That is the clipped one. Which of the two is smaller?")
    expect(not close(likelier, 2.8), "The advantage is negative, and so is the objective.")
    expect(close(likelier, -2.8), f"min(1.4 · (−2), 1.2 · (−2)); yours is {likelier:g}.")
    expect(not close(likelier_slope, 0.0), "Flat it is where the clipped one counts. Does it?")
    expect(
        not close(likelier_slope, -2.0),
        "That is the slope along ρ. Along log π it is ρ times as large, as dρ = ρ d log π.",
    )
    expect(not close(likelier_slope, 2.8), "Likelier means worse here: the slope is negative.")
    expect(close(likelier_slope, -2.8), f"ρ A = 1.4 · (−2); yours is {likelier_slope:g}.")
    expect(not close(rarer, -1.4), "That is ρ A. Which of the two is smaller?")
    expect(not close(rarer, 1.6), "The advantage is negative, and so is the objective.")
    expect(close(rarer, -1.6), f"min(0.7 · (−2), 0.8 · (−2)); yours is {rarer:g}.")
    expect(
        not close(rarer_slope, -1.4) and not close(rarer_slope, -1.6),
        "The clipped one counts, and it is a constant.",
    )
    expect(close(rarer_slope, 0.0), f"A constant has no slope; yours is {rarer_slope:g}.")
    right("A bad action that became likelier is still pushed back; one that is rare enough rests.")


def check_steps(updates: Any, steps: Any, uses: Any) -> None:
    """Grade a run of 300,000 steps: 4 environments, 512 steps, minibatches of 64, ten epochs."""
    updates, steps, uses = number("updates", updates), number("steps", steps), number("uses", uses)
    expect(not close(updates, 300_000 / 2_048, 1e-3), "A number of updates is a whole number.")
    expect(updates != 147, "The last rollout is not whole, and waits.")
    expect(updates != 585, "The four environments step side by side: a rollout has 4 · 512 rows.")
    expect(updates == 146, f"300,000 / 2,048, rounded down; yours is {updates:g}.")
    expect(steps != 46_720 / 10, "That is one epoch for each update. There are ten.")
    expect(steps != 320, "That is one update. How many in the whole run?")
    expect(steps != 1_460, "Each epoch has 32 minibatches.")
    expect(steps == 46_720, f"146 updates of 10 epochs of 32 minibatches; yours is {steps:g}.")
    expect(uses not in (32, 320), "A row is in one minibatch of each epoch.")
    expect(uses == 10, f"Once in each epoch; yours is {uses:g}.")
    right("The same number of rows, in smaller minibatches, makes four times as many steps.")


def check_clipped_loss(answer: Callable) -> None:
    """Grade the policy's loss by its value and its gradients."""
    rng = fresh()
    for n, clip in ((6, 0.2), (1, 0.2), (40, 0.1), (9, 0.5)):
        new, old = torch.from_numpy(rng.normal(scale=0.5, size=(2, n))).float()
        weight = torch.from_numpy(rng.normal(size=n)).float()
        if n == 6:  # both signs, below, within and above
            new = torch.tensor([1.6, 1.6, 0.5, 0.5, 1.1, 0.9]).log() + old
            weight = torch.tensor([1.0, -2.0, 3.0, -1.5, 0.5, -0.7])
        rows = [x.clone().requires_grad_() for x in (new, old, weight)]
        loss = attempt("clipped_loss", answer, *rows, clip)
        expect(loss is not None and loss is not ..., "clipped_loss returns nothing yet.")
        expect(isinstance(loss, Tensor), f"Return a tensor; got {type(loss).__name__}.")
        expect(loss.shape == (), f"Return one number; yours has the shape {tuple(loss.shape)}.")
        expect(loss.requires_grad, "Your loss has no gradient; log_density must keep its own.")
        density = new.clone().requires_grad_()
        ratio = (density - old).exp()
        cut = ratio.clamp(1 - clip, 1 + clip)
        wanted = -clipped_objective(density, old, weight, clip).mean()
        for slip, hint in (
            (-wanted, "The sign is turned: a loss goes down, and the objective should go up."),
            (n * wanted, "Take the mean over the rows, not the sum."),
            (-(ratio * weight).mean(), "Nothing is clipped."),
            (-(cut * weight).mean(), "Take the smaller of ρ A and the clipped one, row by row."),
            (-torch.maximum(ratio * weight, cut * weight).mean(), "The smaller of the two counts."),
            (-(torch.minimum(ratio, cut) * weight).mean(), "First times A, then the smaller one."),
            (
                -torch.minimum((ratio * weight).mean(), (cut * weight).mean()),
                "The smaller of two numbers in each row, not of two means.",
            ),
        ):
            same = close(slip.item(), wanted.item(), 1e-5)  # with one row some are
            expect(same or not close(loss.item(), slip.item(), 1e-5), hint)
        expect(
            close(loss.item(), wanted.item(), 1e-5),
            f"{n} rows, clip {clip:g}: the loss should be {wanted:.5f}; yours is {loss:.5f}. "
            "The ratio is exp(new − old).",
        )
        grads = torch.autograd.grad(loss, rows, allow_unused=True)
        expect(grads[1] is None or not grads[1].any(), "A gradient reaches the old density.")
        expect(grads[2] is None or not grads[2].any(), "A gradient reaches the advantage.")
        (truth,) = torch.autograd.grad(wanted, density)
        expect(
            grads[0] is not None and close(grads[0], truth, 1e-5),
            "The value is right, and the gradient is not: something was detached.",
        )
    right("Where the clipped one counts the gradient is 0, and the row rests.")


def check_moved(answer: Callable) -> None:
    """Grade the estimate of the KL divergence and the share of ratios outside."""

    def ask(*arguments: Any) -> tuple[float, float]:
        found: Any = call(answer, *arguments)
        expect(np.shape(found) == (2,), f"Return (kl, outside); got {found!r}.")
        return number("kl", found[0]), number("outside", found[1])

    ratio = torch.tensor([2.0, 0.5, 1.0, 1.1])
    old = torch.tensor([-1.0, 0.5, 0.0, 2.0])
    kl, outside = ask(ratio.log() + old, old, 0.2)
    log_ratio = ratio.log()
    wanted = (ratio - 1 - log_ratio).mean().item()
    for slip, hint in (
        (-log_ratio.mean().item(), "That is right on average only. Eq. 5 adds ρ − 1 to −log ρ."),
        (log_ratio.mean().item(), "The sign of log ρ is turned."),
        ((1 / ratio - 1 + log_ratio).mean().item(), "The ratio is upside down: new by old."),
        (4 * wanted, "Take the mean over the rows, not the sum."),
        ((ratio - log_ratio).mean().item(), "Minus 1 is missing."),
    ):
        expect(not close(kl, slip, 1e-5), hint)
    expect(close(kl, wanted, 1e-5), f"The KL should be {wanted:.4f}; yours is {kl:.4f}.")
    expect(not close(outside, 0.25), "Ratios below 1 − c are outside, too.")
    expect(not close(outside, 2.0), "Return a share, not a number of rows.")
    expect(close(outside, 0.5), f"Two of four are outside; yours is {outside:g}.")
    rng = fresh()
    for n, clip in ((1, 0.2), (30, 0.1), (500, 0.3)):
        new, old = torch.from_numpy(rng.normal(scale=0.3, size=(2, n))).float()
        kl, outside = ask(new, old, clip)
        truth = kl_estimate(new, old).item()
        expect(close(kl, truth, 1e-4), f"{n} random rows: {truth:.5f}; yours {kl:.5f}.")
        share = (((new - old).exp() - 1).abs() > clip).float().mean().item()
        case = f"{n} random rows, clip {clip:g}"
        expect(close(outside, share, 1e-5), f"{case}: {share:g} outside; yours {outside:g}.")
    right("These two numbers are what to look at first when PPO does not learn.")


lock()
