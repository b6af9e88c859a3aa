"""Checks of chapter 08's exercises on the arm: resets from demonstrations, and a teacher."""

from collections.abc import Callable, Set
from typing import Any

import numpy as np

from pgcourse.exercises.ddpg_kit import array, attempt, close
from pgcourse.exercises.grading import call, expect, fresh, right, same

# 6: resets.

# Where each of 13 demonstrated states is, and whether its goal, (0, 0), (1, 0) or (4, 4), is met
# within 0.25; the states of an episode, then those of the next.
PLACES = [
    [(0.2, 0.2), (0, 0.25), (1, 0), (0.1, 0.2)],
    [(0, 0), (0.5, 0), (1, 0.125), (4, 4), (2, 0), (1.5, 0), (1, 0)],
    [(4, 3.5), (4, 4.125)],
]
MET = [[0, 1, 0, 1], [0, 0, 1, 0, 0, 0, 1], [0, 1]]


def indices(name: str, answer: Any, most: int) -> np.ndarray:
    """Return an answer as integers below `most`, (n,); a hint if it is something else."""
    expect(np.iterable(answer) and hasattr(answer, "__len__"),
           f"{name} should return an array of indices; got {answer!r}.")  # fmt: skip
    answer = sorted(answer) if isinstance(answer, Set) else answer
    pair = isinstance(answer, tuple) and len(answer) == 1 and np.ndim(answer[0]) == 1
    expect(not pair, f"{name} returns a tuple with an array in it: take its first part, [0].")
    kind = str(getattr(answer, "dtype", type(answer[0]) if len(answer) else int))
    expect("bool" not in kind, f"{name} returns True or False for each state; return indices.")
    found = array(name, answer, (len(answer),))
    expect("float" not in kind, f"{name} should return integers, fit to index with.")
    expect(bool(((found >= 0) & (found < most)).all()),
           f"{name} returns an index that is no state: they go from 0 to {most - 1}.")  # fmt: skip
    return found.astype(int)


def distant(achieved: np.ndarray, episode: np.ndarray, goals: np.ndarray, gap: float) -> np.ndarray:
    """Return the indices of the states that are farther than `gap` from their goal."""
    return np.flatnonzero(np.linalg.norm(achieved - goals[episode], axis=1) > gap)


def check_resets(unsolved: Callable, draw_starts: Callable) -> None:
    """Grade which demonstrated states are worth a reset, and draws among them."""
    achieved = np.array([place for places in PLACES for place in places], dtype=np.float64)
    episode = np.repeat(np.arange(3), [len(places) for places in PLACES])
    goals, met = np.array([[0.0, 0], [1, 0], [4, 4]]), np.concatenate(MET).astype(bool)
    given, n = (achieved, episode, goals, 0.25), len(achieved)
    found = indices("unsolved", call(unsolved, *given), n)
    expect(len(set(found)) == len(found), "A state is in your answer twice.")
    found = set(found.tolist())
    expect(found != {0, 4, 5, 11}, "Yours stops where an episode first meets its goal. It may lose "
           "it again, and those states count, too.")  # fmt: skip
    expect(found != set(np.flatnonzero(met)), "These are the states in which the goal is met.")
    expect(len(found) < n, "Every state is in your answer, also those whose goal is met.")
    expect(1 not in found, "State 1 is exactly 0.25 away from its goal: that is met.")
    expect(0 in found, "State 0 is 0.28 away from its goal: a distance is the root of the sum of "
           "the squares.")  # fmt: skip
    expect(3 not in found, "State 3 is 0.22 away from its goal: a distance is the root of the sum "
           "of the squares.")  # fmt: skip
    expect({2, 4, 7} <= found, "States 2, 4 and 7 are at the goal of another episode: compare each "
           "with its own, goals[episode].")  # fmt: skip
    expect({8, 9} <= found, "In states 8 and 9 the goal was met earlier, and is not met now: a "
           "start there teaches something.")  # fmt: skip
    wanted = np.flatnonzero(~met).tolist()
    expect(sorted(found) == wanted, f"It should be {wanted}; yours is {sorted(found)}.")
    for tolerance in (0.0, 0.1875, 9.0):
        found = call(unsolved, achieved, episode, goals, tolerance)
        found = sorted(indices("unsolved", found, n).tolist())
        wanted = distant(achieved, episode, goals, tolerance)
        expect(
            found == wanted.tolist(),
            f"With tolerance {tolerance:g} {len(wanted)} states remain; yours are {found}.",
        )
    rng = fresh()  # whole numbers, so that no distance is close to the tolerance
    places, aims = rng.integers(-9, 10, (60, 3)) * 1.0, rng.integers(-9, 10, (5, 3)) * 1.0
    mixed = places, rng.permutation(60) % 5, aims, 12.5
    found, wanted = indices("unsolved", call(unsolved, *mixed), 60), distant(*mixed)
    expect(sorted(found.tolist()) == wanted.tolist(),
           "With other states yours are wrong: 60 of 5 episodes in any order, with 3 numbers each."
           )  # fmt: skip
    check_draws(draw_starts, given, met, episode)
    found = indices("draw_starts", call(draw_starts, *mixed, 2_000, rng), 60)
    expect(sorted(set(found.tolist())) == wanted.tolist(),
           "With other states and another tolerance draw_starts draws the wrong ones.")  # fmt: skip
    right("Each start has something left to do, and none is drawn more often than another.")


def check_draws(answer: Callable, given: tuple, met: np.ndarray, episode: np.ndarray) -> None:
    """Grade draws among the states whose goal is not met."""
    n, many, seed, shared = len(met), 9_000, fresh().integers(1_000_000), np.random.get_state()

    def draw(k: int, seed: int) -> np.ndarray:
        try:
            found = call(answer, *given, k, np.random.default_rng(seed))
        except AssertionError as error:
            larger = "larger sample" in str(error)
            expect(not larger, "k may exceed the number of states: draw with replacement.")
            raise
        found = indices("draw_starts", found, n)
        expect(len(found) == k, f"For k = {k} draw_starts returns {len(found)} indices.")
        return found

    for k in (1, 4):
        draw(k, seed)
    drawn = draw(many, seed)
    counts = np.bincount(drawn, minlength=n)
    expect(not counts[met].any(), "draw_starts draws states whose goal is met already.")
    expect((counts > 0).sum() > 1, "All draws are the same state: draw anew for each.")
    expect(counts[~met].all(), f"State {np.argmin(counts + many * met)} is never drawn.")
    shares = np.bincount(episode, weights=counts) / many
    expect(
        not close(shares, 1 / 3, 0.03),
        "Yours draws an episode first, and then one of its states. So the states of an episode "
        "with few of them come too often: draw among all states at once.",
    )
    even = many / (~met).sum()
    expect(bool((abs(counts[~met] / even - 1) < 0.15).all()),
           f"The draws are uneven: {counts[~met].tolist()} for the states not met.")  # fmt: skip
    expect(np.array_equal(draw(99, seed), draw(99, seed))
           and not np.array_equal(draw(99, seed), draw(99, seed + 1)),
           "Draw with the rng that you are given, so that a run can be repeated.")  # fmt: skip
    expect(same(np.random.get_state(), shared),
           "Yours sets the stream that all of NumPy shares: draw with rng itself.")  # fmt: skip
    rng = np.random.default_rng(seed)
    fours = [indices("draw_starts", attempt("draw_starts", answer, *given, 4, rng), n).tolist()
             for _ in range(60)]  # fmt: skip
    expect(any(four != fours[0] for four in fours),
           "Asked 60 times with the same rng, draw_starts draws the same: draw from rng itself."
           )  # fmt: skip
    expect(any(len(set(four)) < 4 for four in fours),
           "No state comes twice in 60 draws of four: draw with replacement.")  # fmt: skip


# 9: a teacher.

STEPS, BUMP = 100, 40  # steps of an episode; the step at which some boxes are moved


def starts(rng: np.random.Generator, case: str, number: int = 6) -> list[np.ndarray]:
    """Return first obs (9,): hand, velocity, fingers, box, goal; the box is far from the goal."""
    found = []
    while len(found) < number:
        hand, box, goal = rng.random((3, 2))
        fingers = 0.5 if case == "held" else 0.0 if case == "closed" else 1.0
        if case in ("held", "closed"):
            hand = box + rng.uniform(-0.03, 0.03, 2)
        if np.linalg.norm(box - goal) > 0.2 and (fingers < 1 or np.linalg.norm(box - hand) > 0.2):
            found.append(np.concatenate([hand, [0.0, 0.0, fingers], box, goal]))
    return found


def glide(obs: np.ndarray, action: np.ndarray) -> np.ndarray:
    """Return the next obs as the task's own `move` does, which an answer may have replaced."""
    hand, velocity, fingers, box, goal = np.split(obs, [2, 4, 5, 7])
    velocity = 0.98 * velocity + 0.02 * np.clip(action[:2], -1.0, 1.0)
    held = action[2] > 0 and np.linalg.norm(box - hand) < 0.05 and fingers[0] > 0
    fingers = 0.5 if held else float(action[2] <= 0)
    return np.concatenate([hand + velocity, velocity, [fingers], box + velocity * held, goal])


def episode(teacher: Callable, obs: np.ndarray, bump: Any = None) -> list:
    """Return the pairs (obs, action) of one episode, the last obs with None."""
    found = []
    for step in range(STEPS + (0 if bump is None else BUMP)):
        if step == BUMP and bump is not None:
            obs = np.concatenate([obs[:5], bump, obs[7:]])
        given = obs.copy()
        action = attempt("teacher", teacher, given)
        expect(np.array_equal(given, obs), "teacher changes its obs; work on a copy.")
        expect(action is not None and action is not ..., "teacher returns nothing yet.")
        action = array("teacher", action, (3,))
        expect(np.isfinite(action).all(), f"Your action is {action}.")
        expect(
            np.abs(action).max() <= 1 + 1e-6, f"Actions lie in [-1, 1]; yours is {action}: clip it."
        )
        found.append((obs, action))
        obs = glide(obs, action)
    return [*found, (obs, None)]


def reason(path: list) -> str:
    """Return why an episode did not end with the box at the goal."""
    every = np.array([obs for obs, _ in path])
    hand, fingers, box, goal = every[:, :2], every[:, 4], every[:, 5:7], every[:, 7:]
    near = np.linalg.norm(box - hand, axis=1) < 0.05
    gap = np.linalg.norm(box - goal, axis=1)
    if not near.any():
        return "the hand never comes within 0.05 of the box."
    if not (fingers == 0.5).any():
        closes = any(action is not None and action[2] > 0 for _, action in path)
        return ("the hand is at the box, but closed fingers cannot take it: open them first."
                if closes else "the hand is at the box, but the fingers never close.")  # fmt: skip
    if fingers[-1] != 0.5 and gap.min() >= 0.03:
        return "the box is held, and dropped on the way."
    if np.linalg.norm(hand[-1] - goal[-1]) < 0.03:
        return "the hand is at the goal, the box beside it: steer the box to the goal."
    if gap.min() < max(0.03, gap[-1] / 2) or np.linalg.norm(every[-1, 2:4]) > 0.03:
        return "the hand swings past it: brake in time."
    return f"the box is held, but {gap[-1]:.2f} from the goal after {len(path) - 1} steps."


def check_teacher(teacher: Callable, move: Callable) -> None:
    """Grade a teacher without a memory, by its success on hidden starts."""
    rng = np.random.default_rng(8)  # a draw of its own would make the marks a matter of luck
    cases = {
        "open": "The hand starts open", "closed": "The hand starts at the box, closed",
        "held": "The box is held at the start", "bump": "The box is moved after 40 steps",
    }  # fmt: skip
    for case, name in cases.items():
        paths = [
            episode(teacher, obs, rng.random(2) if case == "bump" else None)
            for obs in starts(rng, case)
        ]
        if case == "open":
            expect(
                all(
                    close(array("move", attempt("move", move, *row), (9,)), glide(*row))
                    for row in paths[0][:-1]
                ),
                "move is not that of the task any more. Run its cell again; call nothing else so.",
            )
            rows = [row for path in paths[:3] for row in path[:-1]]
            again = [attempt("teacher", teacher, rows[k][0].copy()) for k in range(len(rows))[::-1]]
            expect(
                close([action for _, action in rows[::-1]], again),
                "Asked again, your teacher answers the same obs with another action: it remembers "
                "something, or draws at random. Read all from obs.",
            )
        since = BUMP if case == "bump" else 0
        failed = [
            p for p in paths if np.linalg.norm(np.subtract(*np.split(p[-1][0][5:], 2))) > 0.03
        ]
        expect(len(failed) <= 1, f"{name}, {len(failed)} of 6 fail: {reason(failed[0][since:])}"
               if failed else "")  # fmt: skip
    right("It recovers from any state, since it only asks where things are.")
