"""Chapter 05's checks: right answers are accepted, wrong ones get the hint that fits."""

import math

import numpy as np
import torch
from torch.distributions import Normal
from torch.distributions.transforms import TanhTransform
from torch.nn.functional import softplus

from pgcourse import critic_loss, soft_update, td_target
from pgcourse.exercises import sac
from pgcourse.parts.equations import twin_minimum
from pgcourse.parts.gaussian import soft_value, squashed_gaussian, temperature_loss
from tests.exercises.answers import counted, judged

RIGHT, WRONG = [], []  # (check, the arguments, name), (check, the arguments, a hint, name)


def right(check):
    """Note the decorated answer as a right one of a check."""
    return lambda answer: RIGHT.append((check, (answer,), answer.__name__)) or answer


def table(check, right, wrong):
    """Note tuples of numbers: right ones, and wrong ones with a hint."""
    RIGHT.extend((check, values, f"way{k}") for k, values in enumerate(right))
    WRONG.extend((check, values, hint, str(values)) for values, hint in wrong)


# Numbers.
H, V = 0.9503, 2 * math.log(5)
table(
    sac.check_arms,
    [(0.6, V, H), (3 / 5, 3.22, 0.95), (torch.tensor(0.6), np.float32(V), np.float64(0.950))],
    [
        ((9 / 11, V, H), "divided by α before"), ((81 / 83, V, H), "not multiplied"),
        ((1, V, H), "greedy"), ((1 / 3, V, H), "equal chances"), ((0.2, V, H), "each of the other"),
        ((3, V, H), "probability"), ((3 / 4, V, H), "two others"), ((0.5, V, H), "three weights"),
        ((0.6, V / 2, H), "α stands before"), ((0.6, 2 * math.log(3), H), "largest Q"),
        ((0.6, 1.318, H), "mean of Q"), ((0.6, math.log(11), H), "α before exp, and"),
        ((0.6, 2 * math.log(11), H), "divided by α"), ((0.6, 1.0217, H), "not a mean"),
        ((0.6, 2.2686, H), "worth α"), ((0.6, 2 * math.log10(5), H), "natural logarithm"),
        ((0.6, 4, H), "logarithm of the sum"), ((0.6, 3.2, H), "three digits"),
        ((0.6, V, -H), "its sign"),
        ((0.6, V, H / math.log(2)), "not in bits"), ((0.6, V, 2 * H), "no part of it"),
        ((0.6, V, math.log(3)), "equal chances"), ((0.6, V, 0.3065), "all three"),
        ((0.6, V, 0.6284), "two other actions"), ((0.6, V, 0.5), "p log p"),
        ((..., V, H), "best has no answer"), ((0.6, "3.2", H), "a number"),
    ],
)  # fmt: skip
FINE = (-1.75, "down", math.exp(-0.2), 2 * math.log(2), 1 / math.e)


def but(k, value, fine=FINE):
    return (*fine[:k], value, *fine[k + 1 :])


table(
    sac.check_temperature,
    [FINE, (-7 / 4, "Down", 0.819, 1.386, 0.368), (torch.tensor(-1.75), " down", 0.999**200,
     np.log(4), np.exp(-1))],
    [
        (but(0, 1.75), "its sign"), (but(0, -7), "not their sum"), (but(0, -2), "entropy wanted"),
        (but(0, -0.25), "distance"), (but(0, -1), "minus the mean"), (but(1, "up"), "still more"),
        (but(1, -1), '"up" or "down"'), (but(1, ...), "moves has no"), (but(2, 0.8), "log α takes"),
        (but(2, math.exp(0.2)), "other way"), (but(2, 1.2), "α falls, and"),
       (but(2, -0.2), "is log"),
        (but(2, 0.999), "200 steps"), (but(2, 0.5), "200 steps of"), (but(3, 0), "height"),
        (but(3, math.log(2)), "one number"), (but(3, 4), "volume"), (but(3, 2), "natural"),
        (but(3, 2.838), "does not fit"), (but(3, math.log(2) ** 2), "are added"),
        (but(3, 1), "1 / 4"), (but(4, math.e), r"entropy \+1"), (but(4, 2 / math.e), "width"),
        (but(4, math.exp(-2)), "for −2"), (but(4, 1), "entropy 0"), (but(4, 0.5), "is the base"),
        (but(4, 0.184), "not half"), (but(4, 0.37), "three digits"),
        (but(4, 0.9), "log of what"), (but(4, None), "no answer"),
    ],
)  # fmt: skip
BIAS = (2, 3.4189, -7.0743, 0.874)
table(
    sac.check_forgotten,
    [BIAS, (2.0, 3.42, -7.07, 0.87), (torch.tensor(2.0), np.float32(3.419), -7.03, 0.9)],
    [
        (but(0, math.exp(2), BIAS), "s itself"), (but(0, -0.135, BIAS), "wider Gaussian cost"),
        (but(0, 0, BIAS), "wider"), (but(0, -20, BIAS), "other end"), (but(0, 5, BIAS), "cut it"),
        (but(0, math.inf, BIAS), "without end"), (but(1, 2, BIAS), "that is log s"),
        (but(1, 1.4189, BIAS), "log s is 2"), (but(1, 2.112, BIAS), "not s"),
        (but(1, 2.9189, BIAS), "mean 1/2"), (but(1, -3.4189, BIAS), "its sign"),
        (but(1, -7.074, BIAS), "really has"), (but(1, 8.808, BIAS), "adds s"),
        (but(1, 3, BIAS), "2πe"), (but(2, 13.912, BIAS), "it is negative"),
        (but(2, -10.49, BIAS), "alone"), (but(2, 3.4189, BIAS), "believes"),
        (but(2, 7.07, BIAS), "may be negative"), (but(2, 0.69, BIAS), "most that there is"),
        (but(2, 0.0, BIAS), "not s"), (but(2, -math.inf, BIAS), "stable way"),
        (but(2, math.nan, BIAS), "stable way"), (but(2, -5.2, BIAS), "small number"),
        (but(2, -1.0, BIAS), "two ends"), (but(3, -0.135, BIAS), "log s"),
        (but(3, 7.389, BIAS), "without the correction"), (but(3, 1.5, BIAS), "wider one"),
        (but(3, 0.5, BIAS), "take the largest"), (but(3, ..., BIAS), "no answer"),
    ],
)  # fmt: skip


# The density.
HALF = 0.5 * math.log(2 * math.pi)


@right(sac.check_log_density)
def by_softplus(mean, log_std, noise):
    return squashed_gaussian(mean, log_std, noise)[1]


@right(sac.check_log_density)
def by_logaddexp(mean, log_std, noise):
    u = mean + torch.exp(log_std) * noise
    slope = 2 * (math.log(2) - torch.logaddexp(u, -u))
    return (-(noise**2) / 2 - log_std - HALF - slope).sum(-1)


@right(sac.check_log_density)
def by_distributions(mean, log_std, noise):
    normal = Normal(mean, log_std.exp())
    u = mean + normal.scale * noise
    slope = TanhTransform().log_abs_det_jacobian(u, torch.tanh(u))
    return normal.log_prob(u).sum(1) - slope.sum(1)


@right(sac.check_log_density)
def by_the_absolute(mean, log_std, noise):
    far = (mean + log_std.exp() * noise).abs()
    slope = math.log(4) - 2 * far - 2 * torch.log1p(torch.exp(-2 * far))
    return torch.stack([row.sum() for row in -0.5 * noise**2 - log_std - HALF - slope])


def slope_of(u):
    return 2 * (math.log(2) - u - softplus(-2 * u))


def density(
    slope=slope_of, share=1.0, total=lambda x: x.sum(1), scale=lambda t: t, half=HALF, square=0.5,
    ask=lambda m, s, e: e, sum_slope=None, after=lambda x: x,
):  # fmt: skip
    def log_density(mean, log_std, noise):
        std = log_std.exp()
        u, e = mean + std * noise, ask(mean, std, noise)
        normal = -square * e**2 - scale(log_std) - half
        if sum_slope:
            return after(normal.sum(1) - sum_slope(slope(u)))
        return after(total(normal - share * slope(u)))

    return log_density


def squashed(m, s, e):
    return (torch.tanh(m + s * e) - m) / s


for name, answer, hint in [
    ("none", density(share=0.0), "correction is missing"), ("plus", density(share=-1.0), "sign"),
    ("half", density(share=0.5), "its root"), ("twice", density(share=2.0), "once"),
    ("abs", density(lambda u: torch.log(1 - torch.tanh(u).abs())), r"1 − tanh²\(u\)"),
    ("of u", density(lambda u: torch.log(1 - u.clamp(-0.99, 0.99) ** 2)), "not of u"),
    ("no s", density(scale=torch.zeros_like), "s is missing"),
    ("plus s", density(scale=torch.neg), "flatter"), ("s", density(scale=torch.exp), "not s"),
    ("no pi", density(half=0), "constant is"), ("pi", density(half=2 * HALF), "half of log"),
    ("square", density(square=1.0), "halved"), ("at a", density(ask=squashed), r"not at tanh\(u\)"),
    ("u", density(ask=lambda m, s, e: m + s * e), "takes u itself"),
    ("minus", density(after=torch.neg), "not minus"), ("p", density(after=torch.exp), "logarithm"),
    ("columns", density(total=lambda x: x), "sum over its"), ("all", density(total=torch.sum),
     "shape"), ("mean", density(total=lambda x: x.mean(1)), "their mean"),
    ("mean slope", density(sum_slope=lambda x: x.mean(1)), "corrections are summed"),
    ("plain", density(lambda u: torch.log(1 - torch.tanh(u) ** 2)), "At u = .*rounds|lost its"),
    ("eps", density(lambda u: torch.log(1 - torch.tanh(u) ** 2 + 1e-6)), "should be|lost its"),
    ("cut", density(lambda u: slope_of(u.clamp(-10, 10))), "lost its"),
    ("cosh", density(lambda u: -2 * torch.log(torch.cosh(u))), "rounds to"),
    ("double", density(lambda u: torch.log(1 - torch.tanh(u.double()) ** 2)), "At u = -30"),
    ("detached", density(lambda u: slope_of(u.detach())), "gradient of mean should|comes to mean"),
    ("no grad", density(after=lambda x: x.detach()), "No gradient comes through"),
    ("where", density(lambda u: torch.where(u.abs() > 8, slope_of(u), torch.log(
        1 - torch.tanh(u) ** 2))), "NaN"),
    ("list", density(after=lambda x: x.tolist()), "Return a tensor"),
    ("first row", density(total=lambda x: x[:1].sum(1).expand(len(x))), "should be"),
    ("nothing", lambda *a: ..., "returns nothing"), ("raises", lambda *a: 1 / 0, "raised Zero"),
]:  # fmt: skip
    WRONG.append((sac.check_log_density, (answer,), hint, name))


# A judge of draws.
def by_volume(n=60_000, edge=0.5, off=0.05, weight=lambda p: 1 / p, axis=slice(None), volume=None):
    def is_right(draw):
        action, log_density = draw(n)
        inside = (np.abs(action[:, axis]) < edge).all(axis=1)
        found = np.mean(inside * weight(np.exp(log_density)))
        wanted = (2 * edge) ** 2 if volume is None else volume
        return abs(found / wanted - 1) < off

    return is_right


@right(sac.check_judge)
def by_cells(draw):
    action, log_density = draw(200_000)
    edges = np.linspace(-0.6, 0.6, 7)
    counts = np.histogram2d(*action.T, bins=edges)[0]
    weighted = np.histogram2d(*action.T, bins=edges, weights=np.exp(log_density))[0]
    height = weighted / counts  # of the density, in each cell
    found = counts / len(action) / (0.2 * 0.2)
    return bool(np.abs(found / height - 1).mean() < 0.05)


@right(sac.check_judge)
def by_the_gaussian(draw):
    action, log_density = (torch.tensor(each) for each in draw(20_000))
    u = torch.atanh(action)
    std, mean = torch.std_mean(u, dim=0)
    log_std = std.log().expand_as(u)
    wanted = squashed_gaussian(mean.expand_as(u), log_std, (u - mean) / std)[1]
    return (wanted - log_density).abs().median() < 0.05


@right(sac.check_judge)
def by_its_error(draw):
    action, log_density = draw(100_000)
    inside = (np.abs(action) < 0.7).all(axis=1) * np.exp(-log_density) / 1.4**2
    return abs(inside.mean() - 1) < 6 * inside.std() / len(inside) ** 0.5


RIGHT.append((sac.check_judge, (by_volume(n=120_000),), "by volume"))
RIGHT.append((sac.check_judge, (by_volume(off=0.04, edge=0.6, n=100_000),), "wider"))


def only_first(draw):
    action, log_density = draw(20_000)
    corrected = log_density + np.log(1 - action**2).sum(axis=1)  # of u, if all is right
    u = np.arctanh(action)
    normal = -0.5 * ((u - u.mean(0)) / u.std(0)) ** 2 - np.log(u.std(0)) - HALF
    x = np.log(1 - action[:, 0] ** 2)
    return abs(np.polyfit(x, corrected - normal.sum(axis=1), 1)[0]) < 0.1


for name, answer, hint in [
    ("yes", lambda draw: True, "accepts every"), ("no", lambda draw: False, "refuses every"),
    ("not", lambda draw: not by_volume()(draw), "upside down|refuses every"),
    ("few", by_volume(n=300, off=0.05), "Draw more"),
    ("strict", by_volume(off=1e-4), "refuses|luck"),
    ("loose", by_volume(off=0.15), "first number"),
    ("looser", by_volume(off=0.3), "mean of both|without any|first number"),
    ("quarter", by_volume(volume=0.25), "refuses every"), ("first", only_first, "wrong|accepts a"),
    ("p", by_volume(weight=lambda p: p), "refuses|wrong"), ("None", lambda draw: None, "nothing"),
    ("text", lambda draw: "yes", "a number"), ("two", lambda draw: 2, "True or False"),
    ("many", lambda draw: draw(3_000_000)[0].mean() < 9, "are enough"),
    ("raises", lambda draw: draw()[0], "raised TypeError"),
]:  # fmt: skip
    WRONG.append((sac.check_judge, (answer,), hint, name))


# The target.
@right(sac.check_soft_target)
def by_the_module(batch, draw, slow_critics, alpha, gamma):
    action, log_density = draw(batch.next_obs, batch.next_noise)
    q = twin_minimum(*(slow(batch.next_obs, action) for slow in slow_critics))
    value = q - alpha * log_density
    return td_target(batch.reward, value, batch.terminated, gamma)


@right(sac.check_soft_target)
@torch.no_grad()
def by_each_critic(batch, draw, slow_critics, alpha, gamma):
    action, log_density = draw(batch.next_obs, batch.next_noise)
    values = [q(batch.next_obs, action) - alpha * log_density for q in slow_critics]
    value = torch.stack(values).amin(dim=0)
    return torch.where(batch.terminated > 0, batch.reward, batch.reward + gamma * value)


@right(sac.check_soft_target)
def by_two_terms(batch, draw, slow_critics, alpha, gamma):
    action, log_density = draw(batch.next_obs, batch.next_noise)
    q1, q2 = (q(batch.next_obs, action) for q in slow_critics)
    go = gamma * (1 - batch.terminated)
    target = batch.reward + go * q1.minimum(q2) - go * alpha.item() * log_density
    return target.detach()


def target(
    pick=torch.minimum, price=lambda a: a, go=lambda d: 1 - d, discount=lambda g: g, at="next_obs",
    noise="next_noise", stored=False, outside=lambda g, d: None, after=lambda y: y.detach(),
    reward=1.0, worth=1.0,
):  # fmt: skip
    def soft_target(batch, draw, slow_critics, alpha, gamma):
        obs, gamma = getattr(batch, at), discount(gamma)
        action, log_density = draw(obs, getattr(batch, noise))
        q = pick(*(slow(obs, batch.action if stored else action) for slow in slow_critics))
        share, beyond = -price(alpha) * log_density, outside(gamma, batch.terminated)
        value = worth * q + (share if beyond is None else 0)
        own = 0 if beyond is None else beyond * share
        return after(reward * batch.reward + own + gamma * go(batch.terminated) * value)

    return soft_target


for name, answer, hint in [
    ("larger", target(torch.maximum), "not the larger"), ("first", target(lambda a, b: a), "first"),
    ("second", target(lambda a, b: b), "second"),
    ("mean", target(lambda a, b: (a + b) / 2), "mean"),
    ("TD3", target(price=lambda a: 0.0), "share is missing"),
    ("plus", target(price=lambda a: -a), "wrong sign"),
    ("price", target(price=lambda a: 1), "α is"),
    ("outside", target(outside=lambda g, d: 1.0), "it is discounted"),
    ("end", target(outside=lambda g, d: g), "no entropy is earned"),
    ("no end", target(go=torch.ones_like), "is missing"),
    ("upside", target(go=lambda d: d), "upside"),
    ("no gamma", target(discount=lambda g: 1.0), "γ is missing"),
    ("0.99", target(discount=lambda g: 0.99), "use it"),
    ("noise", target(noise="noise"), "takes noise"),
    ("obs", target(at="obs"), "look at next_obs"), ("stored", target(stored=True), "stored action"),
    ("now", target(at="obs", noise="noise"), "look at next_obs"),
    ("reward", target(reward=0.0), "reward is missing"),
    ("q", target(worth=0.0), "answer is missing"),
    ("grad", target(after=lambda y: y), "carries a gradient"),
    ("array", target(after=lambda y: y.detach().numpy()), "Return a tensor"),
    ("column", target(after=lambda y: y.detach()[:, None]), "shape"),
    ("mean of all", target(after=lambda y: y.detach().mean()), "shape"),
    ("half", target(after=lambda y: 0.5 * y.detach()), "first target should"),
    ("in place", lambda b, *a: b.reward.mul_(2.0), "copies"),
    ("nothing", lambda *a: None, "nothing"),
]:  # fmt: skip
    WRONG.append((sac.check_soft_target, (answer,), hint, name))


# Two gradients.
def score_by_hand(q, mean, std, noise):
    worth = q(mean + std * noise)
    return torch.stack([worth * noise / std, worth * (noise**2 - 1)], dim=1)


def score_by_autograd(q, mean, std, noise):
    rows = []
    for e in noise:
        given = torch.tensor([mean, math.log(std)], dtype=noise.dtype, requires_grad=True)
        action = mean + std * e
        log_density = Normal(given[0], given[1].exp()).log_prob(action)
        (slope,) = torch.autograd.grad(log_density, given)
        rows.append(q(action[None])[0] * slope)
    return torch.stack(rows)


def score_by_array(q, mean, std, noise):
    action = mean + std * noise
    off = (action - mean) / std**2
    return np.stack([q(action) * off, q(action) * (off * (action - mean) - 1)], axis=-1)


def path_by_hand(q, mean, std, noise):
    action = (mean + std * noise).requires_grad_()
    (slope,) = torch.autograd.grad(q(action).sum(), action)
    return torch.stack([slope, slope * std * noise], dim=1)


def path_by_rows(q, mean, std, noise):
    given = torch.tensor([[mean, math.log(std)]]).to(noise).repeat(len(noise), 1).requires_grad_()
    q(given[:, 0] + given[:, 1].exp() * noise).sum().backward()
    return given.grad


def path_by_vmap(q, mean, std, noise):
    given = torch.tensor([mean, math.log(std)], dtype=noise.dtype)

    def worth(given, e):
        return q((given[0] + given[1].exp() * e)[None])[0]

    return torch.func.vmap(torch.func.grad(worth), in_dims=(None, 0))(given, noise)


RIGHT += [
    (sac.check_gradients, (score_by_hand, path_by_hand, 123.75), "by hand"),
    (sac.check_gradients, (score_by_autograd, path_by_rows, 120.3), "by autograd"),
    (sac.check_gradients, (score_by_array, path_by_vmap, np.float32(127)), "by array"),
]


def score(m=lambda q, e, s: q * e / s, s=lambda q, e, s: q * (e**2 - 1), after=lambda x: x):
    def score_gradient(q, mean, std, noise):
        worth = q(mean + std * noise)
        return after(torch.stack([m(worth, noise, std), s(worth, noise, std)], dim=1))

    return score_gradient


def path(m=lambda d, e, s: d, s=lambda d, e, s: d * s * e, after=lambda x: x, at=None, value=False):
    def path_gradient(q, mean, std, noise):
        action = (mean + std * noise * (at is None)).requires_grad_()
        worth = q(action)
        (slope,) = torch.autograd.grad(worth.sum(), action)
        slope = worth.detach() if value else slope
        return after(torch.stack([m(slope, noise, std), s(slope, noise, std)], dim=1))

    return path_gradient


for name, answer, hint in [
    ("minus", score(after=torch.neg), "its sign"), ("no q", score(lambda q, e, s: e / s,
     lambda q, e, s: e**2 - 1), "its q"), ("the path's", path_by_hand, "along the path"),
    ("baseline", score(lambda q, e, s: (q - q.mean()) * e / s,
     lambda q, e, s: (q - q.mean()) * (e**2 - 1)), "baseline"),
    ("no s", score(lambda q, e, s: q * e), "Where is s"),
    ("s²", score(lambda q, e, s: q * e / s**2),
     "not ε / s²"), ("e²", score(s=lambda q, e, s: q * e**2), "slope by log s is −1"),
    ("by s", score(s=lambda q, e, s: q * (e**2 - 1) / s), "slope by s"),
    ("sign", score(s=lambda q, e, s: q * (-(e**2) - 1)), r"is \+ ε²"),
    ("other", score(s=lambda q, e, s: q), "by log s: it should"),
    ("mean", score(after=lambda x: x.mean(0)), "shape"), ("nothing", lambda *a: None, "nothing"),
]:  # fmt: skip
    WRONG.append((sac.check_gradients, (answer, path_by_hand, 123.75), hint, f"score {name}"))
for name, answer, hint in [
    ("minus", path(after=torch.neg), "its sign"), ("zero", path(after=torch.zeros_like), "detach"),
    ("value", path(value=True), "not q itself"), ("at m", path(at="mean"), "not at m"),
    ("by s", path(s=lambda d, e, s: d * e), "slope by s"), ("no e", path(s=lambda d, e, s: d * s),
     "where is ε"), ("as m", path(s=lambda d, e, s: d), "as it moves with m"),
    ("m too", path(m=lambda d, e, s: d * e), "by m is 1"),
    ("the score's", score_by_hand, "score function's"),
    ("parabola", lambda q, m, s, e: path_by_hand(lambda a: -((a - 1) ** 2), m, s, e), "first draw"),
    ("mean", path(after=lambda x: x.mean(0)), "shape"), ("raises", lambda *a: 1 / 0, "raised"),
]:  # fmt: skip
    WRONG.append((sac.check_gradients, (score_by_hand, answer, 123.75), hint, f"path {name}"))
for times, hint in [
    (123.75**0.5, "by variances"), (1 / 123.75, "other way"), (139.75, "minus the square"),
    (139.75 / 17, "around the mean"), (64, "measure"), (..., "no answer"), ("many", "a number"),
]:  # fmt: skip
    WRONG.append((sac.check_gradients, (score_by_hand, path_by_hand, times), hint, str(times)))


def smooth_score(q, mean, std, noise):
    path_by_hand(q, mean, std, noise)  # of stairs there is no gradient
    return score_by_hand(q, mean, std, noise)


WRONG.append((sac.check_gradients, (smooth_score, path_by_hand, 123.75), "raised", "needs slopes"))


# The whole update.
def update_with(
    pick=torch.minimum, critics="critics_target", target_price=lambda a: a, noise="next_noise",
    at="next_obs", stop=lambda d: 1 - d, average=1.0, clear=True, actor_pick=torch.minimum,
    judges="critics", price=lambda a: a, up=1.0, actor_noise="noise", actor_at="obs", stored=False,
    stale=False, cut=False, log=False, want=1.0, alpha_sign=1.0, total=torch.mean, follow=1.0,
    leak=False, early=False, clear_alpha=True, actor_clear=True, alpha_draw=None, mean_action=False,
    outside=False, downhill=False, data=lambda x: x.detach(), at_start=False,
):  # fmt: skip
    def sac_update(parts, batch, gamma, tau, target_entropy):
        def draw(obs, noise):
            return squashed_gaussian(*parts.actor.gaussian(obs), noise)

        def alpha():
            return parts.temperature.log_alpha if log else parts.temperature()

        def climb():
            obs = getattr(batch, actor_at)
            action, log_density = draw(obs, getattr(batch, actor_noise))
            judged = batch.action if stored else action.detach() if cut else action
            judged = parts.actor(obs) if mean_action else judged
            q = actor_pick(*(critic(obs, judged) for critic in getattr(parts, judges)))
            loss = total(price(alpha()) * log_density - up * q)
            if actor_clear:
                parts.actor_optimizer.zero_grad()
            (-loss if downhill else loss).backward()
            parts.actor_optimizer.step()
            return loss, log_density

        if at_start:
            for optimizer in parts[4:]:
                optimizer.zero_grad()
        first = climb() if early else None
        with torch.set_grad_enabled(leak):
            obs = getattr(batch, at)
            action, log_density = draw(obs, getattr(batch, noise))
            q = pick(*(critic(obs, action) for critic in getattr(parts, critics)))
            share = -target_price(alpha()) * log_density
            value = q if outside else q + share
            y = batch.reward + gamma * stop(batch.terminated) * value + share * outside
        loss = average * sum(total((q(batch.obs, batch.action) - y) ** 2) for q in parts.critics)
        if clear:
            parts.critics_optimizer.zero_grad()
        loss.backward()
        parts.critics_optimizer.step()
        actor_loss, log_density = first or climb()
        if not stale:
            _, log_density = draw(batch.obs, getattr(batch, alpha_draw or "noise"))
        entropy_loss = -alpha_sign * total(alpha() * (data(log_density) + want * target_entropy))
        if clear_alpha:
            parts.temperature_optimizer.zero_grad()
        entropy_loss.backward()
        parts.temperature_optimizer.step()
        soft_update(parts.critics_target, parts.critics, follow * tau)
        return loss.item(), actor_loss.item(), entropy_loss.item()

    return sac_update


@right(sac.check_sac_update)
def by_grad(parts, batch, gamma, tau, target_entropy):
    def draw(obs, noise):
        return squashed_gaussian(*parts.actor.gaussian(obs), noise)

    def descend(optimizer, loss):
        weights = optimizer.param_groups[0]["params"]
        for weight, grad in zip(weights, torch.autograd.grad(loss, weights), strict=True):
            weight.grad = grad
        optimizer.step()

    action, log_density = draw(batch.next_obs, batch.next_noise)
    q = twin_minimum(*(slow(batch.next_obs, action) for slow in parts.critics_target))
    value = soft_value(q, log_density, parts.temperature())
    target = td_target(batch.reward, value, batch.terminated, gamma)
    first = sum(critic_loss(each(batch.obs, batch.action), target) for each in parts.critics)
    descend(parts.critics_optimizer, first)
    action, log_density = draw(batch.obs, batch.noise)
    q = twin_minimum(*(each(batch.obs, action) for each in parts.critics))
    second = -soft_value(q, log_density, parts.temperature()).mean()
    descend(parts.actor_optimizer, second)
    _, log_density = draw(batch.obs, batch.noise)
    third = temperature_loss(parts.temperature(), log_density, target_entropy)
    descend(parts.temperature_optimizer, third)
    soft_update(parts.critics_target, parts.critics, tau)
    return [first, second, third]


RIGHT.append((sac.check_sac_update, (update_with(),), "written out"))
RIGHT.append((sac.check_sac_update, (update_with(price=lambda a: a.detach()),), "α detached"))
RIGHT.append((sac.check_sac_update, (update_with(price=lambda a: a.item()),), "α as a number"))
RIGHT.append((sac.check_sac_update, (update_with(data=lambda x: x),), "log π attached"))
RIGHT.append((sac.check_sac_update, (update_with(
    at_start=True, clear=False, actor_clear=False, clear_alpha=False, price=lambda a: a.detach(),
),), "cleared once"))  # fmt: skip
for name, answer, hint in [
    ("larger", update_with(torch.maximum), "critics' loss: .*not the larger"),
    ("first", update_with(lambda a, b: a), "critics' loss: .*takes the first"),
    ("mean", update_with(lambda a, b: (a + b) / 2), "critics' loss: .*not the mean"),
    ("fast critics", update_with(critics="critics"), "critics' loss: .*fast critics"),
    ("TD3", update_with(target_price=lambda a: 0.0), "critics' loss: .*share is missing"),
    ("plus", update_with(target_price=lambda a: -a), "critics' loss: .*wrong sign"),
    ("price", update_with(target_price=lambda a: 1.0), "critics' loss: α is missing"),
    ("outside", update_with(outside=True), "critics' loss: .*next state"),
    ("log", update_with(log=True), "critics' loss: α is temperature"),
    ("noise", update_with(noise="noise"), "critics' loss: next_noise"),
    ("now", update_with(at="obs"), "critics' loss: .*next_obs"),
    ("no end", update_with(stop=torch.ones_like), "critics' loss: .*true end"),
    ("halved", update_with(average=0.5), "not averaged"),
    ("sums", update_with(total=torch.sum), "sum"),
    ("grads kept", update_with(clear=False), "Clear their gradients"),
    ("leak", update_with(leak=True), "slow critics: the target is data"),
    ("actor's first", update_with(actor_pick=lambda a, b: a), "actor's loss: .*takes the first"),
    ("actor's larger", update_with(actor_pick=torch.maximum), "actor's loss: .*not the larger"),
    ("slow judges", update_with(judges="critics_target"), "actor's loss: the fast critics"),
    ("down", update_with(up=-1.0), "actor's loss: Q has"), ("no α", update_with(
        price=lambda a: 0.0), "α log π is missing"), ("α 1", update_with(price=lambda a: 1.0),
     "actor's loss: α is missing"),
    ("dear", update_with(price=lambda a: -a), "log π has the wrong"),
    ("next", update_with(actor_at="next_obs", actor_noise="next_noise"), "not at next_obs"),
    ("other noise", update_with(actor_noise="next_noise"), "actor's loss: obs goes with noise"),
    ("stored", update_with(stored=True), "not the stored"), ("no draw", update_with(
        mean_action=True), "tanh of the mean"), ("cut", update_with(cut=True), "detach neither"),
    ("early", update_with(early=True), "critics' loss|critics learn first"),
    ("uphill", update_with(downhill=True), "actor is not where"),
    ("actor's grads", update_with(actor_clear=False), "Clear the actor's gradients"),
    ("stale", update_with(stale=True), "temperature's loss: the actor learns first"),
    ("α's sign", update_with(alpha_sign=-1.0), "temperature's loss: its sign"),
    ("wanted", update_with(want=-1.0), "is added to log π"), ("none", update_with(want=0.0),
     "target entropy is missing"), ("α's noise", update_with(alpha_draw="next_noise"),
     "temperature's loss: obs goes"),
    ("α's grads", update_with(clear_alpha=False), "α is not where"),
    ("too fast", update_with(follow=2.0), "by τ"), ("stays", update_with(follow=0.0), "by τ"),
    ("cleared once", update_with(at_start=True, clear=False, actor_clear=False, clear_alpha=False),
     "α is not where"),
    ("zeros", lambda *a: (0.0, 0.0, 0.0), "is another"), ("nothing", lambda *a: None, "nothing"),
    ("one", lambda *a: 0.0, "three numbers"), ("text", lambda *a: "abc", "three numbers"),
    ("raises", lambda *a: 1 / 0, "raised ZeroDivision"),
]:  # fmt: skip
    WRONG.append((sac.check_sac_update, (answer,), hint, name))


test_right_answers_are_accepted, test_wrong_answers_get_the_hint_that_fits = judged(RIGHT, WRONG)


def test_every_check_has_three_right_and_ten_wrong_answers():
    counted("05_sac", RIGHT, WRONG)
