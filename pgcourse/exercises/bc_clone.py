"""Checks of chapter 07's exercises on plain clones: one that is fitted, and where one strays."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pgcourse.exercises.ddpg_kit import attempt, close
from pgcourse.exercises.grading import Hint, call, expect, fresh, number, raised, right, same

ENOUGH = 0.02  # held-out loss of Eq. 1 on `smooth`; an actor that always gives 0 has 0.35


def smooth(obs: Tensor) -> Tensor:
    """Return what the teacher of `check_fit_clone` does: obs (B, 3) to action (B, 2)."""
    x, y, z = obs.T
    return torch.stack([0.3 + 0.5 * torch.sin(2 * x), 0.4 * y * z - 0.2], dim=1)


def fitted(answer: Callable, obs: Tensor, action: Tensor, seed: int, stream: int = 0) -> Any:
    """Call a learner's fit, with the global streams in a state of our choice, then put back."""
    before = np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1_000 + stream)
            np.random.seed(1_000 + stream)
            actor = call(answer, obs, action, seed)
    finally:
        np.random.set_state(before)
    expect(
        not isinstance(actor, tuple | list | dict),
        f"Return the actor alone; got a {type(actor).__name__}.",
    )
    expect(callable(actor), f"Return the actor, not its loss or a number; got {actor!r}.")
    return actor


def acts(actor: Any, obs: Tensor, action: Tensor) -> Tensor:
    """Return an actor's actions, with a hint if they cannot have the shape of `action`."""
    with torch.no_grad():
        try:
            found = actor(obs)
        except Exception as error:
            backwards = "mat1 and mat2" in str(error) and obs.shape[1] != action.shape[1]
            expect(not backwards, "Your actor does not take obs. Are obs and action swapped?")
            raise Hint(raised("Your actor", error)) from None
    shape = f"obs {tuple(obs.shape)} should become actions {tuple(action.shape)}"
    expect(isinstance(found, Tensor), f"Your actor returns a {type(found).__name__}: {shape}.")
    expect(found.shape == action.shape, f"Your actor returns {tuple(found.shape)}: {shape}.")
    return found


def check_fit_clone(answer: Callable) -> None:
    """Grade a plain clone: on rows it has not seen, on a noisy teacher, and for its seed."""
    rng = torch.Generator().manual_seed(0)
    obs, hidden = (3 * torch.rand(n, 3, generator=rng) - 1.5 for n in (256, 200))
    hidden = 0.93 * hidden
    obs = obs[torch.argsort((obs[:, 0] > 0).int(), stable=True)]  # the first half is not enough
    action, wanted = smooth(obs), smooth(hidden)
    actor = fitted(answer, obs, action, 0)
    found, learned = acts(actor, hidden, wanted), acts(actor, obs, action)
    gap = ((found - wanted) ** 2).sum(dim=1).mean().item()
    if not gap < ENOUGH:  # nan is not either
        explain(found, gap, wanted, ((learned - action) ** 2).sum(dim=1))
    one = acts(actor, hidden[:1], wanted[:1])
    expect(
        close(one, found[:1]),
        "Alone, an obs gets another action than among others. Does your actor use the mean or the "
        "deviation of the obs that it is given, and not of those that it learned from?",
    )
    check_mean(answer)
    right(f"Held-out loss {gap:.4f}. A clone is a regression, no more.")


def explain(found: Tensor, gap: float, wanted: Tensor, rows: Tensor) -> None:
    """Give the hint for a clone whose held-out loss is too large.

    Args:
        found, wanted: (B, act_dim), what the clone and the teacher do where it was not shown.
        gap: the held-out loss.
        rows: the squared distance of each row that it learned from.
    """
    zero = (wanted**2).sum(dim=1).mean().item()
    expect(gap == gap, "Your actor gives nan: is the learning rate too large?")
    expect(
        rows.mean() > 0.1 * gap, "Yours knows the rows by heart, and nothing between them: is the "
        "network too large, or trained for too long?"
    )  # fmt: skip
    expect(gap < 1.5 * zero, "Yours is farther from the teacher than an actor that gives 0 does "
           "nothing: does it climb the loss?")  # fmt: skip
    expect(found.abs().max() > 0.05, "Your actor acts as if newly made: it has hardly trained. "
           "Does each update call backward() and step()?")  # fmt: skip
    late = rows[-64:].mean() > 10 * rows[:64].mean()
    expect(not late, "Yours fits the first rows and not the last. Are they drawn from all len(obs) "
           "rows, anew for each update?")  # fmt: skip
    for row in (0, -1):
        only = rows[row] < 1e-4 and rows.mean() > 0.1 * zero
        expect(not only, f"Yours fits row {row} and no other: the loss is the mean over many rows.")
    flat = (found.std(dim=0) < 0.2 * wanted.std(dim=0)).all()
    expect(not flat, "Yours gives nearly the same action everywhere: does each row keep its own "
           "action? Check the shapes in the loss, and that both are indexed alike.")  # fmt: skip
    expect(
        False,
        f"On rows of the same teacher that it has not seen, the loss of Eq. 1 is {gap:.3f}; below "
        f"{ENOUGH} is wanted. More updates, another learning rate, a hidden layer? Are the "
        "gradients of the last update cleared?",
    )


def check_mean(answer: Callable) -> None:
    """Grade a clone of a teacher who does one of two things in each state, and its seed."""
    corners = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 4)
    side = corners[:, :1]
    order = torch.randperm(128, generator=torch.Generator().manual_seed(1))
    obs = corners.repeat(8, 1)[order]
    noisy = torch.cat([side] * 2 + [-side] * 6)[order] * 0.9  # 2 and 6 times in each corner
    actor, again, other = (fitted(answer, obs, noisy, seed, k) for k, seed in enumerate((0, 0, 4)))
    found = torch.stack([acts(each, corners, side) for each in (actor, other)])
    free = [acts(each, 0.4 * corners, side) for each in (actor, again, other)]  # not learned
    middle = -(found * side).mean().item()
    expect(
        abs(middle) > 0.05,
        "A loss of actions (B,) and (B, 1) compares every row with every row: keep both (B, 1).",
    )
    expect(
        abs(middle - 0.45) < 0.085,  # small batches make it waver, by 0.03 or so
        "A teacher who takes −0.9 in three of four cases and 0.9 in the fourth has the mean −0.45, "
        f"and that is what the squared distance of Eq. 1 leads to; yours takes {-middle:.2f}. "
        "Is it another distance?",
    )
    expect(
        close(free[0], free[1], 1e-6),
        "Called twice with one seed, fit_clone returns two different actors. Seed the weights "
        "before the network is made, and all that is drawn later.",
    )
    expect(
        not close(free[0], free[2], 1e-7),
        "Two seeds give the same actor: does the first layer's start depend on seed?",
    )
    spread = ((found + 0.45 * side) ** 2).mean().sqrt().item()
    expect(
        spread < 0.17,
        "On average yours takes his mean, but state by state it does not: has it seen only some of "
        "the rows? Each update draws anew, from all of them.",
    )


def ask(answer: Callable, shown: np.ndarray, path: np.ndarray, threshold: float) -> int | None:
    """Return a learner's time step, or None for never; a hint if it raises or changes its data."""
    given = copy.deepcopy((shown, path))
    found = attempt("first_departure", answer, *given, threshold)
    expect(same(given, (shown, path)), "first_departure changes its arguments; work on copies.")
    if found is None:
        return None
    expect(
        not isinstance(found, bool | np.bool_) and np.ndim(found) == 0,
        f"Return one time step, an integer, or None; got {found!r}.",
    )
    step = number("first_departure", found)
    expect(step % 1 == 0, f"A time step is a whole number; yours is {step:g}.")
    return int(step)


def from_nearest(shown: np.ndarray, path: np.ndarray) -> np.ndarray:
    """Return how far each obs of a path is from the nearest shown one: (M, d), (T, d) to (T,)."""
    gaps = shown[None] - path[:, None]
    return np.sqrt((gaps**2).sum(axis=2)).min(axis=1)


def check_departure(answer: Callable) -> None:
    """Grade the first time step at which a path is too far from all demonstrated states."""
    shown = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [100.0, 100.0]])
    far = [6.0, 6.0]  # 7.2 from the nearest two; 8.5 from the first
    path = np.array([[9.0, 1.0], [3.0, 4.0], [0.0, 9.0], far, [1.0, 0.0], [50.0, 50.0]])
    step = ask(answer, shown, path, 5.0)
    expect(
        step is not None,
        f"Step 3, {far}, is 7.2 from the nearest demonstrated state, and the threshold is 5. Yours "
        "returns nothing, which means never.",
    )
    largest = from_nearest(shown, path).max()
    expect(step != 1, "Step 1 is exactly 5 from (0, 0) and does not exceed 5; and 5 is a "
           "distance, the root of 9 + 16.")  # fmt: skip
    expect(
        step != 0,
        "Step 0 lies near the second demonstrated state. A state counts as known if one of all "
        "the demonstrated ones is near, whichever it is.",
    )
    expect(step != 4, "Time steps are counted from 0; or is it the last step but one?")
    expect(step != 5, "That is the farthest step. An earlier one exceeds the threshold already.")
    expect(step != 2, "Step 2 is 1 from (0, 10). Or do you count the far steps?")
    expect(step == 3, f"Step 3 is the first one, 7.2 from the nearest; yours is {step}.")
    back = ask(answer, shown, path[:5], 5.0)
    expect(back == 3, f"It counts that step 3 is far, even if step 4 is near again; yours {back}.")
    last = ask(answer, shown[[3, 1, 2, 0]], path[:4], 5.0)
    expect(last == 3, "The last step of a path counts as well, and so does the last demonstrated "
           f"state, wherever it lies; yours {last}.")  # fmt: skip
    never = ask(answer, shown, path, 65.0)
    expect(never is None, f"This path never leaves: return None; yours is {never}. "
           f"Its largest distance is {largest:.1f}, the threshold 65.")  # fmt: skip
    first = ask(answer, shown, path[5:], 1.0)
    expect(first is not None, "A path that starts far away leaves at step 0, and 0 is not None.")
    expect(first == 0, f"A path of one step, far away, leaves at step 0; yours is {first}.")
    rng = fresh()
    for rows, steps, size in ((30, 12, 3), (2, 40, 1), (1, 30, 4), (12, 12, 2), (2, 30, 6)):
        shown, path = rng.normal(size=(rows, size)), rng.normal(size=(steps, size)).cumsum(axis=0)
        nearest = from_nearest(shown, path)
        top = float(nearest.max())
        for threshold in (*rng.uniform(0, top, 8).tolist(), top - 0.01, top + 0.1):
            if np.abs(nearest - threshold).min() < 1e-3:
                continue  # rounding could decide
            over = np.flatnonzero(nearest > threshold)
            wanted = int(over[0]) if len(over) else None
            found = ask(answer, shown, path, threshold)
            expect(
                found == wanted,
                f"{rows} demonstrated states {(size,)}, a path of {steps} steps, threshold "
                f"{threshold:.2f}: the step is {wanted}, yours {found}. Is the distance the root "
                "of the sum of squares?",
            )
    right("The clone is only asked to be right where the teacher has been.")
