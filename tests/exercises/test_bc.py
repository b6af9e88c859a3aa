"""Chapter 07's checks: right answers are accepted, wrong ones get the hint that fits."""

import inspect
import json
import math
import pickle
import pickletools

import numpy as np
import pytest
import torch

from pgcourse import BCAgent
from pgcourse.exercises import bc
from pgcourse.tools.exercises import SOLUTIONS

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
for k, values in enumerate([(128 * 10 / 1064, (1 - 10 / 1064) ** 128), (1.2, 0.3), (1.203, 0.299)]):
    RIGHT.append((bc.check_share, values, f"way{k}"))
for values, hint in [
    ((10 / 1064, 0.3), "a batch has 128"), ((2560 / 1064, 0.3), "demonstrated half"),
    ((1.2, 10 / 1064), "one row is"), ((1.2, 0.7014), "at least one"), ((1.2, 0.9), "must miss"),
    ((3, 0.3), "near 1.2"), ((..., 0.3), "no answer"),
]:  # fmt: skip
    WRONG.append((bc.check_share, values, hint, str(values)))
for k, values in enumerate([("B", 1_500), ("B", 1_500.0), ("B", torch.tensor(1_500))]):
    RIGHT.append((bc.check_pass_rates, (*values, RATES, UPDATES), f"way{k}"))
for values, hint in [
    (("A", 1_500), "does harm"), (("B", 1_000), "begin to part"), (("B", 2_000), "not .or long"),
    (("C", 1_500), "one of"), ((..., 1_500), "no answer"), (("B", ...), "no answer"),
]:  # fmt: skip
    WRONG.append((bc.check_pass_rates, (*values, RATES, UPDATES), hint, str(values)))


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


for kind in (Linear, Remembering, Mixed):
    right(bc.check_fading)(kind)
for kind, hint in [
    (Constant, "does not change"), (Negative, "negative"), (Compounding, "call to call"),
    (Switch, "3/4"), (Growing, "full weight"), (BCAgent, "Derive"),
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


@wrong(bc.check_opcodes, "NEWOBJ")
def no_newobj(data):
    return a_set(data) - {"NEWOBJ"}


@wrong(bc.check_opcodes, "INST names")
def no_inst(data):
    return a_set(data) - {"INST"}


@wrong(bc.check_opcodes, "call nothing")
def everything(data):
    return {opcode.name for opcode, _, _ in pickletools.genops(data)}


# Seeds.
def widths(a, b):
    n = len(a)
    paired = 1.96 * (a - b).std(ddof=1) / n**0.5
    return paired, 1.96 * math.sqrt((a.var(ddof=1) + b.var(ddof=1)) / n)


def needed(differences, gap):
    return math.ceil((1.96 * np.std(differences, ddof=1) / gap) ** 2)


def widths_without_ddof(a, b):
    return 1.96 * np.std(a - b) / 40**0.5, 1.96 * np.hypot(a.std(), b.std()) / np.sqrt(40)


def needed_by_search(differences, gap):
    n = 1
    while 1.96 * np.std(differences, ddof=1) / np.sqrt(n) > gap:
        n += 1
    return n


for k, pair in enumerate([(widths, needed), (widths_without_ddof, needed),
                          (widths, needed_by_search)]):  # fmt: skip
    RIGHT.append((bc.check_seeds_needed, pair, f"way{k}"))
for pair, hint, name in [
    ((lambda a, b: widths(a, b)[::-1], needed), "swapped", "swapped"),
    ((lambda a, b: (widths(a, b)[0] * 40**0.5, widths(a, b)[1]), needed), "by √n", "spread"),
    ((lambda a, b: (widths(a, b)[0], widths(a, b)[0]), needed), "variances add", "both_paired"),
    ((widths, lambda d, gap: needed(d, gap) - 1), "seed fewer", "down"),
    ((widths, lambda d, gap: 1.96 * np.std(d, ddof=1) / gap), "square", "root"),
    ((widths, lambda d, gap: (1.96 * np.std(d, ddof=1) / gap) ** 2), "whole number", "fraction"),
]:
    WRONG.append((bc.check_seeds_needed, pair, hint, name))


# Hindsight.
def future(reached, reward_fn, k, rng):
    steps = np.repeat(np.arange(len(reached) - 1), k)
    goals = reached[rng.integers(steps + 1, len(reached))]
    return steps, goals, reward_fn(reached[steps + 1], goals)


def future_in_a_loop(reached, reward_fn, k, rng):
    rows = []
    for t in range(len(reached) - 1):
        for _ in range(k):
            goal = reached[rng.choice(np.arange(t + 1, len(reached)))]
            rows.append((t, goal, float(reward_fn(reached[t + 1], goal))))
    return tuple(map(np.array, zip(*rows, strict=True)))


def future_by_floats(reached, reward_fn, k, rng):
    last = len(reached) - 1
    steps = np.tile(np.arange(last), k)
    places = steps + 1 + (rng.random(len(steps)) * (last - steps)).astype(int)
    return steps, reached[places], reward_fn(reached[steps + 1], reached[places])


def relabel_with(draw, reward=lambda f, r, s, g: f(r[s + 1], g)):
    def relabel(reached, reward_fn, k, rng):
        steps = np.repeat(np.arange(len(reached) - 1), k)
        goals = reached[draw(rng, steps, len(reached))]
        return steps, goals, reward(reward_fn, reached, steps, goals)

    return relabel


for answer in (future, future_in_a_loop, future_by_floats):
    RIGHT.append((bc.check_relabel, (answer,), answer.__name__))
draw_future = lambda rng, s, n: rng.integers(s + 1, n)  # noqa: E731
for answer, hint, name in [
    (relabel_with(lambda rng, s, n: rng.integers(0, n, len(s))), "after the step", "any_place"),
    (relabel_with(lambda rng, s, n: rng.integers(s, n)), "after the step", "own_place"),
    (relabel_with(lambda rng, s, n: np.full(len(s), n - 1)), "never drawn", "final"),
    (relabel_with(lambda rng, s, n: rng.integers(np.minimum(s + 2, n - 1), n)),
     "step itself reaches", "skips_one"),
    (relabel_with(draw_future, lambda f, r, s, g: -np.ones(len(s))), "Recompute", "old_rewards"),
    (relabel_with(draw_future, lambda f, r, s, g: f(r[s], g)), "Recompute", "before_the_step"),
    (relabel_with(lambda rng, s, n: np.random.default_rng(len(s)).integers(s + 1, n)),
     "never drawn|uneven", "own_stream"),
    (lambda reached, reward_fn, k, rng: None, "returns nothing", "untouched"),
]:  # fmt: skip
    WRONG.append((bc.check_relabel, (answer,), hint, name))


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
            obs = np.array(rows[int(self.rng.integers(30))], dtype=np.float32)
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
            obs = self.obs = self.demo_memory.data.obs[self.rng.integers(30)].copy()
        return obs


class OnlyTheState(BCAgent):
    def reset(self):
        obs = super().reset()
        if self.rng.random() < 0.5:
            obs = self.demo_memory.data.obs[self.rng.integers(30)].copy()
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
        return Half.reset(self) if self.rng.random() < 0.3 else BCAgent.reset(self)


class GlobalStream(BCAgent):
    def reset(self):
        super().reset()
        if np.random.random() < 0.5:
            self.obs = self.demo_memory.data.obs[np.random.randint(30)].copy()
            self.env.unwrapped.state = np.array(self.obs)
        return self.obs


for kind in (Half, HalfByInteger, HalfByUniform):
    right(bc.check_demo_resets)(kind)
for kind, hint in [
    (Constant, "No episode"), (Always, "Every episode"), (OnlyTheObs, "not the state"),
    (OnlyTheState, "agent.obs is not|200"), (FirstRow, "Only 1 of 30"), (Rarely, "half of them"),
    (GlobalStream, "own stream"),
]:  # fmt: skip
    wrong(bc.check_demo_resets, hint)(kind)


@pytest.mark.parametrize(
    ("check", "answers"),
    [pytest.param(c, a, id=f"{c.__name__[6:]}-{name}") for c, a, name in RIGHT],
)
def test_right_answers_are_accepted(check, answers, capsys):
    check(*answers)
    assert capsys.readouterr().out.startswith("Right.")


@pytest.mark.parametrize(
    ("check", "answers", "hint"),
    [pytest.param(c, a, hint, id=f"{c.__name__[6:]}-{name}") for c, a, hint, name in WRONG],
)
def test_wrong_answers_get_the_hint_that_fits(check, answers, hint):
    with pytest.raises(AssertionError, match=hint):
        check(*answers)


def test_each_check_has_three_right_and_three_wrong_answers():
    checks = [f for name, f in inspect.getmembers(bc, inspect.isfunction) if name[:6] == "check_"]
    for check in checks:
        assert sum(case[0] is check for case in RIGHT) >= 3, check
        assert sum(case[0] is check for case in WRONG) >= 3, check


def test_the_solutions_are_right():
    cells = json.loads((SOLUTIONS / "07_bc.ipynb").read_text(encoding="utf-8"))["cells"]
    space = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), space)
