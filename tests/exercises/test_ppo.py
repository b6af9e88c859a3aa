"""Chapter 02's checks: right answers are accepted, wrong ones get the hint that fits."""

import re

import numpy as np
import pytest
import torch
from torch.distributions import Normal
from torch.nn.utils import clip_grad_norm_

from pgcourse.exercises import ppo
from pgcourse.exercises.ppo_plot import ARMS, medians
from pgcourse.parts.returns import (
    clipped_objective,
    gae,
    gaussian_log_density,
    kl_estimate,
    normalized,
)
from pgcourse.tools.exercises import SOLUTIONS
from tests.exercises.answers import counted, judged

RIGHT, WRONG = [], []  # (check, the arguments, name), (check, the arguments, a hint, name)


# Rows that are left.
def by_softmax(log_density, old_log_density):
    return 1 / (torch.softmax(log_density - old_log_density, 0) ** 2).sum()


def by_logsumexp(log_density, old_log_density):
    log_ratio = log_density - old_log_density
    return (2 * log_ratio.logsumexp(0) - (2 * log_ratio).logsumexp(0)).exp().item()


def in_numpy(log_density, old_log_density):
    log_ratio = (log_density - old_log_density).double().numpy()
    weight = np.exp(log_ratio - log_ratio.max())
    weight /= weight.mean()
    return len(weight) / np.mean(weight**2)


def left(of=lambda r: r.sum() ** 2 / (r**2).sum(), turn=1.0, log=False, old=1.0, safe=True):
    def rows_left(log_density, old_log_density):
        log_ratio = turn * (log_density - old * old_log_density)
        if log:
            return of(log_ratio)
        return of((log_ratio - safe * log_ratio.max()).exp())

    return rows_left


HALF, TWO = 2_048 * np.exp(-0.25), 2_048 * np.exp(-4)
for k, values in enumerate([(HALF, TWO, "more", by_softmax), (1_595, 37.5, "more", by_logsumexp),
                            (torch.tensor(1_594.98), 37.51, "more", in_numpy),
                            (1_595.0, np.float64(37.4), "more", left())]):  # fmt: skip
    RIGHT.append((ppo.check_rows_left, values, f"way{k}"))
for half, two, claims, hint in [
    (0.7788, TWO, "more", "half: That is a share"), (HALF, 0.0183, "more", "two: That is a share"),
    (2_048 / (np.exp(0.25) - 1), TWO, "more", "squared mean"),
    (HALF, 2_048 / 53.6, "more", "two: The variance is the mean square"),
    (1_638.4, TWO, "more", "not"), (HALF, 277.2, "more", "two: Look at the exponent"),
    (1_242.2, TWO, "more", "half: Look at the exponent"), (HALF, 0.687, "more", "exponent"),
    (1_807.4, TWO, "more", "exponent"), (2_629.7, TWO, "more", "not more"),
    (1_500, TWO, "more", "divide 2,048"), (HALF, TWO, "fewer", "Measure it"),
    (HALF, TWO, "less", '"more" or "fewer"'), (HALF, TWO, ..., "claims has no answer"),
    (..., TWO, "more", "half has no answer"), (HALF, "x", "more", "a number"),
]:  # fmt: skip
    WRONG.append((ppo.check_rows_left, (half, two, claims, left()), hint, f"{half} {two} {claims}"))
for name, answer, hint in [
    ("turned", left(turn=-1.0), "upside down: new"),
    ("inverse", left(lambda r: (r**2).sum() / r.sum() ** 2), "grows"),
    ("no square", left(lambda r: r.sum() / (r**2).sum(), safe=False), "squared, too"),
    ("means", left(lambda r: r.mean() ** 2 / (r**2).sum()), "not means"),
    ("share", left(lambda r: r.mean() ** 2 / (r**2).mean()), "a share of the rows"),
    ("logs", left(log=True), "not their logs"), ("old", left(old=0.0), "old density is missing"),
    ("overflow", left(safe=False), "divided by one number"), ("none", lambda *a: None, "nothing"),
    ("all", lambda new, old: float(len(new)), "leave 64/22"), ("raises", lambda *a: a[9], "raised"),
    ("fixed", lambda new, old: 64 / 22, "random rows"), ("text", lambda *a: "1", "a number"),
]:  # fmt: skip
    WRONG.append((ppo.check_rows_left, (HALF, TWO, "more", answer), hint, name))

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


# The plot.
for k, values in enumerate([("d", "b", "a", "c", 0.1095, 1.414), ("d", "b", "a", "c", 0.11, 2**0.5),
                            ("d", "b", "a", "c", torch.tensor(0.109), np.sqrt(2))]):  # fmt: skip
    RIGHT.append((ppo.check_plot, values, f"way{k}"))
NEAR, FAR = 0.012**0.5, 2**0.5
for values, hint in [
    (("a", "b", "d", "c", NEAR, FAR), "course: look at the height"),
    (("d", "c", "a", "b", NEAR, FAR), "constant: look at the height"),
    (("b", "d", "a", "c", NEAR, FAR), "course: look at the last"),
    (("d", "b", "c", "a", NEAR, FAR), "loose: look at the last"),
    (("d", "d", "a", "c", NEAR, FAR), "each has one"), (("e", "b", "a", "c", NEAR, FAR), "should"),
    (("d", ..., "a", "c", NEAR, FAR), "constant has no"), ((1, "b", "a", "c", NEAR, FAR), "should"),
    (("d", "b", "a", "c", 0.006, FAR), "near: that is the KL"),
    (("d", "b", "a", "c", 0.012, FAR), "near: the root"),
    (("d", "b", "a", "c", 0.0775, FAR), "near: a factor of 2"),
    (("d", "b", "a", "c", 0.0548, FAR), "wrong side"), (("d", "b", "a", "c", 2e-5, FAR), "way"),
    (("d", "b", "a", "c", NEAR, 1), "far: that is"), (("d", "b", "a", "c", NEAR, 2), "far: the r"),
    (("d", "b", "a", "c", NEAR, 1 / FAR), "far: the 2"), (("d", "b", "a", "c", 9, FAR), "one term"),
    (("d", "b", "a", "c", -NEAR, FAR), "positive"), (("d", "b", "a", "c", NEAR, ...), "no answer"),
]:  # fmt: skip
    WRONG.append((ppo.check_plot, values, hint, str(values)))


def test_the_plot_shows_what_its_check_asks_for():
    found = medians()
    assert sorted(found) == sorted(ARMS) and {len(kl) for kl in found.values()} == {73}
    middle = {letter: np.median(kl[29:50]) for letter, kl in found.items()}
    assert max(middle["b"], middle["d"]) < 0.02 < 0.2 < min(middle["a"], middle["c"])
    assert max(found["a"][-1], found["d"][-1]) < 1e-3 < min(found["b"][-1], found["c"][-1])
    shown = {line[0]: line for line in ppo.table_of_four().splitlines()}
    for letter, line in zip("abcd", ppo.draw_four().axes[0].lines, strict=True):
        assert line.get_label() == letter and np.array_equal(line.get_ydata(), found[letter])
        assert float(shown[letter].split()[-1]) == pytest.approx(found[letter][-1], rel=0.06)


# Five mistakes.
def lessons(reset=False, cut=False, none_cut=False, no_end=False, late=False, clamp=False,
            raw=False, grad=False, only=None, target_of=None):  # fmt: skip
    def lesson(actor, critic, steps, gamma, lam):
        with torch.set_grad_enabled(grad):
            value, later = critic(steps.obs), critic(steps.next_obs)
            if reset:
                later = torch.cat([value[1:], later[-1:]])
            terminated, truncated = steps.terminated, steps.truncated
            if cut:
                terminated = torch.maximum(terminated, truncated)
            if no_end:
                terminated, truncated = 0 * terminated, torch.maximum(terminated, truncated)
            ends = terminated, 0 * truncated if none_cut else truncated
            advantage = gae(steps.reward, later, *ends, value, gamma, lam).flatten()
            weight = advantage if raw else normalized(advantage)
            target = (normalized(advantage) if late else advantage) + value.flatten()
            if target_of:
                target = target_of(advantage, value.flatten())
            action = steps.action.clamp(-1, 1) if clamp else steps.action
            obs, action = steps.obs.flatten(0, 1), action.flatten(0, 1)
            density = gaussian_log_density(action, actor(obs), actor.log_std)
        return only((density, weight, target)) if only else (density, weight, target)

    return lesson


def as_given(actor, critic, steps, gamma, lam):  # what the task shows
    return lessons(True, True, late=True, clamp=True, grad=True)(actor, critic, steps, gamma, lam)


def step_by_step(actor, critic, steps, gamma, lam):
    with torch.no_grad():
        value, later = critic(steps.obs), critic(steps.next_obs)
        delta = steps.reward + gamma * later * (steps.terminated == 0) - value
        goes_on = (steps.terminated + steps.truncated == 0).double()
        found = torch.zeros_like(delta)
        for t in reversed(range(len(delta))):
            after = found[t + 1] if t + 1 < len(delta) else 0
            found[t] = delta[t] + gamma * lam * goes_on[t] * after
        advantage = (found - found.mean()) / found.std(correction=0)
        density = Normal(actor(steps.obs), actor.log_std.exp()).log_prob(steps.action).sum(dim=-1)
    return density.flatten(), advantage.flatten(), (found + value).flatten()


def detached_at_last(actor, critic, steps, gamma, lam):
    return [each.detach() for each in lessons(grad=True)(actor, critic, steps, gamma, lam)]


for answer in (lessons(), step_by_step, detached_at_last):
    RIGHT.append((ppo.check_lesson, (answer,), answer.__name__))
for name, answer, hint in [
    ("as given", as_given, "after a time limit"), ("cut", lessons(cut=True), "after a time limit"),
    ("cut and raw", lessons(cut=True, raw=True), "after a time limit"),
    ("reset", lessons(reset=True), "Not the row below"),
    ("three left", lessons(True, late=True, clamp=True), "Not the row below"),
    ("both as cuts", lessons(no_end=True), "after a true end"),
    ("over ends", lessons(none_cut=True), "none reaches over"),
    ("raw", lessons(raw=True), "Eq. 12"),
    ("late", lessons(late=True), "in the rewards' scale"),
    ("late, clamped", lessons(late=True, clamp=True), "in the rewards' scale"),
    ("all normalised", lessons(target_of=lambda a, v: normalized(a + v)), "rewards' scale"),
    ("no value", lessons(target_of=lambda a, v: a), "to make a return"),
    ("target", lessons(target_of=lambda a, v: a - v), "targets are others"),
    ("clamped", lessons(clamp=True), "that the policy drew"),
    ("gradient", lessons(grad=True), "meant as data"),
    ("two", lessons(only=lambda x: x[:2]), "three things"),
    ("shape", lessons(only=lambda x: (x[0], x[1][:, None], x[2])), "shape"),
    ("lists", lessons(only=lambda x: (x[0], x[1].tolist(), x[2])), "stay a tensor"),
    ("turned", lessons(only=lambda x: (x[0], -x[1], x[2])), "advantages are others"),
    ("density", lessons(only=lambda x: (x[0].exp(), *x[1:])), "log-densities are others"),
    ("nothing", lambda *a: None, "returns nothing"), ("raises", lambda *a: a[9], "raised Index"),
]:  # fmt: skip
    WRONG.append((ppo.check_lesson, (answer,), hint, name))


# The whole update.
def update_with(
    pick=torch.minimum, sign=-1.0, half=1.0, joint=True, clear=True, anew=False, again=False,
    order_of=lambda orders: orders, whole=False, after=False, mean_of=torch.mean, only=None,
    estimate=kl_estimate, result=lambda found, rows: found, clip_of=lambda clip: clip,
    extra=0.0,
):  # fmt: skip
    def ppo_update(parts, rows, orders, batch_size, clip, most):
        found, at = [], clip_of(clip)
        networks = {"actor": parts.actor, "critic": parts.critic}
        optimizers = {name: getattr(parts, f"{name}_optimizer") for name in networks}
        for order in order_of(orders):
            pieces = order.split(batch_size)
            for some in pieces[: len(order) // batch_size] if whole else pieces:
                weight, old = rows.advantage[some], rows.log_density[some]
                if anew:
                    weight = normalized(weight)

                def density_of(some=some):
                    mean, log_std = parts.actor(rows.obs[some]), parts.actor.log_std
                    return gaussian_log_density(rows.action[some], mean, log_std)

                density = density_of()
                old = density.detach() if again else old
                if not after:
                    found.append(estimate(density, old).item())
                ratio = (density - old).exp()
                gain = mean_of(pick(ratio * weight, ratio.clamp(1 - at, 1 + at) * weight))
                error = half * mean_of((parts.critic(rows.obs[some]) - rows.target[some]) ** 2)
                losses = {"actor": sign * gain - extra * parts.actor.log_std.sum(), "critic": error}
                for name, loss in losses.items():
                    if clear:
                        optimizers[name].zero_grad()
                    loss.backward()
                weights = {name: list(each.parameters()) for name, each in networks.items()}
                if joint is True:
                    clip_grad_norm_(weights["actor"] + weights["critic"], most)
                elif joint is False:
                    for each in weights.values():
                        clip_grad_norm_(each, most)
                for name, optimizer in optimizers.items():
                    if only in (None, name):
                        optimizer.step()
                if after:
                    found.append(estimate(density_of(), old).item())
        return result(found, rows)

    return ppo_update


def by_hand(parts, rows, orders, batch_size, clip, most):
    """Without backward(): gradients and their norm by hand."""
    weights, found = [*parts.actor.parameters(), *parts.critic.parameters()], []
    for order in orders:
        for first in range(0, len(order), batch_size):
            obs, action, old, weight, target = (x[order[first : first + batch_size]] for x in rows)
            density = Normal(parts.actor(obs), parts.actor.log_std.exp()).log_prob(action).sum(1)
            found.append(kl_estimate(density, old).detach())
            loss = -clipped_objective(density, old, weight, clip).mean()
            loss = loss + torch.nn.functional.mse_loss(parts.critic(obs), target)
            grads = torch.autograd.grad(loss, weights)
            norm = torch.cat([grad.flatten() for grad in grads]).norm()
            for each, grad in zip(weights, grads, strict=True):
                each.grad = grad * min(1.0, most / norm)
            parts.actor_optimizer.step()
            parts.critic_optimizer.step()
    return torch.stack(found)


def as_an_array(*arguments):
    return np.array(update_with()(*arguments))


for answer in (update_with(), by_hand, as_an_array):
    RIGHT.append((ppo.check_ppo_update, (answer,), answer.__name__))
for name, answer, hint in [
    ("up", update_with(sign=1.0), "wrong way"), ("no clip", update_with(lambda a, b: a), "clipped"),
    ("only clip", update_with(lambda a, b: b), "smaller of two"),
    ("larger", update_with(torch.maximum), "not the larger"),
    ("fixed clip", update_with(clip_of=lambda c: 0.01), "in minibatch"),
    ("again", update_with(again=True), "lesson bring along"),
    ("after", update_with(after=True), "the first is 0"),
    ("anew", update_with(anew=True), "normalised once"),
    ("one order", update_with(order_of=lambda o: o[:1].expand_as(o)), "order of its own"),
    ("in a row", update_with(order_of=lambda o: o.sort().values), "not shuffled"),
    ("one epoch", update_with(order_of=lambda o: o[:1]), "one epoch"),
    ("whole", update_with(whole=True), "are a minibatch, too"),
    ("uncut", update_with(joint=None), "not cut"), ("alone", update_with(joint=False), "one norm"),
    ("uncleared", update_with(clear=False), "still there"),
    # Where every gradient is cut, a sum leads nearly where the mean does.
    ("sum", update_with(mean_of=torch.sum), "not the sum|down the mean square"),
    ("half", update_with(half=0.5), "half"),
    ("entropy", update_with(extra=0.1), "in minibatch"),
    ("plain", update_with(estimate=lambda new, old: (old - new).mean()), "never negative|in mini"),
    ("frozen", update_with(half=0.0), "critic did not move"),
    ("minus", update_with(estimate=lambda *a: -kl_estimate(*a)), "never negative"),
    ("policy only", update_with(only="actor"), "critic did not move"),
    ("value only", update_with(only="critic"), "actor did not move"),
    ("epochs", update_with(result=lambda x, _: x[:3]), "not for each epoch"),
    ("mean", update_with(result=lambda x, _: [np.mean(x)]), "for each minibatch"),
    ("number", update_with(result=lambda x, _: np.mean(x)), "Return a list"),
    ("twice", update_with(result=lambda x, _: x + x), "minibatches; yours"),
    ("nothing", update_with(result=lambda *a: None), "returns nothing"),
    ("in place", update_with(result=lambda x, rows: rows.advantage.mul_(2) is not None and x),
     "changes the lesson"),
    ("raises", lambda *a: a[9], "raised Index"),
]:  # fmt: skip
    WRONG.append((ppo.check_ppo_update, (answer,), hint, name))


test_right_answers_are_accepted, test_wrong_answers_get_the_hint_that_fits = judged(RIGHT, WRONG)


def test_every_check_has_three_right_and_ten_wrong_answers():
    counted("02_ppo", RIGHT, WRONG)


def test_the_notebook_calls_each_check_once():
    text = (SOLUTIONS / "02_ppo.ipynb").read_text(encoding="utf-8")
    assert sorted(re.findall(r"exercise\.(check_\w+)\(", text)) == sorted(
        {row[0].__name__ for row in RIGHT}
    )
