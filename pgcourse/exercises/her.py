"""Checks of the exercises of chapter 08 on goals and hindsight; the others have two files more."""

from collections.abc import Callable, Sequence, Set
from typing import Any

import numpy as np

from pgcourse.exercises.ddpg_kit import array, attempt, close
from pgcourse.exercises.grading import call, expect, fresh, lock, number, right, same
from pgcourse.exercises.her_agent import car_rows as car_rows
from pgcourse.exercises.her_agent import check_actor_loss as check_actor_loss
from pgcourse.exercises.her_agent import check_filtered_share as check_filtered_share
from pgcourse.exercises.her_agent import check_running as check_running
from pgcourse.exercises.her_arm import check_resets as check_resets
from pgcourse.exercises.her_arm import check_teacher as check_teacher

# 1 and 2: numbers.


def check_two_goals(wanted: Any, hindsight: Any, allowed: Any) -> None:
    """Grade the rewards of four steps for two goals, and the steps that may draw the second."""
    for name, answer in (("wanted", wanted), ("hindsight", hindsight), ("allowed", allowed)):
        expect(answer is not ... and answer is not None, f"{name} has no answer yet.")
        listed = isinstance(answer, Sequence | Set) and not isinstance(answer, str)
        expect(listed or getattr(answer, "ndim", 0) == 1, f"{name} should be a list.")
    rewards = []
    for name, answer in (("wanted", wanted), ("hindsight", hindsight)):
        rewards.append(array(name, answer, (4,)).tolist())
        expect(set(rewards[-1]) <= {-1.0, 0.0}, "By Eq. 1 a reward is -1 or 0: 0 at the goal.")
    a, b = ([int(reward) for reward in each] for each in rewards)
    expect(a == [-1] * 4, f"No step reaches (2, 2): four times -1; your wanted is {a}.")
    expect(b != [-1] * 4, "These are the old rewards. For a new goal they are computed anew.")
    expect(b != [-1, 0, -1, 0], "Judge each step by the place that it reaches, not by its start.")
    expect(b != [-1, -1, 0, -1] and b != [0, -1, -1, -1], "The place (0, 1) is reached twice.")
    expect(b == [0, -1, 0, -1], f"Steps 0 and 2 reach (0, 1), the others do not; yours is {b}.")
    kinds = [str(getattr(step, "dtype", type(step))) for step in allowed]
    expect(not any("bool" in kind for kind in kinds),
           "allowed holds the numbers of the steps, not True or False for each.")  # fmt: skip
    steps = sorted(number("A step of allowed", step) for step in allowed)
    expect(3 not in steps, "After step 3 the episode only reaches (0, 2): (0, 1) is not later.")
    expect(len(steps) == 3, "Step t has T - t later places; only step 3 does not get to (0, 1).")
    expect(steps == [0, 1, 2], f"allowed is a list of steps, counted from 0; yours is {steps}.")
    right("Two of four steps teach something now, and none of them was a success.")


def check_chance(chance: Any, expected: Any, bound: Any) -> None:
    """Grade the chance to meet a goal of 6 bits, the rewarded steps, and the lowest target."""
    chance, expected = number("chance", chance), number("expected", expected)
    bound = number("bound", bound)

    def near(a: float, b: float) -> bool:
        return abs(a - b) <= 0.004 * abs(b)  # rounded to two or three digits

    p = 2.0**-6
    expect(0 <= chance <= 1, f"chance is a probability; yours is {chance:g}.")
    expect(not near(chance, 1 / 12), "All 6 bits must agree at once: the chances multiply.")
    expect(not near(chance, 1 / 6), "1/6 is the chance to flip a certain bit; here all 6 count.")
    expect(not near(chance, 1 / 6**2), "There are 2 to the 6 settings of 6 bits, not 6².")
    expect(
        not near(chance, 2 * p) and not near(chance, p / 2),
        "Six bits have to agree, not five or seven: a flip leaves each as likely to agree before.",
    )
    expect(not near(chance, 0.016), "That is rounded: give three significant digits, or more.")
    expect(near(chance, p), f"Each bit agrees with chance 1/2, all 6 together; yours {chance:g}.")
    expect(not near(expected, p), "That is one step; an episode has 6 of them.")
    expect(
        not near(expected, 1 - (1 - p) ** 6),
        "That counts an episode once, however often it meets the goal, and takes the steps for "
        "independent. A mean needs neither: the means of the steps add up.",
    )
    expect(not near(expected, 7 * p), "The start earns nothing: 6 steps, 6 rewards.")
    expect(expected < 1, "expected is far below 1: most episodes never meet the goal.")
    expect(near(expected, 6 * p), f"The chances of the 6 steps add up; yours is {expected:g}.")
    expect(not near(bound, 50), "Rewards are -1 or 0, so the lowest return is negative.")
    expect(not near(bound, -1 / 0.98), "Divide by 1 - γ, not by γ.")
    expect(not near(bound, -49), "The reward of the step itself counts, too: it is not discounted.")
    expect(
        not near(bound, -6) and not near(bound, -(1 - 0.98**6) / 0.02),
        "A target is not cut off after 6 steps: Eq. 4 sums without end.",
    )
    expect(close(bound, -50), f"-1 - γ - γ² - … = -1 / (1 - γ) at γ = 0.98; yours is {bound:g}.")
    right("One rewarded step in 11 episodes, and each bit more makes it rarer: with 16 bits it is "
          "one in 4,096. Hindsight can find one in every episode.")  # fmt: skip


# 4 and 8: functions.


def check_future_index(answer: Callable) -> None:
    """Grade draws of the index of a later place."""
    pairs = [(t, n) for n in (6, 2, 1) for t in range(n)]
    step, length = (np.repeat(column, 4_000) for column in np.array(pairs).T)
    seed, shared = fresh().integers(1_000_000), np.random.get_state()
    index = call(answer, step, length, np.random.default_rng(0))
    found = array("future_index", index, step.shape)
    expect(np.array_equal(found, np.round(found)), "An index is a whole number.")
    kind = np.asarray(index).dtype
    expect(kind.kind in "iu", f"Return integers, fit to index with; yours are {kind}.")
    expect(
        not (found == length).all(),
        "Yours always takes the last place: that is the strategy `final`.",
    )
    k = np.argmax(found < step)
    expect(found[k] >= step[k],
           f"Step {step[k]} of {length[k]} got place {found[k]:g}: that is before the step."
           )  # fmt: skip
    for t, n in pairs:
        drawn = found[(step == t) & (length == n)]
        where = f"Step {t} of {n}"
        expect(drawn.min() > t, f"{where} got place {t}, its own start: draw from {t + 1} on.")
        expect(drawn.max() <= n, f"{where} got place {drawn.max():g}: the last place is {n}.")
        counts = [int((drawn == k).sum()) for k in range(t + 1, n + 1)]
        expect(
            n == t + 1 or max(counts) < len(drawn),
            f"{where}: all {len(drawn):,} rows got the same place. Each row has its own draw.",
        )
        expect(counts[0] > 0, f"{where} never gets place {t + 1}, the one that it reaches itself.")
        expect(counts[-1] > 0, f"{where} never gets place {n}, the last one of its episode.")
        # Of right answers one in a billion has a larger chi-squared.
        expect(np.var(counts) / np.mean(counts) * len(counts) < 50,
               f"{where}: the draws are uneven, {counts}.")  # fmt: skip
        neighbours = set(zip(drawn[::2], drawn[1::2], strict=True))
        expect(len(neighbours) == len(counts) ** 2,
               f"{where}: a row's place follows from its neighbour's. Each row has its own draw."
               )  # fmt: skip
    few = step[::40], length[::40]
    drawn = [array("future_index", call(answer, *few, np.random.default_rng(s)), few[0].shape)
             for s in (seed, seed, seed + 1)]  # fmt: skip
    expect(
        np.array_equal(drawn[0], drawn[1]) and not np.array_equal(drawn[0], drawn[2]),
        "Draw with the rng that you are given, so that a run can be repeated.",
    )
    expect(same(np.random.get_state(), shared),
           "Yours sets the stream that all of NumPy shares: draw with rng itself.")  # fmt: skip
    rng, one = np.random.default_rng(seed), (np.array([0]), np.array([2]))
    drawn = [array("future_index", attempt("future_index", answer, *one, rng), (1,))[0]
             for _ in range(60)]  # fmt: skip
    expect(len(set(drawn)) == 2, f"60 batches of one row with the same rng all got {drawn[0]:g}: "
           "draw anew at each call, however few rows it has.")  # fmt: skip
    right("From the place that the step reaches to the last one, each as likely.")


def five(answer: Callable, *arguments: Any) -> tuple | list:
    """Return the five parts of a learner's batch; a hint if they are not five."""
    found = call(answer, *arguments)
    expect(isinstance(found, tuple | list) and len(found) == 5,
           "Return (obs, action, reward, next_obs, terminated).")  # fmt: skip
    return found


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
        return np.where(np.all(np.asarray(achieved) == np.asarray(goal), axis=-1), 0.0, -1.0)

    def dense(achieved: np.ndarray, goal: np.ndarray) -> np.ndarray:
        return np.abs(2 * np.asarray(achieved) - np.asarray(goal)).sum(axis=-1)  # they differ

    found = five(answer, episode, step, later, sparse)
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
    episode["reward"] = dense(reached[1:], episode["goal"])
    found = array("reward", five(answer, episode, step, later, dense)[2], (8,))
    expect(not close(found, dense(goal, reached[step + 1])),
           "reward_fn takes the place that was reached first, then the goal.")  # fmt: skip
    expect(close(found, dense(reached[step + 1], goal)),
           "With another reward_fn your rewards are wrong: ask reward_fn.")  # fmt: skip
    check_sizes(answer, dense)
    right("One goal for the whole row: in obs, in next_obs, and in the reward.")


def check_sizes(answer: Callable, reward_fn: Callable) -> None:
    """Grade relabelled batches of other sizes: 40 rows and one, a longer episode, more numbers."""
    rng = fresh()
    obs, achieved = rng.normal(size=(12, 4)), rng.normal(size=(12, 3))
    goal, action = rng.normal(size=3), rng.normal(size=(11, 1))
    episode = {"obs": obs, "achieved": achieved, "action": action, "goal": goal,
               "reward": reward_fn(achieved[1:], goal)}  # fmt: skip
    for n in (40, 1):
        step, later = rng.integers(11, size=n), rng.integers(-1, 12, n)
        step[-1], later[-1] = 10, 0
        goals = np.where(later[:, None] < 0, goal, achieved[later])
        wanted = {
            "obs": np.hstack([obs[step], goals]), "action": action[step],
            "reward": reward_fn(achieved[step + 1], goals),
            "next_obs": np.hstack([obs[step + 1], goals]), "terminated": np.zeros(n),
        }  # fmt: skip
        found = five(answer, episode, step, later, reward_fn)
        for (name, part), given in zip(wanted.items(), found, strict=True):
            given = array(name, given, part.shape)
            expect(close(given[later != 0], part[later != 0]),
                   f"With other numbers and sizes your {name} is wrong: use the arguments."
                   )  # fmt: skip
            expect(close(given, part),
                   f"{name} is wrong for later = 0: only -1 keeps the goal.")  # fmt: skip


lock()
