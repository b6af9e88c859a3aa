"""Chapter 08's checks: right answers are accepted, wrong ones get the hint that fits."""

import copy
import functools
import json
import math
from collections import deque

import numpy as np
import pytest
import torch

from pgcourse import Batch, Normalizer
from pgcourse.exercises import her
from pgcourse.parts.equations import actor_loss, bc_loss, q_filter
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


SPACE = {}  # what the notebook gives: a car, a batch with mistakes, the task of the last exercise
for name in ("her-imports", "her-05-car", "her-08-found", "her-09-move"):
    exec(code_cells()[name], SPACE)
move = SPACE["move"]

# Numbers.
FAILED, SEEN = [-1] * 4, [0, -1, 0, -1]
for k, values in enumerate([
    (FAILED, SEEN, [0, 1, 2]), (np.full(4, -1.0), np.array(SEEN), range(3)),
    (torch.tensor(FAILED), (0.0, -1.0, 0.0, -1.0), {2, 1, 0}),
    ([np.float32(-1)] * 4, torch.tensor(SEEN).double(), torch.arange(3)),
    (deque(FAILED), SEEN, frozenset(range(3))), (FAILED, SEEN, dict.fromkeys(range(3)).keys()),
]):  # fmt: skip
    RIGHT.append((her.check_two_goals, values, f"way{k}"))
for values, hint in [
    ((FAILED, FAILED, [0, 1, 2]), "old rewards"), ((FAILED, [-1, 0, -1, 0], [0]), "not by its"),
    ((FAILED, [0, -1, -1, -1], [0]), "reached twice"), ((FAILED, [1, 0, 1, 0], [0]), "-1 or 0"),
    ((SEEN, FAILED, [0]), "four times -1"), ((FAILED, SEEN, [0, 1, 2, 3]), "not later"),
    ((FAILED, SEEN, [0, 1]), "T - t later"), ((FAILED, SEEN, [0, 2]), "T - t later"),
    ((FAILED, SEEN, [1, 2, 4]), "counted from 0"), ((FAILED, ..., [0]), "hindsight has no"),
    ((FAILED, SEEN[:3], [0]), "shape"), ((FAILED, SEEN, 3), "a list"),
    ((FAILED, [0, 0, 0, 0], [0]), "Steps 0 and 2"), ((None, SEEN, [0]), "wanted has no"),
    ((FAILED, SEEN, [True, True, True, False]), "not True or False"),
    ((FAILED, SEEN, np.array([1, 1, 1, 0]) > 0), "not True or False"),
    ((FAILED, SEEN, [0.5, 1, 2]), "counted from 0"), ((FAILED, SEEN, ["a"]), "be a number"),
    ((FAILED, SEEN, [[0], [1, 2]]), "be a number"), ((FAILED, [[0], [1, 2]], [0]), "shape"),
    ((FAILED, SEEN, "012"), "a list"), ((FAILED, [0, math.nan, 0, -1], [0]), "-1 or 0"),
    ((FAILED, SEEN, [0, 1, 1]), "counted from 0"), (({-1}, SEEN, [0]), "shape"),
]:  # fmt: skip
    WRONG.append((her.check_two_goals, values, hint, str(values)))
P = 1 / 64
for k, values in enumerate([(P, 6 * P, -1 / (1 - 0.98)), (0.5**6, 3 * 2.0**-5, -50),
                            (0.0156, torch.tensor(0.094), np.float64(-50))]):  # fmt: skip
    RIGHT.append((her.check_chance, values, f"way{k}"))
for values, hint in [
    ((1 / 12, 0.5, -50), "chances multiply"), ((1 / 6, 1, -50), "flip a certain"),
    ((1 / 36, 1 / 6, -50), "not 6²"), ((64, 1, -50), "probability"),
    ((1 / 32, 6 / 32, -50), "not five or seven"), ((1 / 128, 6 / 128, -50), "not five or seven"),
    ((0.016, 6 * P, -50), "rounded"), ((1 / 63, 6 * P, -50), "chance 1/2"),
    ((0.0, 6 * P, -50), "chance 1/2"), ((1e-4, 1, -50), "chance 1/2"),
    ((P, P, -50), "one step"), ((P, 64, -50), "far below 1"),
    ((P, 1 - (1 - P) ** 6, -50), "however often"), ((P, 7 * P, -50), "start earns nothing"),
    ((P, 5 * P, -50), "add up"), ((P, 0.09, -50), "add up|however often"),
    ((P, 6 * P, 50), "negative"), ((P, 6 * P, -1 / 0.98), "by γ"),
    ((P, 6 * P, -0.98 / 0.02), "not discounted"), ((P, 6 * P, -6), "without end"),
    ((P, 6 * P, -(1 - 0.98**6) / 0.02), "without end"), ((P, 6 * P, -1), "0.98; yours"),
    ((P, 6 * P, -49.9), "0.98; yours"), ((P, 6 * P, -100), "0.98; yours"),
    ((P, ..., -50), "expected has no answer"), ((P, [6 * P], -50), "be a number"),
]:  # fmt: skip
    WRONG.append((her.check_chance, values, hint, str(values)))

# The actor's loss by hand, from the table of the notebook.
QS = torch.tensor([-10.0, -8, -5, -4, -3])
PI = torch.tensor([[1.0, 0], [0, 1], [0.5, 0.5], [0.5, 0], [-0.5, 0]])
SHOWN, MASK = torch.tensor([[-0.5, -0.5], [0.5, 0.5], [1, 1]]), torch.tensor([1.0, 1, 0])
SQUARES, FAR = (PI**2).sum(dim=1), ((PI[2:] - SHOWN) ** 2).sum(dim=1)
TERMS = {
    "value": 0.1 * actor_loss(QS), "penalty": 0.1 * 3 * (PI**2).mean(),
    "cloning": 0.3 * bc_loss(PI[2:], SHOWN, MASK),
}  # fmt: skip
SUM = sum(TERMS.values())
RIGHT.append((her.check_actor_loss, (*TERMS.values(), SUM), "the_modules"))
RIGHT.append((her.check_actor_loss, (0.6, np.float32(0.09), 0.225, 0.915), "numbers"))
NO_LAMBDA = {name: 10 * TERMS[name] for name in ("value", "penalty")}
for name, slip, hint in [
    ("value", -TERMS["value"], "the sign"), ("value", NO_LAMBDA["value"], "λ1 is missing"),
    ("value", -NO_LAMBDA["value"], "λ1 is missing, and"), ("value", -0.1 * QS.sum(), "the sum"),
    ("value", -0.1 * QS[2:].mean(), "all N"), ("value", -0.1 * QS[:2].mean(), "all N"),
    ("value", 0.0, "five rows"), ("value", ..., "value has no answer"),
    ("penalty", 0.3 * SQUARES.mean(), "divide by n_a"), ("penalty", NO_LAMBDA["penalty"], "before"),
    ("penalty", 3 * SQUARES.mean(), "and n_a"), ("penalty", 0.1 * (PI**2).mean(), "w is missing"),
    ("penalty", TERMS["penalty"] / 2, "twice"), ("penalty", 0.3 * (PI[2:] ** 2).mean(), "all N"),
    ("penalty", 0.3 * (PI[:2] ** 2).mean(), "all N"), ("penalty", 0.15 * SQUARES.sum(), "the sum"),
    ("penalty", -TERMS["penalty"], "the sign"),
    ("penalty", 0.15 * SQUARES.sqrt().mean(), "no root"), ("penalty", 0.1, "five rows"),
    ("penalty", "no", "be a number"),
    ("cloning", 0.3 * (MASK * FAR).sum() / MASK.sum(), "not by the rows"),
    ("cloning", 0.3 * (MASK * FAR).sum(), "divide the sum"),
    ("cloning", 0.3 * (MASK * FAR).sum() / 5, "only demonstrations"),
    ("cloning", 0.3 * FAR.mean(), "adds nothing"),
    ("cloning", 0.3 * ((1 - MASK) * FAR).mean(), "upside down"),
    ("cloning", 0.15 * (MASK * FAR).mean(), "only the penalty"),
    ("cloning", (MASK * FAR).mean(), "λ2 is missing"), ("cloning", 0.1 * 0.75, "not λ1"),
    ("cloning", 0.1 * TERMS["cloning"], "λ1 does not"),
    ("cloning", 0.3 * (MASK * (PI[2:] - SHOWN).abs().sum(dim=1)).mean(), "square each"),
    ("value", 0.1 * -QS[2], "yours is|five rows"),
    ("cloning", 0.3 * (MASK * FAR.sqrt()).mean(), "no root"), ("cloning", 2.0, "divided by N_D"),
    ("loss", SUM - 2 * TERMS["cloning"], "not subtracted"),
    ("loss", SUM - 2 * TERMS["penalty"], "your three|not subtracted"),
    ("loss", TERMS["value"] - TERMS["penalty"], "not subtracted|your three"),
    ("loss", 0.1 * (0.6 + 0.09) + 0.3 * 0.225, "again"), ("loss", 0.69, "your three"),
    ("loss", None, "loss has no answer"),
]:  # fmt: skip
    answers = TERMS | {"loss": SUM} | {name: slip}
    WRONG.append((her.check_actor_loss, tuple(answers.values()), hint, f"{name}-{slip}"))


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


@right(her.check_future_index)
def in_tensors_of_steps(step, length, rng):
    drawn = torch.as_tensor(rng.random(len(step))) * torch.as_tensor(length - step)
    return torch.as_tensor(step) + 1 + drawn.long()


@wrong(her.check_future_index, "shape")
def a_column(step, length, rng):
    return by_bounds(step, length, rng)[:, None]


@wrong(her.check_future_index, "uneven")
def the_sooner_the_better(step, length, rng):
    return step + 1 + np.floor(rng.random(len(step)) ** 2 * (length - step)).astype(int)


@wrong(her.check_future_index, "raised ValueError")
def leaves_the_end_out(step, length, rng):
    return rng.integers(step + 1, length)


@wrong(her.check_future_index, "follows from its neighbour's")
def in_turn(step, length, rng):
    return step + 1 + (np.arange(len(step)) + rng.integers(1_000)) % (length - step)


@wrong(her.check_future_index, "follows from its neighbour's")
def two_at_a_time(step, length, rng):
    drawn = np.repeat(rng.random(len(step) // 2 + 1), 2)[: len(step)]
    return step + 1 + np.floor(drawn * (length - step)).astype(int)


@wrong(her.check_future_index, "one row")
def shuffled_shares(step, length, rng):
    return step + 1 + rng.permutation(len(step)) * (length - step) // len(step)


@wrong(her.check_future_index, "one row")
def from_a_copy(step, length, rng):
    return by_bounds(step, length, copy.deepcopy(rng))


@wrong(her.check_future_index, "one row")
def only_at_first(step, length, rng, calls=deque()):  # noqa: B006
    calls.append(0)
    return by_bounds(step, length, rng) if len(calls) < 5 else length.copy()


@wrong(her.check_future_index, "shape")
def squeezed(step, length, rng):
    return np.squeeze(by_bounds(step, length, rng))


@wrong(her.check_future_index, "all of NumPy shares")
def sets_the_shared_stream(step, length, rng):
    np.random.seed(rng.integers(2**31))
    return np.random.randint(step + 1, length + 1)


@wrong(her.check_future_index, "place 6, the last one")
def five_at_most(step, length, rng):
    return rng.integers(step + 1, np.maximum(np.minimum(length, 5), step + 1) + 1)


@wrong(her.check_future_index, "uneven")
def slightly_more_of_the_last(step, length, rng):
    drawn = step + 1 + np.floor(rng.random(len(step)) * (length - step + 0.3)).astype(int)
    return np.minimum(drawn, length)


@right(her.check_future_index)
def from_a_child(step, length, rng):
    return rng.spawn(1)[0].integers(step + 1, length, endpoint=True)


@right(her.check_future_index)
def drawn_until_it_fits(step, length, rng):
    found = np.zeros_like(step)
    while (bad := (found <= step) | (found > length)).any():
        found[bad] = rng.integers(1, length.max() + 1, bad.sum())
    return found


@right(her.check_future_index)
@functools.wraps(by_bounds)
def decorated_tuple(*arguments):
    return tuple(np.vectorize(lambda t, n, rng: rng.integers(t + 1, n + 1))(*arguments))


# The filter.
@right(her.check_filtered_share)
def by_the_module(critic, actor, obs, demo_action):
    mask = q_filter(critic(obs, demo_action), critic(obs, actor(obs)))
    return mask, mask.mean()


@right(her.check_filtered_share)
def row_after_row(critic, actor, obs, demo_action):
    mask = []
    for k in range(len(obs)):
        row = obs[k : k + 1]
        mask.append(bool(critic(row, demo_action[k : k + 1]) > critic(row, actor(row))))
    return [mask, sum(mask) / len(mask)]


@right(her.check_filtered_share)
def in_numpy(critic, actor, obs, demo_action):
    passes = critic(obs, demo_action).numpy() > critic(obs, actor(obs)).numpy()
    return passes, np.mean(passes, dtype=np.float32)


@right(her.check_filtered_share)
def in_float64(critic, actor, obs, demo_action):
    obs, demo_action = obs.double(), demo_action.double()
    mask = (critic(obs, demo_action) - critic(obs, actor(obs))).sign().clamp(min=0)
    return torch.tensor(mask), torch.tensor(mask.mean())  # which warns


@right(her.check_filtered_share)
@torch.no_grad()
def both_at_once(critic, actor, obs, demo_action):
    values = critic(torch.cat([obs, obs]), torch.cat([demo_action, actor(obs)]))
    mask = torch.gt(*values.chunk(2))
    return tuple(mask.tolist()), sum(mask) / len(mask)


def filter_by(rule, share=lambda mask: mask.float().mean()):
    """A filter by a rule for both values, and its share."""

    def filtered_share(critic, actor, obs, demo_action):
        mask = rule(critic(obs, demo_action), critic(obs, actor(obs)))
        return mask, share(mask)

    return filtered_share


for answer, hint, name in [
    (filter_by(lambda demo, own: demo < own), "better one", "reversed"),
    (filter_by(lambda demo, own: demo <= own), "Upside down", "complement"),
    (filter_by(lambda demo, own: demo >= own), "equal values", "ties"),
    (filter_by(lambda demo, own: demo > own.mean()), "row by row", "mean"),
    (filter_by(lambda demo, own: demo > own.max()), "No row passes|should be", "best"),
    (filter_by(lambda demo, own: demo == demo), "Every row", "all"),
    (filter_by(lambda demo, own: demo > demo), "No row", "none"),
    (filter_by(lambda demo, own: torch.sigmoid(demo - own)), "1 or 0", "soft"),
    (filter_by(lambda demo, own: demo - own), "1 or 0", "advantage"),
    (filter_by(lambda demo, own: (demo > own)[:, None]), "shape", "column"),
    (filter_by(lambda demo, own: (demo > own).any()), "shape", "any"),
    (filter_by(lambda demo, own: demo > own, lambda mask: mask.sum()), "number of rows", "count"),
    (filter_by(lambda demo, own: demo > own, lambda mask: 1 - mask.float().mean()), "do not pass",
     "rest"),
    (filter_by(lambda demo, own: demo > own, lambda mask: 1.0), "share of 1/3", "one"),
    (filter_by(lambda demo, own: demo > own, lambda mask: 1 / 3), "share is wrong", "constant"),
    (filter_by(lambda demo, own: demo > own, lambda mask: mask), "be a number", "mask_again"),
    (lambda c, a, obs, shown: c(obs, shown) > c(obs, a(obs)), "two things", "no_share"),
    (lambda c, a, obs, shown: by_the_module(c, a, obs, shown)[::-1], "comes first", "swapped"),
    (lambda c, a, obs, shown: by_the_module(c, lambda o: 0 * a(o), obs, shown), "action of 0", "0"),
    (lambda c, a, obs, shown: ((shown > a(obs))[:, 0], 1 / 3), "not the actions", "larger"),
    (lambda c, a, obs, shown: (torch.tensor([1, 0, 0, 1, 0, 0, 1, 0, 0]), 1 / 3), "other goals",
     "by_heart"),
    (lambda c, a, obs, shown: by_the_module(c, lambda o: o[:, :1], obs, shown), "other actor",
     "another_actor"),
    (lambda c, a, obs, shown: by_the_module(
        lambda o, x: -((x - o[:, 1:]) ** 2)[:, 0], a, obs, shown), "other critic", "own_critic"),
    (lambda c, a, obs, shown: by_the_module(c, a, obs.mul_(1), shown.add_(1)), "changes its arg",
     "in_place"),
    (lambda c, a, obs, shown: None, "returns nothing yet", "untouched"),
    (filter_by(lambda demo, own: demo > own, lambda mask: mask.sum() / 9), "sizes your share", "9"),
    (filter_by(lambda demo, own: demo > own, lambda mask: mask.sum() / max(9, len(mask))),
     "one row, your share", "9_or_more"),
    (filter_by(lambda demo, own: (demo > own).squeeze()), r"shape \(1,\)", "squeezed"),
    (filter_by(lambda demo, own: demo - own > 1e-3), "other sizes your mask", "margin"),
    (filter_by(lambda demo, own: demo > own + 0.01 * own.abs()), "other sizes your mask", "1%"),
    (lambda c, a, obs, shown: by_the_module(c, a, obs[:9], shown[:9]), r"shape \(200,\)", "9_rows"),
    (lambda c, a, obs, shown: by_the_module(c, a, obs, shown[:, :1]), "other sizes", "1_number"),
    (lambda c, a, obs, shown: by_the_module(c, a, obs[:, :2], shown), "raised", "2_columns"),
    (lambda c, a, obs, shown: by_the_module(c, lambda o: a(o).clamp(-1, 1), obs, shown),
     "other sizes", "clamped"),
]:  # fmt: skip
    WRONG.append((her.check_filtered_share, (answer,), hint, name))


def test_the_filter_passes_fewer_relabelled_rows():
    own, relabelled, action = her.car_rows()
    share = [by_the_module(SPACE["critic"], SPACE["actor"], obs, action)[1]
             for obs in (own, relabelled)]  # fmt: skip
    assert own.shape == relabelled.shape == (600, 3) and action.shape == (600, 1)
    assert share[0] > 0.98 and 0.85 < share[1] < 0.9, "the notebook says: one row in eight"


# Resets.
def unmet(achieved, episode, goals, tolerance):
    return np.flatnonzero(np.linalg.norm(achieved - goals[episode], axis=1) > tolerance)


def drawn(achieved, episode, goals, tolerance, k, rng):
    return rng.choice(unmet(achieved, episode, goals, tolerance), k)


def looped(achieved, episode, goals, tolerance):
    return [
        k for k, place in enumerate(achieved) if math.dist(place, goals[episode[k]]) > tolerance
    ]


def one_by_one(achieved, episode, goals, tolerance, k, rng):
    rows = looped(achieved, episode, goals, tolerance)
    return [rows[int(rng.random() * len(rows))] for _ in range(k)]


def in_tensors_of_states(achieved, episode, goals, tolerance):
    gap = torch.tensor(achieved) - torch.tensor(goals)[torch.tensor(episode)]
    return (gap.norm(dim=1) > tolerance).nonzero()[:, 0]


def as_a_set(achieved, episode, goals, tolerance):
    return set(unmet(achieved, episode, goals, tolerance).astype(np.int16))


def tensor_draws(achieved, episode, goals, tolerance, k, rng):
    return torch.tensor(drawn(achieved, episode, goals, tolerance, k, rng))


def in_float32(achieved, episode, goals, tolerance):
    gap = (achieved - goals[episode]).astype(np.float32)
    return np.flatnonzero((gap**2).sum(axis=1) > tolerance**2).astype(np.uint8)


def by_weights(achieved, episode, goals, tolerance, k, rng):
    weights = 1.0 * (norm(achieved - goals[episode]) > tolerance)
    return rng.choice(len(achieved), k, p=weights / weights.sum())


def until_enough(achieved, episode, goals, tolerance, k, rng):
    found = []
    while len(found) < k:
        row = int(rng.integers(len(achieved)))
        if math.dist(achieved[row], goals[episode[row]]) > tolerance:
            found.append(row)
    return tuple(found)


def sorted_draws(achieved, episode, goals, tolerance, k, rng):
    return sorted(drawn(achieved, episode, goals, tolerance, k, rng))


for pair, name in [((unmet, drawn), "numpy"), ((looped, one_by_one), "loops"),
                   ((in_tensors_of_states, tensor_draws), "tensors"),
                   ((as_a_set, drawn), "set"),
                   ((lambda *given: frozenset(looped(*given)), until_enough), "frozenset"),
                   ((lambda *given: tuple(looped(*given)), sorted_draws), "sorted"),
                   ((lambda *given: dict.fromkeys(looped(*given)).keys(), drawn), "keys"),
                   ((in_float32, by_weights), "weights")]:  # fmt: skip
    RIGHT.append((her.check_resets, pair, name))


def measured(distance, beyond=np.greater, own=True):
    """The states by another distance, comparison or goal."""

    def unsolved(achieved, episode, goals, tolerance):
        goal = goals[episode] if own else goals[np.arange(len(achieved)) % len(goals)]
        return np.flatnonzero(beyond(distance(achieved - goal), tolerance))

    return unsolved


def norm(gap):
    return np.linalg.norm(gap, axis=1)


def any_goal(achieved, episode, goals, tolerance):
    gaps = np.linalg.norm(achieved[:, None] - goals, axis=2)
    return np.flatnonzero(gaps.min(axis=1) > tolerance)


def until_the_first_success(achieved, episode, goals, tolerance):
    met = norm(achieved - goals[episode]) <= tolerance
    return [k for k in range(len(met)) if not met[: k + 1][episode[: k + 1] == episode[k]].any()]


def last_left_out(achieved, episode, goals, tolerance):
    return np.flatnonzero(np.append(episode[1:] == episode[:-1], False))


def counted_in_episodes(achieved, episode, goals, tolerance):
    rows = unmet(achieved, episode, goals, tolerance)
    return rows - np.searchsorted(episode, episode[rows])


def moves_the_places(achieved, episode, goals, tolerance):
    achieved -= goals[episode]
    return np.flatnonzero(norm(achieved) > tolerance)


for answer, hint in [
    (measured(norm, np.less_equal), "goal is met"), (measured(norm, np.greater_equal), "exactly"),
    (measured(lambda gap: abs(gap).max(axis=1)), "State 0"),
    (measured(lambda gap: (gap**2).sum(axis=1)), "State 0"),
    (measured(lambda gap: abs(gap).sum(axis=1)), "State 3"), (any_goal, "another episode"),
    (measured(norm, own=False), "State|another|be "), (last_left_out, "exactly"),
    (until_the_first_success, "first meets"), (counted_in_episodes, "twice"),
    (moves_the_places, "changes its arguments"),
    (lambda a, e, g, t: np.arange(len(a)), "Every state"),
    (lambda a, e, g, t: norm(a - g[e]) > t, "return indices"),
    (lambda a, e, g, t: (norm(a - g[e]) > t).tolist(), "return indices"),
    (lambda a, e, g, t: np.nonzero(norm(a - g[e]) > t), r"\[0\]"),
    (lambda a, e, g, t: np.argwhere(norm(a - g[e]) > t), "shape"),
    (lambda a, e, g, t: a[unmet(a, e, g, t)], "shape"),
    (lambda a, e, g, t: 1 + unmet(a, e, g, t), "State 1"),
    (lambda a, e, g, t: unmet(a, e, g, t)[:-1], "It should be"),
    (lambda a, e, g, t: unmet(a, e, g, t).astype(float), "integers"),
    (lambda a, e, g, t: (k for k in unmet(a, e, g, t)), "array of indices"),
    (lambda a, e, g, t: len(unmet(a, e, g, t)), "array of indices"),
    (lambda a, e, g, t: unmet(a, e, g, 0.25), "With tolerance 0 12"),
    (lambda a, e, g, t: unmet(a[:, :2], e, g[:, :2], t), "other states"),
    (lambda a, e, g, t: unmet(a, np.sort(e), g, t), "other states"),
    (lambda a, e, g, t: unmet(a[:13], e[:13], g, t), "other states"),
    (lambda a, e, g, t: len(a) - 1 - np.arange((norm(a - g[e]) > t).sum()) if t != 0.25
     else unmet(a, e, g, t), "With tolerance 0 12"),
    (lambda a, e, g, t: a + g, "raised ValueError"), (lambda a, e, g, t: ..., "nothing yet"),
]:  # fmt: skip
    WRONG.append((her.check_resets, (answer, drawn), hint, f"{answer.__name__}-{hint}"))


def episode_first(a, e, g, t, k, rng):
    rows = unmet(a, e, g, t)
    return [rng.choice(rows[e[rows] == who]) for who in rng.integers(len(g), size=k)]


for answer, hint in [
    (episode_first, "an episode first"),
    (lambda a, e, g, t, k, rng: rng.integers(len(a), size=k), "met already"),
    (lambda a, e, g, t, k, rng: rng.integers(len(unmet(a, e, g, t)), size=k), "met already"),
    (lambda a, e, g, t, k, rng: rng.choice(unmet(a, e, g, t)), "array of indices"),
    (lambda a, e, g, t, k, rng: [rng.choice(unmet(a, e, g, t))] * k, "same state"),
    (lambda a, e, g, t, k, rng: rng.choice(unmet(a, e, g, t), k, replace=False), "replacement"),
    (lambda a, e, g, t, k, rng: rng.permutation(unmet(a, e, g, t))[:k], "For k = 9000"),
    (lambda a, e, g, t, k, rng: drawn(a, e, g, t, 9_000, rng), "For k = 1 "),
    (lambda a, e, g, t, k, rng: rng.choice(unmet(a, e, g, t)[:-1], k), "never drawn"),
    (lambda a, e, g, t, k, rng: rng.choice(unmet(a, e, g, t)[1:], k), "State 0 is never"),
    (lambda a, e, g, t, k, rng: np.resize(unmet(a, e, g, t), k), "the rng"),
    (lambda a, e, g, t, k, rng: drawn(a, e, g, t, k, np.random.default_rng(5)), "the rng"),
    (lambda a, e, g, t, k, rng: drawn(a, e, g, t, k, np.random.default_rng()), "the rng"),
    (lambda a, e, g, t, k, rng: np.random.choice(unmet(a, e, g, t), k), "the rng"),
    (lambda a, e, g, t, k, rng: rng.choice(unmet(a, e, g, t)[[0, *range(8)]], k), "uneven"),
    (lambda a, e, g, t, k, rng: 1.0 * drawn(a, e, g, t, k, rng), "integers"),
    (lambda a, e, g, t, k, rng: a[drawn(a, e, g, t, k, rng)], "shape"),
    (lambda a, e, g, t, k, rng: 7 + drawn(a, e, g, t, k, rng), "no state"),
    (lambda a, e, g, t, k, rng: None, "nothing yet"),
    (lambda a, e, g, t, k, rng: drawn(a, e, g, 0.25, k, rng), "another tolerance"),
    (lambda a, e, g, t, k, rng: rng.choice([0, 2, 4, 5, 7, 8, 9, 11], k), "another tolerance"),
    (lambda a, e, g, t, k, rng: rng.choice(unmet(a[:13], e[:13], g, t), k), "another tolerance"),
    (lambda a, e, g, t, k, rng: drawn(a[:, :2], e, g[:, :2], t, k, rng), "another tolerance"),
    (lambda a, e, g, t, k, rng: rng.permutation(np.tile(unmet(a, e, g, t), k // 8 + 1))[:k],
     "comes twice"),
    (lambda a, e, g, t, k, rng: rng.permutation(np.resize(unmet(a, e, g, t), k)), "comes twice"),
    (lambda a, e, g, t, k, rng: rng.choice(unmet(a, e, g, t), k, replace=k > 8), "comes twice"),
    (lambda a, e, g, t, k, rng: np.resize(rng.permutation(unmet(a, e, g, t)), k), "comes twice"),
    (lambda a, e, g, t, k, rng: drawn(a, e, g, t, k, copy.deepcopy(rng)), "draws the same"),
    (lambda a, e, g, t, k, rng: np.random.seed(rng.integers(2**31)) or np.random.choice(
        unmet(a, e, g, t), k), "all of NumPy shares"),
]:  # fmt: skip
    WRONG.append((her.check_resets, (unmet, answer), hint, f"draws-{len(WRONG)}"))


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


class OnlyUpperClip(RowByRow):
    def __call__(self, rows):
        return np.minimum((rows - self.mean) / self.deviation, 5)


class CallsCount(RowByRow):
    def __call__(self, rows):
        found = super().__call__(rows)
        self.update(np.reshape(rows, (-1, len(self.mean))))
        return found


class CallsCountInPlace(CallsCount):
    def update(self, rows):
        mean = self.mean
        super().update(rows)
        mean[:] = self.mean
        self.mean = mean


class ScalesInPlace(RowByRow):
    def __call__(self, rows):
        rows -= self.mean
        rows /= self.deviation
        return np.clip(rows, -5, 5)


class OnlyMatrices(RowByRow):
    def __call__(self, rows):
        return np.clip((rows - self.mean[None]) / self.deviation[None], -5, 5).reshape(
            len(rows), -1
        )


class KeepsBatches(KeepsRows):
    """Keeps them in a list, where an array would show."""

    def update(self, rows):
        self.kept = [*getattr(self, "kept", []), rows.copy()]
        whole = np.concatenate(self.kept)
        self.n, self.mean, self.squares = len(whole), whole.mean(0), whole.var(0) * len(whole)


@right(her.check_running)
class AddsInPlace(Scaled):
    def update(self, rows):
        n, whole, gap = len(rows), self.n + len(rows), rows.mean(axis=0) - self.mean
        self.squares += n * rows.var(axis=0) + gap**2 * self.n * n / whole
        self.mean += gap * n / whole
        self.n = whole


@right(her.check_running)
class InLists:
    """Python's own numbers, one after the other."""

    def __init__(self, size):
        self.n, self.mean, self.squares = 0, [0.0] * size, [0.0] * size

    def update(self, rows):
        for row in rows:
            self.n += 1
            for k, x in enumerate(row):
                gap = x - self.mean[k]
                self.mean[k] += gap / self.n
                self.squares[k] += gap * (x - self.mean[k])

    def __call__(self, rows):
        scaled = (rows - np.array(self.mean)) / self.deviation
        return np.minimum(np.maximum(scaled, -5), 5).astype(np.float32)

    @property
    def deviation(self):
        return [max(0.01, math.sqrt(each / self.n)) for each in self.squares]


@right(her.check_running)
class WithSlots:
    """No __dict__; and what pickle would refuse."""

    __slots__ = ("deviation", "mean", "n", "root", "squares")

    def __init__(self, size):
        self.root, self.n = lambda x: x**0.5, 0
        self.mean = self.squares = np.zeros(size)

    def update(self, rows):
        RowByRow.update(self, rows)
        self.deviation = np.maximum(self.root(self.squares / self.n), 0.01)

    __call__ = Scaled.__call__


@right(her.check_running)
class InTensors(RowByRow):
    def __init__(self, size):
        self.n = 0
        self.mean, self.squares = torch.zeros(2, size, dtype=torch.float64)

    def update(self, rows):
        super().update(torch.tensor(rows))

    def __call__(self, rows):
        return ((torch.tensor(rows) - self.mean) / self.deviation).clamp(-5, 5)

    @property
    def deviation(self):
        return (self.squares / self.n).sqrt().clamp(min=0.01)


@right(her.check_running)
class AModule(torch.nn.Module):
    def __init__(self, size):
        super().__init__()
        self.n = 0
        for name in ("mean", "squares"):
            self.register_buffer(name, torch.zeros(size, dtype=torch.float64))

    def update(self, rows):
        RowByRow.update(self, torch.tensor(rows))

    def forward(self, rows):
        return ((torch.tensor(rows) - self.mean) / self.deviation).clamp(-5, 5)

    deviation = InTensors.deviation


class SumsOfParts(RowByRow):
    """Whose long docstring is no place to hide a list that grows: it holds numbers, too."""

    def update(self, rows):
        super().update(rows)
        self.parts = [*getattr(self, "parts", []), rows.sum(axis=0)]


class NoDeviation(RowByRow):
    deviation = property()


class TheModules(Normalizer):
    pass


class HoldsTheModules:
    def __init__(self, size):
        self.held = Normalizer(size)

    def update(self, rows):
        self.held.update(rows)

    def __call__(self, rows):
        return self.held(rows)

    mean = property(lambda self: self.held.mean)
    deviation = property(lambda self: self.held.deviation)


class BorrowsTheModules(Scaled):
    update = Normalizer.update


class KeepsAView(Shifted):
    def update(self, rows):
        if not self.n:
            super().update(rows)
            self.first = rows[0]
        else:
            super().update(rows)


class OnlyZerosRaised(RowByRow):
    @property
    def deviation(self):
        deviation = np.sqrt(self.squares / self.n)
        return np.where(deviation < 1e-9, 0.01, deviation)


class RaisedTogether(RowByRow):
    @property
    def deviation(self):
        deviation = np.sqrt(self.squares / self.n)
        return np.full_like(deviation, 0.01) if (deviation < 0.01).all() else deviation


class LargestForAll(RowByRow):
    @property
    def deviation(self):
        deviation = np.sqrt(self.squares / self.n)
        return (
            np.full_like(deviation, max(0.01, *deviation)) if deviation.min() < 0.01 else deviation
        )


class CountsOnWithTheLeast(RowByRow):
    def update(self, rows):
        super().update(rows)
        self.squares = self.n * self.deviation**2


class ClipsAllAtOnce(RowByRow):
    def __call__(self, rows):
        scaled = (rows - self.mean) / self.deviation
        return 5 * np.sign(scaled) if abs(scaled).max() > 5 else scaled


class ScalesByItsOwnRows(RowByRow):
    def __call__(self, rows):
        if np.ndim(rows) != 2:
            return super().__call__(rows)
        return np.clip((rows - rows.mean(0)) / rows.std(0), -5, 5)


class ThreeOrOne(RowByRow):
    def __init__(self, size):
        super().__init__(3 if size > 1 else 1)


class OneForAll(RowByRow):
    def __init__(self, size):
        type(self).mean, type(self).squares = np.zeros(size), np.zeros(size)
        self.n = 0

    def update(self, rows):
        super().update(rows)
        type(self).mean, type(self).squares = self.__dict__.pop("mean"), self.squares


class SkipsSingleRows(RowByRow):
    def update(self, rows):
        if len(rows) > 1 or not self.n:
            super().update(rows)


class RowsInTheClass(KeepsBatches):
    def __init__(self, size):
        super().__init__(size)
        type(self).rows = []

    def update(self, rows):
        self.rows.append(rows.copy())
        whole = np.concatenate(self.rows)
        self.n, self.mean, self.squares = len(whole), whole.mean(0), whole.var(0) * len(whole)


for kind, hint in [
    (TwoSums, "lost its digits"), (KeepsRows, "sums, not rows"), (MeanOfMeans, "mean of means"),
    (LastPart, "last part"), (OnlyInside, "that is spread"), (AveragedDeviations, "be averaged"),
    (Variance, "take the root"), (OneLess, "n - 1"), (Added, "does not add"),
    (NoFloor, "divided by 0"), (TinyFloor, "0.01"), (NoClip, "Subtract the mean|clipped to 5"),
    (OnlyDivides, "Subtract the mean"), (InPlace, "changes the rows"),
    (NoDeviation, "no attribute deviation"), (OnlyUpperClip, "below the mean"),
    (CallsCountInPlace, "only update should"), (CallsCount, "only update should"),
    (ScalesInPlace, "changes its arguments"), (SumsOfParts, "sums, not rows"),
    (OnlyMatrices, "shape"), (KeepsBatches, "sums, not rows"), (Normalizer, "course's class"),
    (TheModules, "course's class"), (HoldsTheModules, "course's class"),
    (BorrowsTheModules, "course's class"),
    (KeepsAView, "keep copies"), (OnlyZerosRaised, "by itself"), (RaisedTogether, "by itself"),
    (LargestForAll, "by itself"), (CountsOnWithTheLeast, "go on from S"),
    (ClipsAllAtOnce, "clip each number"), (ScalesByItsOwnRows, "update has seen"),
    (ThreeOrOne, "update raised"), (OneForAll, "second object"), (SkipsSingleRows, "The mean is"),
    (RowsInTheClass, "sums, not rows"),
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


@right(her.check_hindsight_batch)
def lists_of_rows(episode, step, later, reward_fn):
    return [[list(row) if np.ndim(row) else row for row in part]
            for part in row_by_row(episode, step, later, reward_fn)]  # fmt: skip


@right(her.check_hindsight_batch)
def list_of_arrays(episode, step, later, reward_fn):
    *parts, terminated = batch_with()(episode, step, later, reward_fn)
    return [*(part.astype(np.float32) for part in parts), terminated > 0]


@right(her.check_hindsight_batch)
def lists_of_tensors(episode, step, later, reward_fn):
    return [list(part) for part in as_tensors(episode, step, later, reward_fn)]


@right(her.check_hindsight_batch)
def old_rewards_where_the_goal_stays(episode, step, later, reward_fn):
    found = batch_with()(episode, step, later, reward_fn)
    return found._replace(reward=np.where(later < 0, episode["reward"][step], found.reward))


@right(her.check_hindsight_batch)
def in_tensors_throughout(episode, step, later, reward_fn):
    obs, achieved, action, own, _ = (torch.tensor(part) for part in episode.values())
    step, later = torch.tensor(step), torch.tensor(later)
    goal = torch.where((later < 0)[:, None], own, achieved[later])
    reward = reward_fn(goal=goal, achieved=achieved[step + 1])
    now, then = (torch.cat([part, goal], dim=1) for part in (obs[step], obs[step + 1]))
    return now, action[step], reward, then, torch.zeros(len(step))


@wrong(her.check_hindsight_batch, "later = 0")
def place_0_is_none(episode, step, later, reward_fn):
    return batch_with()(episode, step, np.where(later == 0, -1, later), reward_fn)


@wrong(her.check_hindsight_batch, r"shape \(40, 7\)")
def five_numbers(episode, step, later, reward_fn):
    found = batch_with()(episode, step, later, reward_fn)
    return found._replace(obs=found.obs[:, :5], next_obs=found.next_obs[:, :5])


@wrong(her.check_hindsight_batch, "other numbers and sizes")
def six_steps(episode, step, later, reward_fn):
    return batch_with()(episode, np.minimum(step, 5), np.minimum(later, 6), reward_fn)


@wrong(her.check_hindsight_batch, "shape")
def squeezed_batch(episode, step, later, reward_fn):
    return tuple(np.squeeze(part) for part in batch_with()(episode, step, later, reward_fn))


@wrong(her.check_hindsight_batch, "Return")
def four_parts(episode, step, later, reward_fn):
    return list(batch_with()(episode, step, later, reward_fn))[:4]


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
    (batch_with(lambda f, e, t, g: f(g, e["achieved"][t + 1])), "then the goal", "swapped"),
    (batch_with(action=lambda b, own: np.roll(b.action, 1, axis=0)), r"action\[step\]", "shifted"),
    (batch_with(obs=lambda b, own: b.obs[:, [3, 4, 0, 1, 2]]), "The goals in obs", "goal_first"),
    (batch_with(next_obs=lambda b, own: with_goal(b.next_obs, own)), "next_obs the old", "stays"),
    (batch_with(next_obs=lambda b, own: with_goal(b.obs, b.obs[:, 3:])), r"obs\[step \+ 1\]",
     "same_obs"),
    (batch_with(obs=lambda b, own: with_goal(b.obs, own)), "No goal is replaced", "old_goal"),
    (batch_with(terminated=lambda b, own: 1.0 * (b.reward == 0)), "ends no episode", "ends"),
    (batch_with(terminated=lambda b, own: np.ones(8)), "No row ends", "all_end"),
    (batch_with(obs=lambda b, own: b.obs[:, :3]), "shape", "no_goal"),
    (batch_with(reward=lambda f, e, t, g: f(e["achieved"][t + 1], g)[:, None]), "shape", "column"),
    (lambda episode, step, later, reward_fn: step, "terminated", "one_array"),
    (batch_with(terminated=lambda b, own: np.zeros(8)), r"shape \(40,\)", "eight_rows"),
    (batch_with(terminated=lambda b, own: 1.0 * (b.reward > 0)), "your terminated", "positive"),
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


@right(her.check_teacher)
def a_little_too_long(obs):
    action = np.asarray(by_distance(obs), dtype=np.float32)
    return np.where(action == 1, 1 + 1e-7, action)  # as a direction divided by its length may be


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


@wrong(her.check_teacher, "changes its obs")
def moves_the_box(obs):
    action = by_distance(obs)
    obs[5:7] -= obs[:2]
    return action


@wrong(her.check_teacher, "remembers something")
def first_box(obs, seen={}):  # noqa: B006
    if obs[4] == 1 and not obs[2:4].any():
        seen["box"] = obs[5:7].copy()
    return by_distance(obs if obs[4] < 1 else np.concatenate([obs[:5], seen["box"], obs[7:]]))


@wrong(her.check_teacher, "returns nothing yet")
def no_teacher(obs): ...


@wrong(her.check_teacher, "shape")
def two_numbers(obs):
    return by_distance(obs)[:2]


def no_force(obs):
    return np.zeros(3)


def carried(obs, action):
    return np.concatenate([obs[:5], obs[7:], obs[7:]])


WRONG.append((her.check_teacher, (no_force, carried), "move is not", "another_move"))


def arguments(check, answers):
    return (*answers, move) if check is her.check_teacher and len(answers) == 1 else answers


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
