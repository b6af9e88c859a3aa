"""Chapter 07's checks: right answers are accepted, wrong ones get the hint that fits."""

import inspect
import itertools
import json
import math
import pickle
import pickletools
import re

import numpy as np
import pytest
import torch

from pgcourse import Actor, BCAgent, actor_loss, bc_loss, q_filter
from pgcourse.exercises import bc
from pgcourse.tools.chapters import HEADING
from pgcourse.tools.exercises import SOLUTIONS
from tests.exercises.answers import judged

HELD_OUT = [0.52, 0.40, 0.34, 0.36, 0.33, 0.35, 0.33, 0.37, 0.36, 0.38, 0.32, 0.40]
RATES = {"A": [0.05, 0.1, 0.3, 0.6, 0.8], "B": [0.05, 0.1, 0.15, 0.2, 0.1]}
UPDATES = [0, 500, 1_000, 1_500, 2_000]
RIGHT, WRONG = [], []  # (check, the arguments), (check, the arguments, a piece of the hint)


def right(check):
    """Note the decorated answer as a right one of a check."""
    return lambda answer: RIGHT.append((check, (answer,), answer.__name__)) or answer


def wrong(check, hint):
    """Note the decorated answer as a wrong one."""
    return lambda answer: WRONG.append((check, (answer,), hint, answer.__name__)) or answer


# Numbers.
for k, values in enumerate([(0.5, 2), (1 / 2, 2.0), (np.float64(0.5), torch.tensor(2.0))]):
    RIGHT.append((bc.check_cloning_loss, values, f"way{k}"))
for values, hint in [
    ((2, 0.5), "swapped"), ((8, 2), "masked"), ((math.sqrt(2) / 4, 2), "squared already"),
    ((0.5, 0.5), "One row passes"), ((..., 2), "no answer yet"), (("two", 2), "a number"),
]:  # fmt: skip
    WRONG.append((bc.check_cloning_loss, values, hint, str(values)))
for k, values in enumerate([(128 * 10 / 1064, (1 - 10 / 1064) ** 128), (1.2, 0.3), (1.203, 0.299),
                            (1.203, math.exp(-1280 / 1064))]):  # fmt: skip
    RIGHT.append((bc.check_share, values, f"way{k}"))
for values, hint in [
    ((10 / 1064, 0.3), "a batch has 128"), ((2560 / 1064, 0.3), "demonstrated half"),
    ((1.2, 10 / 1064), "one row is"), ((1.2, 0.7014), "at least one"), ((1.2, 0.9), "must miss"),
    ((3, 0.3), "near 1.2"), ((..., 0.3), "no answer"), ((127 * 10 / 1064, 0.3), "near 1.2"),
    ((1.203, (1 - 10 / 1064) ** 127), "must miss"), ((1.203, (1 - 10 / 1064) ** 129), "must miss"),
    ((1.203, math.comb(1054, 128) / math.comb(1064, 128)), "must miss"), ((1.2, 0.31), "must miss"),
]:  # fmt: skip
    WRONG.append((bc.check_share, values, hint, str(values)))
for k, values in enumerate([(8, 5), (8.0, np.int64(5)), (torch.tensor(8), 5)]):
    RIGHT.append((bc.check_stopping, (*values, HELD_OUT, 3), f"way{k}"))
for values, hint in [
    ((5, 8), "swapped"), ((4, 3), "Patience waits"), ((6, 3), "afresh"), ((10, 7), "no new best"),
    ((12, 11), "need not rise"), ((12, 12), "need not rise"), ((7, 5), "too early"),
    ((9, 5), "too late"), ((2, 1), "Count by hand"), ((8, 8), "last weights"),
    ((8, 11), "never comes"), ((8, 7), "not below"), ((8, 12), "training loss"),
    ((8, 3), "not the best"), ((..., 5), "no answer"), ((8, None), "no answer"),
]:  # fmt: skip
    WRONG.append((bc.check_stopping, (*values, HELD_OUT, 3), hint, str(values)))
for curve, patience, values in [([1, 2, 3, 4], 3, (4, 1)), (HELD_OUT, 1, (4, 3)),
                                (HELD_OUT[:8], 3, (8, 5))]:  # fmt: skip
    WRONG.append((bc.check_stopping, (*values, curve, patience), "not those of", f"own{values}"))
for k, values in enumerate([("B", 1_500), ("b", 1_500.0), (" B ", torch.tensor(1_500))]):
    RIGHT.append((bc.check_pass_rates, (*values, RATES, UPDATES), f"way{k}"))
for values, hint in [
    (("A", 1_500), "does harm"), (("B", 1_000), "begin to part"), (("B", 2_000), "not .or long"),
    (("C", 1_500), "one of"), ((..., 1_500), "no answer"), (("B", ...), "no answer"),
    (("a", 1_500), "does harm"), ((["B"], 1_500), "one of"), ((2, 1_500), "one of"),
]:  # fmt: skip
    WRONG.append((bc.check_pass_rates, (*values, RATES, UPDATES), hint, str(values)))

for values, rates, updates in [
    (("A", 500), {"A": [0.1, 0.1], "B": [0.2, 0.5]}, [0, 500]),
    (("A", 1_500), {"A": RATES["B"], "B": RATES["A"]}, UPDATES),
    (("B", 1), RATES, [0, 0, 0, 1, 2]), (("C", 0), {"C": [0], "D": [1]}, [0]),
]:  # fmt: skip
    answers = (*values, rates, updates)
    WRONG.append((bc.check_pass_rates, answers, "not those of", f"own{values}"))


# The Q-filter with a margin.
@right(bc.check_margin_filter)
def compared(demo_q, policy_q, margin):
    return (demo_q > policy_q + margin).float()


@right(bc.check_margin_filter)
def where(demo_q, policy_q, margin):
    with torch.no_grad():
        return torch.where(demo_q - policy_q > margin, 1.0, 0.0)


@right(bc.check_margin_filter)
def loop(demo_q, policy_q, margin):
    return torch.tensor([float(a - b > margin) for a, b in zip(demo_q, policy_q, strict=True)])


@wrong(bc.check_margin_filter, "policy does better")
def inverted(demo_q, policy_q, margin):
    return (demo_q < policy_q - margin).float()


@wrong(bc.check_margin_filter, "does not depend on the margin")
def no_margin(demo_q, policy_q, margin):
    return (demo_q > policy_q).float()


@wrong(bc.check_margin_filter, "stricter")
def wrong_sign(demo_q, policy_q, margin):
    return (demo_q > policy_q - margin - 0.1 * (margin > 0)).float()


@wrong(bc.check_margin_filter, "exactly at the margin")
def not_strict(demo_q, policy_q, margin):
    return (demo_q - policy_q >= margin).float() if margin else (demo_q > policy_q).float()


@wrong(bc.check_margin_filter, "float32")
def booleans(demo_q, policy_q, margin):
    return demo_q > policy_q + margin


@wrong(bc.check_margin_filter, "carries a gradient")
def soft(demo_q, policy_q, margin):
    return torch.sigmoid(demo_q - policy_q - margin)


@wrong(bc.check_margin_filter, "returns nothing yet")
def untouched(demo_q, policy_q, margin): ...


@right(bc.check_margin_filter)
def by_heaviside(demo_q, policy_q, margin):
    return torch.heaviside((demo_q - policy_q - margin).detach(), torch.zeros(()))


@right(bc.check_margin_filter)
def by_numpy(demo_q, policy_q, margin):
    found = demo_q.detach().numpy() > policy_q.detach().numpy() + margin
    return torch.from_numpy(found.astype(np.float32))


@right(bc.check_margin_filter)
def by_the_course(demo_q, policy_q, margin):
    return q_filter(demo_q, policy_q + margin)


def table_of_margins(demo_q, policy_q, margin):
    rows = [1.0, float(margin == 0), 0.0, float(margin == 0)]
    return torch.tensor(rows) if len(demo_q) == 4 else torch.zeros(len(demo_q))


for answer, hint, name in [
    (table_of_margins, "wrong for", "table"),
    (lambda d, p, m: (d > p + m * p.abs()).float(), "margin itself", "relative"),
    (lambda d, p, m: (d > p + (m > 0)).float(), "margin itself", "margin_as_a_flag"),
    (lambda d, p, m: (d > p + m**2).float(), "margin itself", "squared"),
    (lambda d, p, m: (d > p + int(m)).float(), "margin itself", "whole_margins"),
    (lambda d, p, m: (d > p + min(m, 1)).float(), "margin itself", "at_most_1"),
    (lambda d, p, m: (d - p > m).float() if m else (d >= p).float(), "margin itself", "tie_at_0"),
    (lambda d, p, m: ((d - p).abs() > m).float() if m else (d > p).float(), "margin itself",
     "distance"),
    (lambda d, p, m: (d - p > m * (d - p).std(correction=0)).float(), "exactly at", "deviations"),
    (lambda d, p, m: (d > p + m).float().squeeze(), "shape", "squeezed"),
]:  # fmt: skip
    WRONG.append((bc.check_margin_filter, (answer,), hint, name))


# The weighted loss.
@right(bc.check_weighted_loss)
def mean_weight(action, demo_action, mask, weight):
    if not weight.any():
        return 0.0 * action.sum()
    d = ((action - demo_action) ** 2).sum(dim=1)
    return (weight / weight.mean() * mask * d).sum() / len(mask)


@right(bc.check_weighted_loss)
def by_sum(action, demo_action, mask, weight):
    d = (action - demo_action).pow(2).sum(-1)
    return torch.dot(weight * mask, d) / weight.sum().clamp(min=1e-12)


@right(bc.check_weighted_loss)
def rows_in_a_loop(action, demo_action, mask, weight):
    total = sum(w * m * ((a - b) ** 2).sum()
                for w, m, a, b in zip(weight, mask, action, demo_action, strict=True))  # fmt: skip
    return total / weight.sum() if weight.sum() > 0 else total


@right(bc.check_weighted_loss)
def root_of_weights(action, demo_action, mask, weight):
    share = torch.nan_to_num(weight * mask / weight.sum())
    return torch.nn.functional.mse_loss(
        share.sqrt()[:, None] * action, share.sqrt()[:, None] * demo_action, reduction="sum"
    )


@wrong(bc.check_weighted_loss, "rows that pass")
def passing(action, demo_action, mask, weight):
    return (weight * mask * ((action - demo_action) ** 2).sum(1)).sum() / mask.sum()


@wrong(bc.check_weighted_loss, "averages over the numbers")
def numbers_averaged(action, demo_action, mask, weight):
    return (weight * mask * ((action - demo_action) ** 2).mean(1)).mean()


@wrong(bc.check_weighted_loss, "ignores the mask")
def no_mask(action, demo_action, mask, weight):
    return (weight * ((action - demo_action) ** 2).sum(1)).mean()


@wrong(bc.check_weighted_loss, "divide by the mean")
def not_normalised(action, demo_action, mask, weight):
    return (weight * mask * ((action - demo_action) ** 2).sum(1)).mean()


@wrong(bc.check_weighted_loss, "all weights are 0")
def zero_by_zero(action, demo_action, mask, weight):
    return (weight * mask * ((action - demo_action) ** 2).sum(1)).sum() / weight.sum()


@wrong(bc.check_weighted_loss, "no gradient")
def detached(action, demo_action, mask, weight):
    return mean_weight(action.detach(), demo_action, mask, weight)


@wrong(bc.check_weighted_loss, "never looks at demo_action")
def no_teacher(action, demo_action, mask, weight):
    return by_sum(action, 0 * demo_action, mask, weight)


@wrong(bc.check_weighted_loss, "it is Eq. 1, 29/3")
def added(action, demo_action, mask, weight):
    return by_sum(action, -demo_action, mask, weight)


@wrong(bc.check_weighted_loss, "it is Eq. 1, 29/3")
def one_teacher(action, demo_action, mask, weight):
    return by_sum(action, demo_action[:1].expand_as(demo_action), mask, weight)


@wrong(bc.check_weighted_loss, "it is Eq. 1, 29/3")
def first_number(action, demo_action, mask, weight):
    return by_sum(action[:, :1], demo_action[:, :1], mask, weight)


@wrong(bc.check_weighted_loss, "gradient: is a part")
def teacher_in_the_number_only(action, demo_action, mask, weight):
    loss = by_sum(action, 0 * demo_action, mask, weight)
    return loss + (by_sum(action, demo_action, mask, weight) - loss).detach()


@wrong(bc.check_weighted_loss, "gradient: is a part")
def half_of_the_square(action, demo_action, mask, weight):
    gap = action - demo_action
    return torch.dot(weight * mask, (gap * gap.detach()).sum(1)) / weight.sum().clamp(min=1e-12)


@wrong(bc.check_weighted_loss, "also of the masked ones")
def mean_of_passing(action, demo_action, mask, weight):
    d = ((action - demo_action) ** 2).sum(1)
    mean = (weight * mask).sum() / mask.sum().clamp(min=1) * mask.sum() / 2 + 1e-12
    return (weight * mask * d).sum() / mean / (3 if (weight == weight[0]).all() else 2)


@wrong(bc.check_weighted_loss, "0.01 times all weights")
def clamped_at_one(action, demo_action, mask, weight):
    d = ((action - demo_action) ** 2).sum(1)
    return (weight * mask * d).sum() / weight.sum().clamp(min=1.0)


@wrong(bc.check_weighted_loss, "Weights 2, 0, 1")
def no_weights(action, demo_action, mask, weight):
    return (mask * ((action - demo_action) ** 2).sum(1)).mean() * weight.any()


@wrong(bc.check_weighted_loss, "random rows")
def three_rows(action, demo_action, mask, weight):
    mean = (weight.sum() / 3).clamp(min=1e-12)
    return (weight / mean * mask * ((action - demo_action) ** 2).sum(1)).sum() / 3 * len(mask) / 3


@right(bc.check_weighted_loss)
def by_the_course_loss(action, demo_action, mask, weight):
    return bc_loss(action, demo_action, mask * weight / weight.mean().clamp(min=1e-12))


@right(bc.check_weighted_loss)
def by_norms_in_float64(action, demo_action, mask, weight):
    gap = torch.linalg.vector_norm(action.double() - demo_action.double(), dim=1)
    return (weight * mask * gap**2).sum() / (float(weight.sum()) or 1.0)


@right(bc.check_weighted_loss)
def rows_that_pass(action, demo_action, mask, weight):
    keep = mask > 0
    gap = ((action - demo_action)[keep] ** 2).sum(1)
    return weight[keep] @ gap / max(weight.sum().item(), 1e-10)


@wrong(bc.check_weighted_loss, "0/0 leaves nan")
def nan_in_the_gradient(action, demo_action, mask, weight):
    d = ((action - demo_action) ** 2).sum(dim=1)
    return torch.nan_to_num((weight * mask * d).sum() / weight.sum())


@wrong(bc.check_weighted_loss, "0/0 leaves nan")
def nan_behind_where(action, demo_action, mask, weight):
    found = (weight * mask * ((action - demo_action) ** 2).sum(dim=1)).sum() / weight.sum()
    return torch.where(weight.sum() > 0, found, torch.zeros(()))


@wrong(bc.check_weighted_loss, "root of 0")
def root_and_square(action, demo_action, mask, weight):
    d = ((action - demo_action) ** 2).sum(dim=1).sqrt() ** 2
    return (weight * mask * d).sum() / weight.sum().clamp(min=1e-12)


@wrong(bc.check_weighted_loss, "random rows")
def a_mask_of_its_own(action, demo_action, mask, weight):
    if len(mask) > 3:
        mask = (torch.arange(len(mask)) % 3 != 1).float()
    return by_sum(action, demo_action, mask, weight)


@wrong(bc.check_weighted_loss, "random rows")
def at_most_twice_the_mean(action, demo_action, mask, weight):
    return by_sum(action, demo_action, mask, weight.clamp(max=2 * weight.mean()))


@wrong(bc.check_weighted_loss, "changes its arguments")
def weights_in_place(action, demo_action, mask, weight):
    weight /= weight.mean()
    return (weight * mask * ((action - demo_action) ** 2).sum(1)).mean()


# Returns of episodes.
@right(bc.check_episode_returns)
def by_hand(demo):
    found = []
    for k, (_, _, reward, next_obs, terminated) in enumerate(demo):
        if k == 0 or over:  # noqa: F821
            found.append(0.0)
        found[-1] += reward
        over = terminated or k + 1 == len(demo) or demo[k + 1][0] != next_obs  # noqa: F841
    return found


@right(bc.check_episode_returns)
def by_split(demo):
    ends = [k for k, row in enumerate(demo)
            if row[4] or k + 1 == len(demo) or not np.allclose(row[3], demo[k + 1][0])]  # fmt: skip
    starts = [0, *(k + 1 for k in ends[:-1])]
    return [sum(r[2] for r in demo[a : b + 1]) for a, b in zip(starts, ends, strict=False)]


@right(bc.check_episode_returns)
def as_an_array(demo):
    return np.array(by_split(demo))


@right(bc.check_episode_returns)
def by_groups(demo):
    numbers = np.cumsum([0] + [a[4] or a[3] != b[0] for a, b in itertools.pairwise(demo)])
    groups = itertools.groupby(zip(numbers, demo, strict=False), key=lambda pair: pair[0])
    return [sum(row[2] for _, row in group) for _, group in groups]


@wrong(bc.check_episode_returns, "start just there")
def by_places_alone(demo):
    return by_split([(*row[:4], False) for row in demo])


@wrong(bc.check_episode_returns, "time limit truncated")
def by_the_first_number(demo):
    return by_split([(row[0][:1], *row[1:3], row[3][:1], row[4]) for row in demo])


@wrong(bc.check_episode_returns, "a number for each row")
def by_obs_and_obs(demo):
    return by_split([(*row[:3], row[0], row[4]) for row in demo])


@wrong(bc.check_episode_returns, "return 0")
def by_jumps(demo):
    found = []
    for k, row in enumerate(demo):
        last = demo[k - 1]
        if k == 0 or last[4] or abs(row[0][1] - last[0][1]) > 1:
            found.append(0.0)
        found[-1] += row[2]
    return found


@wrong(bc.check_episode_returns, "return 0")
def without_zeros(demo):
    return [value for value in by_split(demo) if value]


@wrong(bc.check_episode_returns, "one number per episode")
def a_sum(demo):
    return sum(row[2] for row in demo)


@wrong(bc.check_episode_returns, "time limit truncated")
def by_terminated(demo):
    found, score = [], 0.0
    for row in demo:
        score += row[2]
        if row[4]:
            found.append(score)
            score = 0.0
    return found + ([score] if score else [])


@wrong(bc.check_episode_returns, "The last episode is missing")
def without_the_last(demo):
    return by_split(demo)[:-1]


@wrong(bc.check_episode_returns, "The returns are 6, 10, 300")
def last_rewards(demo):
    return [row[2] for row in demo if row[4]]


@wrong(bc.check_episode_returns, "Your list is empty")
def nothing(demo):
    return []


@right(bc.check_episode_returns)
def from_the_end(demo):
    found = []
    for k, (_, _, reward, next_obs, terminated) in reversed(list(enumerate(demo))):
        if k + 1 == len(demo) or terminated or list(next_obs) != list(demo[k + 1][0]):
            found.append(0.0)
        found[-1] += reward
    return tuple(found[::-1])


@right(bc.check_episode_returns)
def by_reduceat(demo):
    if not demo:
        return np.array([])
    obs, _, rewards, after, ends = map(np.array, zip(*demo, strict=True))
    starts = np.r_[True, ends[:-1] | ~np.isclose(after[:-1], obs[1:]).all(axis=1)]
    return np.add.reduceat(rewards.astype(float), np.flatnonzero(starts))


@right(bc.check_episode_returns)
def as_a_tensor(demo):
    return torch.tensor(by_split(demo))


def by_part(pick):
    return lambda demo: by_split([(pick(r[0]), *r[1:3], pick(r[3]), r[4]) for r in demo])


def table_of_returns(demo):
    known = {316: [6, 10, 300], 41: [6, 30, 5], 31: [3, 12, 16], 2: [0, 0, 2], 7: [7], 0: []}
    return known.get(sum(row[2] for row in demo), [0.0])


for answer, hint, name in [
    (by_part(lambda obs: obs[-1:]), "any of them", "last_number"),
    (by_part(lambda obs: obs[:2]), "any of them", "two_numbers"),
    (by_part(lambda obs: np.round(obs)), "any of them", "rounded_obs"),
    (lambda demo: [int(value) for value in by_split(demo)], "not their returns", "whole_numbers"),
    (lambda demo: [round(value, 1) for value in by_split(demo)], "not their returns", "one_digit"),
    (lambda demo: by_split(demo)[:3], "episodes: yours has 3", "three"),
    (lambda demo: by_split(demo) if demo else None, "an empty list", "none_for_none"),
    (lambda demo: by_split(demo) if demo else [0.0], "an empty list", "zero_for_none"),
    (table_of_returns, "not their returns", "table"),
    (lambda demo: by_split(demo) if not demo or demo[1] else [], "raised IndexError", "one_row"),
]:
    WRONG.append((bc.check_episode_returns, (answer,), hint, name))


# A plain clone.
EXACT = "donot_use_mm_for_euclid_dist"


def clone_with(
    loss=lambda a, b: ((a - b) ** 2).sum(dim=1).mean(), steps=300, lr=1e-2, seeded=True, sign=1,
    pick=lambda x: x, back=lambda actor, loss: actor, hidden=(32, 32), clear=True,
):  # fmt: skip
    def fit_clone(obs, action, seed):
        if seeded:
            torch.manual_seed(seed if seeded is True else seeded)
        actor = Actor(obs.shape[1], action.shape[1], hidden=hidden)
        adam = torch.optim.Adam(actor.parameters(), lr=lr)
        for _ in range(steps):
            found = sign * loss(actor(pick(obs)), pick(action))
            if clear:
                adam.zero_grad()
            found.backward()
            adam.step()
        return back(actor, found if steps else None)

    return fit_clone


@right(bc.check_fit_clone)
def minibatches_of_a_generator(obs, action, seed):
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        actor = torch.nn.Sequential(torch.nn.Linear(obs.shape[1], 32), torch.nn.Tanh(),
                                    torch.nn.Linear(32, 32), torch.nn.Tanh(),
                                    torch.nn.Linear(32, action.shape[1]))  # fmt: skip
    adam = torch.optim.AdamW(actor.parameters(), lr=1e-2)
    for epoch in range(80):
        adam.param_groups[0]["lr"] = 1e-2 * 0.96**epoch
        for rows in np.split(rng.permutation(len(obs)), 4):
            adam.zero_grad()
            torch.nn.functional.mse_loss(actor(obs[rows]), action[rows]).backward()
            adam.step()
    return actor


@right(bc.check_fit_clone)
def by_hand_written_descent(obs, action, seed):
    rng = torch.Generator().manual_seed(seed)
    sizes = [obs.shape[1], 64, action.shape[1]]
    ws = [torch.randn(a, b, generator=rng) / a**0.5 for a, b in itertools.pairwise(sizes)]
    ws += [torch.zeros(b) for b in sizes[1:]]
    speed = [torch.zeros_like(w.requires_grad_()) for w in ws]

    def actor(obs):
        return torch.tanh(obs @ ws[0] + ws[2]) @ ws[1] + ws[3]

    for _ in range(600):
        loss = bc_loss(actor(obs), action, torch.ones(len(obs)))
        for w, v, grad in zip(ws, speed, torch.autograd.grad(loss, ws), strict=True):
            v.mul_(0.95).sub_(0.02 * grad)
            w.data.add_(v)
    return actor


def whole_batches(obs, action, seed):
    return clone_with()(obs, action, seed)


right(bc.check_fit_clone)(whole_batches)
ROW = lambda x: x[:1]  # noqa: E731
for answer, hint, name in [
    (clone_with(steps=0), "hardly trained", "untrained"),
    (clone_with(pick=ROW), "row 0 and no other", "one_row"),
    (clone_with(pick=lambda x: x[-1:]), "row -1 and no other", "last_row"),
    (clone_with(back=lambda actor, loss: loss), "Return the actor", "loss"),
    (clone_with(back=lambda actor, loss: loss.item()), "Return the actor", "number"),
    (clone_with(back=lambda actor, loss: (actor, loss)), "actor alone", "both"),
    (clone_with(back=lambda actor, loss: None), "returns nothing", "nothing"),
    (lambda o, a, seed: clone_with(steps=20)(a, o, seed), "swapped", "swapped"),
    (clone_with(sign=-1), "climb", "uphill"),
    (clone_with(steps=15), "More updates", "too_short"),
    (clone_with(hidden=()), "a hidden layer", "no_hidden_layer"),
    (clone_with(clear=False, lr=3e-3), "cleared", "never_cleared"),
    (clone_with(seeded=False), "one seed", "no_seed"),
    (clone_with(seeded=7), "Two seeds", "fixed_seed"),
    (clone_with(lambda a, b: (a - b).abs().mean()), "another distance", "absolute"),
    (clone_with(lambda a, b: ((a - b) ** 4).mean()), "another distance", "fourth_power"),
    (clone_with(lambda a, b: torch.nn.functional.smooth_l1_loss(a, b)), "another dist", "huber"),
    (clone_with(lambda a, b: ((a.squeeze(-1) - b) ** 2).mean()), "compares every row", "matrix"),
    (clone_with(lambda a, b: ((a.mean(0) - b.mean(0)) ** 2).sum()), "everywhere",
     "means"),
    (clone_with(pick=lambda x: x[torch.randint(len(x), (64,))]), "everywhere", "misaligned"),
]:  # fmt: skip
    WRONG.append((bc.check_fit_clone, (answer,), hint, name))


@wrong(bc.check_fit_clone, "changes its arguments")
def normalised_in_place(obs, action, seed):
    obs -= obs.mean(dim=0)
    return clone_with(steps=1)(obs, action, seed)


@wrong(bc.check_fit_clone, "by heart")
def nearest_row(obs, action, seed):
    def actor(now):
        gap, row = torch.cdist(now, obs, compute_mode=EXACT).min(dim=1, keepdim=True)
        return torch.where(gap < 1e-6, action[row[:, 0]], 0.0)

    return actor


@wrong(bc.check_fit_clone, "gives nan")
def nan(obs, action, seed):
    return lambda now: torch.full((len(now), action.shape[1]), torch.nan)


@wrong(bc.check_fit_clone, "fixed_sizes raised")
def fixed_sizes(obs, action, seed):
    torch.manual_seed(seed)
    actor = Actor(3, 2, hidden=(32, 32))
    adam = torch.optim.Adam(actor.parameters(), lr=1e-2)
    for _ in range(200):
        adam.zero_grad()
        bc_loss(actor(obs), action, torch.ones(len(obs))).backward()
        adam.step()
    return actor


def trained(pick=slice(None), steps=400, draw=None, seeded=True, before=lambda obs: obs):
    """Return a fit to the rows `pick` or `pick(n)`, or to those that `draw(n)` draws each time."""

    def fit_clone(obs, action, seed):
        if seeded is True or seed:
            torch.manual_seed(seed)
        actor = Actor(obs.shape[1], action.shape[1], hidden=(32, 32))
        adam = torch.optim.Adam(actor.parameters(), lr=5e-3)
        rows = pick(len(obs)) if callable(pick) else pick
        for _ in range(steps):
            rows = draw(len(obs)) if draw else rows
            adam.zero_grad()
            bc_loss(actor(before(obs[rows])), action[rows], torch.ones(len(obs[rows]))).backward()
            adam.step()
        return lambda now: actor(before(now))

    return fit_clone


def in_float64(obs, action, seed):
    torch.manual_seed(seed)
    mean, deviation = obs.double().mean(0), obs.double().std(0)
    actor = Actor(obs.shape[1], action.shape[1], hidden=(32, 32)).double()
    adam = torch.optim.Adam(actor.parameters(), lr=1e-2)
    for _ in range(300):
        adam.zero_grad()
        gap = actor((obs.double() - mean) / deviation) - action.double()
        gap.square().sum(dim=1).mean().backward()
        adam.step()
    return lambda now: actor((now.double() - mean) / deviation)


right(bc.check_fit_clone)(in_float64)
for size in (16, 64):
    answer = trained(draw=lambda n, size=size: torch.randint(n, (size,)))
    RIGHT.append((bc.check_fit_clone, (answer,), f"batches_of_{size}"))


def batch_normed(obs, action, seed):
    torch.manual_seed(seed)
    actor = torch.nn.Sequential(torch.nn.BatchNorm1d(obs.shape[1]), Actor(obs.shape[1],
                                action.shape[1], hidden=(32, 32)))  # fmt: skip
    adam = torch.optim.Adam(actor.parameters(), lr=1e-2)
    for _ in range(300):
        adam.zero_grad()
        bc_loss(actor(obs), action, torch.ones(len(obs))).backward()
        adam.step()
    return actor


def one_row_alone(obs, action, seed):
    actor = whole_batches(obs, action, seed)
    return lambda now: actor(now) if len(now) > 1 else actor(now)[0]


for answer, hint, name in [
    (trained(lambda n: torch.randint(n, (128,))), "only some of the rows", "drawn_once"),
    (trained(draw=lambda n: torch.randint(100, (64,))), "only some of the rows", "of_100"),
    (trained(draw=lambda n: torch.randint(128, (64,))), "not the last", "of_128"),
    (trained(slice(128)), "not the last", "first_128"),
    (trained(draw=lambda n: torch.arange(1, n, 2)), "state by state|another dist", "every_other"),
    (trained(before=lambda obs: (obs - obs.mean(0)) / obs.std(0, correction=0)), "Alone, an obs",
     "batch_statistics"),
    (batch_normed, "more than 1 value", "batch_norm"),
    (one_row_alone, r"obs \(1, 3\)", "one_row_alone"),
    (trained(seeded="unless 0"), "one seed", "seed_0_is_none"),
]:  # fmt: skip
    WRONG.append((bc.check_fit_clone, (answer,), hint, name))


# Departures.
@right(bc.check_departure)
def in_a_loop(shown, path, threshold):
    for k, obs in enumerate(path):
        if min(math.dist(obs, other) for other in shown) > threshold:
            return k
    return None


@right(bc.check_departure)
def by_argmax(shown, path, threshold):
    beyond = (((path[:, None] - shown) ** 2).sum(-1) > threshold**2).all(axis=1)
    return beyond.argmax() if beyond.any() else None


@right(bc.check_departure)
def by_cdist(shown, path, threshold):
    nearest = torch.cdist(torch.tensor(path), torch.tensor(shown),
                          compute_mode=EXACT).amin(dim=1)  # fmt: skip
    return next((k for k, far in enumerate(nearest > threshold) if far), None)


def nearest_of(shown, path):
    return np.linalg.norm(path[:, None] - shown, axis=-1).min(axis=1)


def first_of(far, never=None):
    return int(np.argmax(far)) if np.any(far) else never


for answer, hint, name in [
    (lambda s, p, t: ..., "no answer yet", "dots"),
    (lambda s, p, t: None, "returns nothing", "never"),
    (lambda s, p, t: first_of(nearest_of(s, p) >= t), "exactly 5", "not_strict"),
    (lambda s, p, t: first_of(nearest_of(s, p) ** 2 > t), "the root", "no_root"),
    (lambda s, p, t: first_of(np.abs(p[:, None] - s).sum(-1).min(1) > t), "the root", "city"),
    (lambda s, p, t: first_of(np.abs(p[:, None] - s).max(-1).min(1) > t), "root", "largest"),
    (lambda s, p, t: first_of(np.linalg.norm(p[:, None] - s, axis=-1).max(1) > t), "all the dem",
     "farthest"),
    (lambda s, p, t: first_of(np.linalg.norm(p - s[0], axis=-1) > t), "all the dem", "first_row"),
    (lambda s, p, t: first_of(np.linalg.norm(p - s.mean(0), axis=-1) > t), "all the dem", "mean"),
    (lambda s, p, t: first_of([np.linalg.norm(a - s[min(k, len(s) - 1)]) > t
                               for k, a in enumerate(p)]), "all the dem", "same_time"),
    (lambda s, p, t: first_of(nearest_of(s, p) <= t), "all the dem", "within"),
    (lambda s, p, t: int(nearest_of(s, p).argmax()), "farthest step", "farthest_step"),
    (lambda s, p, t: int((nearest_of(s, p) > t).sum()), "count the far", "count"),
    (lambda s, p, t: int(np.argmax(nearest_of(s, p) > t)), "return None; yours is 0", "argmax"),
    (lambda s, p, t: first_of(nearest_of(s, p) > t, -1), "return None; yours is -1", "minus_1"),
    (lambda s, p, t: first_of(nearest_of(s, p) > t, len(p)), "return None", "length"),
    (lambda s, p, t: first_of(nearest_of(s, p) > t) or None, "0 is not None", "or_none"),
    (lambda s, p, t: 1 + first_of(nearest_of(s, p) > t), "counted from 0", "from_1"),
    (lambda s, p, t: list(np.flatnonzero(nearest_of(s, p) > t)), "one time step", "all_steps"),
    (lambda s, p, t: float(nearest_of(s, p)[3]), "whole number", "distance"),
    (lambda s, p, t: (nearest_of(s, p) > t).any(), "one time step", "whether"),
    (lambda s, p, t: first_of(np.minimum.accumulate((nearest_of(s, p) > t)[::-1])[::-1]),
     "farthest step", "for_good"),
    (lambda s, p, t: first_of(nearest_of(s[:, :1], p[:, :1]) > t), "farthest step",
     "one_number"),
    (lambda s, p, t: first_of(nearest_of(s, p) > 5.0), "return None; yours is 3", "fixed"),
    (lambda s, p, t: first_of(nearest_of(s, p.__isub__(1.0)) > t), "changes its arg", "in_place"),
]:  # fmt: skip
    WRONG.append((bc.check_departure, (answer,), hint, name))


@right(bc.check_departure)
def in_float32(shown, path, threshold):
    shown, path = torch.tensor(shown).float(), torch.tensor(path).float()
    far = ((path[:, None] - shown) ** 2).sum(-1).sqrt().amin(dim=1) > threshold
    return torch.nonzero(far)[0, 0] if far.any() else None


@right(bc.check_departure)
def as_a_float(shown, path, threshold):
    steps = np.flatnonzero(nearest_of(shown, path) > threshold)
    return None if steps.size == 0 else float(steps[0])


def twice_in_a_row(shown, path, threshold):
    far = nearest_of(shown, path) > threshold
    return first_of(far & np.r_[far[1:], True] if len(path) > 6 else far)


def table_of_steps(shown, path, threshold):
    return None if threshold > 60 else {6: 3, 5: 3, 4: 3, 1: 0}.get(len(path), 2)


for answer, hint, name in [
    (lambda s, p, t: first_of(nearest_of(s, p) > t, math.nan), "whole number", "nan_for_never"),
    (lambda s, p, t: first_of(nearest_of(s, p) > t, math.inf), "whole number", "inf_for_never"),
    (lambda s, p, t: first_of(nearest_of(s, p[: max(1, len(p) - 1)]) > t), "last step",
     "not_the_last"),
    (lambda s, p, t: first_of(nearest_of(s[: max(1, len(s) - 1)], p) > t), "last demo", "one_less"),
    (lambda s, p, t: first_of(nearest_of(s[:, :3], p[:, :3]) > t), "root of", "three_numbers"),
    (lambda s, p, t: first_of(np.sort(np.linalg.norm(p[:, None] - s, axis=-1))[:, 1] > t),
     "all the dem", "second_nearest"),
    (twice_in_a_row, "root of", "twice"), (table_of_steps, "the step is", "table"),
]:  # fmt: skip
    WRONG.append((bc.check_departure, (answer,), hint, name))


# Fading.
class Linear(BCAgent):
    def actor_objective(self, batch):
        full = self.lambda2
        self.lambda2 = full * max(0.0, 1 - self.total_steps / 1_000)
        try:
            return super().actor_objective(batch)
        finally:
            self.lambda2 = full


class Remembering(BCAgent):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.first = self.lambda2

    def actor_objective(self, batch):
        self.lambda2 = self.first * (1 - min(self.total_steps, 1_000) / 1_000)
        return super().actor_objective(batch)


class Mixed(BCAgent):
    def actor_objective(self, batch):
        _, parts = super().actor_objective(batch)
        share = float(np.clip(1 - self.total_steps / 1_000, 0, 1))
        loss = parts["q_term"] + share * parts["bc_term"]
        return loss, parts | {"actor_loss": loss, "bc_term": share * parts["bc_term"]}


class Constant(BCAgent):
    pass


class Negative(Remembering):
    def actor_objective(self, batch):
        self.lambda2 = self.first * (1 - self.total_steps / 1_000)
        return BCAgent.actor_objective(self, batch)


class Compounding(BCAgent):
    def actor_objective(self, batch):
        self.lambda2 *= max(0.0, 1 - self.total_steps / 1_000)
        return super().actor_objective(batch)


class Switch(Remembering):
    def actor_objective(self, batch):
        self.lambda2 = self.first * (self.total_steps < 400)
        return BCAgent.actor_objective(self, batch)


class Growing(Remembering):
    def actor_objective(self, batch):
        self.lambda2 = self.first * min(1.0, self.total_steps / 1_000)
        return BCAgent.actor_objective(self, batch)


class Lazy(BCAgent):
    """Keeps the first weight when it is first asked, and puts it back."""

    def actor_objective(self, batch):
        full, self.lambda2 = self.lambda2, self.lambda2 * max(1 - 1e-3 * self.total_steps, 0)
        found = super().actor_objective(batch)
        self.lambda2 = full
        return found


class Property(BCAgent):
    """lambda2 is computed whenever it is read; nothing is overwritten."""

    @property
    def lambda2(self):
        return self.given * max(0.0, 1 - self.total_steps / 1_000)

    @lambda2.setter
    def lambda2(self, value):
        self.given = value

    def actor_objective(self, batch):
        return super().actor_objective(batch)


class FromTwo(BCAgent):
    def actor_objective(self, batch):
        self.lambda2 = 2.0 * max(0.0, 1 - self.total_steps / 1_000)
        return super().actor_objective(batch)


class FromOne(FromTwo):
    def actor_objective(self, batch):
        self.lambda2 = max(0.0, 1 - self.total_steps / 1_000)
        return BCAgent.actor_objective(self, batch)


class ByUpdates(Remembering):
    def actor_objective(self, batch):
        self.lambda2 = self.first * max(0.0, 1 - self.updates / 1_000)
        return BCAgent.actor_objective(self, batch)


class ByCalls(Remembering):
    calls = -1

    def actor_objective(self, batch):
        self.calls += 1
        self.lambda2 = self.first * max(0.0, 1 - self.calls / 1_000)
        return BCAgent.actor_objective(self, batch)


class Late(Remembering):
    def actor_objective(self, batch):
        t = self.total_steps
        share = 1 - max(0, t - 100) / 600 if t <= 250 else max(0.0, 1 - t / 1_000)
        self.lambda2 = self.first * share
        return BCAgent.actor_objective(self, batch)


class Stairs(Remembering):
    def actor_objective(self, batch):
        self.lambda2 = self.first * max(0.0, 1 - self.total_steps // 250 / 4)
        return BCAgent.actor_objective(self, batch)


class Ends999(Remembering):
    def actor_objective(self, batch):
        self.lambda2 = self.first * (1 - self.total_steps / 1_000) * (self.total_steps < 999)
        return BCAgent.actor_objective(self, batch)


class ComesBack(Remembering):
    def actor_objective(self, batch):
        self.lambda2 = self.first * max(0.0, 1 - self.total_steps % 10_000 / 1_000)
        return BCAgent.actor_objective(self, batch)


class OnlyDown(BCAgent):
    """Never rises again, even if it is asked for an earlier step."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.first, self.low = self.lambda2, 1.0

    def actor_objective(self, batch):
        self.low = min(self.low, max(0.0, 1 - self.total_steps / 1_000))
        self.lambda2 = self.first * self.low
        return super().actor_objective(batch)


class Shared(BCAgent):
    """Keeps the first weight for all agents together."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        Shared.first = self.lambda2

    def actor_objective(self, batch):
        self.lambda2 = Shared.first * max(0.0, 1 - self.total_steps / 1_000)
        return super().actor_objective(batch)


class BothFade(BCAgent):
    def actor_objective(self, batch):
        loss, parts = super().actor_objective(batch)
        share = max(0.0, 1 - self.total_steps / 1_000)
        return share * loss, {name: share * part for name, part in parts.items()}


class NoQ(BCAgent):
    def actor_objective(self, batch):
        _, parts = super().actor_objective(batch)
        loss = max(0.0, 1 - self.total_steps / 1_000) * parts["bc_term"]
        return loss, parts


class HandsOver(Remembering):
    def actor_objective(self, batch):
        share = max(0.0, 1 - self.total_steps / 1_000)
        self.lambda1, self.lambda2 = 1 - share, self.first * share
        return BCAgent.actor_objective(self, batch)


class Unfiltered(BCAgent):
    def actor_objective(self, batch):
        action, n = self.actor(batch.obs), self.demo_batch_size
        q_term = self.lambda1 * actor_loss(self.critic(batch.obs, action))
        share = max(0.0, 1 - self.total_steps / 1_000)
        bc_term = share * self.lambda2 * bc_loss(action[-n:], batch.action[-n:], torch.ones(n))
        loss = q_term + bc_term
        record = {"actor_loss": loss, "q_term": q_term, "bc_term": bc_term}
        return loss, record | {"pass_rate": torch.ones(())}


class OldRecord(BCAgent):
    def actor_objective(self, batch):
        _, parts = super().actor_objective(batch)
        share = max(0.0, 1 - self.total_steps / 1_000)
        return parts["q_term"] + share * parts["bc_term"], parts


class ShortRecord(Remembering):
    def actor_objective(self, batch):
        loss, _ = super().actor_objective(batch)
        return loss, {"actor_loss": loss}


class Detached(BCAgent):
    def actor_objective(self, batch):
        loss, parts = super().actor_objective(batch)
        share = max(0.0, 1 - self.total_steps / 1_000)
        loss = parts["q_term"] + share * parts["bc_term"].detach()
        return loss, parts | {"actor_loss": loss, "bc_term": share * parts["bc_term"]}


class LossAlone(Remembering):
    def actor_objective(self, batch):
        return super().actor_objective(batch)[0]


for kind in (Linear, Remembering, Mixed, Lazy, Property):
    right(bc.check_fading)(kind)
for kind, hint in [
    (FromTwo, "starts at 2"), (FromOne, "starts at 1"), (ByUpdates, "depend on total_steps"),
    (ByCalls, "step alone"), (Late, "straight line"),
    (Stairs, "straight line"), (Ends999, "straight line"), (ComesBack, "At step 10,100"),
    (OnlyDown, "step alone"), (Shared, "loss of Eq. 3"), (BothFade, "fades, too"),
    (NoQ, "is missing"), (HandsOver, "lambda1 changes"), (Unfiltered, "filter is lost"),
    (OldRecord, "is recorded as"), (ShortRecord, "BCAgent's record"), (Detached, "gradient"),
    (LossAlone, "BCAgent's record"),
]:  # fmt: skip
    wrong(bc.check_fading, hint)(kind)
for kind, hint in [
    (Constant, "does not change"), (Negative, "negative"), (Compounding, "call to call"),
    (Switch, "At step 250 the weight is 0.75"), (Growing, "full weight"), (BCAgent, "Derive"),
]:  # fmt: skip
    wrong(bc.check_fading, hint)(kind)


class AsAList(Remembering):
    def actor_objective(self, batch):
        return list(super().actor_objective(batch))


class Interpolated(Remembering):
    def actor_objective(self, batch):
        self.lambda2 = np.interp(self.total_steps, [0, 1_000], [self.first, 0.0])
        return BCAgent.actor_objective(self, batch)


class FadingMixin:
    def actor_objective(self, batch):
        full, self.lambda2 = self.lambda2, self.lambda2 * max(0.0, 1 - self.total_steps / 1_000)
        found = super().actor_objective(batch)
        self.lambda2 = full
        return found


class ByMixin(FadingMixin, BCAgent):
    pass


class FromOptions(Remembering):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.first = options["lambda2"]


class OwnDefault(Remembering):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.first = options.get("lambda2", 0.1)


class Table(Remembering):
    def actor_objective(self, batch):
        known = self.total_steps in (0, 1, 130, 250, 400, 500, 750, 999)
        self.lambda2 = self.first * known * (1 - self.total_steps / 1_000)
        return BCAgent.actor_objective(self, batch)


class SinceTraining(Remembering):
    def actor_objective(self, batch):
        self.lambda2 = self.first * max(0.0, 1 - (self.total_steps - self.first_step) / 1_000)
        return BCAgent.actor_objective(self, batch)


class ShareOfTraining(Remembering):
    def actor_objective(self, batch):
        share = 1 - self.total_steps / max(1_000, self.last_step)
        self.lambda2 = self.first * max(0.0, share)
        return BCAgent.actor_objective(self, batch)


for kind in (AsAList, Interpolated, ByMixin):
    right(bc.check_fading)(kind)
for kind, hint in [
    (FromOptions, "raised KeyError"), (OwnDefault, "loss of Eq. 3"), (Table, "straight line"),
    (SinceTraining, "straight line"), (ShareOfTraining, "straight line"),
]:  # fmt: skip
    wrong(bc.check_fading, hint)(kind)

CALLS = {"GLOBAL", "STACK_GLOBAL", "REDUCE", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "BUILD",
         "EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID"}  # fmt: skip


# Opcodes.
@right(bc.check_opcodes)
def a_set(data):
    return {opcode.name for opcode, _, _ in pickletools.genops(data)} & CALLS


@right(bc.check_opcodes)
def a_sorted_list(data):
    return sorted({op[0].name for op in pickletools.genops(data) if op[0].name in CALLS})


@right(bc.check_opcodes)
def all_but_plain(data):
    names = [opcode.name for opcode, _, _ in pickletools.genops(data)]
    return [name for name in names if "GLOBAL" in name or "OBJ" in name or name in CALLS]


@right(bc.check_opcodes)
def by_the_documentation(data):
    """All that is not on a list of harmless instructions."""
    plain = ("INT", "FLOAT", "LONG", "BOOL", "LIST", "TUPLE", "DICT", "SET", "STRING", "BYTE",
             "UNICODE", "GET", "MEMO", "NONE", "NEWTRUE", "NEWFALSE", "APPEND", "POP",
             "MARK", "STOP", "PUT", "PROTO", "FRAME", "DUP", "ADDITEMS", "BUFFER")  # fmt: skip
    found = []
    for opcode, _, _ in pickletools.genops(data):
        if opcode.name in CALLS or not any(word in opcode.name for word in plain):
            found.append(opcode.name)
    return tuple(found)


@wrong(bc.check_opcodes, "set of names")
def one_text(data):
    return "REDUCE" if b"R" in data else ""


@wrong(bc.check_opcodes, "do not stand")
def by_bytes(data):
    codes = {opcode.name: opcode.code.encode("latin-1") for opcode in pickletools.opcodes}
    return {name for name in CALLS if codes[name] in data} & {"REDUCE", "GLOBAL", "INST", "OBJ"}


@wrong(bc.check_opcodes, "harmless file")
def sets_too(data):
    names = {opcode.name for opcode, _, _ in pickletools.genops(data)}
    return names & (CALLS | {"APPENDS", "ADDITEMS"})


@wrong(bc.check_opcodes, "loads the file")
def loads(data):
    pickle.loads(data)
    return {"REDUCE", "GLOBAL"}


@wrong(bc.check_opcodes, "Protocol 0: REDUCE")
def only_globals(data):
    return a_set(data) & {"GLOBAL", "STACK_GLOBAL"}


@wrong(bc.check_opcodes, "Protocol 4: GLOBAL and STACK_GLOBAL")
def old_protocols(data):
    return a_set(data) - {"STACK_GLOBAL"}


for name in sorted(CALLS - {"REDUCE", "GLOBAL", "STACK_GLOBAL"}):
    answer = lambda data, name=name: a_set(data) - {name}  # noqa: E731
    WRONG.append((bc.check_opcodes, (answer,), f"^{name} ", f"without_{name}"))


@wrong(bc.check_opcodes, "call nothing")
def everything(data):
    return {opcode.name for opcode, _, _ in pickletools.genops(data)}


@right(bc.check_opcodes)
def keys_of_a_dict(data):
    return {np.str_(opcode.name): 1 for opcode, *_ in pickletools.genops(data)
            if opcode.name in CALLS}.keys()  # fmt: skip


def three_at_most(data):
    return list(dict.fromkeys(op.name for op, *_ in pickletools.genops(data) if op.name in CALLS))[
        :3
    ]


def unless(name, hidden):
    return lambda data: a_set(data) - (hidden if name in a_set(data) else set())


def besides(*others):
    return lambda data: {op.name for op, *_ in pickletools.genops(data)} & (CALLS | set(others))


for answer, hint, name in [
    (three_at_most, "all thirteen", "three_at_most"),
    (unless("BUILD", {"NEWOBJ", "GLOBAL"}), "name them all", "one_hides_another"),
    (unless("NEWOBJ", {"GLOBAL"}), "name them all", "class_not_global"),
    (besides("NEXT_BUFFER"), "only build", "buffers"), (besides("DUP"), "only build", "copies"),
    (besides("POP", "POP_MARK"), "only build", "drops"),
    (besides("STRING", "BINSTRING"), "only build", "old_strings"),
    (besides("BINUNICODE8", "LONG4"), "only build", "long_ones"),
    (besides("PUT", "GET"), "harmless file", "memo"),
]:  # fmt: skip
    WRONG.append((bc.check_opcodes, (answer,), hint, name))


# Seeds.
def widths(a, b):
    n = len(a)
    paired = 1.96 * (a - b).std(ddof=1) / n**0.5
    return paired, 1.96 * math.sqrt((a.var(ddof=1) + b.var(ddof=1)) / n)


def needed(differences, gap):
    return math.ceil((1.96 * np.std(differences, ddof=1) / gap) ** 2)


def widths_by_covariance(a, b):
    (va, c), (_, vb) = np.cov(a, b)
    return [1.96 * ((va + vb - 2 * c) / len(a)) ** 0.5, 1.96 * ((va + vb) / len(a)) ** 0.5]


def needed_by_search(differences, gap):
    n = 1
    while 1.96 * np.std(differences, ddof=1) / np.sqrt(n) > gap:
        n += 1
    return n


def at_least_two(differences, gap):
    return max(needed(differences, gap), 2)


for k, pair in enumerate([(widths, needed), (widths_by_covariance, needed),
                          (widths, needed_by_search), (widths, at_least_two)]):  # fmt: skip
    RIGHT.append((bc.check_seeds_needed, pair, f"way{k}"))
for pair, hint, name in [
    ((lambda a, b: widths(a, b)[::-1], needed), "swapped", "swapped"),
    ((lambda a, b: (widths(a, b)[0] * 40**0.5, widths(a, b)[1]), needed), "by √n", "spread"),
    ((lambda a, b: (widths(a, b)[0], widths(a, b)[0]), needed), "variances add", "both_paired"),
    ((widths, lambda d, gap: needed(d, gap) - 1), "seed fewer", "down"),
    ((widths, lambda d, gap: 1.96 * np.std(d, ddof=1) / gap), "square", "root"),
    ((widths, lambda d, gap: (1.96 * np.std(d, ddof=1) / gap) ** 2), "whole number", "fraction"),
    ((widths, lambda d, gap: max(needed(d, gap), 3)), "takes 1; yours 3", "at_least_three"),
    ((widths, lambda d, gap: needed(d, gap) + 1), "takes 2; yours 3", "one_more"),
    ((lambda a, b: np.multiply(widths(a, b), (1 - 1 / len(a)) ** 0.5), needed), "ddof=1", "ddof"),
    ((lambda a, b: np.multiply(widths(a, b), (len(a) / 40) ** 0.5), needed), "12 seeds", "n_is_40"),
    ((lambda a, b: widths(a, b)[0], needed), "two numbers", "one_number"),
    ((lambda a, b: (widths(a, b)[0], 1.96 * (np.std(a, ddof=1) + np.std(b, ddof=1))
                    / math.sqrt(2 * len(a))), needed), "variances add", "deviations_add"),
    ((lambda a, b: (widths(a, b)[0], 1.96 * np.std(a, ddof=1) * math.sqrt(2 / len(a))), needed),
     "variances add", "twice_a"),
    ((lambda a, b: np.multiply(widths(a, b), 2 / 1.96), needed), "Paired", "two_deviations"),
    ((widths, lambda d, gap: max(1, round((1.96 * np.std(d, ddof=1) / gap) ** 2))), "Round up",
     "rounded"),
    ((widths, lambda d, gap: math.ceil(1.96**2 * 2 / gap**2)), "it takes|Round up", "variance_2"),
    ((widths, lambda d, gap: {1.0: 8, 0.5: 31}.get(gap, 1)), "takes 2; yours 1|Round up", "table"),
    ((widths, lambda d, gap: math.ceil(1.96**2 * np.var(d) / gap**2)), "it takes|Round up",
     "ddof_0"),
    ((widths, lambda d, gap: math.ceil(1.96**2 * np.sum(np.square(d - 2)) / (len(d) - 1) / gap**2)),
     "it takes|Round up", "mean_2"),
    ((widths, lambda d, gap: math.nan), "whole number", "nan"),
    ((widths, lambda d, gap: math.inf), "whole number", "inf"),
]:  # fmt: skip
    WRONG.append((bc.check_seeds_needed, pair, hint, name))


# Resets.
class Half(BCAgent):
    def reset(self):
        obs = super().reset()
        if self.rng.random() < 0.5:
            obs = self.demo_memory.data.obs[self.rng.integers(len(self.demo_memory))]
            self.env.unwrapped.state = np.array(obs)
            self.obs = np.array(obs)
        return self.obs


class HalfByInteger(BCAgent):
    def reset(self):
        super().reset()
        if self.rng.integers(2):
            row = self.rng.choice(len(self.demo_memory))
            self.obs = self.demo_memory.data.obs[row].copy()
            self.env.unwrapped.state = self.obs.astype(np.float64)
        return self.obs


class HalfByUniform(BCAgent):
    def reset(self):
        obs = super().reset()
        rows = self.demo_memory.rows()["obs"]
        if self.rng.uniform() > 0.5:
            obs = np.array(rows[int(self.rng.integers(len(rows)))], dtype=np.float32)
            self.env.unwrapped.state = obs
            self.obs = obs
        return obs


class Always(Half):
    def reset(self):
        BCAgent.reset(self)
        row = self.rng.integers(len(self.demo_memory))
        self.obs = self.demo_memory.data.obs[row].copy()
        self.env.unwrapped.state = self.obs.astype(np.float64)
        return self.obs


class OnlyTheObs(BCAgent):
    def reset(self):
        obs = super().reset()
        if self.rng.random() < 0.5:
            obs = self.obs = self.rng.choice(self.demo_memory.data.obs)
        return obs


class OnlyTheState(BCAgent):
    def reset(self):
        obs = super().reset()
        if self.rng.random() < 0.5:
            obs = self.rng.choice(self.demo_memory.data.obs)
            self.env.unwrapped.state = np.array(obs)
            self.forgotten = self.obs
        else:
            return obs
        return obs


class FirstRow(Half):
    def reset(self):
        BCAgent.reset(self)
        if self.rng.random() < 0.5:
            self.obs = self.demo_memory.data.obs[0].copy()
            self.env.unwrapped.state = np.array(self.obs)
        return self.obs


class Rarely(Half):
    def reset(self):
        self.rng.random(3)
        return Half.reset(self) if self.rng.random() < 0.8 else BCAgent.reset(self)


class GlobalStream(BCAgent):
    def reset(self):
        super().reset()
        if np.random.random() < 0.5:
            self.obs = self.demo_memory.data.obs[np.random.randint(len(self.demo_memory))].copy()
            self.env.unwrapped.state = np.array(self.obs)
        return self.obs


class Nothing(BCAgent):
    def reset(self): ...


class WithoutSuper(BCAgent):
    def reset(self):
        self.obs = self.demo_memory.data.obs[self.rng.integers(30)].copy()
        return self.obs


class OneDraw(BCAgent):
    def reset(self):
        obs, rows = super().reset(), self.demo_memory.data.obs
        row = int(self.rng.integers(2 * len(rows)))
        if row < len(rows):
            obs = self.obs = rows[row].copy()
            self.env.unwrapped.state = tuple(obs)
        return obs


class Alternating(BCAgent):
    shown = False

    def reset(self):
        self.shown = not self.shown
        super().reset()
        if self.shown:
            self.obs = self.rng.permutation(self.demo_memory.data.obs)[0]
            self.env.unwrapped.state = np.copy(self.obs)
        return self.obs.tolist()


class Placing(BCAgent):
    """Places the car by two methods, for the mistakes below."""

    def row(self, rows):
        return rows[self.rng.integers(len(rows))]

    def usual(self, obs):
        return obs

    def reset(self):
        obs = super().reset()
        shown = self.rng.random() < 0.5
        obs = self.row(self.demo_memory.data.obs) if shown else self.usual(obs)
        self.obs = np.array(obs, dtype=np.float32)
        self.env.unwrapped.state = self.obs.astype(np.float64)
        return self.obs


class OwnStream(Placing):
    """Has a stream of its own, with one seed for all agents."""

    def reset(self):
        if self.total_steps == 0 and not hasattr(self, "agents_rng"):
            self.agents_rng, self.rng = self.rng, np.random.default_rng(0)
        return super().reset()


class InTurn(Placing):
    turn_of = -1

    def row(self, rows):
        self.turn_of += 1
        return rows[self.turn_of % len(rows)]


class Either(Placing):
    """Starts anew only where no demonstration is taken."""

    def reset(self):
        if self.reset_seed is not None or self.rng.random() < 0.5:
            return BCAgent.reset(self)
        self.obs = np.array(self.row(self.demo_memory.data.obs))
        self.env.unwrapped.state = self.obs.astype(np.float64)
        return self.obs


class Shifted(Placing):
    """Moves the demonstrated rows themselves."""

    def row(self, rows):
        found = super().row(rows)
        self.moved = found
        return found.copy()

    def step(self, action):
        self.moved += 0.01
        return super().step(action)


class Ragged(Placing):
    def reset(self):
        return super().reset()[: 1 + (self.rng.random() < 0.5)]


for name, row, hint in [
    ("ThirtyRows", lambda self, rows: rows[self.rng.integers(30)], "raised IndexError"),
    ("NotTheLast", lambda self, rows: rows[self.rng.integers(len(rows) - 1)], "draw among all"),
    ("NotTheFirst", lambda self, rows: rows[self.rng.integers(1, len(rows))], "draw among all"),
    ("FirstHalf", lambda self, rows: rows[self.rng.integers(len(rows) // 2)], "draw among all"),
    (
        "Lopsided",
        lambda self, rows: rows[int(self.rng.random() ** 3 * len(rows))],
        "equally likely|all",
    ),
    ("Between", lambda self, rows: rows[:2].mean(axis=0), "No episode"),
]:
    kind = type(name, (Placing,), {"row": row})
    wrong(bc.check_demo_resets, hint)(kind)
for name, usual in [
    ("Zero", lambda self, obs: [0, 0]),
    ("Fixed", lambda self, obs: [-0.5, 0]),
    ("Anywhere", lambda self, obs: self.env.observation_space.sample()),
]:
    wrong(bc.check_demo_resets, "as usual")(type(name, (Placing,), {"usual": usual}))
for kind in (Placing, OneDraw, Alternating):
    right(bc.check_demo_resets)(kind)
for kind, hint in [
    (OwnStream, "different seeds"), (InTurn, "different seeds"), (Either, "score and the noise"),
    (Shifted, "have changed"), (Ragged, "first obs"),
]:  # fmt: skip
    wrong(bc.check_demo_resets, hint)(kind)
for kind in (Half, HalfByInteger, HalfByUniform):
    right(bc.check_demo_resets)(kind)
for kind, hint in [
    (Constant, "No episode"), (Always, "Every episode"), (OnlyTheObs, "not the state"),
    (OnlyTheState, "agent.obs is not"), (FirstRow, "Only 1 of"), (Rarely, "half of them"),
    (GlobalStream, "own stream"), (Nothing, "returns nothing yet"), (WithoutSuper, "super"),
]:  # fmt: skip
    wrong(bc.check_demo_resets, hint)(kind)


test_right_answers_are_accepted, test_wrong_answers_get_the_hint_that_fits = judged(RIGHT, WRONG)


def test_each_check_has_three_right_and_three_wrong_answers():
    checks = [f for name, f in inspect.getmembers(bc, inspect.isfunction) if name[:6] == "check_"]
    for check in checks:
        assert sum(case[0] is check for case in RIGHT) >= 3, check
        assert sum(case[0] is check for case in WRONG) >= 3, check


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    monkeypatch.setenv("PGCOURSE_AUDIENCE", "nobody")
    monkeypatch.setattr("pgcourse.display.plots.display", lambda *_, **__: None)


def code_cells():
    cells = json.loads((SOLUTIONS / "07_bc.ipynb").read_text(encoding="utf-8"))["cells"]
    return {c["id"]: "".join(c["source"]) for c in cells if c["cell_type"] == "code"}


def test_an_untouched_notebook_gets_a_friendly_sentence_for_each_check(capsys):
    solution = re.compile(r"### BEGIN SOLUTION.*?### END SOLUTION", re.DOTALL)
    space = {}
    for name, source in code_cells().items():
        source = solution.sub("...  # your answer", source)
        if not name.endswith("-check"):
            exec(source, space)
            continue
        with pytest.raises(AssertionError, match=r"[.]$") as error:
            exec(source, space)
        assert "raised" not in str(error.value), f"{name}: {error.value}"


def test_the_notebook_is_made_of_nbgrader_cells():
    cells = json.loads((SOLUTIONS / "07_bc.ipynb").read_text(encoding="utf-8"))["cells"]
    points, stated, numbers, minutes = 0, 0, [], []
    for cell in cells:
        source, grader = "".join(cell["source"]), cell["metadata"]["nbgrader"]
        assert cell["id"] == grader["grade_id"] and grader["schema_version"] == 3
        assert ("points" in grader) == grader["grade"] and not grader["task"]
        assert grader["locked"] == (not grader["solution"])
        assert (cell["cell_type"] == "markdown") or (
            ("### BEGIN SOLUTION" in source) == grader["solution"]
        )
        points += grader.get("points", 0)
        if found := HEADING.match(source):
            numbers.append(int(found[1]))
            minutes.append(int(found[3]))
            stated += int(found[4])
            assert cell["id"] == f"bc-{numbers[-1]:02d}-task"
    ids = [cell["id"] for cell in cells]
    assert len(set(ids)) == len(ids) and stated == points
    assert numbers == list(range(1, 15)) and minutes == sorted(minutes)
    assert "".join(cells[0]["source"]).count("Fourteen exercises") == 1
