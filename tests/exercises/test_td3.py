"""Chapter 04's checks: right answers are accepted, wrong ones get the hint that fits."""

import numpy as np
import torch

from pgcourse import DDPGAgent, TD3Agent, critic_loss, soft_update, td_target
from pgcourse.exercises import td3
from pgcourse.parts.equations import smoothed_action, twin_minimum
from tests.exercises.answers import counted, judged

RIGHT, WRONG = [], []  # (check, the arguments, name), (check, the arguments, a hint, name)


def right(check):
    """Note the decorated answer as a right one of a check."""
    return lambda answer: RIGHT.append((check, (answer,), answer.__name__)) or answer


def wrong(check, hint):
    """Note the decorated answer as a wrong one."""
    return lambda answer: WRONG.append((check, (answer,), hint, answer.__name__)) or answer


# Numbers.
for k, values in enumerate([(0.75, 0, -0.125), (3 / 4, 0.0, torch.tensor(-1 / 8)),
                            (np.float32(0.75), -0.0, -1 / 8)]):  # fmt: skip
    RIGHT.append((td3.check_maximum, values, f"way{k}"))
for values, hint in [
    ((7 / 8, 0, -1 / 8), "chance of"), ((1 / 2, 0, -1 / 8), "two actions"),
    ((1, 0, -1 / 8), "all three errors"), ((0, 0, -1 / 8), "largest of three"),
    ((0.8, 0, 0), "7/8 − 1/8"), ((0.75, 0.75, -1 / 8), "no part"), ((0.75, 0.1, 0), "fair coin"),
    ((0.75, 0, -1 / 2), "nobody chose"), ((0.75, 0, -1 / 4), "two actions"),
    ((0.75, 0, 3 / 8), "of the average"), ((0.75, 0, 7 / 16), "chance of"),
    ((0.75, 0, 0), "both are"), ((..., 0, 0), "chooser has no answer"), (("1", 0, 0), "a number"),
]:  # fmt: skip
    WRONG.append((td3.check_maximum, values, hint, str(values)))
for k, values in enumerate([(1_000, 333, 417), (1e3, 333.0, np.int64(417)),
                            (torch.tensor(1_000), 1_000 // 3, 3 * 139)]):  # fmt: skip
    RIGHT.append((td3.check_turns, values, f"way{k}"))
for values, hint in [
    ((333, 333, 417), "do not wait"), ((999, 333, 417), "each of 1,000"),
    ((1_000, 500, 417), "delay is 3"), ((1_000, 1_000, 417), "delay is 3"),
    ((1_000, 1_000 / 3, 417), "whole number"), ((1_000, 334, 417), "not divided"),
    ((1_000, 3, 417), "each third"), ((1_000, 333, 139), "third update only"),
    ((1_000, 333, 278), "delay is 3"), ((1_000, 333, 414), "One more"),
    ((1_000, 333, 416), "One more"), ((1_000, 333, 417.5), "whole number"),
    ((1_000, 333, 420), "139 steps"), ((..., 333, 417), "critics has no answer"),
]:  # fmt: skip
    WRONG.append((td3.check_turns, values, hint, str(values)))


# The target.
@right(td3.check_twin_target)
def by_the_module(reward, terminated, q1, q2, gamma):
    return td_target(reward, twin_minimum(q1, q2), terminated, gamma)


@right(td3.check_twin_target)
def by_stacking(reward, terminated, q1, q2, gamma):
    smaller = torch.stack([q1, q2]).min(dim=0).values.detach()
    return torch.where(terminated == 1, reward, reward + gamma * smaller)


@right(td3.check_twin_target)
@torch.no_grad()
def in_place(reward, terminated, q1, q2, gamma):
    target = torch.minimum(q1, q2) * gamma
    target *= 1 - terminated
    target += reward
    return target


def targets(pick=torch.minimum, gamma_=None, stop=lambda d: 1 - d, after=lambda y: y.detach()):
    def twin_target(reward, terminated, q1, q2, gamma):
        gamma = gamma if gamma_ is None else gamma_
        return after(reward + gamma * stop(terminated) * pick(q1, q2))

    return twin_target


def smallest(q1, q2):
    return torch.stack([q1, q2]).min().expand(len(q1))


def over_the_batch(q1, q2):
    return torch.stack([q1, q2]).min(dim=1).values


def smaller_mean(q1, q2):
    return q1 if q1.mean() < q2.mean() else q2


for answer, hint in [
    (targets(torch.maximum), "larger"), (targets(lambda a, b: (a + b) / 2), "mean of both"),
    (targets(lambda a, b: a), "first critic's"), (targets(lambda a, b: b), "second critic's"),
    (targets(stop=torch.ones_like), "nothing follows"), (targets(stop=lambda d: d), "upside"),
    (targets(gamma_=1.0), "γ is missing"), (targets(smallest), "smallest of all"),
    (targets(gamma_=0.9), "random rows"), (targets(smaller_mean), "first critic's|should be"),
    (targets(after=lambda y: y), "carries a gradient"), (targets(over_the_batch), "raised"),
    (targets(after=lambda y: y.detach().numpy()), "Return a tensor"),
    (targets(after=lambda y: y.detach()[:, None]), "shape"),
    (targets(after=lambda y: y.mean().detach()), "shape"), (lambda *a: None, "returns nothing"),
    (lambda r, d, a, b, g: (g * (1 - d) * torch.minimum(a, b)).detach(), "reward is missing"),
    (lambda r, d, a, b, g: td_target(r.mul_(1), torch.minimum(a, b).abs(), d, g), "random rows"),
]:  # fmt: skip
    WRONG.append((td3.check_twin_target, (answer,), hint, f"{answer.__name__} {hint}"))


# Smoothing.
@right(td3.check_smoothed)
def by_the_equation(action, noise, sigma, clip):
    return smoothed_action(action, sigma * noise, clip)


@right(td3.check_smoothed)
def by_clip(action, noise, sigma, clip):
    return torch.clip(action + torch.clip(noise * sigma, min=-clip, max=clip), -1.0, 1.0)


@right(td3.check_smoothed)
def by_minimum(action, noise, sigma, clip):
    edge = torch.full_like(noise, clip)
    small = torch.maximum(torch.minimum(sigma * noise, edge), -edge)
    return (action + small).clamp(min=-1).clamp(max=1)


for name, answer, hint in [
    ("open", lambda a, e, s, c: a + (s * e).clamp(-c, c), "itself is kept"),
    ("uncut", lambda a, e, s, c: (a + s * e).clamp(-1, 1), r"cut to \[−clip"),
    ("no sigma", lambda a, e, s, c: (a + e.clamp(-c, c)).clamp(-1, 1), "sigma is missing"),
    ("order", lambda a, e, s, c: (a + s * e.clamp(-c, c)).clamp(-1, 1), "not noise"),
    ("clip all", lambda a, e, s, c: (a + s * e).clamp(-c, c), "for the noise"),
    ("one side", lambda a, e, s, c: (a + (s * e).clamp(max=c)).clamp(-1, 1), "both sides"),
    ("minus", lambda a, e, s, c: (a - (s * e).clamp(-c, c)).clamp(-1, 1), "is added"),
    ("none", lambda a, e, s, c: a, "no noise"),
    ("paper's", lambda a, e, s, c: (a + (0.2 * e).clamp(-0.5, 0.5)).clamp(-1, 1), "sigma 0.1"),
    ("one row", lambda a, e, s, c: (a + (s * e[:1]).clamp(-c, c)).clamp(-1, 1), "It should be"),
    ("own", lambda a, e, s, c: (a + (s * torch.randn_like(a)).clamp(-c, c)).clamp(-1, 1), "It "),
    ("list", lambda a, e, s, c: a.tolist(), "Return a tensor"),
    ("in place", lambda a, e, s, c: a.add_((s * e).clamp(-c, c)).clamp_(-1, 1), "copies"),
    ("flat", lambda a, e, s, c: (a + (s * e).clamp(-c, c)).clamp(-1, 1)[:, 0], "shape"),
    ("nothing", lambda a, e, s, c: ..., "returns nothing"),
]:  # fmt: skip
    WRONG.append((td3.check_smoothed, (answer,), hint, name))


# Errors of the chosen.
@right(td3.check_chosen_errors)
def by_a_loop(true, first, second):
    found = []
    for a, b in zip(first, second, strict=True):
        k = max(range(len(a)), key=lambda n: a[n])
        found.append([a[k] - true[k], b[k] - true[k], min(a[k], b[k]) - true[k]])
    return np.mean(found, axis=0)


@right(td3.check_chosen_errors)
def by_take_along(true, first, second):
    k = first.argmax(axis=1, keepdims=True)
    one, other = (np.take_along_axis(each - true, k, axis=1) for each in (first, second))
    return [one.mean(), other.mean(), np.minimum(one, other).mean()]


@right(td3.check_chosen_errors)
def by_masks(true, first, second):
    chosen = np.eye(len(true))[first.argmax(axis=1)]
    one, other, base = (first * chosen).sum(1), (second * chosen).sum(1), chosen @ true
    return (one - base).mean(), (other - base).mean(), (np.minimum(one, other) - base).mean()


def chosen(own=False, base="chosen", sign=1.0, early=False, axis=1, pick=np.argmax):
    def chosen_errors(true, first, second):
        rows = np.arange(len(first))
        k = pick(first, axis=axis)
        n = pick(second, axis=axis) if own else k
        one, other = first[rows, k], second[rows, n]
        less = {"chosen": true[k], "best": true.max(), "none": 0.0}[base]
        a, b, c = one - less, other - (true[n] if own else less), np.minimum(one, other) - less
        means = [x.mean() for x in (a, b, c)]
        means[2] = min(means[:2]) if early else means[2]
        return tuple(sign * x for x in means)

    return chosen_errors


for name, answer, hint in [
    ("own", chosen(own=True), "for itself"), ("best", chosen(base="best"), "not the best"),
    ("none", chosen(base="none"), "minus the true value of the"),
    ("early", chosen(early=True), "before the mean"), ("sign", chosen(sign=-1.0), "promised minus"),
    ("axis", chosen(axis=0), "raised|Row 0|random"), ("least", chosen(pick=np.argmin), "Row 0"),
    ("two", lambda *a: chosen()(*a)[:2], "three|Return"), ("nothing", lambda *a: ..., "nothing"),
    ("sums", lambda t, a, b: [len(a) * x for x in chosen()(t, a, b)], "Row 0"),
    ("table", lambda t, a, b: (2.0, 2.5, 1.5), "random rows"),
    ("text", lambda *a: "abc", "Return|number"),
]:  # fmt: skip
    WRONG.append((td3.check_chosen_errors, (answer,), hint, name))


# A critic's errors.
@right(td3.check_critic_errors)
def by_a_matrix(values, rewards, terminated, gamma, last):
    steps = np.arange(len(rewards))
    ahead = steps[None] - steps[:, None]
    returns = np.where(ahead >= 0, float(gamma) ** np.abs(ahead), 0.0) @ rewards
    return (values - returns)[: None if terminated else max(0, len(rewards) - last + 1)]


@right(td3.check_critic_errors)
def by_sums(values, rewards, terminated, gamma, last):
    found = []
    for t in range(len(rewards)):
        if terminated or len(rewards) - t >= last:
            came = sum(gamma**k * r for k, r in enumerate(rewards[t:]))
            found.append(values[t] - came)
    return found


@right(td3.check_critic_errors)
def by_torch(values, rewards, terminated, gamma, last):
    rewards, came, back = torch.tensor(rewards), torch.tensor(0.0).double(), []
    for reward in rewards.flip(0):
        came = reward + gamma * came
        back.append(came)
    errors = torch.tensor(values) - torch.stack(back[::-1])
    return errors if terminated else errors[: max(0, len(errors) - last + 1)]


def along(sign=1.0, discount=None, first=1.0, keep=None, from_start=False):
    def critic_errors(values, rewards, terminated, gamma, last):
        gamma = gamma if discount is None else discount
        returns, came = np.zeros(len(rewards)), 0.0
        for t in reversed(range(len(rewards))):
            came = rewards[t] + gamma * came
            returns[t] = came * first * (gamma**t if from_start else 1.0)
        rows = max(0, len(rewards) - last + 1)
        rows = (
            keep(len(rewards), last, terminated) if keep else len(rewards) if terminated else rows
        )
        return sign * (values - returns)[:rows]

    return critic_errors


for name, answer, hint in [
    ("sign", along(sign=-1.0), "promised minus"), ("no gamma", along(discount=1.0), "γ is missing"),
    ("reward", along(discount=0.0), "sum of all"), ("late", along(first=0.5), "is not discounted"),
    ("from the start", along(from_start=True), "own step on"),
    ("all rows", along(keep=lambda n, last, end: n), "do not know"),
    ("as if cut", along(keep=lambda n, last, end: n - last + 1), "every row counts"),
    ("one less", along(keep=lambda n, last, end: n if end else n - last), "keeps 1"),
    ("none left", along(keep=lambda n, last, end: n if end else n - last + 1), "0 rows count"),
    ("half", along(discount=0.5), "first error should"), ("nothing", lambda *a: None, "nothing"),
    ("number", lambda *a: 1.0, "shape"), ("text", lambda *a: ["a"], "array of numbers"),
]:  # fmt: skip
    WRONG.append((td3.check_critic_errors, (answer,), hint, name))


# An actor that waits.
@right(td3.check_patient)
class ByTheLists(DDPGAgent):
    def build(self):
        super().build()
        self.learners["actor"].every = 3
        for follower in self.followers.values():
            follower.every = 3


@right(td3.check_patient)
class ByHand(DDPGAgent):
    def update(self, batch):
        learners, followers = self.learners, self.followers
        if self.updates % 3:
            self.learners, self.followers = {"critic": learners["critic"]}, {}
        record = super().update(batch)
        self.learners, self.followers = learners, followers
        return record


@right(td3.check_patient)
class ByReplace(DDPGAgent):
    def build(self):
        from dataclasses import replace

        super().build()
        self.learners = {k: replace(v, every=1 if k == "critic" else 3)
                         for k, v in self.learners.items()}  # fmt: skip
        self.followers = {k: replace(v, every=3) for k, v in self.followers.items()}


def waiting(change):
    class PatientDDPG(DDPGAgent):
        def build(self):
            super().build()
            change(self)

    return PatientDDPG


def every(*names, turns=3, slow=("actor", "critic")):
    def change(agent):
        for name in names:
            agent.learners[name].every = turns
        for name in slow:
            agent.followers[name].every = turns

    return waiting(change)


class OneTooEarly(ByHand):
    def update(self, batch):
        self.updates += 1
        record = super().update(batch)
        self.updates -= 1
        return record


class OtherRate(ByTheLists):
    def build(self):
        super().build()
        self.learners["critic"].optimizer.param_groups[0]["lr"] *= 2


class FasterCopies(ByTheLists):
    def build(self):
        super().build()
        self.tau = 3 * self.tau


for name, answer, hint in [
    ("plain", DDPGAgent, "of your own"), ("unchanged", waiting(lambda agent: None), "actor learns"),
    ("second", every("actor", turns=2), "actor learns"), ("all", every("actor", "critic"), "never"),
    ("no copies", every("actor", slow=()), "target follows"),
    ("critic's copy", every("actor", slow=("actor",)), "critic_target follows"),
    ("actor's copy", every("actor", slow=("critic",)), "actor_target follows"),
    ("copies only", every(), "actor learns"), ("early", OneTooEarly, "actor learns"),
    ("rate", OtherRate, "critic is not where"), ("tau", FasterCopies, "target is not where"),
    ("no class", 3, "Derive"), ("other", TD3Agent, "Derive"),
]:  # fmt: skip
    WRONG.append((td3.check_patient, (answer,), hint, name))


# The whole update.
def update_with(
    pick=torch.minimum, actor="actor_target", critics="critics_target", noise=lambda e: e,
    open_=False, stop=lambda d: 1 - d, scale=1.0, turn=lambda k: k % 2 == 0, clear=True, sign=-1.0,
    judge=0, follow=("actor", "critics"), order=False, fast=1.0, at="next_obs", leak=False,
    smooth_actor=False, cut=None,
):  # fmt: skip
    def td3_update(parts, batch, update, gamma, tau, sigma, clip):
        def climb():
            parts.actor_optimizer.zero_grad()
            action = parts.actor(batch.obs)
            if smooth_actor:
                action = smoothed_action(action, sigma * batch.next_noise, clip)
            (sign * parts.critics[judge](batch.obs, action).mean()).backward()
            parts.actor_optimizer.step()

        if order and turn(update):
            climb()
        with torch.set_grad_enabled(leak):
            small = sigma * noise(batch.next_noise)
            action = getattr(parts, actor)(getattr(batch, at))
            bound = clip if cut is None else cut
            action = action + small.clamp(-bound, bound)
            action = action if open_ else action.clamp(-1, 1)
            answers = [q(getattr(batch, at), action) for q in getattr(parts, critics)]
            target = batch.reward + gamma * stop(batch.terminated) * pick(*answers)
        losses = [((q(batch.obs, batch.action) - target) ** 2).mean() for q in parts.critics]
        loss = scale * sum(losses)
        if clear:
            parts.critics_optimizer.zero_grad()
        loss.backward()
        parts.critics_optimizer.step()
        if turn(update):
            if not order:
                climb()
            for name in follow:
                soft_update(getattr(parts, f"{name}_target"), getattr(parts, name), fast * tau)
        return loss.item()

    return td3_update


@right(td3.check_td3_update)
def by_grad(parts, batch, update, gamma, tau, sigma, clip):
    action = smoothed_action(parts.actor_target(batch.next_obs), sigma * batch.next_noise, clip)
    q = twin_minimum(*(slow(batch.next_obs, action) for slow in parts.critics_target))
    target = td_target(batch.reward, q, batch.terminated, gamma)
    loss = sum(critic_loss(each(batch.obs, batch.action), target) for each in parts.critics)

    def descend(optimizer, loss):
        weights = optimizer.param_groups[0]["params"]
        for weight, grad in zip(weights, torch.autograd.grad(loss, weights), strict=True):
            weight.grad = grad
        optimizer.step()

    descend(parts.critics_optimizer, loss)
    if update % 2 == 0:
        descend(parts.actor_optimizer, -parts.critics[0](batch.obs, parts.actor(batch.obs)).mean())
        soft_update(parts.critics_target, parts.critics, tau)
        soft_update(parts.actor_target, parts.actor, tau)
    return loss


RIGHT.append((td3.check_td3_update, (update_with(),), "written out"))
RIGHT.append((td3.check_td3_update, (update_with(stop=lambda d: d == 0),), "by a comparison"))
for name, answer, hint in [
    ("larger", update_with(torch.maximum), "not the larger"),
    ("first", update_with(lambda a, b: a), "takes the first"),
    ("second", update_with(lambda a, b: b), "takes the second"),
    ("mean", update_with(lambda a, b: (a + b) / 2), "not the mean"),
    ("fast critics", update_with(critics="critics"), "fast critics"),
    ("fast actor", update_with(actor="actor"), "fast actor's"),
    ("no noise", update_with(noise=torch.zeros_like), "noise on the target's action is missing"),
    ("uncut", update_with(cut=100.0), "cut to"), ("open", update_with(open_=True), "stays in"),
    ("no end", update_with(stop=torch.ones_like), "true end"),
    ("halved", update_with(scale=0.5), "not averaged"), ("now", update_with(at="obs"), "next_obs"),
    ("grads kept", update_with(clear=False), "Clear their gradients"),
    ("every update", update_with(turn=lambda k: True), "waits"),
    ("odd updates", update_with(turn=lambda k: k % 2 == 1), "waits"),
    ("never", update_with(turn=lambda k: False), "actor climbs"),
    ("downhill", update_with(sign=1.0), "actor climbs"),
    ("second judge", update_with(judge=1), "actor climbs"),
    ("before", update_with(order=True), "actor climbs"),
    ("noisy actor", update_with(smooth_actor=True), "actor climbs"),
    ("critics stay", update_with(follow=("actor",)), "critics_target moves by τ"),
    ("actor stays", update_with(follow=("critics",)), "actor_target moves by τ"),
    ("too fast", update_with(fast=2.0), "moves by τ"),
    ("zero", lambda *a: 0.0, "is another"), ("nothing", lambda *a: None, "returns nothing"),
    ("text", lambda *a: "loss", "a number"), ("raises", lambda *a: 1 / 0, "raised ZeroDivision"),
]:  # fmt: skip
    WRONG.append((td3.check_td3_update, (answer,), hint, name))


test_right_answers_are_accepted, test_wrong_answers_get_the_hint_that_fits = judged(RIGHT, WRONG)


def test_every_check_has_three_right_and_ten_wrong_answers():
    counted("04_td3", RIGHT, WRONG)
