"""Chapter 02's checks: right answers are accepted, wrong ones get the hint that fits."""

import json

import numpy as np
import pytest
import torch

from pgcourse.exercises import ppo
from pgcourse.parts.returns import clipped_objective, kl_estimate
from pgcourse.tools.exercises import SOLUTIONS

RIGHT, WRONG = [], []  # (check, the arguments, name), (check, the arguments, a hint, name)

# Numbers.
for k, values in enumerate([(-2.8, -2.8, -1.6, 0), (1.4 * -2, 1.4 * -2, 0.8 * -2, -0.0),
                            (torch.tensor(-2.8), np.float32(-2.8), -8 / 5, 0.0)]):  # fmt: skip
    RIGHT.append((ppo.check_by_hand, values, f"way{k}"))
for values, hint in [
    ((-2.4, 0, 0, 0), "clipped one"), ((2.8, 0, 0, 0), "so is the objective"),
    ((-1, 0, 0, 0), r"min\(1"), ((-2.8, 0, 0, 0), "Flat it is"), ((-2.8, -2, 0, 0), "along ρ"),
    ((-2.8, 2.8, 0, 0), "slope is negative"), ((-2.8, 1, 0, 0), "ρ A = 1"),
    ((-2.8, -2.8, -1.4, 0), "That is ρ A"), ((-2.8, -2.8, 1.6, 0), "so is the objective"),
    ((-2.8, -2.8, 0, 0), r"min\(0"), ((-2.8, -2.8, -1.6, -1.4), "a constant"),
    ((-2.8, -2.8, -1.6, -1.6), "a constant"), ((-2.8, -2.8, -1.6, 2), "no slope"),
    ((..., 0, 0, 0), "likelier has no answer"), ((-2.8, "x", 0, 0), "a number"),
]:  # fmt: skip
    WRONG.append((ppo.check_by_hand, values, hint, str(values)))
for k, values in enumerate([(146, 46_720, 10), (146.0, 146 * 320, np.int64(10)),
                            (torch.tensor(146), 4.672e4, 10.0)]):  # fmt: skip
    RIGHT.append((ppo.check_steps, values, f"way{k}"))
for values, hint in [
    ((300_000 / 2_048, 0, 0), "whole number"), ((147, 0, 0), "waits"), ((585, 0, 0), "side by"),
    ((73, 0, 0), "rounded down"), ((146, 4_672, 0), "one epoch"), ((146, 320, 0), "one update"),
    ((146, 1_460, 0), "32 minibatches"), ((146, 1, 0), "of 10 epochs"),
    ((146, 46_720, 320), "each epoch"), ((146, 46_720, 32), "each epoch"),
    ((146, 46_720, 1), "Once in"), ((..., 0, 0), "updates has no answer"),
]:  # fmt: skip
    WRONG.append((ppo.check_steps, values, hint, str(values)))


# The loss.
def loss(pick=torch.minimum, cut=None, sign=-1.0, mean_of=torch.mean, old_of=lambda x: x.detach(),
         weight_of=lambda x: x.detach(), new_of=lambda x: x, turn=1.0):  # fmt: skip
    def clipped_loss(log_density, old_log_density, advantage, clip):
        ratio = (turn * (new_of(log_density) - old_of(old_log_density))).exp()
        weight, at = weight_of(advantage), clip if cut is None else cut
        return sign * mean_of(pick(ratio * weight, ratio.clamp(1 - at, 1 + at) * weight))

    return clipped_loss


def by_the_module(log_density, old_log_density, advantage, clip):
    return -clipped_objective(log_density, old_log_density, advantage, clip).mean()


def by_cases(log_density, old_log_density, advantage, clip):
    ratio, weight = (log_density - old_log_density.detach()).exp(), advantage.detach()
    gone = torch.where(weight > 0, ratio > 1 + clip, ratio < 1 - clip)
    edge = torch.where(weight > 0, 1 + clip, 1 - clip)
    return -(torch.where(gone, edge, ratio) * weight).mean()


for name, answer in [("module", by_the_module), ("cases", by_cases), ("equation", loss())]:
    RIGHT.append((ppo.check_clipped_loss, (answer,), name))


def first_smaller(log_density, old_log_density, advantage, clip):
    ratio = (log_density - old_log_density.detach()).exp()
    smaller = torch.minimum(ratio, ratio.clamp(1 - clip, 1 + clip))
    return -(smaller * advantage.detach()).mean()


def of_means(log_density, old_log_density, advantage, clip):
    ratio, weight = (log_density - old_log_density.detach()).exp(), advantage.detach()
    both = (ratio * weight).mean(), (ratio.clamp(1 - clip, 1 + clip) * weight).mean()
    return -torch.minimum(*both)


for name, answer, hint in [
    ("sign", loss(sign=1.0), "sign is turned"), ("sum", loss(mean_of=torch.sum), "not the sum"),
    ("no clip", loss(lambda a, b: a), "Nothing is clipped"),
    ("only clip", loss(lambda a, b: b), "Take the smaller|of two means"),
    ("larger", loss(torch.maximum), "smaller of the two"), ("first", first_smaller, "First times"),
    ("means", of_means, "clipped|each row"), ("fixed clip", loss(cut=0.2), "should be"),
    ("old", loss(old_of=lambda x: x), "old density"),
    ("advantage", loss(weight_of=lambda x: x), "reaches the advantage"),
    ("no gradient", lambda *a: loss()(*a).detach(), "no gradient"),
    ("turned", loss(turn=-1.0), "should be"), ("rows", loss(mean_of=lambda x: x), "one number"),
    ("float", lambda *a: 1.0, "a tensor"), ("nothing", lambda *a: None, "returns nothing"),
    ("raises", lambda *a: a[9], "raised Index"),
]:  # fmt: skip
    WRONG.append((ppo.check_clipped_loss, (answer,), hint, name))


# The distance.
def moved(kl_of=lambda r: r - 1 - r.log(), far=lambda r, c: (r - 1).abs() > c, turn=1.0,
          mean_of=torch.mean, share_of=lambda x: x.float().mean()):  # fmt: skip
    def how_far(log_density, old_log_density, clip):
        ratio = (turn * (log_density - old_log_density)).exp()
        return mean_of(kl_of(ratio)).item(), share_of(far(ratio, clip)).item()

    return how_far


def by_numpy(log_density, old_log_density, clip):
    log_ratio = (log_density - old_log_density).numpy()
    ratio = np.exp(log_ratio)
    return np.mean(ratio - 1 - log_ratio), np.mean((ratio < 1 - clip) | (ratio > 1 + clip))


def as_tensors(log_density, old_log_density, clip):
    outside = ((log_density - old_log_density).exp() - 1).abs() > clip
    return kl_estimate(log_density, old_log_density), outside.double().mean()


for name, answer in [("numpy", by_numpy), ("tensors", as_tensors), ("equation", moved())]:
    RIGHT.append((ppo.check_moved, (answer,), name))
for name, answer, hint in [
    ("plain", moved(lambda r: -r.log()), "on average only"),
    ("turned log", moved(lambda r: r.log()), "sign of log"),
    ("upside", moved(turn=-1.0), "upside down"), ("sum", moved(mean_of=torch.sum), "not the sum"),
    ("no 1", moved(lambda r: r - r.log()), "Minus 1"), ("zero", moved(lambda r: 0 * r), "The KL"),
    ("above", moved(far=lambda r, c: r > 1 + c), "below 1"),
    ("number", moved(share_of=torch.sum), "Return a share"),
    ("none", moved(far=lambda r, c: r > 9), "Two of four"),
    ("fixed", moved(far=lambda r, c: (r - 1).abs() > 0.2), "random rows"),
    ("one", lambda *a: 1.0, "Return"), ("nothing", lambda *a: None, "returns nothing"),
    ("raises", lambda *a: a[9], "raised Index"),
]:  # fmt: skip
    WRONG.append((ppo.check_moved, (answer,), hint, name))


@pytest.mark.parametrize(
    ("check", "answers"),
    [pytest.param(c, a, id=f"{c.__name__[6:]}-{name}") for c, a, name in RIGHT],
)
def test_right_answers_are_accepted(check, answers, capsys):
    check(*answers)
    assert capsys.readouterr().out.startswith("Right. ")


@pytest.mark.parametrize(
    ("check", "answers", "hint"),
    [pytest.param(c, a, hint, id=f"{c.__name__[6:]}-{name}") for c, a, hint, name in WRONG],
)
def test_wrong_answers_get_the_hint_that_fits(check, answers, hint):
    with pytest.raises(AssertionError, match=hint):
        check(*answers)


def test_every_check_has_three_right_and_ten_wrong_answers():
    text = (SOLUTIONS / "02_ppo.ipynb").read_text(encoding="utf-8")
    cells = json.loads(text)["cells"]
    called = ["".join(c["source"]) for c in cells if c["id"].endswith("-check")]
    names = {text.removeprefix("exercise.").partition("(")[0] for text in called}
    for table, least in ((RIGHT, 3), (WRONG, 10)):
        counts = {name: sum(row[0].__name__ == name for row in table) for name in names}
        assert min(counts.values()) >= least, counts
