"""Checks of the exercises of chapter 06: a corridor, n-step rows, seams; draws stand apart."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from pgcourse.exercises.ddpg_kit import array, close, tell
from pgcourse.exercises.ddpgfd_draws import check_chances as check_chances
from pgcourse.exercises.ddpgfd_draws import check_importance as check_importance
from pgcourse.exercises.ddpgfd_draws import check_stale as check_stale
from pgcourse.exercises.ddpgfd_loss import check_critic_objective as check_critic_objective
from pgcourse.exercises.grading import call, expect, fresh, lock, number, right

RUNS = 400
COLUMNS = "R", "after", "ended", "discount"

# 1: a corridor.


def check_predicted(even: Any, three: Any, copies: Any) -> None:
    """Grade mean counts of updates: one step, three steps, and each demonstrated row ten times."""
    tell("even", number("even", even), 2_000.0, {
        400.0: "so it is without useless rows.", 1_600.0: "the memory is all 100 rows.",
        100.0: "that is one wait, for one row among 100.",
        1_900.0: "the last state's row has to be drawn, too.",
        80.0: "how many rows are there, and how many waits?",
    }, "twenty waits, each for one row among all.")  # fmt: skip
    tell("three", number("three", three), 700.0, {
        2_000 / 3: "20 / 3 is no whole number of waits.", 600.0: "six times three states are 18.",
        2_000.0: "a draw now carries the value three states further.",
        140.0: "the useless rows are still there.", 300.0: "three states a wait, not three waits.",
        100.0: "that is one wait.",
    }, "how many waits are there, from the end to the start in steps of three?")  # fmt: skip
    tell("copies", number("copies", copies), 560.0, {
        2_000.0: "of the row that is waited for there are ten now.",
        200.0: "the copies lie in the memory as well: it has more than 100 rows.",
        5_600.0: "of the row that is waited for there are ten now.",
        400.0: "the useless rows are still there.", 28.0: "that is one wait.",
    }, "of how many rows are ten the right ones?")  # fmt: skip
    right("Copies make a demonstration's rows likelier, as a bonus does. Now measure.")


def check_corridor_run(answer: Callable) -> None:
    """Grade a simulated run, by means over many."""

    def ask(states: int, junk: int, n: int, runs: int) -> np.ndarray:
        seeds = fresh().integers(2**32, size=runs)
        found = [call(answer, states, junk, n, np.random.default_rng(seed)) for seed in seeds]
        return np.array([number("A run", each) for each in found])

    for n in (1, 3):
        (found,) = ask(1, 0, n, 1)
        expect(found != 0, "One state, one row: the first draw is the last one, and it counts.")
        expect(found == 1, f"One state, one row, n = {n}: one draw is enough; yours {found:g}.")
    for states, junk, n, slips in (
        (4, 6, 1, {
            10: "A row teaches something only if the next state's value is already right.",
            16: "Useless rows are drawn, too.",
            30: "The last row has to be drawn, too: nothing is known at first.",
            250 / 12: "It is not enough that each row was drawn: the order counts.",
        }),
        (5, 5, 2, {
            50: "With n = 2 a row looks two states ahead.", 10: "n = 2, not to the end.",
            20: "With n = 2 row 3 is the last but one: does its window reach the end?",
        }),
        (5, 5, 9, {50: "With n = 9 each row looks as far as the end."}),
    ):  # fmt: skip
        found, rows = ask(states, junk, n, RUNS), states + junk
        waits = math.ceil(states / n)
        gap = 5 * rows * math.sqrt(waits * (1 - 1 / rows) / RUNS)  # five standard errors
        expect(np.ptp(found) > 0, "Each run should be drawn; yours all return the same number.")
        if abs(found.mean() - waits * rows) > gap:
            likely = min(slips, key=lambda slip: abs(slip - found.mean()))
            spread = 5 * found.std() / math.sqrt(RUNS)
            expect(abs(likely - found.mean()) > spread, slips[likely])
            told = f"{states} states, {junk} useless rows, n = {n}"
            expect(False, f"{told}: a mean near {waits * rows}; yours is {found.mean():.1f}.")
    right("The count and the formula agree: at each moment one row among all is of use.")


# 2 and 3: n-step rows.


def check_targets(first: Any, third: Any, ended: Any, short: Any) -> None:
    """Grade three-step targets in an episode with rewards 4, 8, 0, 16; γ = 1/2, values 24."""
    tell("first", number("first", first), 11.0, {
        8.0: "what follows the three steps is missing.", 16.0: "that is the one-step target.",
        14.0: "the value comes after three steps: γ³.", 20.0: "the value's discount is γ³.",
        32.0: "the value is discounted, too.", 15.0: "the later rewards are discounted.",
        7.0: "the first reward is not discounted.", 11.5: "n is 3, not 4.",
    }, "three rewards, and γ³ of the value after them.")  # fmt: skip
    tell("third", number("third", third), 14.0, {
        8.0: "a time limit is no end: the slow critic says what would have followed.",
        11.0: "k is 2 here, and γ^k belongs to its own k.", 12.0: "that is the one-step target.",
        36.0: "the reward of 100 belongs to another episode.", 20.0: "after two steps: γ².",
        33.0: "the reward of 100 belongs to another episode.", 32.0: "the value is discounted.",
        22.0: "the reward of the fourth step is discounted.", 28.0: "two steps: γ and γ².",
    }, "two rewards, and γ² of the value after them.")  # fmt: skip
    tell("ended", number("ended", ended), 8.0, {
        14.0: "nothing follows a true end.", 11.0: "nothing follows a true end.",
        0.0: "the reward of the step that ends the episode counts.",
        33.0: "the reward of 100 belongs to another episode.", 12.0: "there is a second reward.",
        36.0: "the reward of 100 belongs to another episode.", 16.0: "γ is missing.",
    }, "two rewards, and no more.")  # fmt: skip
    short = number("short", short)
    expect(short != 3, "short: the second row's three steps end with the episode: its k is 3.")
    expect(short != 1, "short: of the third row, too, there are no three steps.")
    expect(short == 2, f"short: the third row and the fourth; yours is {short:g}.")
    right("Three rows of four end with this episode; two of them have a smaller power of γ.")


def check_n_step_rows(answer: Callable) -> None:
    """Grade R, the state after, whether it ended, and γ^k along an episode."""

    def ask(reward: np.ndarray, *settings: Any) -> list[np.ndarray]:
        found = call(answer, reward, *settings)
        good = isinstance(found, tuple | list | np.ndarray) and len(found) == 4
        expect(good, "Return four arrays: R, after, ended, discount.")
        return [array(name, each, reward.shape) for name, each in zip(COLUMNS, found, strict=True)]

    reward = np.array([1.0, 2.0, 4.0, 8.0])
    hints = (
        {"R is the sum of up to n rewards; yours has one.": reward,
         "R: the rewards are not discounted.": [7, 14, 12, 8],
         "R: the first reward is not discounted.": [1.5, 3, 4, 4],
         "R: at most n rewards; yours goes to the end.": [4, 6, 8, 8],
         "R: at the end yours begins again with the first reward.": [3, 6, 8.25, 9],
         "R: the last rows have shorter windows, but not empty ones.": [3, 6, 0, 0],
         "R: discount from the row's own step on.": [3, 3, 2, 1]},
        {"after: behind the last state there is none.": [3, 4, 5, 6],
         "after: n steps later, not one.": [1, 2, 3, 4],
         "after: the state after the last step of the window, not before it.": [2, 3, 3, 3],
         "after: the episode has a state after its last step, number T.": [3, 3, 3, 3]},
        {"ended: a window of several steps may hold the last one.": [0, 0, 0, 1],
         "ended: a window of n steps may end with the last one.": [0, 0, 1, 1],
         "ended: the first window does not reach the last step.": [1, 1, 1, 1],
         "ended is upside down.": [1, 0, 0, 0],
         "ended: here the last step truly ended it.": [0, 0, 0, 0]},
        {"discount: γ^k with the row's own k, not γ^n.": [1 / 8] * 4,
         "discount: the value comes after k steps: γ^k.": [1 / 4, 1 / 4, 1 / 2, 1],
         "discount: γ to the power k; yours is γ.": [1 / 2] * 4,
         "discount: k counts from the row's own step on.": [1 / 2, 1 / 4, 1 / 8, 1 / 16]},
    )  # fmt: skip
    found, wanted = ask(reward, True, 3, 0.5), rows_of(reward, True, 3, 0.5)
    for name, mine, true, slips in zip(COLUMNS, found, wanted, hints, strict=True):
        for hint, slip in slips.items():
            expect(not close(mine, slip), hint)
        expect(close(mine, true), f"{name} should be {true.tolist()}; yours is {mine.tolist()}.")
    found, wanted = ask(reward, False, 3, 0.5), rows_of(reward, False, 3, 0.5)
    expect(not found[2].any(), "A time limit ended it: then ended is 0 in each row.")
    for k in (0, 1, 3):
        expect(close(found[k], wanted[k]), f"A time limit cuts windows, too: see {COLUMNS[k]}.")
    rng = fresh()
    for size, n, gamma in ((1, 1, 0.9), (1, 4, 0.9), (30, 1, 0.0), (25, 10, 0.99), (7, 7, 1.0),
                           (9, 20, 0.7)):  # fmt: skip
        reward, terminated = rng.normal(size=size), bool(rng.integers(2))
        wanted = rows_of(reward, terminated, n, gamma)
        for name, mine, true in zip(
            COLUMNS, ask(reward, terminated, n, gamma), wanted, strict=True
        ):
            expect(
                close(mine, true),
                f"{size} steps, n = {n}, γ = {gamma:g}: {name} should begin with "
                f"{true[:3].round(4).tolist()}; yours with {mine[:3].round(4).tolist()}.",
            )
    right("With these four columns the target is one line, whatever ended a window.")


def rows_of(
    reward: np.ndarray, terminated: bool, n: int, gamma: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return what `check_n_step_rows` asks for."""
    size = len(reward)
    ahead = np.arange(size) - np.arange(size)[:, None]
    inside = (ahead >= 0) & (ahead < n)
    far = inside.sum(axis=1)
    total = (inside * gamma ** np.abs(ahead).astype(float)) @ reward
    behind = np.arange(size) + far
    return total, behind, (behind == size) * float(terminated), gamma**far


# 4: seams.


def check_wrong_rows(answer: Callable) -> None:
    """Grade which rows of a ring have windows that go on in the next episode."""

    def ask(ring: tuple, n: int) -> set[int]:
        found = call(answer, *ring, n)
        expect(isinstance(found, Iterable), f"Return the numbers of the rows; got {found!r}.")
        found = list(found)
        mask = len(found) > 0 and isinstance(found[0], bool | np.bool_)
        expect(not mask, "Return the numbers of the rows, not a mask.")
        return {int(number("A row", each)) for each in found}

    rng = fresh()
    ring = make_ring([(3, False), (2, True), (3, False)], 5, rng)  # the seam is behind row 7
    found = ask(ring, 3)
    for slip, hint in (
        (set(), "Where does next_obs differ from the obs of the row behind it? "
                "Behind the last row comes row 0."),
        ({7}, "A window of the row before it reaches over the seam, too."),
        ({5, 6, 7}, "A window that ends with the last row of its episode is right."),
        ({6, 7, 0, 1}, "Where an episode terminated a window ends by itself."),
        ({6, 7, 3, 4}, "A window does not go on behind the newest row."),
        ({6, 7, 0, 1, 3, 4}, "A window ends by itself behind a true end, and behind the newest."),
        ({0, 1}, "Windows look ahead, and a true end stops them: look before the seam."),
        ({0}, "Windows look ahead: the first row of an episode is not to blame."),
        ({6}, "The last row of an episode, too, has a window that goes on."),
    ):  # fmt: skip
        expect(found != slip, hint)
    expect(found == {6, 7}, f"n = 3: rows 6 and 7 are wrong; yours are {sorted(found)}.")
    for n in (1, 2, 4, 6):
        for _ in range(8):
            lengths = rng.integers(1, 6, size=int(rng.integers(2, 9)))
            episodes = [(int(length), bool(rng.integers(2))) for length in lengths]
            ring = make_ring(episodes, int(rng.integers(40)), rng)
            found, wanted = ask(ring, n), over_a_seam(*ring, n)
            told = f"{len(ring[0])} rows, the newest is {ring[3]}, n = {n}"
            expect(found == wanted, f"{told}: wrong are {sorted(wanted)}; yours {sorted(found)}.")
    right("A reward from behind a seam looks like any other, and nothing raises an error.")


def make_ring(episodes: list[tuple[int, bool]], shift: int, rng: np.random.Generator) -> tuple:
    """Return obs, next_obs, terminated and the newest row of a full ring, oldest row at shift."""
    path = [rng.normal(size=(length + 1, 2)) for length, _ in episodes]
    flags = [[False] * (length - 1) + [end] for length, end in episodes]
    columns = [np.concatenate(each) for each in ([p[:-1] for p in path], [p[1:] for p in path])]
    size = len(columns[0])
    columns = [np.roll(each, shift, axis=0) for each in (*columns, np.concatenate(flags))]
    return *columns, (shift - 1) % size


def over_a_seam(
    obs: np.ndarray, next_obs: np.ndarray, terminated: np.ndarray, newest: int, n: int
) -> set[int]:
    """Return what `check_wrong_rows` asks for."""
    seam = (next_obs != np.roll(obs, -1, axis=0)).any(axis=1)
    stops = np.asarray(terminated, dtype=bool) | (np.arange(len(obs)) == newest)
    wrong = np.zeros(len(obs), dtype=bool)
    for _ in range(n - 1):  # wrong is a row with a seam behind it, or before one that is wrong
        wrong = ~stops & (seam | np.roll(wrong, -1))
    return set(np.flatnonzero(wrong).tolist())


lock()
