"""Chapter 01's checks: right answers are accepted, wrong ones get the hint that fits."""

import math

import numpy as np
import torch
from torch.distributions import Normal

from pgcourse.exercises import policy_gradient
from pgcourse.parts.returns import gae, gaussian_log_density, policy_gradient_loss
from tests.exercises.answers import counted, judged

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


# One estimate of each episode.
@right(policy_gradient.check_estimates)
def by_scores(obs, action, weight, gains, log_std):
    z = (action - obs @ gains) / math.exp(log_std)
    score = torch.cat([obs * z[..., None] / math.exp(log_std), z[..., None] ** 2 - 1], dim=-1)
    return torch.einsum("tnk,tn->nk", score, weight)


@right(policy_gradient.check_estimates)
def by_autograd(obs, action, weight, gains, log_std):
    found = []
    for k in range(obs.shape[1]):
        theta = torch.cat([gains, torch.tensor([log_std])]).requires_grad_()
        density = Normal(obs[:, k] @ theta[:-1], theta[-1].exp()).log_prob(action[:, k])
        found.append(torch.autograd.grad((density * weight[:, k]).sum(), theta)[0])
    return torch.stack(found)


@right(policy_gradient.check_estimates)
def by_loops(obs, action, weight, gains, log_std):
    obs, action, weight, gains = (x.numpy() for x in (obs, action, weight, gains))
    found = np.zeros((obs.shape[1], len(gains) + 1))
    for t in range(len(obs)):
        for k in range(len(found)):
            away = action[t, k] - obs[t, k] @ gains
            found[k, :-1] += weight[t, k] * obs[t, k] * away * np.exp(-2 * log_std)
            found[k, -1] += weight[t, k] * (away**2 * np.exp(-2 * log_std) - 1)
    return found


def estimates(
    slope=lambda z, s: z / s, width=lambda z, s: z**2 - 1, std_of=math.exp, chain=True,
    total=lambda score, w: (score * w).sum(dim=0), order=1,
):  # fmt: skip
    def answer(obs, action, weight, gains, log_std):
        s = std_of(log_std)
        z = (action - obs @ gains)[..., None] / s
        by_gains = slope(z, s) * (obs if chain else torch.ones_like(obs))
        return total(torch.cat([by_gains, width(z, s)][::order], dim=2), weight[..., None])

    return answer


for name, answer, hint in [
    ("down", estimates(total=lambda x, w: -(x * w).sum(dim=0)), "sign is turned"),
    ("mean", estimates(total=lambda x, w: (x * w).mean(dim=0)), "without a mean"),
    ("no weight", estimates(total=lambda x, w: x.sum(dim=0)), "weights are missing"),
    ("sums", estimates(total=lambda x, w: x.sum(dim=0) * w.sum(dim=0)), "multiply before"),
    ("order", estimates(order=-1), "first the gains"),
    ("one row", estimates(total=lambda x, w: (x * w).sum(dim=(0, 1))), "not episodes"),
    ("all rows", estimates(total=lambda x, w: x * w), "row for each step"),
    ("no chain", estimates(chain=False), "chain rule"),
    ("noise", estimates(lambda z, s: z), "Is yours ε"),
    ("distance", estimates(lambda z, s: z * s), "Where is σ"),
    ("twice", estimates(lambda z, s: z / s**2), "too many"),
    ("square", estimates(width=lambda z, s: z**2), "the term − log σ"),
    ("by sigma", estimates(width=lambda z, s: (z**2 - 1) / s), "slope by σ"),
    ("minus square", estimates(width=lambda z, s: -(z**2) - 1), "sign of ε²"),
    ("away", estimates(width=lambda z, s: (z * s) ** 2 - 1), "Is yours a − mean"),
    ("log", estimates(std_of=lambda s: s), "logarithm of σ, not σ"),
    ("double", estimates(lambda z, s: 2 * z / s), "the first should be"),
    ("wide", estimates(width=lambda z, s: z**2 - 2), "the first should be"),
    ("shape", lambda *a: torch.zeros(3), "row for each episode"),
    ("nothing", lambda *a: None, "returns nothing"), ("raises", lambda *a: 1 / 0, "raised Zero"),
    ("text", lambda *a: "an estimate", "return numbers"),
    ("in place", lambda o, a, w, g, s: by_scores(o, a, w.mul_(2), g, s), "copies"),
]:  # fmt: skip
    WRONG.append((policy_gradient.check_estimates, (answer,), hint, name))


# Four variances, predicted and measured.
def spreads(theta=1.0, over=np.var, total=None, to_go=None, minus=None, delta=None):
    def measured(noise):
        left = noise.shape[1] - np.arange(noise.shape[1])
        reward = theta + noise
        later = np.flip(np.flip(reward, 1).cumsum(axis=1), 1)
        whole = np.broadcast_to(reward.sum(axis=1, keepdims=True), noise.shape)
        weights = [whole, later, later - theta * left, reward - theta]
        for k, change in enumerate((total, to_go, minus, delta)):
            if change:
                weights[k] = change(reward, later, left)
        return [over((noise * weight).sum(axis=1)) for weight in weights]

    return measured


def by_torch(noise):
    noise, found = torch.from_numpy(noise), []
    reward, zeros = 1 + noise.T, torch.zeros(noise.T.shape, dtype=torch.float64)
    ends = zeros.clone()
    ends[-1] = 1.0
    left = torch.arange(noise.shape[1], 0, -1, dtype=torch.float64)[:, None].expand_as(reward)
    found.append(reward.sum(dim=0).expand_as(reward))
    for value, lam in ((zeros, 1.0), (left, 1.0), (left, 0.0)):
        after = torch.cat([value[1:], zeros[:1]])
        found.append(gae(reward, after, ends, zeros, value, 1.0, lam))
    return torch.stack([(noise.T * weight).sum(dim=0).var() for weight in found])


def in_single(noise):
    return by_torch(noise.astype(np.float32).astype(np.float64)).float()


FOUR = (16, 10, 5, 4)
for k, measured in enumerate((spreads(), by_torch, in_single)):
    RIGHT.append((policy_gradient.check_spread, (*FOUR, measured), f"way{k}"))
for k, value, hint in [
    (0, 20, "mean square"), (0, 8, "θ = 0"), (0, 4, "deviation"), (0, 10, "return to go"),
    (0, 1, "the sum of both draws"), (0, ..., "total has no answer"), (0, "16", "a number"),
    (1, 14, "mean square"), (1, 5, "without the 1"), (1, 10**0.5, "deviation"),
    (1, 16, "total return"), (1, 7, "each with its 1"), (1, 2, "own reward"), (1, 0, "multiply"),
    (2, 9, "mean square"), (2, 5**0.5, "deviation"), (2, 10, "still the return"),
    (2, 4, "second draw"), (2, 0, "what is left"), (3, 8, "mean square"), (3, 2, "two steps"),
    (3, 6, "the mean square is 3"), (3, 5, "later draw away"),
    (3, 0, "what is δ"),
]:  # fmt: skip
    predicted = (*FOUR[:k], value, *FOUR[k + 1 :], spreads())
    WRONG.append((policy_gradient.check_spread, predicted, hint, f"{k} {value}"))


def each_step(noise):
    reward = 1 + noise
    return [(noise * reward.sum(axis=1, keepdims=True)).var(), 0, 0, 0]


for name, answer, hint in [
    ("no theta", spreads(theta=0.0), "total: without the 1"),
    ("to go without", spreads(to_go=lambda r, g, n: g - n), "to_go: without the 1"),
    ("before", spreads(to_go=lambda r, g, n: r.cumsum(axis=1)), "not before"),
    ("later", spreads(to_go=lambda r, g, n: g - r), "own reward counts"),
    ("total", spreads(to_go=lambda r, g, n: g[:, :1]), "that is the total"),
    ("value of after", spreads(minus=lambda r, g, n: g - n + 1), "how many are left"),
    ("one value", spreads(minus=lambda r, g, n: g - len(n)), "differs from step"),
    ("added", spreads(minus=lambda r, g, n: g + n), "value is added"),
    ("no value", spreads(minus=lambda r, g, n: g), "still the return to go"),
    ("reward", spreads(delta=lambda r, g, n: r), "values are missing"),
    ("lambda", spreads(delta=lambda r, g, n: g - n), "that is λ = 1"),
    ("turned", spreads(delta=lambda r, g, n: r + 1), "V of after it is added"),
    ("squares", spreads(over=lambda x: (x**2).mean()), "mean square"),
    ("deviations", spreads(over=np.std), "deviation"), ("steps", each_step, "not of single steps"),
    ("means", lambda x: np.array(spreads()(x)) / x.shape[1] ** 2, "without a mean"),
    ("no score", lambda x: [((1 + x).sum(1) * x.shape[1]).var(), 0, 0, 0], "scores are missing"),
    ("constants", lambda x: FOUR, "it should be"), ("one", lambda x: 16.0, "shape"),
    ("nothing", lambda x: None, "returns nothing"), ("raises", lambda x: x[0, 99], "raised Index"),
]:  # fmt: skip
    WRONG.append((policy_gradient.check_spread, (*FOUR, answer), hint, name))


# Wrong signs.
def slopes(loss, mean, log_std, action, returns, value):
    log_std = log_std.clone().requires_grad_()
    mean = mean.clone().requires_grad_()
    return torch.autograd.grad(loss(mean, log_std, action, returns, value), (mean, log_std))


def rows(n=30, seed=0, scale=1.0):
    draw = {"generator": torch.Generator().manual_seed(seed)}
    mean, action = torch.zeros(n, 1), scale * torch.randn(n, 1, **draw)
    return mean, torch.zeros(1), action, torch.randn(n, **draw), torch.randn(n, **draw)


def true_loss(mean, log_std, action, returns, value):
    return policy_gradient_loss(gaussian_log_density(action, mean, log_std), returns - value)


@right(policy_gradient.check_signs)
def by_directions(loss):
    both = slopes(loss, *rows()), slopes(true_loss, *rows())
    found, wanted = (torch.cat([x.flatten() for x in each]) for each in both)
    return torch.cosine_similarity(found, wanted, dim=0) > 0.999


@right(policy_gradient.check_signs)
def by_small_steps(loss):
    def rise(of, row, by_mean, by_width):
        mean, log_std, *data = (x.double() for x in row)
        moved = of(mean + by_mean, log_std + by_width, *data)
        return (moved - of(mean, log_std, *data)).item()

    mean, log_std, *columns = rows()
    for data in zip(*(x[:, None] for x in columns), strict=True):
        for step in ((1e-4, 0.0), (0.0, 1e-4)):
            found, wanted = (
                rise(of, (mean[:1], log_std, *data), *step) for of in (loss, true_loss)
            )
            if found * wanted < 0 and abs(wanted) > 1e-6:
                return False
    return np.bool_(True)


def judge(*parts, zero=False, mean_of_rows=False, **options):
    def is_right(loss):
        data = list(rows(**options))
        data[4] = 0 * data[4] if zero else data[4]
        each = [[x[k : k + 1] for x in (data[0], *data[2:])] for k in range(len(data[0]))]
        batches = [data] if mean_of_rows else [[m, data[1], *rest] for m, *rest in each]
        return all(
            (slopes(loss, *batch)[k] * slopes(true_loss, *batch)[k] >= 0).all()
            for batch in batches
            for k in parts
        )

    return is_right


def the_same_gradient(loss):
    pairs = zip(slopes(loss, *rows()), slopes(true_loss, *rows()), strict=True)
    return all(torch.allclose(a, b) for a, b in pairs)


RIGHT.append((policy_gradient.check_signs, (judge(0, 1),), "row by row"))
for name, answer, hint in [
    ("yes", lambda loss: True, "accepts every"), ("no", lambda loss: False, "refuses every"),
    ("not", lambda loss: not by_directions(loss), "upside down"),
    ("mean only", judge(0), "and the deviation not"),
    ("mean of rows", judge(0, 1, mean_of_rows=True), "and the deviation not"),
    ("near draws", judge(1, scale=0.2), "for some draws only"),
    ("no value", judge(0, 1, zero=True), "added to the return"),
    ("distant draws", judge(0, 1, n=5, scale=9.0), "and the deviation not"),
    ("lower", lambda loss: loss(*rows()) < true_loss(*rows()), "wrong|accepts"),
    ("the same", the_same_gradient, "refuses every"),
    ("flat", lambda loss: loss(*(x.flatten() for x in rows())), "takes the shapes"),
    ("all pairs", lambda loss: loss(*(x.T for x in rows()[:3]), *rows()[3:]), "takes the shapes"),
    ("nothing", lambda loss: None, "returns nothing"), ("text", lambda loss: "yes", "a number"),
    ("two", lambda loss: 2, "True or False"), ("raises", lambda loss: loss(), "raised TypeError"),
]:  # fmt: skip
    WRONG.append((policy_gradient.check_signs, (answer,), hint, name))


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


test_right_answers_are_accepted, test_wrong_answers_get_the_hint_that_fits = judged(RIGHT, WRONG)


def test_every_check_has_three_right_and_ten_wrong_answers():
    counted("01_policy_gradient", RIGHT, WRONG)
