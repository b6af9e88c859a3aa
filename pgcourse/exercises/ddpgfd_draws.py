"""Checks of chapter 06's exercises on priorities: chances, importance weights, what is stale."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pgcourse.exercises.ddpg_kit import array, close, tell
from pgcourse.exercises.grading import call, expect, fresh, number, right
from pgcourse.parts.prioritized import importance_weights, priority

# 5: priorities and chances.


def check_chances(answer: Callable, times: Any, share: Any) -> None:
    """Grade the chances of all rows, Eqs. 2 and 3, and two numbers about boring rows."""
    T = torch.tensor
    given = T([2.0, -1.0, 0.0]), T([[1.0, 2.0], [0.0, 0.0], [0.0, 1.0]]), T([0.0, 1.0, 0.0])
    settings = 0.5, 0.25, 8.0, 0.5

    def ask(*arguments: Any) -> np.ndarray:
        return array("chances", call(answer, *arguments), (len(arguments[0]),))

    found = ask(*given, *settings)
    error, slope, demo = given
    squares = (slope**2).sum(dim=1)

    def out_of(p: Tensor, alpha: float = 0.5) -> Tensor:
        return p**alpha / (p**alpha).sum()

    p = priority(*given, *settings[:3])
    for slip, hint in (
        (p, "Those are priorities. Eq. 3 makes chances of them."),
        (p**0.5, "Divide by the sum: chances add up to 1."),
        (out_of(p, 1.0), "α is missing: here it is 0.5."),
        ((p / p.sum()) ** 0.5, "The power comes first, then the division."),
        (out_of(p - error**2 + error.abs()), "δ is squared in Eq. 2."),
        (out_of(p - error**2), "δ² is missing."),
        (out_of(p - 0.5 * squares), "The slope's part is missing."),
        (out_of(p + 0.5 * squares), "slope_weight, ζ3, is missing: here it is 0.5."),
        (out_of(p + 0.5 * (squares.sqrt() - squares)), "The slope's length is squared."),
        (out_of(p - 0.25 * squares), "The slope's squares are added up, not averaged."),
        (out_of(p + 0.5 * (slope.sum(dim=1) ** 2 - squares)), "Square first, then add up."),
        (out_of(p + 8 - 8 * demo), "The bonus is for demonstrations alone."),
        (out_of(p - 8 * demo), "The bonus of demonstrations is missing."),
        (out_of(p + 8 - 16 * demo), "demo is upside down."),
        (out_of(p - 0.25), "p0 is missing."),
        (out_of(p - 0.25 * demo), "p0 is for demonstrations, too: they have p0 and p_D."),
    ):
        expect(not close(found, slip), hint)
    wanted = out_of(p).tolist()
    expect(close(found, wanted), f"It should be {np.round(wanted, 4)}; yours is {found.round(4)}.")
    rng = fresh()
    for size, dim, alpha in ((1, 1, 0.3), (7, 3, 0.0), (40, 2, 1.0), (25, 1, 0.6)):
        demo = torch.from_numpy(rng.integers(0, 2, size)).float()
        given = torch.randn(size), torch.randn(size, dim), demo
        three = rng.uniform(0.1, 2.0, 3).tolist()
        found, wanted = ask(*given, *three, alpha), out_of(priority(*given, *three), alpha)
        expect(
            close(found, wanted),
            f"{size} random rows, α = {alpha:g}: the first chance should be {wanted[0]:.4f}; yours "
            f"is {found[0]:.4f}.",
        )
    ratio = 11**0.3
    tell("times", number("times", times), ratio, {
        11.0: "so it would be with ξ = 1; here it is 0.3.", 10**0.3: "a demonstration has p0, too.",
        10.0: "a demonstration has p0, too, and ξ is 0.3.", 3.3: "ξ is a power.",
        1 / ratio: "the other way round.", 0.11**0.3: "that is the power of one priority.",
    }, "the ratio of both priorities, to the power ξ.")  # fmt: skip
    tell("share", number("share", share), ratio / (ratio + 9), {
        0.1: "that is their share of the rows, not of the draws.", 11 / 20: "ξ is 0.3.",
        ratio / 10: "the sum of all shares is more than that of 10,000 others.",
        ratio / 9: "that is their ratio to the others; the whole has both.",
        100 * ratio / (ratio + 9): "as a number between 0 and 1.",
        1 - ratio / (ratio + 9): "that is the share of the others.",
    }, "1,000 rows that count `times` each, beside 9,000 that count 1.")  # fmt: skip
    right("With the paper's ξ a bonus of ten times p0 makes a boring row only twice as likely.")


# 6: importance weights.


def check_importance(answer: Callable, raw: Any, half: Any, full: Any) -> None:
    """Grade the weights of drawn rows, and which share of a loss falls on a row."""

    def ask(p: Tensor, rows: Tensor, *powers: float) -> np.ndarray:
        return array("importance_weights", call(answer, p, rows, *powers), (len(rows),))

    p, rows = torch.tensor([16.0, 1.0, 4.0, 4.0]), torch.tensor([0, 2, 2])
    found = ask(p, rows, 0.5, 1.0)
    for slip, hint in (
        ([1 / 4, 1 / 2, 1 / 2], "The maximum is over the batch, not over the whole memory."),
        ([9 / 16, 9 / 8, 9 / 8], "Divide by the largest weight of the batch."),
        ([1.0, 0.5, 0.5], "What is drawn often gets a small weight."),
        ([0.25, 1.0, 1.0], "α is missing: the chances come from priority to the power α."),
        ([0.2, 0.4, 0.4], "Divide by the largest weight, not by the sum."),
        ([1.0, 1.0, 1.0], "With β = 1 the weights differ as the chances do."),
        ([9 / 4, 9 / 2, 9 / 2], "Divide by the largest weight of the batch."),
        ([16 / 9, 8 / 9, 8 / 9], "Those are N P. To which power do they go?"),
        ([4 / 9, 2 / 9, 2 / 9], "Those are the chances; what follows is Eq. 4."),
    ):
        expect(not close(found, slip), hint)
    expect(close(found, [0.5, 1, 1]), f"It should be [0.5, 1, 1]; yours is {found.round(4)}.")
    found = ask(p, rows, 0.5, 0.5)
    expect(not close(found, [0.5, 1, 1]), "β is missing: here it is 0.5.")
    rng = fresh()
    for size, alpha, beta in ((1, 0.5, 0.5), (9, 0.3, 1.0), (30, 1.0, 0.4), (30, 0.6, 0.0)):
        p = torch.from_numpy(rng.uniform(0.1, 9.0, size)).float()
        rows = torch.from_numpy(rng.integers(0, size, 6))
        found, share = ask(p, rows, alpha, beta), p**alpha
        wanted = importance_weights(size * share[rows] / share.sum(), beta)
        expect(
            close(found, wanted),
            f"{size} rows, α = {alpha:g}, β = {beta:g}: the first weight should be "
            f"{wanted[0]:.4f}; yours is {found[0]:.4f}.",
        )
    tell("raw", number("raw", raw), 4 / 19, {
        16 / 31: "ξ is ½: the priorities' roots count.", 4 / 15: "the whole has its own, too.",
        1 / 16: "that is its share of the rows.", 4.0: "as a share of the whole.",
    }, "without a correction it is how often the row is drawn.")  # fmt: skip
    tell("half", number("half", half), 2 / 17, {
        4 / 19: "β corrects for a part of that.", 1 / 16: "so it is with β = 1.",
        2 / 15: "the whole has its own share, too.", 8 / 23: "β has a minus: (N P)^−β.",
        (4 / 19 + 1 / 16) / 2: "half-way in the power is not half-way in the share.",
        1 / 2: "that is its weight. How often is it drawn?",
        1 / 31: "that is its share of the weights. How often is each row drawn?",
    }, "how often a row is drawn, times its weight; then its share of the sum.")  # fmt: skip
    tell("full", number("full", full), 1 / 16, {
        1 / 4: "that is its weight. How often is it drawn?", 4 / 19: "β = 1 corrects for that.",
        1 / 61: "that is its share of the weights. How often is each row drawn?",
        2 / 17: "so it is with β = ½.", 1 / 15: "the whole has its own share, too.",
    }, "chance times weight is the same for each row.")  # fmt: skip
    right("Seen in the mean, weights with β = 1 undo what priorities do.")


# 7: what is stale.


def check_stale(stale: Any, chance: Any, ought: Any, answer: Callable) -> None:
    """Grade the stale row of four after four draws, and a function that finds one in any memory."""
    stale = number("stale", stale)
    expect(stale != 1, "stale: the value behind row 1 is still 0, so nothing surprises there yet.")
    expect(stale != 3, "stale: row 3 was drawn last, and what follows it has not changed since.")
    expect(stale != 4, "stale: behind row 4 is the end; it learned all when it was drawn.")
    expect(stale == 2, f"stale: which row's next value changed after it was drawn? Not {stale:g}.")
    tell("chance", number("chance", chance), 1 / 4, {
        0.01: "that is its priority.", 1.0: "it was drawn, and lost the priority of a new row.",
        1.01 / 1.04: "that is what it ought to have.", 0.04: "divide by the sum.",
        0.01 / 4.0: "each row was drawn once, and has lost the priority of a new row.",
    }, "all four were drawn; with which priorities does that leave them?")  # fmt: skip
    tell("ought", number("ought", ought), 1.01 / 1.04, {
        1.01: "that is its priority.", 0.25: "that is the chance it has.",
        1.0: "the others have p0.", 1.01 / 2.04: "row 1 has nothing to learn yet.",
        1 / 1.01: "there are three other rows.", 0.5: "row 1 has nothing to learn yet.",
    }, "its error is now 1, that of the others 0.")  # fmt: skip
    rng = fresh()
    memories = [memory(rng) for _ in range(200)]
    found = [number("A row", call(answer, *each)) for each in memories]
    expect(all(0 <= row < 12 and row % 1 == 0 for row in found), "Return a row's number, 0 to 11.")

    def every(pick: Callable = np.argmax, **slip: Any) -> list[int]:
        return [int(pick(out_of_date(*each, **slip))) for each in memories]

    if found != every():
        for hint, slip in {
            "that is the most surprising row now. Its priority may know.": every(old=0.0),
            "that is the row with the smallest priority. It may be right.": every(now=0.0),
            "how many times as large, not by how much.": every(apart=True),
            "that is the row whose priority is most too high.": every(np.argmin),
            "behind a true end there is no value.": every(go=1.0),
            "terminated is upside down.": every(upside_down=True),
            "γ is missing.": every(rate=1.0), "δ is squared in Eq. 2.": every(power=1.0),
            "p0 is missing.": every(least=0.0),
            "the row's own value is missing in its error.": every(own=0.0),
            "the reward is missing.": every(earned=0.0),
        }.items():  # fmt: skip
            expect(found != slip, f"most_stale: {hint}")
        worst = next(k for k, row in enumerate(every()) if row != found[k])
        expect(False, f"most_stale: of a random memory it should be row {every()[worst]}; yours "
               f"is {found[worst]:g}.")  # fmt: skip
    right("To know this in each update, the critic would have to look at the whole memory.")


def memory(rng: np.random.Generator) -> tuple:
    """Return value, state, reward, next_state, terminated, priority, gamma, epsilon: 12 rows."""
    state, next_state = rng.integers(8, size=(2, 12))
    old = np.exp(rng.uniform(-3.0, 2.0, 12))
    gamma, epsilon = rng.uniform((0.3, 0.4), (0.8, 0.9)).tolist()
    rest = rng.normal(size=12), next_state, rng.random(12) < 0.3, old, gamma, epsilon
    return rng.normal(size=8), state, *rest


def out_of_date(
    value: np.ndarray, state: np.ndarray, reward: np.ndarray, next_state: np.ndarray,
    terminated: np.ndarray, p: np.ndarray, gamma: float, epsilon: float, *,
    old: float = 1.0, now: float = 1.0, apart: bool = False, go: float | None = None,
    upside_down: bool = False, rate: float | None = None, power: float = 2.0,
    least: float | None = None, own: float = 1.0, earned: float = 1.0,
) -> np.ndarray:  # fmt: skip
    """Return how many times its priority each row ought to have, or what a slip makes of it."""
    on = terminated if upside_down else ~terminated
    on = on if go is None else go
    after = (gamma if rate is None else rate) * on * value[next_state]
    error = np.abs(earned * reward + after - own * value[state])
    fit = error**power + (epsilon if least is None else least)
    return fit - p if apart else fit**now / p**old
