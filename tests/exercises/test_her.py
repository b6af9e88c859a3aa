"""Chapter 08's checks: right answers are accepted, wrong ones get the hint that fits."""

import json
import math

import numpy as np
import pytest
import torch

from pgcourse import Batch, Normalizer
from pgcourse.exercises import her
from pgcourse.tools.exercises import SOLUTIONS

RIGHT, WRONG = [], []  # (check, the arguments, name), (check, the arguments, a hint, name)


def right(check):
    """Note the decorated answer as a right one of a check."""
    return lambda answer: RIGHT.append((check, (answer,), answer.__name__)) or answer


def wrong(check, hint):
    """Note the decorated answer as a wrong one."""
    return lambda answer: WRONG.append((check, (answer,), hint, answer.__name__)) or answer


def code_cells():
    cells = json.loads((SOLUTIONS / "08_her.ipynb").read_text(encoding="utf-8"))["cells"]
    return {c["id"]: "".join(c["source"]) for c in cells if c["cell_type"] == "code"}


SPACE = {}  # what the notebook gives: the task of exercise 6, the batch of exercise 5
for name in ("her-imports", "her-05-found", "her-06-move"):
    exec(code_cells()[name], SPACE)
move = SPACE["move"]

# Numbers.
FAILED, SEEN = [-1] * 4, [0, -1, 0, -1]
for k, values in enumerate([
    (FAILED, SEEN, [0, 1, 2]), (np.full(4, -1.0), np.array(SEEN), range(3)),
    (torch.tensor(FAILED), (0.0, -1.0, 0.0, -1.0), {2, 1, 0}),
]):  # fmt: skip
    RIGHT.append((her.check_two_goals, values, f"way{k}"))
for values, hint in [
    ((FAILED, FAILED, [0, 1, 2]), "old rewards"), ((FAILED, [-1, 0, -1, 0], [0]), "not by its"),
    ((FAILED, [0, -1, -1, -1], [0]), "reached twice"), ((FAILED, [1, 0, 1, 0], [0]), "-1 or 0"),
    ((SEEN, FAILED, [0]), "four times -1"), ((FAILED, SEEN, [0, 1, 2, 3]), "not later"),
    ((FAILED, SEEN, [0, 1]), "T - t later"), ((FAILED, SEEN, [0, 2]), "T - t later"),
    ((FAILED, SEEN, [1, 2, 4]), "counted from 0"), ((FAILED, ..., [0]), "hindsight has no"),
    ((FAILED, SEEN[:3], [0]), "shape"), ((FAILED, SEEN, 3), "a list"),
    ((FAILED, [0, 0, 0, 0], [0]), "Steps 0 and 2"),
]:  # fmt: skip
    WRONG.append((her.check_two_goals, values, hint, str(values)))
P = 1 / 65_536
for k, values in enumerate([(P, 16 * P, -1 / (1 - 0.98)), (0.5**16, 2.0**-12, -50),
                            (1.526e-5, torch.tensor(2.44e-4), np.float64(-49.9))]):  # fmt: skip
    RIGHT.append((her.check_chance, values, f"way{k}"))
for values, hint in [
    ((1 / 32, 0.5, -50), "chances multiply"), ((1 / 16, 1, -50), "flip a certain"),
    ((1 / 256, 1 / 16, -50), "not 16²"), ((65_536, 1, -50), "probability"),
    ((1e-4, 1, -50), "chance 1/2"), ((P, P, -50), "one step"), ((P, 4_096, -50), "far below 1"),
    ((P, 1e-3, -50), "add up"), ((P, 16 * P, 50), "negative"), ((P, 16 * P, -1 / 0.98), "by γ"),
    ((P, 16 * P, -16), "without end"), ((P, 16 * P, -1), "0.98; yours"),
    ((P, ..., -50), "expected has no answer"),
]:  # fmt: skip
    WRONG.append((her.check_chance, values, hint, str(values)))


# The index of a later place.
@right(her.check_future_index)
def by_bounds(step, length, rng):
    return rng.integers(step + 1, length + 1)


@right(her.check_future_index)
def by_floats(step, length, rng):
    return step + 1 + np.floor(rng.random(len(step)) * (length - step)).astype(np.int64)


@right(her.check_future_index)
def in_a_loop(step, length, rng):
    return [int(rng.choice(np.arange(t + 1, n + 1))) for t, n in zip(step, length, strict=True)]


@wrong(her.check_future_index, "its own start")
def own_start(step, length, rng):
    return rng.integers(step, length + 1)


@wrong(her.check_future_index, "the last one of its episode")
def without_the_last(step, length, rng):
    return np.where(step + 1 < length, rng.integers(step + 1, np.maximum(length, step + 2)), length)


@wrong(her.check_future_index, "reaches itself")
def skips_one(step, length, rng):
    return rng.integers(np.minimum(step + 2, length), length + 1)


@wrong(her.check_future_index, "before the step")
def any_place(step, length, rng):
    return rng.integers(0, length + 1)


@wrong(her.check_future_index, "the last place is")
def past_the_end(step, length, rng):
    return rng.integers(step + 1, length + 2)


@wrong(her.check_future_index, "the last place is")
def one_length(step, length, rng):
    return rng.integers(step + 1, length.max() + 1)


@wrong(her.check_future_index, "strategy `final`")
def final(step, length, rng):
    return length.copy()


@wrong(her.check_future_index, "own draw")
def one_draw(step, length, rng):
    return step + 1 + (rng.random() * (length - step)).astype(int)


@wrong(her.check_future_index, "uneven")
def rounded(step, length, rng):
    return step + 1 + np.round(rng.random(len(step)) * (length - step - 1)).astype(int)


@wrong(her.check_future_index, "rng that you are given")
def own_stream(step, length, rng):
    return np.random.default_rng(3).integers(step + 1, length + 1)


@wrong(her.check_future_index, "whole number")
def not_floored(step, length, rng):
    return step + 1 + rng.random(len(step)) * (length - step)


@wrong(her.check_future_index, "Return integers")
def as_floats(step, length, rng):
    return by_bounds(step, length, rng).astype(float)


@wrong(her.check_future_index, "changes its arguments")
def in_place(step, length, rng):
    step += 1
    return rng.integers(step, length + 1)


@wrong(her.check_future_index, "returns nothing yet")
def untouched(step, length, rng): ...


# A running mean.
class Scaled:
    """What the answers below share: the last line of Eq. 5."""

    def __init__(self, size):
        self.n, self.mean, self.squares = 0, np.zeros(size), np.zeros(size)

    def __call__(self, rows):
        return np.clip((rows - self.mean) / self.deviation, -5, 5)

    @property
    def deviation(self):
        return np.maximum(np.sqrt(self.squares / self.n), 0.01)


@right(her.check_running)
class RowByRow(Scaled):
    def update(self, rows):
        for row in rows:
            self.n += 1
            gap = row - self.mean
            self.mean = self.mean + gap / self.n
            self.squares = self.squares + gap * (row - self.mean)


@right(her.check_running)
class Shifted(Scaled):
    """Sums of distances from the first row ever seen."""

    def update(self, rows):
        if not self.n:
            self.first, self.sum, self.sum2 = rows[0].copy(), 0.0, 0.0
        self.n += len(rows)
        self.sum = self.sum + (rows - self.first).sum(0)
        self.sum2 = self.sum2 + ((rows - self.first) ** 2).sum(0)
        self.mean = self.first + self.sum / self.n

    @property
    def deviation(self):
        variance = self.sum2 / self.n - (self.sum / self.n) ** 2
        return np.sqrt(np.clip(variance, 1e-4, None))


@right(her.check_running)
class TheModules(Normalizer):
    pass


class TwoSums(Scaled):
    ends = 0.0

    def update(self, rows):
        self.n += len(rows)
        self.mean = self.mean + (rows.sum(0) - len(rows) * self.mean) / self.n
        self.squares = self.squares + (rows**2).sum(0)

    @property
    def deviation(self):
        variance = self.squares / self.n - self.mean**2
        return np.maximum(np.sqrt(np.maximum(variance, 0)), 0.01)


class KeepsRows(Scaled):
    def update(self, rows):
        self.rows = np.concatenate([getattr(self, "rows", rows[:0]), rows])
        self.n, self.mean = len(self.rows), self.rows.mean(0)
        self.squares = self.rows.var(0) * self.n


class MeanOfMeans(Scaled):
    def update(self, rows):
        self.n += 1
        self.mean = self.mean + (rows.mean(0) - self.mean) / self.n


class LastPart(Scaled):
    def update(self, rows):
        self.n, self.mean, self.squares = len(rows), rows.mean(0), rows.var(0) * len(rows)


class OnlyInside(TwoSums):
    def update(self, rows):
        squares = self.squares + len(rows) * rows.var(0)
        super().update(rows)
        self.squares = squares

    deviation = Scaled.deviation


class AveragedDeviations(TwoSums):
    def update(self, rows):
        squares = self.squares + len(rows) * rows.std(0)
        super().update(rows)
        self.squares = squares

    @property
    def deviation(self):
        return self.squares / self.n


class Variance(RowByRow):
    @property
    def deviation(self):
        return self.squares / self.n


class OneLess(RowByRow):
    @property
    def deviation(self):
        return np.maximum(np.sqrt(self.squares / max(self.n - 1, 1)), 0.01)


class Added(RowByRow):
    @property
    def deviation(self):
        return np.sqrt(self.squares / self.n) + 0.01


class NoFloor(RowByRow):
    def update(self, rows):
        super().update(rows)
        if (rows == rows[0]).all() and len(rows) > 1:
            self.squares = self.squares * 0

    @property
    def deviation(self):
        return np.sqrt(self.squares / self.n)


class TinyFloor(RowByRow):
    @property
    def deviation(self):
        return np.maximum(np.sqrt(self.squares / self.n), 1e-8)


class NoClip(RowByRow):
    def __call__(self, rows):
        return (rows - self.mean) / self.deviation


class OnlyDivides(RowByRow):
    def __call__(self, rows):
        return np.clip(rows / self.deviation, -5, 5)


class InPlace(RowByRow):
    def update(self, rows):
        super().update(rows)
        rows -= self.mean


class NoDeviation(RowByRow):
    deviation = property()


for kind, hint in [
    (TwoSums, "lost its digits"), (KeepsRows, "sums, not rows"), (MeanOfMeans, "mean of means"),
    (LastPart, "last part"), (OnlyInside, "that is spread"), (AveragedDeviations, "be averaged"),
    (Variance, "take the root"), (OneLess, "n - 1"), (Added, "does not add"),
    (NoFloor, "divided by 0"), (TinyFloor, "0.01"), (NoClip, "Subtract the mean|clipped to 5"),
    (OnlyDivides, "Subtract the mean"), (InPlace, "changes the rows"),
    (NoDeviation, "no attribute deviation"),
]:  # fmt: skip
    wrong(her.check_running, hint)(kind)


# A relabelled batch.
@right(her.check_hindsight_batch)
def row_by_row(episode, step, later, reward_fn):
    rows = []
    for t, k in zip(step, later, strict=True):
        goal = episode["goal"] if k == -1 else episode["achieved"][k]
        rows.append((
            np.append(episode["obs"][t], goal), episode["action"][t],
            reward_fn(episode["achieved"][t + 1], goal),
            np.append(episode["obs"][t + 1], goal), 0.0,
        ))  # fmt: skip
    return tuple(np.array(column) for column in zip(*rows, strict=True))


def batch_with(reward=lambda f, e, t, g: f(e["achieved"][t + 1], g), **changes):
    """A right batch but for the rewards, or for the parts that are named."""

    def hindsight_batch(episode, step, later, reward_fn):
        goal = np.array([episode["goal"] if k < 0 else episode["achieved"][k] for k in later])
        now, then = episode["obs"][step], episode["obs"][step + 1]
        batch = Batch(np.c_[now, goal], episode["action"][step],
                      reward(reward_fn, episode, step, goal), np.c_[then, goal],
                      np.zeros(len(step), dtype=np.float32))  # fmt: skip
        own = np.tile(episode["goal"], (len(step), 1))
        return batch._replace(**{name: f(batch, own) for name, f in changes.items()})

    return hindsight_batch


def with_goal(part, goal):
    return np.concatenate([part[:, :3], goal], axis=1)


@right(her.check_hindsight_batch)
def as_tensors(episode, step, later, reward_fn):
    return tuple(torch.as_tensor(part) for part in batch_with()(episode, step, later, reward_fn))


@wrong(her.check_hindsight_batch, "Python takes")
def last_place(episode, step, later, reward_fn):
    goal, reached = episode["achieved"][later], episode["achieved"][step + 1]
    obs, then = np.c_[episode["obs"][step], goal], np.c_[episode["obs"][step + 1], goal]
    return obs, episode["action"][step], reward_fn(reached, goal), then, 0.0 * step


@wrong(her.check_hindsight_batch, "changes its arguments")
def changes_the_episode(episode, step, later, reward_fn):
    found = batch_with()(episode, step, later, reward_fn)
    episode["reward"][:] = 0.0
    return found


RIGHT.append((her.check_hindsight_batch, (batch_with(),), "a_batch"))
for answer, hint, name in [
    (SPACE["found_in_a_drawer"], "rewards of the old goal", "found"),
    (batch_with(lambda f, e, t, g: e["reward"][t]), "rewards of the old goal", "copied"),
    (batch_with(lambda f, e, t, g: f(e["achieved"][t], g)), "after the step", "too_early"),
    (batch_with(lambda f, e, t, g: 1.0 + f(e["achieved"][t + 1], g)), "should be", "0_and_1"),
    (batch_with(lambda f, e, t, g: -1.0 * np.any(e["achieved"][t + 1] != g, axis=1)),
     "ask reward_fn", "own_rule"),
    (batch_with(next_obs=lambda b, own: with_goal(b.next_obs, own)), "next_obs the old", "stays"),
    (batch_with(next_obs=lambda b, own: with_goal(b.obs, b.obs[:, 3:])), r"obs\[step \+ 1\]",
     "same_obs"),
    (batch_with(obs=lambda b, own: with_goal(b.obs, own)), "No goal is replaced", "old_goal"),
    (batch_with(terminated=lambda b, own: 1.0 * (b.reward == 0)), "ends no episode", "ends"),
    (batch_with(terminated=lambda b, own: np.ones(8)), "No row ends", "all_end"),
    (batch_with(obs=lambda b, own: b.obs[:, :3]), "shape", "no_goal"),
    (batch_with(reward=lambda f, e, t, g: f(e["achieved"][t + 1], g)[:, None]), "shape", "column"),
    (lambda episode, step, later, reward_fn: step, "terminated", "one_array"),
]:  # fmt: skip
    WRONG.append((her.check_hindsight_batch, (answer,), hint, name))


# A teacher.
def split(obs):
    return np.split(obs, [2, 4, 5, 7])


def steer(way, velocity, part=0.2):
    return np.clip((part * way - 0.98 * velocity) / 0.02, -1, 1)


@right(her.check_teacher)
def by_distance(obs):
    hand, velocity, fingers, box, goal = split(obs)
    if np.linalg.norm(box - hand) >= 0.05:
        return np.array([*steer(box - hand, velocity), -1.0])
    if fingers[0] == 0:
        return np.array([0.0, 0.0, -1.0])
    return np.array([*steer(goal - box, velocity), 1.0])


@right(her.check_teacher)
def spring_and_damper(obs):
    hand, velocity, (width,), box, goal = split(obs)
    held = width == 0.5
    to = goal - box if held else box - hand
    close = held or (width == 1 and math.dist(hand, box) < 0.045)
    return [*np.clip(8 * to - 30 * velocity, -1, 1), 1 if close else -1]


@right(her.check_teacher)
def in_tensors(obs):
    hand, velocity, fingers, box, goal = torch.tensor(obs).split([2, 2, 1, 2, 2])
    near = (box - hand).norm() < 0.049
    way = torch.where(near, goal - box, box - hand)
    push = (10 * way - 40 * velocity).clamp(-1, 1)
    return torch.cat([push, torch.where(near & (fingers > 0), 1.0, -1.0).to(push)])


@wrong(her.check_teacher, "clip it")
def not_clipped(obs):
    action = np.array(by_distance(obs))
    return 3 * action


@wrong(her.check_teacher, "brake in time")
def without_a_brake(obs):
    hand, velocity, fingers, box, goal = split(obs)
    return by_distance(np.concatenate([hand, 0 * velocity, fingers, box, goal]))


@wrong(her.check_teacher, "brake in time")
def full_force(obs):
    action = np.array(by_distance(obs))
    return [*np.sign(obs[7:] - obs[5:7]), 1.0] if action[2] > 0 else action


@wrong(her.check_teacher, "never comes within")
def straight_to_the_goal(obs):
    hand, velocity, _, _, goal = split(obs)
    return [*steer(goal + 0.3 - hand, velocity), 1.0]


@wrong(her.check_teacher, "open them first")
def always_closed(obs):
    return [*by_distance(obs)[:2], 1.0]


@wrong(her.check_teacher, "never close")
def always_open(obs):
    return [*by_distance(obs)[:2], -1.0]


@wrong(her.check_teacher, "steer the box")
def hand_to_the_goal(obs):
    hand, velocity, (width,), box, goal = split(obs)
    near = np.linalg.norm(box - hand) < 0.05
    close = 1.0 if near and width > 0 else -1.0
    return [*steer((goal if near else box) - hand, velocity), close]


@wrong(her.check_teacher, "at the box, closed.*open them first")
def closed_is_held(obs):
    return [*steer(obs[7:] - obs[5:7], obs[2:4]), 1.0] if obs[4] < 1 else by_distance(obs)


@wrong(her.check_teacher, "held at the start")
def waits_to_be_pushed(obs):
    return [0.0, 0.0, 1.0] if obs[4] == 0.5 and not obs[2:4].any() else by_distance(obs)


@wrong(her.check_teacher, "moved after 40 steps.*never comes within")
def gives_up(obs):
    lost = obs[4] < 1 and math.dist(obs[:2], obs[5:7]) > 0.05
    return [0.0, 0.0, 1.0] if lost else by_distance(obs)


@wrong(her.check_teacher, "held, but 0")
def slow(obs):
    _, velocity, _, box, goal = split(obs)
    action = by_distance(obs)
    return [*steer(0.06 * (goal - box), velocity), 1.0] if action[2] > 0 else action


@wrong(her.check_teacher, "dropped on the way")
def lets_go(obs):
    near_goal = np.linalg.norm(obs[5:7] - obs[7:]) < 0.15
    return [*by_distance(obs)[:2], -1.0] if near_goal else by_distance(obs)


@wrong(her.check_teacher, "remembers something")
class Clock:
    __name__ = "clock"
    step = 0

    def __new__(cls, obs):
        cls.step += 1
        return [*by_distance(obs)[:2], 1.0 if cls.step % 100 > 40 else -1.0]


@wrong(her.check_teacher, "remembers something")
def random(obs):
    return np.random.uniform(-1, 1, 3)


@wrong(her.check_teacher, "returns nothing yet")
def no_teacher(obs): ...


@wrong(her.check_teacher, "shape")
def two_numbers(obs):
    return by_distance(obs)[:2]


def arguments(check, answers):
    return (*answers, move) if check is her.check_teacher else answers


@pytest.mark.parametrize(
    ("check", "answers"),
    [pytest.param(c, a, id=f"{c.__name__[6:]}-{name}") for c, a, name in RIGHT],
)
def test_right_answers_are_accepted(check, answers, capsys):
    check(*arguments(check, answers))
    assert capsys.readouterr().out.startswith("Right.")


@pytest.mark.parametrize(
    ("check", "answers", "hint"),
    [pytest.param(c, a, hint, id=f"{c.__name__[6:]}-{name}") for c, a, hint, name in WRONG],
)
def test_wrong_answers_get_the_hint_that_fits(check, answers, hint):
    with pytest.raises(AssertionError, match=hint):
        check(*arguments(check, answers))


def test_the_solutions_are_right(capsys):
    cells, space = code_cells(), {}
    for code in cells.values():
        exec(code, space)
    assert capsys.readouterr().out.count("Right.") == sum(name.endswith("check") for name in cells)
