"""Chapter 01's checks: right answers are accepted, wrong ones get the hint that fits."""

import json

import numpy as np
import pytest
import torch
from torch.distributions import Normal

from pgcourse.exercises import policy_gradient
from pgcourse.parts.returns import gae, gaussian_log_density, policy_gradient_loss
from pgcourse.tools.exercises import SOLUTIONS

RIGHT, WRONG = [], []  # (check, the arguments, name), (check, the arguments, a hint, name)


def right(check):
    """Note the decorated answer as a right one of a check."""
    return lambda answer: RIGHT.append((check, (answer,), answer.__name__)) or answer


# Numbers.
for k, values in enumerate([(0.18, 0.1296, 0.2304, 1.2), (9 / 50, 0.36**2, 0.48**2, 6 / 5),
                            (torch.tensor(0.18), np.float32(0.1296), 0.2304, 1.2)]):  # fmt: skip
    RIGHT.append((policy_gradient.check_baseline, values, f"way{k}"))
for values, hint in [
    ((0.5, 0, 0, 0), "p = 0.5"), ((0.09, 0, 0, 0), "how p grows"), ((2.8, 0, 0, 0), "3 − 1"),
    ((0.18, 0.162, 0, 0), "mean square"), ((0.18, 0.36, 0, 0), "deviation"),
    ((0.18, 1.25, 0, 0), r"3 · 0\.1"), ((0.18, 0.1296, 0.2628, 0), "mean square"),
    ((0.18, 0.1296, 0.48, 0), "deviation"), ((0.18, 0.1296, 0.7056, 0), r"2\.8 and not 2"),
    ((0.18, 0.1296, 0, 0), r"0\.2 · 0\.1"), ((0.18, 0.1296, 0.2304, 2.8), "mean reward"),
    ((0.18, 0.1296, 0.2304, 2), "one size"), ((0.18, 0.1296, 0.2304, 1), "same estimate"),
    ((..., 0, 0, 0), "gradient has no answer"), ((0.18, "x", 0, 0), "a number"),
]:  # fmt: skip
    WRONG.append((policy_gradient.check_baseline, values, hint, str(values)))


# Returns.
@right(policy_gradient.check_to_go)
def backwards(rewards, terminated, last_value, gamma):
    later, found = 0.0 if terminated else last_value, []
    for reward in rewards[::-1]:
        later = reward + gamma * later
        found.insert(0, later)
    return found


@right(policy_gradient.check_to_go)
def by_a_matrix(rewards, terminated, last_value, gamma):
    steps = np.arange(len(rewards))
    apart = steps - steps[:, None]
    weights = np.where(apart >= 0, float(gamma) ** np.maximum(apart, 0), 0.0)
    rest = (not terminated) * last_value * float(gamma) ** (len(rewards) - steps)
    return weights @ rewards + rest


@right(policy_gradient.check_to_go)
def as_a_tensor(rewards, terminated, last_value, gamma):
    return torch.tensor(backwards(rewards, terminated, last_value, gamma))


def returns(change=lambda x: x, end=lambda t, v: 0.0 if t else v, scale=None, own=True, order=-1):
    def to_go(rewards, terminated, last_value, gamma):
        gamma = gamma if scale is None else scale
        later, found = end(terminated, last_value), []
        for reward in rewards[::order]:
            found.append(reward + gamma * later if own else gamma * later)
            later = reward + gamma * later
        return np.array(change(found[::order]))

    return to_go


for name, answer, hint in [
    ("no gamma", returns(scale=1.0), "γ is missing"),
    ("upside", returns(end=lambda t, v: v if t else 0.0), "true end"),
    ("always", returns(end=lambda t, v: v), "true end"),
    ("before", lambda r, t, v, g: np.cumsum(r), "not what came before"),
    ("forwards", returns(order=1, end=lambda t, v: 0.0), "not what came before"),
    ("start", returns(lambda x: x * 0.5 ** np.arange(len(x))), "from the episode's start"),
    ("total", returns(lambda x: [x[0]] * len(x)), "That is the total"),
    ("reversed", returns(lambda x: x[::-1]), "upside down"),
    ("later", returns(own=False), "own reward counts"),
    ("never", returns(end=lambda t, v: 0.0), "A time limit cut it"),
    ("half", returns(scale=0.5), "random rewards"),
    ("shape", returns(lambda x: x[0]), "shape"), ("nothing", lambda *a: None, "returns nothing"),
    ("text", lambda *a: "returns", "return numbers"), ("raises", lambda *a: 1 / 0, "raised Zero"),
    ("other", lambda *a: np.zeros(3), "It should be"),
]:  # fmt: skip
    WRONG.append((policy_gradient.check_to_go, (answer,), hint, name))


# Advantages.
@right(policy_gradient.check_advantages)
def by_the_module(reward, value, next_value, terminated, truncated, gamma, lam):
    return gae(reward, next_value, terminated, truncated, value, gamma, lam)


def advantages(
    stop=lambda d: 1 - d, over=lambda d, c: (1 - d) * (1 - c), lam_of=lambda lam: lam, minus=1.0,
    change=lambda a: a, sign=1.0, gamma_of=lambda g: g,
):  # fmt: skip
    def answer(reward, value, next_value, terminated, truncated, gamma, lam):
        gamma = gamma_of(gamma)
        delta = sign * (reward + gamma * stop(terminated) * next_value - minus * value)
        found, later = torch.zeros_like(reward), torch.zeros_like(reward[0])
        for t in reversed(range(len(reward))):
            share = gamma * lam_of(lam) * over(terminated, truncated)[t]
            found[t] = later = delta[t] + share * later
        return change(found)

    return answer


@right(policy_gradient.check_advantages)
def by_numpy(*columns):
    *columns, gamma, lam = columns
    reward, value, next_value, terminated, truncated = (x.numpy() for x in columns)
    delta = reward + gamma * next_value * (terminated == 0) - value
    goes_on = (terminated == 0) & (truncated == 0)
    for t in range(len(delta) - 2, -1, -1):
        delta[t] += gamma * lam * goes_on[t] * delta[t + 1]
    return delta


RIGHT.append((policy_gradient.check_advantages, (advantages(),), "by a loop"))
for name, answer, hint in [
    ("delta", advantages(lam_of=lambda lam: 0.0), "surprises"),
    ("no lambda", advantages(lam_of=lambda lam: 1.0), "λ is missing"),
    ("no end", advantages(stop=torch.ones_like), "true end"),
    ("no value", advantages(minus=0.0), r"Take V\(s\) away"),
    ("sign", advantages(sign=-1.0), "sign is turned"),
    ("reversed", advantages(change=lambda a: a.flip(0)), "upside down"),
    ("over a fall", advantages(over=lambda d, c: 1 - c), "over the end"),
    ("over a limit", advantages(over=lambda d, c: 1 - d), "random steps"),
    ("over both", advantages(over=lambda d, c: torch.ones_like(d)), "over the end"),
    ("half", advantages(lam_of=lambda lam: 0.5), "random steps"),
    ("no gamma", advantages(gamma_of=lambda g: 1.0), "random steps"),
    ("one row", advantages(change=lambda a: a[0]), "shape"),
    ("nothing", lambda *a: ..., "returns nothing"), ("raises", lambda *a: a[9], "raised Index"),
    ("zero", lambda *a: torch.zeros_like(a[0]), "It should be"),
    ("in place", lambda r, v, n, d, c, g, lam: gae(r, n, d, c, v.mul_(1.5), g, lam), "copies"),
]:  # fmt: skip
    WRONG.append((policy_gradient.check_advantages, (answer,), hint, name))


def cut(reward, value, next_value, terminated, truncated, gamma, lam):
    ended = torch.maximum(terminated, truncated)
    return gae(reward, next_value, ended, truncated, value, gamma, lam)


def forwards(reward, value, next_value, terminated, truncated, gamma, lam):
    delta = gae(reward, next_value, terminated, truncated, value, gamma, 0.0)
    for t in range(1, len(delta)):
        delta[t] += gamma * lam * delta[t - 1]
    return delta


WRONG.append((policy_gradient.check_advantages, (cut,), "no end of the task", "cut"))
WRONG.append((policy_gradient.check_advantages, (forwards,), "Go backwards", "forwards"))


# The loss.
@right(policy_gradient.check_loss)
def by_equations(mean, log_std, action, advantage):
    return policy_gradient_loss(gaussian_log_density(action, mean, log_std), advantage)


@right(policy_gradient.check_loss)
def by_pytorch(mean, log_std, action, advantage):
    density = Normal(mean, log_std.exp()).log_prob(action).sum(dim=1)
    return -(density * advantage.detach()).sum() / len(density)


@right(policy_gradient.check_loss)
def without_the_constant(mean, log_std, action, advantage):
    z = (action - mean) / log_std.exp()
    return -((-0.5 * z**2 - log_std).sum(dim=-1) * advantage.detach()).mean()


def loss(density=None, advantage_of=lambda a: a.detach(), sign=-1.0, mean_of=torch.mean,
         numbers=torch.sum, std_of=lambda s: s.exp()):  # fmt: skip
    def pg_loss(mean, log_std, action, advantage):
        each = Normal(mean, std_of(log_std)).log_prob(action)
        if density is not None:
            each = density(mean, log_std, action)
        return sign * mean_of(numbers(each, dim=1) * advantage_of(advantage))

    return pg_loss


for name, answer, hint in [
    ("sign", loss(sign=1.0), "sign is turned"), ("sum", loss(mean_of=torch.sum), "not the sum"),
    ("numbers", loss(numbers=torch.mean), "Add up the log-densities"),
    ("advantage", loss(advantage_of=lambda a: a), "it is data"),
    ("density", lambda m, s, a, w: -(gaussian_log_density(a, m, s).exp() * w.detach()).mean(),
     "logarithm"),
    ("means", lambda m, s, a, w: -gaussian_log_density(a, m, s).mean() * w.detach().mean(),
     "its own weight"),
    ("no log", loss(lambda m, s, a: -0.5 * ((a - m) / s.exp()) ** 2 - 0.9189385332), "Minus log"),
    ("distance", loss(lambda m, s, a: -0.5 * (a - m) ** 2 - s - 0.9189385332), "divide by σ"),
    ("plus", loss(lambda m, s, a: -0.5 * ((a - m) / s.exp()) ** 2 - s + 0.9189385332), "log 2π"),
    ("fixed deviation", loss(std_of=lambda s: s.exp().detach()), "gradient of log_std is not"),
    ("no gradient", lambda *a: by_equations(*a).detach(), "no gradient"),
    ("rows", loss(mean_of=lambda x: x), "one number"), ("float", lambda *a: 1.0, "a tensor"),
    ("nothing", lambda *a: None, "returns nothing"), ("double", loss(sign=-2.0), "should be"),
]:  # fmt: skip
    WRONG.append((policy_gradient.check_loss, (answer,), hint, name))


# The whole update.
def update_with(
    sign=-1.0, lam_of=lambda lam: lam, ends=lambda d, c: (d, c), mean_of=torch.mean, scale=1.0,
    clear=True, fixed=False, late=False, only=("actor", "critic"), bootstrap=True,
):  # fmt: skip
    def update(parts, steps, gamma, lam):
        def weights():
            with torch.no_grad():
                value, later = parts.critic(steps.obs), parts.critic(steps.next_obs)
                both = ends(steps.terminated, steps.truncated)
                found = gae(steps.reward, later, *both, value, gamma, lam_of(lam))
                return found.flatten(), (found + bootstrap * value).flatten()

        def descend(name, loss):
            optimizer = getattr(parts, f"{name}_optimizer")
            if clear:
                optimizer.zero_grad()
            loss.backward()
            if name in only:
                optimizer.step()

        rows = steps.obs.flatten(0, 1)
        advantage, target = weights()
        loss = scale * mean_of((parts.critic(rows) - target) ** 2)
        descend("critic", loss)
        if late:
            advantage, _ = weights()
        log_std = parts.actor.log_std.detach() if fixed else parts.actor.log_std
        action = steps.action.flatten(0, 1)
        density = gaussian_log_density(action, parts.actor(rows), log_std)
        if fixed:
            density = density + 0 * parts.actor.log_std.sum()
        descend("actor", sign * (density * advantage).mean())
        return loss.item()

    return update


def with_gradient(parts, steps, gamma, lam):
    value = parts.critic(steps.obs)
    ends = steps.terminated, steps.truncated
    advantage = gae(steps.reward, parts.critic(steps.next_obs), *ends, value, gamma, lam)
    rows, action = steps.obs.flatten(0, 1), steps.action.flatten(0, 1)
    density = gaussian_log_density(action, parts.actor(rows), parts.actor.log_std)
    loss = (advantage**2).mean()
    for optimizer in (parts.actor_optimizer, parts.critic_optimizer):
        optimizer.zero_grad()
    (loss - (density * advantage.flatten()).mean()).backward()
    for optimizer in (parts.actor_optimizer, parts.critic_optimizer):
        optimizer.step()
    return loss.item()


@right(policy_gradient.check_update)
def by_one_loss(parts, steps, gamma, lam):
    with torch.no_grad():
        value, later = parts.critic(steps.obs), parts.critic(steps.next_obs)
        ends = steps.terminated, steps.truncated
        advantage = gae(steps.reward, later, *ends, value, gamma, lam).flatten()
    rows, action = steps.obs.flatten(0, 1), steps.action.flatten(0, 1)
    density = gaussian_log_density(action, parts.actor(rows), parts.actor.log_std)
    critic_loss = ((parts.critic(rows) - value.flatten() - advantage) ** 2).mean()
    parts.actor_optimizer.zero_grad(), parts.critic_optimizer.zero_grad()
    (critic_loss + policy_gradient_loss(density, advantage)).backward()
    parts.actor_optimizer.step(), parts.critic_optimizer.step()
    return critic_loss


RIGHT.append((policy_gradient.check_update, (update_with(),), "critic first"))
one = update_with(ends=lambda d, c: (d.clone(), c.clone()))
RIGHT.append((policy_gradient.check_update, (one,), "copies"))
for name, answer, hint in [
    ("uphill", update_with(sign=1.0), "actor went the wrong way"),
    ("no lambda", update_with(lam_of=lambda lam: 1.0), "λ is missing"),
    ("delta", update_with(lam_of=lambda lam: 0.0), "after a step are missing"),
    ("no falls", update_with(ends=lambda d, c: (0 * d, d + c)), "follows a fall"),
    ("over limits", update_with(ends=lambda d, c: (d, 0 * c)), "over an end"),
    ("cut", update_with(ends=lambda d, c: (d + c, c)), "no end of the task"),
    ("sum", update_with(mean_of=torch.sum), "not the sum"),
    ("half", update_with(scale=0.5), "no half"),
    ("grads kept", update_with(clear=False), "cleared"),
    ("fixed deviation", update_with(fixed=True), "actor is not where"),
    ("late", update_with(late=True), "before the critic's step"),
    ("no actor", update_with(only=("critic",)), "actor did not move"),
    ("no critic", update_with(only=("actor",)), "critic did not move"),
    ("no value", update_with(bootstrap=False), "target is A"),
    ("gradients", with_gradient, "critic is not where"), ("zero", lambda *a: 0.0, "is another"),
    ("nothing", lambda *a: None, "returns nothing"), ("text", lambda *a: "loss", "a number"),
    ("raises", lambda *a: 1 / 0, "raised ZeroDivision"),
]:  # fmt: skip
    WRONG.append((policy_gradient.check_update, (answer,), hint, name))


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
    text = (SOLUTIONS / "01_policy_gradient.ipynb").read_text(encoding="utf-8")
    cells = json.loads(text)["cells"]
    called = ["".join(c["source"]) for c in cells if c["id"].endswith("-check")]
    names = {text.removeprefix("exercise.").partition("(")[0] for text in called}
    for table, least in ((RIGHT, 3), (WRONG, 10)):
        counts = {name: sum(row[0].__name__ == name for row in table) for name in names}
        assert min(counts.values()) >= least, counts
