"""Checks of the exercises of chapter 07: numbers, pictures, and losses.

Those of clones, agents and data stand in files of their own.
"""

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from pgcourse.exercises.bc_agent import check_demo_resets as check_demo_resets
from pgcourse.exercises.bc_agent import check_fading as check_fading
from pgcourse.exercises.bc_clone import check_departure as check_departure
from pgcourse.exercises.bc_clone import check_fit_clone as check_fit_clone
from pgcourse.exercises.bc_data import check_episode_returns as check_episode_returns
from pgcourse.exercises.bc_data import check_opcodes as check_opcodes
from pgcourse.exercises.bc_data import check_seeds_needed as check_seeds_needed
from pgcourse.exercises.ddpg_kit import array, attempt, close
from pgcourse.exercises.grading import call, expect, fresh, lock, number, right, same

# What the notebook shows; an answer may not come with a curve of its own.
HELD_OUT = [0.52, 0.40, 0.34, 0.36, 0.33, 0.35, 0.33, 0.37, 0.36, 0.38, 0.32, 0.40]
PATIENCE = 3
RATES = {"A": [0.05, 0.1, 0.3, 0.6, 0.8], "B": [0.05, 0.1, 0.15, 0.2, 0.1]}
UPDATES = [0, 500, 1_000, 1_500, 2_000]
CHANGED = "The numbers are not those of the exercise any more: run the cell that draws them again."


def check_cloning_loss(by_n: Any, by_passing: Any) -> None:
    """Grade the loss of four demonstrations of which one passes, at squared distance 2."""
    by_n, by_passing = number("by_n", by_n), number("by_passing", by_passing)
    swapped = close(by_n, by_passing * 4)
    expect(not (swapped and close(by_n, 2)), "You have swapped the two: Eq. 1 divides by N_D.")
    expect(not close(by_n, 8), "Three of the rows are masked; they add nothing to the sum.")
    expect(not close(by_n, math.sqrt(2) / 4), "The distance is squared already: no root is taken.")
    expect(close(by_n, 1 / 2), f"By Eq. 1 the sum is 2, and N_D is 4; yours is {by_n:g}.")
    expect(close(by_passing, 2), f"One row passes: divide the sum by 1; yours is {by_passing:g}.")
    right("Divided by the rows that pass, the loss would grow as fewer of them pass.")


def check_share(expected: Any, none: Any) -> None:
    """Grade the expected number of rewarded rows in a batch, and the chance of none."""
    expected, none = number("expected", expected), number("none", none)
    share = 10 / 1_064
    expect(not close(expected, share), "That is the share of the rows; a batch has 128 of them.")
    expect(not close(expected, 256 * share), "Only the demonstrated half of a batch counts: 128.")
    expect(
        abs(expected - 128 * share) < 0.005, f"expected should be near 1.2; yours is {expected}."
    )
    expect(not close(none, share), "That is the chance that one row is rewarded.")
    expect(
        not close(none, 1 - (1 - share) ** 128, 1e-2), "That is the chance of at least one of them."
    )
    expect(
        abs(none - (1 - share) ** 128) < 0.002,  # 0.3 is near enough
        f"All 128 rows must miss, independently of each other; yours is {none:g}.",
    )
    right("So in most updates the critic sees the reward, and in three of ten it does not.")


def stopped(losses: list[float], patience: int, better: Callable = operator.lt) -> tuple[int, int]:
    """Return the look at which early stopping stops, and the look whose weights it keeps.

    Looks are counted from 1.
    """
    best = 0
    for look, loss in enumerate(losses):
        best = look if better(loss, losses[best]) else best
        if look - best == patience:
            return look + 1, best + 1
    return len(losses), best + 1


def check_stopping(stops: Any, keeps: Any, held_out: list[float], patience: int) -> None:
    """Grade where early stopping stops on a curve, and which look's weights it keeps."""
    stops, keeps = number("stops", stops), number("keeps", keeps)
    expect(same([HELD_OUT, PATIENCE], [held_out, patience]), CHANGED)
    stop, keep = stopped(held_out, patience)
    expect((stops, keeps) != (keep, stop), "You have swapped the two: it keeps an earlier look.")
    rise, tie = stopped(held_out, 1)[0], stopped(held_out, patience, operator.le)[0]
    hints = {
        rise: f"Look {rise} is the first without a new best. Patience waits for {patience} such.",
        rise - 1 + patience: f"You count from look {rise - 1}; a better one comes in time. Each "
        "new best starts the count afresh.",
        tie: "A loss equal to the best is no new best; it does not start the count afresh.",
        len(held_out): "It does stop. The looks need not rise one after the other: each one that "
        "is no new best counts. Is it the held-out loss that you read?",
        stop - 1: f"One look too early: {patience} looks have to pass after the best one.",
        stop + 1: f"One look too late: it stops at the look that makes it {patience}.",
    }
    expect(stops == stop, hints.get(stops, f"It does not stop at look {stops:g}. Count by hand."))
    lowest = 1 + int(np.argmin(held_out))
    hints = {
        stop: "Those are the last weights. It keeps those of the best look up to there.",
        lowest: f"Look {lowest} never comes: training has stopped by then.",
        stop - 1: "That loss is not below the best one before it.",
        len(held_out): "That is the best look for the training loss, and training stops earlier.",
    }
    expect(keeps == keep, hints.get(keeps, f"Look {keeps:g} is not the best one up to the stop."))
    right("What came later was better still. Patience is a bet that it will not be.")


def check_pass_rates(saboteur: Any, update: Any, rates: dict[str, list], updates: list) -> None:
    """Grade which curve is the saboteur's, and from when on the two are 0.3 apart."""
    expect(saboteur is not ..., "saboteur has no answer yet.")
    expect(rates.keys() == RATES.keys() and same([RATES, UPDATES], [rates, updates]), CHANGED)
    name = saboteur.strip().upper() if isinstance(saboteur, str) else None
    expect(name in rates, f"saboteur should be one of {sorted(rates)}; got {saboteur!r}.")
    lower = min(rates, key=lambda each: rates[each][-1])
    expect(name == lower, "A critic that has learned drops the rows of the one who does harm.")
    update = number("update", update)
    apart = np.abs(np.subtract(*rates.values()))
    first = updates[int(np.argmax(apart >= 0.3))]
    expect(
        update != updates[int(np.argmax(apart >= 0.1))],
        "There the curves begin to part; read off where they are 0.3 apart.",
    )
    expect(update == first, f"At update {update:g} they are not (or long have been) 0.3 apart.")
    right("The filter needs a critic that has seen rewards. Before that it guesses.")


def check_margin_filter(answer: Callable) -> None:
    """Grade a Q-filter with a margin."""
    demo_q, policy_q = torch.tensor([3.0, 2.0, 1.0, -1.0]), torch.tensor([1.0, 1.5, 2.0, -1.5])
    demo_q.requires_grad_()
    policy_q.requires_grad_()
    mask = call(answer, demo_q, policy_q, 0.0)
    expect(isinstance(mask, torch.Tensor), f"Return a tensor; got {type(mask).__name__}.")
    expect(not mask.requires_grad, "Your mask carries a gradient; the filter is data.")
    found = array("margin_filter", mask, (4,))
    expect(mask.dtype == torch.float32, f"Return float32, 1.0 or 0.0; yours is {mask.dtype}.")
    expect(
        not np.array_equal(found, [0, 0, 1, 0]), "Yours keeps the rows that the policy does better."
    )
    expect(np.array_equal(found, [1, 1, 0, 1]), f"With margin 0 it is Eq. 4; yours gives {found}.")
    found = array("margin_filter", call(answer, demo_q, policy_q, 1.0), (4,))
    expect(not np.array_equal(found, [1, 1, 0, 1]), "Your filter does not depend on the margin.")
    expect(
        not np.array_equal(found, [1, 1, 1, 1]),
        "A margin makes the filter stricter; yours lets more rows through.",
    )
    expect(np.array_equal(found, [1, 0, 0, 0]), f"With margin 1 only row 0 passes; yours {found}.")
    edge = call(answer, torch.tensor([2.0]), torch.tensor([1.0]), 1.0)
    at_margin = array("margin_filter", edge, (1,))[0]
    expect(at_margin == 0.0, "A row exactly at the margin is not above it.")
    rng = fresh()
    for n, margin in ((1, 0.5), (200, 0.0), (200, 0.25), (200, 1.5)):
        demo_q, policy_q = torch.from_numpy(rng.integers(-8, 9, (2, n)) / 4).float()  # with ties
        found = array("margin_filter", call(answer, demo_q, policy_q, margin), (n,))
        slips = int((found != (demo_q - policy_q > margin).numpy()).sum())
        expect(
            slips == 0,
            f"{n} random rows, margin {margin:g}: yours is wrong for {slips}. A row passes if "
            "demo_q − policy_q is more than the margin itself, whatever the sizes of the two.",
        )
    right("A margin asks the critic to be sure before the teacher is copied.")


def gradient(loss: Any, action: torch.Tensor) -> torch.Tensor | None:
    """Return a loss's gradient by the action, or None if it has none."""
    if not (isinstance(loss, torch.Tensor) and loss.requires_grad):
        return None
    return torch.autograd.grad(loss, action, allow_unused=True)[0]


def check_weighted_loss(answer: Callable) -> None:
    """Grade a cloning loss with a weight for each row."""
    shown = torch.tensor([[1.0, -1.0], [0.5, 2.0], [-2.0, 0.5]])
    action = (shown + torch.tensor([[3.0, 4.0], [2.0, 0.0], [0.0, 1.0]])).requires_grad_()
    ones, mask = torch.ones(3), torch.tensor([1.0, 1.0, 0.0])  # squared distances 25, 4 and 1
    loss = call(answer, action, shown, mask, ones)
    expect(isinstance(loss, torch.Tensor), f"Return a tensor (); got {type(loss).__name__}.")
    expect(loss.requires_grad, "Your loss has no gradient; the actor could not learn from it.")
    found = float(array("weighted_bc_loss", loss, ()))
    squares = (mask[:, None] * action.detach() ** 2).sum().item()
    hints = {29 / 2: "Yours divides by the rows that pass, not by N_D.",
             29 / 6: "Yours averages over the numbers of an action; sum them.",
             30 / 3: "Yours ignores the mask.", 29: "Divide by N_D.",
             squares / 3: "Yours never looks at demo_action: a distance has two ends."}  # fmt: skip
    for value, hint in hints.items():
        expect(not close(found, value), hint)
    expect(close(found, 29 / 3), f"With equal weights it is Eq. 1, 29/3 = 9.67; yours {found:.2f}.")
    for factor in (7, 0.01):
        found = number("the loss", call(answer, action, shown, mask, factor * ones))
        expect(
            close(found, 29 / 3),
            f"{factor:g} times all weights should change nothing: divide by the mean.",
        )
    found = number("the loss", call(answer, action, shown, mask, torch.tensor([2.0, 0.0, 1.0])))
    expect(not close(found, 25), "The mean weight is that of all rows, also of the masked ones.")
    expect(
        close(found, 50 / 3),
        f"Weights 2, 0, 1 have the mean 1, so the loss is 2 · 25 / 3 = 16.67; yours {found:.2f}.",
    )
    empty = number("the loss", call(answer, action, shown, torch.zeros(3), ones))
    expect(empty == 0.0, "If nothing passes, the loss is exactly 0.")
    zero = number("the loss", call(answer, action, shown, mask, torch.zeros(3)))
    expect(zero == 0.0, f"If all weights are 0, the loss is exactly 0; yours is {zero}.")
    for given in ((torch.zeros(3), ones), (mask, torch.zeros(3))):
        slope = gradient(attempt("weighted_bc_loss", answer, action, shown, *given), action)
        expect(
            slope is None or not slope.any(),
            "Where the loss is 0, your gradient is not: 0/0 leaves nan in it, even if the number "
            "is mended afterwards.",
        )
    rng = fresh()
    for n, dim in ((6, 3), (5, 1), (1, 2), (40, 4)):
        action, shown = torch.from_numpy(rng.normal(size=(2, n, dim))).float()
        mask = torch.from_numpy(rng.integers(0, 2, n)).float()
        weight = torch.from_numpy(10 ** rng.uniform(-1, 1, n)).float()
        mask[0] = 1.0
        if n > 1:  # a row that the actor does as shown, and one that does not count
            shown[0], weight[-1] = action[0], 0.0
        share = (weight * mask / weight.sum())[:, None]
        action.requires_grad_()
        loss = attempt("weighted_bc_loss", answer, action, shown, mask, weight)
        found = float(array("weighted_bc_loss", loss, ()))
        wanted = (share * (action - shown) ** 2).sum().item()
        expect(
            close(found, wanted),
            f"On {n} random rows with actions of {dim} numbers it should be {wanted:.4f}; yours is "
            f"{found:.4f}. All four arguments count.",
        )
        slope = gradient(loss, action)
        expect(
            slope is None or bool(slope.isfinite().all()),
            "The number is right, but its gradient is not finite: do you take a root of 0?",
        )
        expect(
            slope is not None and close(slope, 2 * share * (action - shown).detach()),
            "The number is right, but not its gradient: is a part of it detached?",
        )
    right("Weights can say how much each teacher is trusted.")


lock()
