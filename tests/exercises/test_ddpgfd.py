"""Chapter 06's checks: right answers are accepted, wrong ones get the hint that fits."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import torch

from pgcourse import DDPGfDAgent
from pgcourse.exercises import ddpgfd
from pgcourse.parts import prioritized
from pgcourse.parts.equations import l2_penalty, td_target
from tests.exercises.answers import counted, judged

RIGHT, WRONG = [], []  # (check, the arguments, name), (check, the arguments, a hint, name)


def right(check, *before):
    """Note the decorated answer as a right one of a check, behind or before other answers."""
    return lambda answer: RIGHT.append((check, (*before, answer), answer.__name__)) or answer


def numbers(check, ways, slips):
    """Note numbers: right ones, and wrong ones with their hints."""
    RIGHT.extend((check, values, f"way{k}") for k, values in enumerate(ways))
    WRONG.extend((check, values, hint, str(values)) for values, hint in slips)


# The corridor.
numbers(ddpgfd.check_predicted, [
    (2_000, 700, 560), (2e3, np.int64(700), 560.0), (torch.tensor(2_000), 7 * 100, 20 * 28),
], [
    ((400, 700, 560), "without useless"), ((1_600, 700, 560), "all 100 rows"),
    ((100, 700, 560), "one wait"), ((1_900, 700, 560), "last state's row"),
    ((4_000, 700, 560), "twenty waits"), ((2_000, 2_000 / 3, 560), "whole number of waits"),
    ((2_000, 600, 560), "are 18"), ((2_000, 2_000, 560), "three states further"),
    ((2_000, 140, 560), "still there"), ((2_000, 800, 560), "how many waits"),
    ((2_000, 700, 2_000), "ten now"), ((2_000, 700, 200), "copies lie"),
    ((2_000, 700, 5_600), "ten now"), ((2_000, 700, 500), "of how many"),
    ((..., 700, 560), "even has no answer"), (("x", 700, 560), "a number"),
])  # fmt: skip


@right(ddpgfd.check_corridor_run)
def by_a_set(states, junk, n, rng):
    known, draws = set(range(states, states + n)), 0
    while 0 not in known:
        draws += 1
        row = int(rng.random() * (states + junk))
        if row < states and row + n in known:
            known.add(row)
    return draws


@right(ddpgfd.check_corridor_run)
def by_values(states, junk, n, rng):
    value = np.append(np.zeros(states), 1.0)
    for draws in range(1, 1_000_000):
        row = rng.integers(0, states + junk)
        if row < states:
            value[row] = value[min(row + n, states)]
        if value[0] == 1.0:
            return np.float64(draws)


@right(ddpgfd.check_corridor_run)
def by_geometric_waits(states, junk, n, rng):
    return rng.geometric(1 / (states + junk), size=-(-states // n)).sum()


def waits(count, rows=lambda s, j: s + j, start=0):
    return lambda s, j, n, rng: start + sum(rng.geometric(1 / rows(s, j), size=count(s, n)))


def collected(states, junk, n, rng):
    missing, draws = set(range(states)), 0
    while missing:
        draws += 1
        missing.discard(rng.integers(states + junk))
    return draws


def whole(states, n):
    return -(-states // n)


for name, answer, hint in [
    ("zero", waits(whole, start=-1), "it counts"),
    ("two", waits(whole, start=1), "one is|one draw"),
    ("no order", waits(lambda s, n: 1), "already right"), ("collector", collected, "order counts"),
    ("no junk", waits(whole, lambda s, j: s), "Useless rows"),
    ("given end", waits(lambda s, n: max(whole(s, n) - 1, 1)), "last row has"),
    ("n ignored", waits(lambda s, n: s), "two states ahead"),
    ("to the end", waits(lambda s, n: s if n == 1 else 1), "not to the end"),
    ("floor", waits(lambda s, n: max(s // n, 1)), "last but one"),
    ("at most two", waits(lambda s, n: s if n > 2 else whole(s, n)), "as far as the end"),
    ("formula", lambda s, j, n, rng: (s + j) * whole(s, n), "Each run"),
    ("far off", waits(lambda s, n: 9 * whole(s, n) - 8 * (s == 1)), "a mean near 40"),
    ("nothing", lambda *a: None, "returns nothing"), ("raises", lambda *a: 1 / 0, "raised Zero"),
    ("text", lambda *a: "one", "a number"),
]:  # fmt: skip
    WRONG.append((ddpgfd.check_corridor_run, (answer,), hint, name))

# n-step rows.
numbers(ddpgfd.check_targets, [
    (11, 14, 8, 2), (11.0, np.float32(14), 8.0, 2.0), (torch.tensor(11.0), 14, 16 / 2, np.int64(2)),
], [
    ((8, 14, 8, 2), "missing"), ((16, 14, 8, 2), "one-step"), ((14, 14, 8, 2), "three steps"),
    ((32, 14, 8, 2), "discounted, too"), ((15, 14, 8, 2), "later rewards"),
    ((7, 14, 8, 2), "first reward"), ((11.5, 14, 8, 2), "not 4"), ((3, 14, 8, 2), "three rewards"),
    ((11, 8, 8, 2), "no end"), ((11, 11, 8, 2), "its own k"), ((11, 36, 8, 2), "another episode"),
    ((11, 12, 8, 2), "one-step"), ((11, 20, 8, 2), "γ²"), ((11, 0, 8, 2), "two rewards"),
    ((11, 14, 14, 2), "true end"), ((11, 14, 0, 2), "ends the episode counts"),
    ((11, 14, 33, 2), "another episode"), ((11, 14, 9, 2), "no more"),
    ((11, 14, 8, 3), "second row"), ((11, 14, 8, 1), "third row"), ((11, 14, 8, 4), "the fourth"),
    ((11, 14, 8, ...), "short has no answer"),
])  # fmt: skip


@right(ddpgfd.check_n_step_rows)
def by_loops(reward, terminated, n, gamma):
    found = []
    for t in range(len(reward)):
        total, k = 0.0, 0
        while k < n and t + k < len(reward):
            total, k = total + gamma**k * reward[t + k], k + 1
        found.append((total, t + k, float(terminated and t + k == len(reward)), gamma**k))
    return list(zip(*found, strict=True))


@right(ddpgfd.check_n_step_rows)
def by_the_buffer(reward, terminated, n, gamma):
    size = len(reward)
    buffer = prioritized.PrioritizedBuffer(1, 1, size, 1, n=n, gamma=gamma)
    for t in range(size):
        buffer.store([t], [0.0], reward[t], [t + 1], bool(terminated and t == size - 1))
    total, after, ended, discount = buffer.n_step(np.arange(size))
    return total, after[:, 0], ended, discount


@right(ddpgfd.check_n_step_rows)
def by_shifts(reward, terminated, n, gamma):
    size = len(reward)
    total, padded = torch.zeros(size).double(), torch.tensor(np.append(reward, np.zeros(n)))
    for k in range(n):
        total += gamma**k * padded[k : k + size]
    after = torch.clamp(torch.arange(size) + n, max=size)
    ended = (after == size).float() * terminated
    return total, after, ended, torch.tensor(float(gamma)) ** (after - torch.arange(size))


def rows_with(steps=None, weight=None, after=None, ended=None, discount=None, wrap=False):
    def n_step_rows(reward, terminated, n, gamma):
        size = len(reward)
        t = np.arange(size)
        k = np.minimum(n if steps is None else steps, size - t)
        power = (lambda t, i: gamma**i) if weight is None else (lambda t, i: weight(gamma, t, i))
        span = [n] * size if wrap else k
        total = [sum(power(a, i) * reward[(a + i) % size] for i in range(m))
                 for a, m in zip(t, span, strict=True)]  # fmt: skip
        k = np.minimum(n, size - t)
        where = t + k if after is None else after(t, k, n, size)
        flag = (t + k == size) * float(terminated) if ended is None else ended(t, k, n, terminated)
        factor = gamma**k if discount is None else discount(gamma, t, k, n)
        return np.array(total), where, flag, factor

    return n_step_rows


for name, answer, hint in [
    ("one reward", rows_with(steps=1), "yours has one"),
    ("undiscounted", rows_with(weight=lambda g, t, i: 1.0), "not discounted"),
    ("early", rows_with(weight=lambda g, t, i: g ** (i + 1)), "first reward is not"),
    ("to the end", rows_with(steps=99), "at most n"),
    ("wraps", rows_with(wrap=True), "begins again"),
    ("from the start", rows_with(weight=lambda g, t, i: g ** (t + i)), "own step on"),
    ("uncut", rows_with(after=lambda t, k, n, size: t + n), "there is none"),
    ("one later", rows_with(after=lambda t, k, n, size: t + 1), "not one"),
    ("before", rows_with(after=lambda t, k, n, size: t + k - 1), "not before it"),
    ("last state", rows_with(after=lambda t, k, n, size: np.minimum(t + k, size - 1)), "number T"),
    ("last only", rows_with(ended=lambda t, k, n, end: (k == 1) * end), "may hold"),
    ("cut only", rows_with(ended=lambda t, k, n, end: (k < n) * end), "may end with"),
    ("all ended", rows_with(ended=lambda t, k, n, end: 0 * t + end), "does not reach"),
    ("upside down", rows_with(ended=lambda t, k, n, end: t + k < len(t)), "upside"),
    ("never", rows_with(ended=lambda t, k, n, end: 0 * t), "truly ended"),
    ("limit ends", rows_with(ended=lambda t, k, n, end: t + k == len(t)), "time limit ended"),
    ("limit uncut", lambda r, end, n, g: rows_with(
        after=None if end else lambda t, k, n, size: t + n)(r, end, n, g), "cuts windows, too"),
    ("gamma n", rows_with(discount=lambda g, t, k, n: g ** (n + 0 * k)), r"not γ\^n"),
    ("one less", rows_with(discount=lambda g, t, k, n: g ** (k - 1)), "after k steps"),
    ("gamma", rows_with(discount=lambda g, t, k, n: g + 0.0 * k), "yours is γ"),
    ("of t", rows_with(discount=lambda g, t, k, n: g ** (t + 1)), "own step on"),
    ("table", lambda r, end, n, g: rows_with()(r[:4], end, 3, 0.5), "should return shape|begin"),
    ("three", lambda *a: rows_with()(*a)[:3], "Return four"),
    ("nothing", lambda *a: ..., "nothing"),
    ("in place", lambda r, *a: rows_with()(r.__imul__(2), *a), "copies"),
    ("half", rows_with(weight=lambda g, t, i: 0.5**i), "random|begin with"),
]:  # fmt: skip
    WRONG.append((ddpgfd.check_n_step_rows, (answer,), hint, name))


# The seam.
@right(ddpgfd.check_wrong_rows)
def by_episode_numbers(obs, next_obs, terminated, newest, n):
    size, episode, places = len(obs), [0], [(newest + 1 + k) % len(obs) for k in range(len(obs))]
    for before, here in pairwise(places):
        same = not terminated[before] and (next_obs[before] == obs[here]).all()
        episode.append(episode[-1] + (not same))
    wrong = set()
    for k in range(size):
        for i in range(k, min(k + n, size) - 1):
            if terminated[places[i]]:
                break
            if episode[i + 1] != episode[k]:
                wrong.add(places[k])
    return wrong


@right(ddpgfd.check_wrong_rows)
def backwards_from_each_seam(obs, next_obs, terminated, newest, n):
    size, wrong = len(obs), []
    for row in range(size):
        if row == newest or terminated[row] or (next_obs[row] == obs[(row + 1) % size]).all():
            continue
        for back in range(n - 1):
            here = (row - back) % size
            if back and (terminated[here] or here == newest):
                break
            wrong.append(here)
    return np.unique(wrong)


@right(ddpgfd.check_wrong_rows)
def by_masks(obs, next_obs, terminated, newest, n):
    return torch.tensor(sorted(ddpgfd.over_a_seam(obs, next_obs, terminated, newest, n)))


def walks(ends=True, stops=True, wraps=True, far=0, only=None):
    def wrong_rows(obs, next_obs, terminated, newest, n):
        size, wrong = len(obs), set()
        for first in range(size):
            for step in range(n - 1 + far):
                row = (first + step) % size
                if (ends and terminated[row]) or (stops and row == newest):
                    break
                if not wraps and first + step + 1 >= size:
                    break
                if (next_obs[row] != obs[(row + 1) % size]).any():
                    wrong.add(first)
                    break
        return wrong if only is None else {row for row in wrong if only(row)}

    return wrong_rows


def behind(obs, next_obs, terminated, newest, n):
    return {(row + 1) % len(obs) for row in walks()(obs, next_obs, terminated, newest, 2)}


for name, answer, hint in [
    ("no wrap", walks(wraps=False), "comes row 0"), ("none", lambda *a: [], "comes row 0"),
    ("at the seam", lambda o, p, d, k, n: walks()(o, p, d, k, 2), "before it reaches"),
    ("too far", walks(far=1), "is right"), ("ends", walks(ends=False), "ends by itself"),
    ("newest", walks(stops=False), "behind the newest row"),
    ("both", walks(ends=False, stops=False), "and behind the newest"),
    ("behind", behind, "not to blame"), ("behind too", lambda *a: {0, 1}, "before the seam"),
    ("not the last", lambda o, *a: walks(only=lambda row: row < len(o) - 1)(o, *a), "too, has"),
    ("table", lambda *a: [6, 7], "rows, the newest is"),
    ("all", lambda o, *a: range(len(o)), "n = 3"),
    ("mask", lambda *a: np.isin(range(8), (6, 7)), "not a mask"),
    ("number", lambda *a: 7, "numbers of the rows"), ("nothing", lambda *a: None, "nothing"),
]:  # fmt: skip
    WRONG.append((ddpgfd.check_wrong_rows, (answer,), hint, name))


# Chances.
TIMES = 11**0.3, 11**0.3 / (11**0.3 + 9)


def by_the_module(error, slope, demo, *settings):
    share = prioritized.priority(error, slope, demo, *settings[:3]) ** settings[3]
    return share / share.sum()


def by_softmax(error, slope, demo, slope_weight, epsilon, epsilon_demo, alpha):
    p = error.abs().pow(2) + slope_weight * slope.norm(dim=1) ** 2 + epsilon + epsilon_demo * demo
    return torch.softmax(alpha * p.log(), dim=0)


def by_rows(error, slope, demo, slope_weight, epsilon, epsilon_demo, alpha):
    bonus = np.where(np.array(demo) == 1, epsilon + epsilon_demo, epsilon)
    p = [e**2 + slope_weight * (s @ s) + b for e, s, b in zip(error, slope, bonus, strict=True)]
    share = np.array([float(each) ** alpha for each in p])
    return share / share.sum()


for way in (by_the_module, by_softmax, by_rows):
    RIGHT.append((ddpgfd.check_chances, (way, *TIMES), way.__name__))


def drawn(p=None, after=lambda p, alpha: p**alpha / (p**alpha).sum()):
    def chances(error, slope, demo, slope_weight, epsilon, epsilon_demo, alpha):
        square = (slope**2).sum(dim=1)
        usual = error**2 + slope_weight * square + epsilon + epsilon_demo * demo
        given = SimpleNamespace(
            e=error, s=slope, d=demo, w=slope_weight, p0=epsilon, pD=epsilon_demo, g=square
        )
        return after(usual if p is None else p(given), alpha)

    return chances


for name, answer, hint in [
    ("priorities", drawn(after=lambda p, a: p), "are priorities"),
    ("no sum", drawn(after=lambda p, a: p**a), "add up to 1"),
    ("no alpha", drawn(after=lambda p, a: p / p.sum()), "α is missing"),
    ("late power", drawn(after=lambda p, a: (p / p.sum()) ** a), "power comes first"),
    ("abs", drawn(lambda x: x.e.abs() + x.w * x.g + x.p0 + x.pD * x.d), "δ is squared"),
    ("no error", drawn(lambda x: x.w * x.g + x.p0 + x.pD * x.d), "δ² is missing"),
    ("no slope", drawn(lambda x: x.e**2 + x.p0 + x.pD * x.d), "slope's part"),
    ("no weight", drawn(lambda x: x.e**2 + x.g + x.p0 + x.pD * x.d), "ζ3, is missing"),
    ("length", drawn(lambda x: x.e**2 + x.w * x.g**0.5 + x.p0 + x.pD * x.d), "length is squared"),
    ("mean", drawn(lambda x: x.e**2 + x.w * (x.s**2).mean(1) + x.p0 + x.pD * x.d), "not averaged"),
    ("sum", drawn(lambda x: x.e**2 + x.w * x.s.sum(1) ** 2 + x.p0 + x.pD * x.d), "Square first"),
    ("bonus for all", drawn(lambda x: x.e**2 + x.w * x.g + x.p0 + x.pD), "demonstrations alone"),
    ("no bonus", drawn(lambda x: x.e**2 + x.w * x.g + x.p0), "bonus of demonstrations is missing"),
    ("others", drawn(lambda x: x.e**2 + x.w * x.g + x.p0 + x.pD * (1 - x.d)), "upside"),
    ("no p0", drawn(lambda x: x.e**2 + x.w * x.g + x.pD * x.d), "p0 is missing"),
    ("instead", drawn(lambda x: x.e**2 + x.w * x.g + x.p0 * (1 - x.d) + x.pD * x.d), "p0 and"),
    ("root", drawn(after=lambda p, a: p**0.5 / (p**0.5).sum()), "random rows"),
    ("column", drawn(after=lambda p, a: p[:, None]), "shape"),
    ("nothing", lambda *a: ..., "nothing"),
]:  # fmt: skip
    WRONG.append((ddpgfd.check_chances, (answer, *TIMES), hint, name))
for values, hint in [
    ((11, TIMES[1]), "ξ = 1"), ((10**0.3, TIMES[1]), "has p0, too"), ((10, TIMES[1]), "p0, too"),
    ((3.3, TIMES[1]), "is a power"), ((1 / TIMES[0], TIMES[1]), "other way"), ((5, 1), "ratio of"),
    ((TIMES[0], 0.1), "of the rows"), ((TIMES[0], 0.55), "0.3"), ((TIMES[0], 0.2053), "more than"),
    ((TIMES[0], 0.2281), "their ratio"), ((TIMES[0], 18.57), "between 0 and 1"),
    ((TIMES[0], 0.8143), "of the others"), ((TIMES[0], 0.4), "count `times`"),
]:  # fmt: skip
    WRONG.append((ddpgfd.check_chances, (by_the_module, *values), hint, str(values)))

# Importance weights.
SHARES = 4 / 19, 2 / 17, 1 / 16


def equation(p, rows, alpha, beta):
    share = p**alpha
    return prioritized.importance_weights(share[rows] * (len(p) / share.sum()), beta)


def by_the_rarest(p, rows, alpha, beta):
    return (p[rows] / p[rows].min()) ** (-alpha * beta)


def by_a_loop(p, rows, alpha, beta):
    total = sum(float(each) ** alpha for each in p)
    h = [(len(p) * float(p[row]) ** alpha / total) ** -beta for row in rows]
    return [each / max(h) for each in h]


for way in (equation, by_the_rarest, by_a_loop):
    RIGHT.append((ddpgfd.check_importance, (way, *SHARES), way.__name__))


def weights(power=None, sign=-1.0, over="batch", back=None):
    def importance_weights(p, rows, alpha, beta):
        share = p ** (alpha if power is None else power)
        every = (len(p) * share / share.sum()) ** (sign * (beta if back is None else back))
        h = every[rows]
        return h / {"batch": h.max(), "all": every.max(), "sum": h.sum(), "none": 1.0}[over]

    return importance_weights


for name, answer, hint in [
    ("memory", weights(over="all"), "not over the whole"),
    ("undivided", weights(over="none"), "Divide"),
    ("upside down", weights(sign=1.0), "gets a small"),
    ("no alpha", weights(power=1.0), "α is missing"),
    ("sum", weights(over="sum"), "not by the sum"),
    ("ones", weights(back=0.0), "the weights differ"),
    ("no beta", weights(back=1.0), "β is missing"),
    ("root", weights(power=0.5), "the first weight"),
    ("ratio", weights(sign=1.0, over="none"), "which power"),
    ("chances", lambda p, r, a, b: (p**a / (p**a).sum())[r], "what follows"),
    ("no N", lambda p, r, a, b: (p**a / (p**a).sum())[r] ** -b / 4, "Divide by the largest"),
    ("all rows", lambda p, r, a, b: equation(p, torch.arange(len(p)), a, b), "shape"),
    ("nothing", lambda *a: None, "nothing"),
    ("constant", lambda *a: torch.ones(3) / 7, "It should be"),
]:  # fmt: skip
    WRONG.append((ddpgfd.check_importance, (answer, *SHARES), hint, name))
for values, hint in [
    ((16 / 31, 2 / 17, 1 / 16), "roots count"), ((4 / 15, 2 / 17, 1 / 16), "its own, too"),
    ((1 / 16, 2 / 17, 1 / 16), "of the rows"), ((4, 2 / 17, 1 / 16), "share of the whole"),
    ((0.9, 2 / 17, 1 / 16), "is drawn"), ((4 / 19, 4 / 19, 1 / 16), "a part"),
    ((4 / 19, 1 / 16, 1 / 16), "with β = 1"), ((4 / 19, 2 / 15, 1 / 16), "own share, too"),
    ((4 / 19, 8 / 23, 1 / 16), "a minus"), ((4 / 19, 0.1365, 1 / 16), "half-way"),
    ((4 / 19, 0.5, 1 / 16), "its weight"), ((4 / 19, 1 / 31, 1 / 16), "share of the weights"),
    ((4 / 19, 2 / 17, 0.25), "its weight"), ((4 / 19, 2 / 17, 4 / 19), "corrects"),
    ((4 / 19, 2 / 17, 1 / 61), "share of the weights"), ((4 / 19, 2 / 17, 0.9), "same for each"),
]:  # fmt: skip
    WRONG.append((ddpgfd.check_importance, (equation, *values), hint, str(values)))

# What is stale.
FOUND = 2, 1 / 4, 1.01 / 1.04


def stalest(go=None, gamma_=None, power=2, least=None, own=1, earned=1, pick=np.argmax, by=None):
    def most_stale(value, state, reward, next_state, terminated, p, gamma, epsilon):
        on = 1 - terminated if go is None else go(terminated)
        rate, floor = gamma if gamma_ is None else gamma_, epsilon if least is None else least
        error = earned * reward + rate * on * value[next_state] - own * value[state]
        now = abs(error) ** power + floor
        return pick(now / p if by is None else by(now, p))

    return most_stale


def by_one_row_each(value, state, reward, next_state, terminated, p, gamma, epsilon):
    best, factor = None, 0.0
    for k, (s, r, t, end, old) in enumerate(
        zip(state, reward, next_state, terminated, p, strict=True)
    ):
        new = (r + (0.0 if end else gamma * value[t]) - value[s]) ** 2 + epsilon
        best, factor = (k, new / old) if new / old > factor else (best, factor)
    return best


def by_logarithms(value, state, reward, next_state, terminated, p, gamma, epsilon):
    error = td_target(*map(torch.from_numpy, (reward, value[next_state], terminated * 1.0)), gamma)
    return ((error - torch.from_numpy(value[state])) ** 2 + epsilon).log().sub(
        torch.from_numpy(np.log(p))).argmax()  # fmt: skip


for name, way in (("", stalest()), ("row by row", by_one_row_each), ("logs", by_logarithms)):
    RIGHT.append((ddpgfd.check_stale, (*FOUND, way), name or "at once"))
for name, answer, hint in [
    ("largest", stalest(by=lambda now, p: now), "most surprising"),
    ("smallest", stalest(by=lambda now, p: -p), "smallest priority"),
    ("difference", stalest(by=lambda now, p: now - p), "by how much"),
    ("too high", stalest(pick=np.argmin), "most too high"),
    ("no end", stalest(go=lambda d: 1), "no value"),
    ("upside down", stalest(go=lambda d: d), "upside"),
    ("no gamma", stalest(gamma_=1.0), "γ is missing"), ("abs", stalest(power=1), "squared"),
    ("no p0", stalest(least=0.0), "p0 is missing"), ("own", stalest(own=0), "own value"),
    ("no reward", stalest(earned=0), "reward is missing"), ("first", lambda *a: 0, "random memory"),
    ("none", lambda *a: None, "nothing"), ("behind", lambda *a: 12, "a row's number"),
    ("a state", lambda *a: 0.5, "a row's number"),
]:  # fmt: skip
    WRONG.append((ddpgfd.check_stale, (*FOUND, answer), hint, name))
for values, hint in [
    ((1, *FOUND[1:]), "still 0"), ((3, *FOUND[1:]), "drawn last"), ((4, *FOUND[1:]), "is the end"),
    ((0, *FOUND[1:]), "which row's"), ((2, 0.01, FOUND[2]), "is its priority"),
    ((2, 1.0, FOUND[2]), "of a new row"), ((2, FOUND[2], FOUND[2]), "ought to have"),
    ((2, 0.6, FOUND[2]), "which priorities"), ((2, 0.25, 1.01), "is its priority"),
    ((2, 0.25, 0.25), "chance it has"), ((2, 0.25, 1.0), "have p0"),
    ((2, 0.25, 0.5), "nothing to learn"), ((2, 0.25, 0.7), "error is now 1"),
]:  # fmt: skip
    WRONG.append((ddpgfd.check_stale, (*values, stalest()), hint, str(values)))


# The whole loss.
@right(ddpgfd.check_critic_objective)
def by_the_agent(parts, batch, gamma, n_weight, l2):
    agent = SimpleNamespace(**parts._asdict(), gamma=gamma, n_weight=n_weight, l2=l2)
    agent.target = lambda batch: DDPGfDAgent.target(agent, batch)
    loss, _ = DDPGfDAgent.critic_objective(agent, batch)
    return loss


def loss_with(
    near=None, far=None, slow="critic_target", act="actor_target", h=lambda w: w, mean=torch.mean,
    inside=False, first=1.0, second=None, l2_=None, penalty=l2_penalty, data=lambda y: y.detach(),
    out=lambda loss: loss, merged=False, q_of=lambda q: q,
):  # fmt: skip
    """A loss written out, with what a slip replaces; near and far make columns of a batch."""

    def critic_objective(parts, batch, gamma, n_weight, l2):
        def after(obs):
            action = batch.action if act is None else getattr(parts, act)(obs)
            return getattr(parts, slow)(obs, action)

        b = batch._replace(**{key: make(batch, gamma) for key, make in (near or {}).items()})
        y = b.reward + gamma * (1 - b.terminated) * after(b.next_obs)
        b = batch._replace(**{key: make(batch, gamma) for key, make in (far or {}).items()})
        y_n = b.n_reward + b.n_discount * (1 - b.n_terminated) * after(b.n_next_obs)
        q, w = parts.critic(batch.obs, batch.action), h(batch.weight)
        more = n_weight if second is None else second
        if merged:
            y = y_n = (y + more * y_n) / (1 + more)
        gaps = [(w * (q - data(each))) ** 2 if inside else w * (q - data(each)) ** 2
                for each in (y, y_n)]  # fmt: skip
        one = n_weight if first is None else first
        fine = one * mean(q_of(gaps[0])) + more * mean(gaps[1])
        return out(fine + (l2 if l2_ is None else l2_) * penalty(parts.critic))

    return critic_objective


def flat(network):
    return torch.cat([p.flatten() for p in network.parameters()])


def halved(parts, batch, gamma, n_weight, l2):
    penalty = l2 * l2_penalty(parts.critic)
    return 0.5 * (loss_with()(parts, batch, gamma, n_weight, l2) - penalty) + penalty


def by_weighted_mean(parts, batch, gamma, n_weight, l2):
    penalty = l2 * l2_penalty(parts.critic)
    loss = loss_with()(parts, batch, gamma, n_weight, l2) - penalty
    return loss / batch.weight.mean() + penalty


def steps(parts, batch, gamma, n_weight, l2):
    loss = loss_with()(parts, batch, gamma, n_weight, l2)
    with torch.no_grad():
        parts.critic.net[-1].bias -= 0.1
    return loss


RIGHT.append((ddpgfd.check_critic_objective, (loss_with(),), "written out"))
RIGHT.append(
    (
        ddpgfd.check_critic_objective,
        (loss_with(mean=lambda x: x.sum() / len(x), penalty=lambda net: flat(net) @ flat(net)),),
        "sums",
    )
)
for name, answer, hint in [
    ("no h", loss_with(h=torch.ones_like), "weights h are"),
    ("inside", loss_with(inside=True), "before"),
    ("sum", loss_with(mean=torch.sum), "not the sum"), ("halved", halved, "They are added"),
    ("by weights", by_weighted_mean, "not by the sum of"),
    ("no ζ1", loss_with(second=1.0), "ζ1, is missing"),
    ("one", loss_with(second=0.0), "second loss, of"),
    ("many", loss_with(first=0.0), "first loss, of"),
    ("ζ1 twice", loss_with(first=None), "second loss only"),
    ("no L2", loss_with(l2_=0.0), "is missing"),
    ("no ζ2", loss_with(l2_=1.0), "ζ2, is missing before"),
    ("length", loss_with(penalty=lambda net: flat(net).norm()), "not the length"),
    ("mean", loss_with(penalty=lambda net: (flat(net) ** 2).mean()), "not a mean"),
    ("absolute", loss_with(penalty=lambda net: flat(net).abs().sum()), "not absolute"),
    ("no biases", loss_with(penalty=lambda net: sum(
        (p**2).sum() for p in net.parameters() if p.ndim == 2)), "biases"),
    ("merged", loss_with(merged=True), "two losses"),
    ("fast", loss_with(slow="critic"), "fast critic"),
    ("stored", loss_with(act=None), "slow actor acts"),
    ("goes on", loss_with(near={"terminated": lambda b, g: 0 * b.reward}), "one step: nothing"),
    ("n goes on", loss_with(far={"n_terminated": lambda b, g: 0 * b.reward}), "n steps: nothing"),
    ("its own end", loss_with(far={"n_terminated": lambda b, g: b.terminated}), "n_terminated"),
    ("gamma", loss_with(far={"n_discount": lambda b, g: g + 0 * b.reward}), "yours is γ"),
    ("gamma n", loss_with(far={"n_discount": lambda b, g: g**4 + 0 * b.reward}), "own γ"),
    ("no gamma", loss_with(far={"n_discount": lambda b, g: b.reward**0}), "discount is missing"),
    ("gamma twice", loss_with(far={"n_discount": lambda b, g: g * b.n_discount}), "already"),
    ("next", loss_with(far={"n_next_obs": lambda b, g: b.next_obs}), "not of next_obs"),
    ("reward", loss_with(far={"n_reward": lambda b, g: b.reward}), "rewards are n_reward"),
    ("leak", loss_with(data=lambda y: y), "into the slow"), ("steps", steps, "taken elsewhere"),
    ("cut", loss_with(out=torch.Tensor.detach), "no gradient"),
    ("half cut", loss_with(q_of=torch.Tensor.detach), "a part of it"),
    ("number", loss_with(out=torch.Tensor.item), "as a tensor"),
    ("nothing", lambda *a: ..., "nothing"),
    ("other", loss_with(out=lambda loss: loss + 1), "is another"),
    ("changes", lambda p, b, *a: b.weight.mul_(0.5) is None or loss_with()(p, b, *a), "the batch"),
    ("raises", lambda *a: 1 / 0, "raised ZeroDivision"),
]:  # fmt: skip
    WRONG.append((ddpgfd.check_critic_objective, (answer,), hint, name))


test_right_answers_are_accepted, test_wrong_answers_get_the_hint_that_fits = judged(RIGHT, WRONG)


def test_every_check_has_three_right_and_ten_wrong_answers():
    counted("06_ddpgfd", RIGHT, WRONG)
