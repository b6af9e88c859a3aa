"""Checks of the exercises of chapter 08, hindsight experience replay."""

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

from pgcourse.exercises.ddpg import array, attempt, close
from pgcourse.exercises.grading import call, expect, number, right

# 1 and 2: numbers.


def check_two_goals(wanted: Any, hindsight: Any, allowed: Any) -> None:
    """Grade the rewards of four steps for two goals, and the steps that may draw the second."""
    for name, answer in (("wanted", wanted), ("hindsight", hindsight), ("allowed", allowed)):
        expect(answer is not ..., f"{name} has no answer yet.")
        expect(np.ndim(answer) == 1 or isinstance(answer, set), f"{name} should be a list.")
    for name, answer in (("wanted", wanted), ("hindsight", hindsight)):
        found = array(name, answer, (4,))
        expect(set(found) <= {-1.0, 0.0}, "By Eq. 1 a reward is -1 or 0: 0 at the goal.")
    a, b = ([int(reward) for reward in answer] for answer in (wanted, hindsight))
    expect(a == [-1] * 4, f"No step reaches (2, 2): four times -1; your wanted is {a}.")
    expect(b != [-1] * 4, "These are the old rewards. For a new goal they are computed anew.")
    expect(b != [-1, 0, -1, 0], "Judge each step by the place that it reaches, not by its start.")
    expect(b != [-1, -1, 0, -1] and b != [0, -1, -1, -1], "The place (0, 1) is reached twice.")
    expect(b == [0, -1, 0, -1], f"Steps 0 and 2 reach (0, 1), the others do not; yours is {b}.")
    steps = sorted(int(step) for step in allowed)
    expect(3 not in steps, "After step 3 the episode only reaches (0, 2): (0, 1) is not later.")
    expect(len(steps) == 3, "Step t has T - t later places; only step 3 does not get to (0, 1).")
    expect(steps == [0, 1, 2], f"allowed is a list of steps, counted from 0; yours is {steps}.")
    right("Two of four steps teach something now, and none of them was a success.")


def check_chance(chance: Any, expected: Any, bound: Any) -> None:
    """Grade the chance to meet a goal of 16 bits, the rewarded steps, and the lowest target."""
    chance, expected = number("chance", chance), number("expected", expected)
    bound = number("bound", bound)

    def near(a: float, b: float) -> bool:
        return abs(a - b) <= 0.01 * abs(b)

    p = 2.0**-16
    expect(0 <= chance <= 1, f"chance is a probability; yours is {chance:g}.")
    expect(not near(chance, 1 / 32), "All 16 bits must agree at once: the chances multiply.")
    expect(not near(chance, 1 / 16), "1/16 is the chance to flip a certain bit; here all 16 count.")
    expect(not near(chance, 1 / 16**2), "There are 2 to the 16 settings of 16 bits, not 16².")
    expect(near(chance, p), f"Each bit agrees with chance 1/2, all 16 together; yours {chance:g}.")
    expect(not near(expected, p), "That is one step; an episode has 16 of them.")
    expect(expected < 1, "expected is far below 1: most episodes never meet the goal.")
    expect(near(expected, 16 * p), f"The chances of the 16 steps add up; yours is {expected:g}.")
    expect(not near(bound, 50), "Rewards are -1 or 0, so the lowest return is negative.")
    expect(not near(bound, -1 / 0.98), "Divide by 1 - γ, not by γ.")
    expect(not near(bound, -16), "A target is not cut off after 16 steps: Eq. 4 sums without end.")
    expect(near(bound, -50), f"-1 - γ - γ² - … = -1 / (1 - γ) at γ = 0.98; yours is {bound:g}.")
    right("One rewarded step in 4,096 episodes. Hindsight can find one in every episode.")


# 3 to 5: functions and a class.


def check_future_index(answer: Callable) -> None:
    """Grade draws of the index of a later place."""
    pairs = [(t, n) for n in (5, 2, 1) for t in range(n)]
    step, length = (np.repeat(column, 1_000) for column in np.array(pairs).T)
    index = call(answer, step, length, np.random.default_rng(0))
    found = array("future_index", index, step.shape)
    expect(np.array_equal(found, np.round(found)), "An index is a whole number.")
    kind = np.asarray(index).dtype
    expect(kind.kind in "iu", f"Return integers, fit to index with; yours are {kind}.")
    expect(
        not (found == length).all(),
        "Yours always takes the last place: that is the strategy `final`.",
    )
    past = [f"Step {t} of {n} got place {k:g}"
            for t, n, k in zip(step, length, found, strict=True) if k < t]  # fmt: skip
    expect(not past, f"{past[0]}: that is before the step." if past else "")
    for t, n in pairs:
        drawn = found[(step == t) & (length == n)]
        where = f"Step {t} of {n}"
        expect(drawn.min() > t, f"{where} got place {t}, its own start: draw from {t + 1} on.")
        expect(drawn.max() <= n, f"{where} got place {drawn.max():g}: the last place is {n}.")
        counts = [int((drawn == k).sum()) for k in range(t + 1, n + 1)]
        expect(
            n == t + 1 or max(counts) < 1_000,
            f"{where}: all 1,000 rows got the same place. Each row has its own draw.",
        )
        expect(counts[0] > 0, f"{where} never gets place {t + 1}, the one that it reaches itself.")
        expect(counts[-1] > 0, f"{where} never gets place {n}, the last one of its episode.")
        expect(min(counts) > 0.68 * max(counts), f"{where}: the draws are uneven, {counts}.")
    again = call(answer, step, length, np.random.default_rng(0))
    other = call(answer, step, length, np.random.default_rng(1))
    expect(
        np.array_equal(again, index) and not np.array_equal(other, index),
        "Draw with the rng that you are given, so that a run can be repeated.",
    )
    right("From the place that the step reaches to the last one, each as likely.")


def check_running(kind: type) -> None:
    """Grade a running mean and deviation, and what they make of an input."""
    expect(isinstance(kind, type), "Running should be a class.")
    rng = np.random.default_rng(0)
    rows = rng.normal([1.0, -20.0, 0.0], [2.0, 5.0, 0.5], (60, 3)) + np.linspace(0, 8, 60)[:, None]
    parts = [rows[:1], rows[1:4], rows[4:20], rows[20:]]
    running = attempt("Running(3)", kind, 3)
    for part in parts:
        given = part.copy()
        attempt("update", running.update, given)
        expect(np.array_equal(given, part), "update changes the rows it was given.")
    mean, deviation = statistics(running)
    expect(not close(mean, np.mean([p.mean(0) for p in parts], axis=0)),
           "A mean of means: weigh each part by its number of rows.")  # fmt: skip
    expect(not close(mean, parts[-1].mean(0)), "Yours only knows the last part.")
    expect(close(mean, rows.mean(0)), f"The mean is {rows.mean(0)}; yours is {mean}.")
    inside = sum(len(p) * p.var(0) for p in parts) / 60
    averaged = sum(len(p) * p.std(0) for p in parts) / 60
    plain = rows.std(0)
    for wrong, hint in (
        (np.sqrt(inside), "The means of the parts differ, and that is spread, too."),
        (averaged, "Deviations cannot be averaged; sums of squares can be added."),
        (rows.var(0), "That is the variance: take the root."),
        (rows.std(0, ddof=1), "Divide by n, not by n - 1."),
        (plain + 0.01, "Eq. 5 takes the larger of the deviation and 0.01; it does not add them."),
    ):
        expect(not close(deviation, wrong, 1e-5), hint)
    expect(close(deviation, plain, 1e-5), f"The deviation is {plain}; yours is {deviation}.")
    scaled = array("Running(3)(rows)", attempt("Running(3)(rows)", running, rows), (60, 3))
    right_scaled = np.clip((rows - mean) / deviation, -5, 5)
    expect(close(scaled, right_scaled), "Subtract the mean, then divide by the deviation (Eq. 5).")
    far = array("an input", attempt("Running(3)(row)", running, mean + 99 * deviation), (3,))
    expect(close(far, 5), f"99 deviations above the mean are clipped to 5; yours is {far}.")
    constant = attempt("Running(1)", kind, 1)
    with np.errstate(all="ignore"):
        for _ in range(3):
            attempt("update", constant.update, np.full((7, 1), 0.3))
        found = array("an input", attempt("Running(1)(row)", constant, np.array([0.3])), (1,))
    expect(np.isfinite(found).all(), "An input that never changes is divided by 0.")
    expect(close(found, 0), f"An input that never changes becomes 0; yours is {found}.")
    found = statistics(constant, 1)[1]
    expect(close(found, 0.01), f"The smallest deviation is 0.01 (Eq. 5); yours is {found}.")
    with np.errstate(all="ignore"):
        check_clock(kind)
    right("The parts give what the whole would, and no row is kept.")


def statistics(running: Any, size: int = 3) -> list[np.ndarray]:
    """Return mean and deviation of a learner's object, (size,) each; a hint if one is missing."""
    for name in ("mean", "deviation"):
        expect(hasattr(running, name), f"Your object has no attribute {name}.")
    return [array(name, getattr(running, name), (size,)) for name in ("mean", "deviation")]


def check_clock(kind: type) -> None:
    """Grade an input far from 0 that varies little, and the memory that many rows take."""
    clock = attempt("Running(1)", kind, 1)
    rng, rows, sizes = np.random.default_rng(1), [], []
    for _ in range(100):
        rows.append(1e8 + rng.normal(size=(20, 1)))
        attempt("update", clock.update, rows[-1])
        sizes.append(len(pickle.dumps(vars(clock))))
    found, wanted = statistics(clock, 1)[1], np.concatenate(rows).std(0)
    expect(
        close(found, wanted, 1e-3),
        f"Near 10^8 the deviation should be {wanted[0]:.3f}; yours is {found[0]:.3f}. A difference "
        "of two large sums has lost its digits: sum squared distances from a mean.",
    )
    expect(sizes[-1] < 2 * sizes[1], "Your object grows with every row: keep sums, not rows.")


def check_hindsight_batch(answer: Callable) -> None:
    """Grade a relabelled batch: goals in both obs, rewards computed anew, no ends."""
    reached = np.array([[0, 0], [0, 1], [1, 1], [0, 1], [1, 2], [2, 2], [1, 2]], dtype=np.float64)
    rng = np.random.default_rng(0)
    episode = {
        "obs": rng.normal(size=(7, 3)), "achieved": reached, "action": rng.normal(size=(6, 2)),
        "goal": np.array([2.0, 2.0]), "reward": np.array([-1.0, -1, -1, -1, 0, -1]),
    }  # fmt: skip
    step, later = np.array([0, 0, 1, 4, 3, 5, 2, 4]), np.array([1, 3, 6, -1, 5, -1, -1, 6])
    goal = np.where(later[:, None] < 0, episode["goal"], reached[later])

    def sparse(achieved: np.ndarray, goal: np.ndarray) -> np.ndarray:
        return np.where(np.all(np.asarray(achieved) == goal, axis=-1), 0.0, -1.0)

    def dense(achieved: np.ndarray, goal: np.ndarray) -> np.ndarray:
        return -np.linalg.norm(np.asarray(achieved) - goal, axis=-1)

    found = call(answer, episode, step, later, sparse)
    expect(isinstance(found, tuple) and len(found) == 5,
           "Return (obs, action, reward, next_obs, terminated).")  # fmt: skip
    shapes = {"obs": (8, 5), "action": (8, 2), "reward": (8,), "next_obs": (8, 5),
              "terminated": (8,)}  # fmt: skip
    row = {name: array(name, part, shapes[name])
           for name, part in zip(shapes, found, strict=True)}  # fmt: skip
    own = np.tile(episode["goal"], (8, 1))
    used = row["obs"][:, 3:]
    expect(not close(used, own), "No goal is replaced: where later is not -1, take that place.")
    expect(not close(used, reached[later]),
           "A row with later = -1 keeps the episode's goal; Python takes [-1] for the last place."
           )  # fmt: skip
    expect(close(used, goal), f"The goals in obs should be {goal.tolist()}; got {used.tolist()}.")
    expect(close(row["obs"][:, :3], episode["obs"][step]), "obs should start with obs[step].")
    expect(close(row["action"], episode["action"][step]), "action should be action[step].")
    wanted = sparse(reached[step + 1], goal)
    for wrong, hint in (
        (episode["reward"][step], "These are the rewards of the old goal: compute them anew."),
        (sparse(reached[step], goal), "A reward judges the place after the step, step + 1."),
    ):
        expect(not close(row["reward"], wrong), hint)
    expect(close(row["reward"], wanted), f"reward should be {wanted}; yours is {row['reward']}.")
    expect(close(row["next_obs"][:, :3], episode["obs"][step + 1]),
           "next_obs should start with obs[step + 1].")  # fmt: skip
    expect(not close(row["next_obs"][:, 3:], own),
           "obs has the new goal and next_obs the old one: one goal for a row.")  # fmt: skip
    expect(close(row["next_obs"][:, 3:], goal), "next_obs needs the same goal as obs.")
    expect(not close(row["terminated"], wanted == 0),
           "Reaching the goal ends no episode here: terminated is 0 in every row.")  # fmt: skip
    expect(close(row["terminated"], 0), "No row ends: terminated is 0 in every row.")
    found = call(answer, episode, step, later, dense)[2]
    expect(close(found, dense(reached[step + 1], goal)),
           "With another reward_fn your rewards are wrong: ask reward_fn.")  # fmt: skip
    right("One goal for the whole row: in obs, in next_obs, and in the reward.")


# 6: a teacher.

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


def episode(teacher: Callable, move: Callable, obs: np.ndarray, bump: Any = None) -> list:
    """Return the pairs (obs, action) of one episode, the last obs with None."""
    found = []
    for step in range(STEPS + (0 if bump is None else BUMP)):
        if step == BUMP and bump is not None:
            obs = np.concatenate([obs[:5], bump, obs[7:]])
        action = attempt("teacher", teacher, obs.copy())
        expect(action is not None and action is not ..., "teacher returns nothing yet.")
        action = array("teacher", action, (3,))
        expect(np.isfinite(action).all(), f"Your action is {action}.")
        expect(np.abs(action).max() <= 1, f"Actions lie in [-1, 1]; yours is {action}: clip it.")
        found.append((obs, action))
        obs = move(obs, action)
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
    rng = np.random.default_rng(8)
    cases = {
        "open": "The hand starts open", "closed": "The hand starts at the box, closed",
        "held": "The box is held at the start", "bump": "The box is moved after 40 steps",
    }  # fmt: skip
    for case, name in cases.items():
        paths = [
            episode(teacher, move, obs, rng.random(2) if case == "bump" else None)
            for obs in starts(rng, case)
        ]
        if case == "open":
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
