"""Checks of the exercises of chapter 04: numbers, targets, errors; those of agents stand apart."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from pgcourse.exercises.ddpg_kit import array, close
from pgcourse.exercises.grading import call, expect, fresh, lock, number, right
from pgcourse.exercises.td3_update import check_patient as check_patient
from pgcourse.exercises.td3_update import check_td3_update as check_td3_update

# 1 and 2: numbers.


def check_maximum(chooser: Any, other: Any, smaller: Any) -> None:
    """Grade the mean errors of two critics about the best of three actions, by fair coins."""
    chooser, other = number("chooser", chooser), number("other", other)
    smaller = number("smaller", smaller)
    expect(not close(chooser, 7 / 8), "That is the chance of +1. Else it is −1, not 0.")
    expect(not close(chooser, 1 / 2), "That is the mean for two actions. Here are three.")
    expect(not close(chooser, 1), "With chance 1/8 all three errors are −1.")
    expect(not close(chooser, 0), "A single error is 0 on average. The largest of three is not.")
    expect(close(chooser, 3 / 4), f"+1 unless all three are −1: 7/8 − 1/8; yours is {chooser:g}.")
    expect(not close(other, 3 / 4), "The second critic had no part in the choice.")
    expect(close(other, 0), f"Its error of the chosen action is a fair coin; yours {other:g}.")
    expect(
        not close(smaller, -1 / 2),
        "So it would be for an action that nobody chose. The first answer is +1 with chance 7/8.",
    )
    expect(not close(smaller, -1 / 4), "That is the mean for two actions. Here are three.")
    expect(not close(smaller, 3 / 8), "That is not the mean of the smaller, but of the average.")
    expect(not close(smaller, 7 / 16), "That is the chance of +1. Else it is −1, not 0.")
    expect(
        close(smaller, -1 / 8),
        f"It is +1 only if both are, with chance 7/8 · 1/2; yours is {smaller:g}.",
    )
    right("The more actions, the more the chooser promises; the smaller answer stays near 0.")


def check_turns(critics: Any, actor: Any, half: Any) -> None:
    """Grade how often a delayed agent's networks learn, and the half-life of its slow copies."""
    critics, actor = number("critics", critics), number("actor", actor)
    half = number("half", half)
    expect(critics != 333, "The critics do not wait; they learn in each update.")
    expect(critics == 1_000, f"One step in each of 1,000 updates; yours is {critics:g}.")
    expect(actor not in (500, 1_000), "Here the delay is 3.")
    expect(abs(actor - 1_000 / 3) > 0.4 or actor == 333, "A number of steps is a whole number.")
    expect(actor != 334, "Update 1,000 is not divided by 3: the last turn is update 999.")
    expect(actor == 333, f"The actor's turn is each third update; yours is {actor:g}.")
    expect(
        half != 139, "So many steps the slow copy needs; it takes one in each third update only."
    )
    expect(half != 278, "Here the delay is 3.")
    expect(
        half not in (414, 415, 416),
        "Count whole steps: after 138 of them a little more than half is left, 0.995 to the power "
        "of 138. One more is needed.",
    )
    expect(half % 1 == 0, "A number of updates is a whole number: round up to the next turn.")
    expect(half == 417, f"139 steps of the slow copy, one in each third update; yours {half:g}.")
    right("A delay slows the target down as a smaller τ does.")


# 3 to 6: functions.


def check_twin_target(answer: Callable) -> None:
    """Grade the target from the answers of two slow critics."""
    reward, terminated = torch.tensor([1.0, 1.0, 1.0]), torch.tensor([0.0, 0.0, 1.0])
    q1, q2 = torch.tensor([10.0, 8.0, 20.0]), torch.tensor([12.0, 5.0, 30.0])
    q1.requires_grad_()
    target = call(answer, reward, terminated, q1, q2, 0.9)
    expect(isinstance(target, torch.Tensor), f"Return a tensor; got {type(target).__name__}.")
    expect(not target.requires_grad, "Your target carries a gradient; it is data.")
    found = array("twin_target", target, (3,))
    for slip, hint in (
        ([11.8, 8.2, 1.0], "Yours takes the larger answer."),
        ([10.9, 6.85, 1.0], "Yours takes the mean of both; the smaller one counts."),
        ([10.0, 8.2, 1.0], "Yours takes the first critic's answer only."),
        ([11.8, 5.5, 1.0], "Yours takes the second critic's answer only."),
        ([10.0, 5.5, 19.0], "Where it terminated nothing follows."),
        ([1.0, 1.0, 19.0], "terminated is upside down."),
        ([11.0, 6.0, 1.0], "γ is missing."),
        ([5.5, 5.5, 1.0], "The smaller of two answers in each row, not the smallest of all."),
        ([9.0, 4.5, 0.0], "The reward is missing."),
    ):
        expect(not close(found, slip), hint)
    expect(close(found, [10.0, 5.5, 1.0]), f"It should be [10, 5.5, 1]; yours is {found}.")
    rng = fresh()
    for n, gamma in ((2, 0.5), (1, 0.0), (7, 0.99), (40, 1.0)):
        reward, one, two = torch.from_numpy(rng.normal(size=(3, n))).float()
        terminated = torch.from_numpy(rng.integers(0, 2, n)).float()
        found = array("twin_target", call(answer, reward, terminated, one, two, gamma), (n,))
        wanted = reward + gamma * (1 - terminated) * torch.minimum(one, two)
        expect(
            close(found, wanted),
            f"{n} random rows, γ = {gamma:g}: the first target should be {wanted[0]:.4f}; yours "
            f"{found[0]:.4f}. Each row has its own smaller answer.",
        )
    right("What only one of the two promises does not count.")


def check_smoothed(answer: Callable) -> None:
    """Grade target actions with clipped noise."""
    action = torch.tensor([[0.8, -0.2], [0.0, -0.9], [0.3, 0.1]])
    noise = torch.tensor([[1.5, 0.5], [-9.0, -1.0], [4.0, 0.0]])  # in deviations
    found = call(answer, action, noise, 0.2, 0.5)
    expect(isinstance(found, torch.Tensor), f"Return a tensor; got {type(found).__name__}.")
    found = array("smoothed", found, (3, 2))
    small = (0.2 * noise).clamp(-0.5, 0.5)
    for slip, hint in (
        (action + small, "The action itself is kept in [−1, 1], too."),
        ((action + 0.2 * noise).clamp(-1, 1), "The noise is cut to [−clip, clip] first."),
        (
            (action + noise.clamp(-0.5, 0.5)).clamp(-1, 1),
            "sigma is missing: noise has deviation 1.",
        ),
        ((action + 0.2 * noise.clamp(-0.5, 0.5)).clamp(-1, 1), "Cut sigma · noise, not noise."),
        ((action + 0.2 * noise).clamp(-0.5, 0.5), "clip is for the noise; the action may be 1."),
        ((action + (0.2 * noise).clamp(max=0.5)).clamp(-1, 1), "The noise is cut on both sides."),
        ((action - small).clamp(-1, 1), "The noise is added."),
        (action, "Yours adds no noise."),
    ):
        expect(not close(found, slip), hint)
    wanted = (action + small).clamp(-1, 1)
    expect(close(found, wanted), f"It should be {wanted.tolist()}; yours is {found.tolist()}.")
    rng = fresh()
    for n, dim, sigma, clip in (
        (9, 1, 0.1, 0.3),
        (30, 1, 0.0, 0.5),
        (9, 4, 1.0, 0.25),
        (50, 2, 0.6, 2.0),
        (1, 3, 0.6, 2.0),
    ):
        action = torch.from_numpy(rng.uniform(-1, 1, (n, dim))).float()
        noise = torch.from_numpy(rng.normal(size=(n, dim))).float()
        found = array("smoothed", call(answer, action, noise, sigma, clip), (n, dim))
        wanted = (action + (sigma * noise).clamp(-clip, clip)).clamp(-1, 1)
        expect(
            close(found, wanted),
            f"{n} random actions of {dim} numbers, sigma {sigma:g}, clip {clip:g}: the first one "
            f"should be {wanted[0, 0]:.4f}; yours is {found[0, 0]:.4f}.",
        )
    right("The noise is drawn outside, so a loss itself draws nothing and can be run again.")


def check_chosen_errors(answer: Callable) -> None:
    """Grade the mean errors of the chooser, of the other critic, and of the smaller answer."""

    def ask(true: np.ndarray, first: np.ndarray, second: np.ndarray) -> list[float]:
        found: Any = call(answer, true, first, second)
        expect(np.shape(found) == (3,), f"Return (chooser, other, smaller); got {found!r}.")
        return [number("an error", each) for each in found]

    true = np.array([0.0, 1.0])
    first, second = np.array([[2.0, 1.5], [0.0, 3.0]]), np.array([[1.0, 5.0], [4.5, 5.0]])
    found = ask(true, first, second)  # of actions 0 and 1
    expect(
        not close(found[1], 4.0), "The second critic chose for itself. The first chooses for both."
    )
    for slip, hint in (
        ([1.5, 2.0, 1.0], "Subtract the true value of the action that was chosen, not the best."),
        ([2.5, 3.0, 2.0], "An error is an answer minus the true value of the chosen action."),
        ([2.0, 2.5, 2.0], "The smaller answer is taken in each row, before the mean."),
        ([-2.0, -2.5, -1.5], "An error is what was promised minus what is true."),
    ):
        expect(not close(found, slip), hint)
    expect(
        close(found, [2.0, 2.5, 1.5]),
        f"Row 0 chooses action 0, row 1 action 1: 2, 2.5 and 1.5; yours is {found}.",
    )
    rng = fresh()
    for rows, n in ((1, 1), (1, 4), (50, 2), (400, 7)):
        true = rng.normal(size=n)
        first, second = true + rng.normal(size=(2, rows, n))
        found, wanted = ask(true, first, second), errors(true, first, second)
        expect(
            close(found, wanted),
            f"{rows} random rows, {n} actions: it should be {np.round(wanted, 4).tolist()}; yours "
            f"is {np.round(found, 4).tolist()}.",
        )
    right("Try it on errors that are alike: the more the critics share, the less the second helps.")


def errors(true: np.ndarray, first: np.ndarray, second: np.ndarray) -> list[float]:
    """Return what `check_chosen_errors` asks for."""
    rows, choice = np.arange(len(first)), first.argmax(axis=1)
    one, other = first[rows, choice], second[rows, choice]
    answers = (one, other, np.where(one < other, one, other))
    return [float((each - true[choice]).mean()) for each in answers]


def check_critic_errors(answer: Callable) -> None:
    """Grade a critic's errors along an episode."""
    values, rewards = np.array([5.0, 5.0, 5.0, 5.0]), np.array([1.0, 2.0, 4.0, 8.0])
    full = errors_along(values, rewards, True, 0.5, 1)  # returns 4, 6, 8, 8
    found = numbers(answer, values, rewards, True, 0.5, 3)
    expect(
        len(found) == 4, f"It terminated: nothing is missing, so every row counts; yours has "
        f"{len(found)} of 4."
    )  # fmt: skip
    for slip, hint in (
        (-full, "An error is what was promised minus what came."),
        (values - rewards, "What came is the sum of all rewards from then on, discounted."),
        (values - rewards[::-1].cumsum()[::-1], "γ is missing."),
        (values - 0.5 * (values - full), "The first reward is not discounted."),
        (
            values - 0.5 ** np.arange(4) * (values - full),
            "Discount from the row's own step on, not from the episode's start.",
        ),
    ):
        expect(not close(found, slip), hint)
    expect(close(found, full), f"It should be {full.tolist()}; yours is {found.tolist()}.")
    cut = numbers(answer, values, rewards, False, 0.5, 3)
    expect(
        len(cut) != 4, "A time limit cut it: of the last rows we do not know what would have come."
    )
    expect(
        len(cut) == 2,
        f"Rows 0 and 1 have three rewards or more from their own step on; yours keeps {len(cut)}.",
    )
    expect(close(cut, full[:2]), f"It should be {full[:2].tolist()}; yours is {cut.tolist()}.")
    rng = fresh()
    for n, last, terminated, gamma in (
        (1, 1, False, 0.9), (1, 2, False, 0.9), (30, 10, False, 0.99), (30, 10, True, 0.0),
        (12, 1, False, 1.0), (5, 5, False, 0.7), (9, 12, False, 0.7), (200, 50, True, 0.97),
    ):  # fmt: skip
        values, rewards = rng.normal(size=(2, n))
        found = numbers(answer, values, rewards, terminated, gamma, last)
        wanted = errors_along(values, rewards, terminated, gamma, last)
        case = f"{n} steps, terminated {terminated}, last {last}, γ {gamma:g}"
        expect(
            len(found) == len(wanted), f"{case}: {len(wanted)} rows count; yours has {len(found)}."
        )
        expect(
            close(found, wanted),
            f"{case}: the first error should be {wanted[:1].round(4)}; yours {found[:1].round(4)}.",
        )
    right("This is what section 9 draws. A critic can only be judged by its own actor's episodes.")


def numbers(answer: Callable, *arguments: Any) -> np.ndarray:
    """Return what a learner's function returns as a float array (n,); a hint if it is none."""
    found = call(answer, *arguments)
    if isinstance(found, torch.Tensor):
        found = found.detach()
    try:
        found = np.asarray(found, dtype=np.float64)
    except (TypeError, ValueError):
        expect(False, f"Return an array of numbers; got {found!r}.")
    expect(found.ndim == 1, f"Return an array (rows,); yours has the shape {found.shape}.")
    return found


def errors_along(
    values: np.ndarray, rewards: np.ndarray, terminated: bool, gamma: float, last: int
) -> np.ndarray:
    """Return what `check_critic_errors` asks for."""
    returns, came = np.zeros(len(rewards)), 0.0
    for k in range(len(rewards))[::-1]:
        came = rewards[k] + gamma * came
        returns[k] = came
    keep = len(rewards) if terminated else max(0, len(rewards) - last + 1)
    return (values - returns)[:keep]


lock()
