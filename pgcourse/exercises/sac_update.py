"""Checks of chapter 05's exercises on draws, on their gradients, and on an update of SAC."""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pgcourse import SACAgent
from pgcourse.agents.noisy import NoisyBatch
from pgcourse.exercises.ddpg_kit import array, close, flat, rows, shake, told_apart, verdict
from pgcourse.exercises.grading import Hint, call, expect, fresh, number, raised, right, same
from pgcourse.parts.gaussian import GaussianActor, Temperature, squashed_gaussian

# How much of each number's correction a log density has; all of both is right.
MISTAKES = {
    (0.0, 0.0): "without any correction: its log density is that of u, not of tanh(u).",
    (-1.0, -1.0): "whose correction has the wrong sign.",
    (1.0, 0.0): "that corrects for the first number of the action only. Do you look at both?",
    (0.5, 0.5): "that takes the mean of both numbers' corrections, and not their sum.",
}
MOST_DRAWS = 2_000_000


class Parts(NamedTuple):
    """What one update of SAC changes: networks, α and optimisers."""

    actor: GaussianActor
    critics: nn.ModuleList
    critics_target: nn.ModuleList
    temperature: Temperature
    actor_optimizer: torch.optim.Optimizer
    critics_optimizer: torch.optim.Optimizer
    temperature_optimizer: torch.optim.Optimizer


def parts(agent: SACAgent) -> Parts:
    """Return the networks, α and the optimisers of an agent."""
    networks = agent.actor, agent.critics, agent.critics_target, agent.temperature
    names = "actor", "critics", "temperature"
    return Parts(*networks, *(agent.learners[name].optimizer for name in names))


def draw_of(actor: GaussianActor) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return a function (obs, noise) to drawn actions and their log densities."""
    return lambda obs, noise: squashed_gaussian(*actor.gaussian(obs), noise)


# 4: a judge of draws.


def policy(weights: tuple[float, float], rng: np.random.Generator) -> Callable:
    """Return a function that draws n actions and says their log densities, right or wrong."""
    mean, std = rng.uniform(-0.3, 0.3, 2), rng.uniform(0.7, 1.2, 2)
    stream, total = np.random.default_rng(rng.integers(2**32)), [0]

    def draw(n: int) -> tuple[np.ndarray, np.ndarray]:
        total[0] += n
        expect(total[0] <= MOST_DRAWS, f"{MOST_DRAWS:,} draws of one policy are enough.")
        noise = stream.normal(size=(n, 2))
        u = mean + std * noise
        slope = 2.0 * (np.log(2.0) - np.logaddexp(u, -u))
        log_normal = -0.5 * noise**2 - np.log(std) - 0.5 * np.log(2.0 * np.pi)
        return np.tanh(u), (log_normal - slope * weights).sum(axis=1)

    return draw


def check_judge(answer: Callable) -> None:
    """Grade a function that decides from draws whether the log densities are right."""
    rng = fresh()
    kinds = [(1.0, 1.0)] * 8 + [kind for kind in MISTAKES for _ in range(4)]
    rng.shuffle(kinds)
    said: dict[tuple, list[bool]] = {}
    for kind in map(tuple, kinds):
        said.setdefault(kind, []).append(verdict(answer, policy(kind, rng)))
    good = said.pop((1.0, 1.0))
    wrong = [each for kind in said.values() for each in kind]
    told_apart(
        good, wrong, "policy", "policies",
        "What should its number be for a right one? And does it settle? At the edges 1 / π grows "
        "without end: keep away from them.",
        "Draw more, allow more for luck, or keep away from the edges, where 1 / π is huge.",
    )  # fmt: skip
    for kind, hint in MISTAKES.items():
        expect(not any(said[kind]), f"Yours accepts a policy {hint}")
    right("Such a test needs no look into a policy: it is worth having for each density.")


# 7: two gradients.


def check_gradients(score: Callable, path: Callable, times: Any) -> None:
    """Grade two estimators of one gradient, draw by draw, and the ratio of their variances."""
    mean, std, noise = 0.3, 0.5, torch.tensor([0.7, -1.2, 0.1, 2.0]).double()
    action = mean + std * noise
    q, slope = -((action - 1.0) ** 2), -2.0 * (action - 1.0)
    by_score = torch.stack([q * noise / std, q * (noise**2 - 1)], dim=1)
    by_path = torch.stack([slope, slope * std * noise], dim=1)
    found = both("score_gradient", score, parabola, mean, std, noise)
    expect(not close(found, by_path), "score_gradient: that is the gradient along the path.")
    centred = q - q.mean()
    tell("score_gradient", found, by_score, {
        "it climbs q, so its sign is that of q.": -by_score,
        "each draw's slope of log N is multiplied by its q(a).": by_score / q[:, None],
        "without a baseline here: q(a) itself.": by_score / q[:, None] * centred[:, None],
    }, (
        {
            "log N falls as (a − m)² / 2s²; its slope by m is (a − m) / s², that is ε / s. Where "
            "is s?": q * noise,
            "(a − m) / s² is ε / s, not ε / s².": q * noise / std**2,
            "a − m is s · ε, not a.": q * action / std**2,
        },
        {
            "log N has the term − log s, too, whose slope by log s is −1.": q * noise**2,
            "that is the slope by s; by log s it is s times as much.": q * (noise**2 - 1) / std,
            "the slope of − (a − m)² / 2s² by log s is + ε².": q * (-(noise**2) - 1),
        },
    ))  # fmt: skip
    found = both("path_gradient", path, parabola, mean, std, noise)
    expect(not close(found, by_score), "path_gradient: that is the score function's gradient.")
    expect(not close(found, 0), "path_gradient: no gradient comes through the action. Build it "
           "from m and log s, and do not detach it.")  # fmt: skip
    tell("path_gradient", found, by_path, {
        "it climbs q, so its sign is that of q.": -by_path,
        "q's slope at a is needed, not q itself.": by_path / slope[:, None] * q[:, None],
        "q's slope is taken at a, not at m.": by_path / slope[:, None] * -2 * (mean - 1),
    }, (
        {"a moves as fast as m: the slope of a by m is 1.": slope * noise},
        {
            "that is the slope by s; by log s it is s times as much.": slope * noise,
            "a moves with log s by s · ε: where is ε?": slope * std,
            "a moves with log s by s · ε, not as it moves with m.": slope,
        },
    ))  # fmt: skip
    rng = fresh()
    for n in (1, 3, 50):
        mean, std, c = float(rng.normal()), float(rng.uniform(0.2, 2.0)), float(rng.normal())
        noise = torch.from_numpy(rng.normal(size=n))
        action = mean + std * noise
        slope = 3.0 * torch.cos(3.0 * action) + c
        wanted = torch.stack([slope, slope * std * noise], dim=1)
        found = both("path_gradient", path, lambda a, c=c: torch.sin(3 * a) + c * a,
                     mean, std, noise)  # fmt: skip
        compare("path_gradient", found, wanted, f"sin(3a) + {c:.3f} a, m {mean:.3f}, s {std:.3f}")
        stairs = (action > c).double() - 0.5
        wanted = torch.stack([stairs * noise / std, stairs * (noise**2 - 1)], dim=1)
        found = both("score_gradient", score, lambda a, c=c: (a > c).double() - 0.5,
                     mean, std, noise)  # fmt: skip
        compare("score_gradient", found, wanted, f"a step of q at {c:.3f}, m {mean:.3f}, "
                f"s {std:.3f}")  # fmt: skip
    check_times(number("times", times))
    right("The score function needs q's values only, also of stairs, and pays for it in draws.")


def parabola(action: Tensor) -> Tensor:
    """Return q of the exercise's first example."""
    return -((action - 1.0) ** 2)


def both(name: str, answer: Callable, q: Callable, *arguments: Any) -> np.ndarray:
    """Return what an estimator says of each draw, (n, 2)."""
    found = call(answer, q, *arguments)
    return array(name, found, (len(arguments[-1]), 2))


def compare(name: str, found: np.ndarray, wanted: Tensor, case: str) -> None:
    """Give a hint unless an estimate for each draw is right."""
    expect(
        close(found, wanted),
        f"{name}: with q = {case} the first draw gives {wanted[0].numpy().round(4)}; yours "
        f"{found[0].round(4)}.",
    )


def tell(name: str, found: np.ndarray, wanted: Tensor, whole: dict, columns: tuple) -> None:
    """Give the hint of the slip that leads to an estimate, if it is not the wanted one."""
    for hint, slip in whole.items():
        expect(not close(found, slip), f"{name}: {hint}")
    for k, by in enumerate(("m", "log s")):
        for hint, slip in columns[k].items():
            expect(not close(found[:, k], slip), f"{name}, by {by}: {hint}")
        expect(
            close(found[:, k], wanted[:, k]),
            f"{name}, by {by}: it should be {wanted[:, k].numpy().round(4)}; yours is "
            f"{found[:, k].round(4)}.",
        )


def check_times(times: float) -> None:
    """Grade how many draws of the score function are worth one of the path."""

    def near(value: float) -> bool:
        return abs(times - value) < 0.06 * value

    expect(not near(123.75**0.5), "That is the ratio of the deviations. Draws count by variances.")
    expect(not near(1 / 123.75), "The other way round: the score function needs more draws.")
    expect(not near(139.75), "The variance is the mean square minus the square of the mean, 4².")
    expect(not near(139.75 / 17), "A variance is taken around the mean, which is 4, not around 0.")
    expect(near(123.75), f"times: measure both variances with many draws; yours is {times:g}.")


# 8: the whole update.


def check_sac_update(update: Callable) -> None:
    """Grade one update of SAC against the agent's own, several times."""
    rng = fresh()
    options = {
        "gamma": int(rng.integers(32, 59)) / 64, "tau": int(rng.integers(4, 17)) / 64,
        "target_entropy": -int(rng.integers(32, 96)) / 64,
    }  # fmt: skip
    mine, course = twin(**options), twin(**options)
    for k in range(1, 5):
        batch = noisy_rows(rng)
        mine.updates = course.updates = k
        old, given = copy.deepcopy(parts(course)[:4]), copy.deepcopy(list(batch))
        wanted = course.update(batch)
        try:
            found = update(parts(mine), batch, *options.values())
        except Hint:
            raise
        except Exception as error:
            if "leaf Variable" in str(error):
                raise Hint("Move the slow copies inside torch.no_grad().") from None
            raise Hint(raised("sac_update", error)) from None
        expect(found is not None and found is not ..., "sac_update returns nothing yet.")
        expect(same(list(batch), given), "sac_update changes the batch; work on copies.")
        losses = three(found)
        slips = critics_slips(old, batch, options)
        explain("critics'", losses[0], wanted["critic_loss"], slips)
        step("critics", mine, course, k)
        slips = actor_slips(old, course, batch)
        explain("actor's", losses[1], wanted["actor_loss"], slips)
        step("actor", mine, course, k)
        slips = temperature_slips(old, course, batch, options["target_entropy"])
        explain("temperature's", losses[2], wanted["temperature_loss"], slips)
        step("temperature", mine, course, k)
        slow = [p.grad for p in mine.critics_target.parameters() if p.grad is not None]
        expect(
            not any(grad.any() for grad in slow),
            "A gradient flows into the slow critics: the target is data.",
        )
        step("critics_target", mine, course, k)
    right("Four updates, three losses, five networks and α: all as the agent's own.")


def three(found: Any) -> list[float]:
    """Return the losses of an update as three floats; a hint if they are not three."""
    hint = "Return three numbers: the losses of the critics, of the actor, of the temperature."
    expect(isinstance(found, tuple | list | Tensor | np.ndarray) and len(found) == 3, hint)
    names = "critics'", "actor's", "temperature's"
    return [number(f"The {n} loss", each) for n, each in zip(names, found, strict=True)]


def noisy_rows(rng: np.random.Generator) -> NoisyBatch:
    """Return a batch of random transitions and standard normal draws, in float64."""
    drawn = [column.double() for column in rows(rng)]
    noise = [torch.from_numpy(rng.normal(size=drawn[1].shape)) for _ in range(2)]
    return NoisyBatch(*drawn, *noise)


def twin(**options: Any) -> SACAgent:
    """Return a small agent in float64 whose networks all differ; each call gives an equal one."""
    rates = {"actor_lr": 0.01, "critic_lr": 0.02, "temperature_lr": 0.03}
    agent = SACAgent("Pendulum-v1", 500, 16, seed=0, hidden=(16, 16), **rates, **options)
    for name in ("actor", "critics", "critics_target", "temperature"):
        getattr(agent, name).double().requires_grad_()
    for learner in agent.learners.values():
        learner.optimizer.state.clear()
    networks = [agent.actor, *agent.critics, *agent.critics_target]
    draws = torch.from_numpy(np.random.default_rng(0).normal(size=(400, 4)))
    for seed, network in enumerate(networks, start=1):
        shake(network, seed)
        with torch.no_grad():  # of the critics either may be smaller
            network.net[-1].weight *= 4.0 if network is agent.actor else 20.0
            inputs = draws[:, : network.net[0].in_features]
            network.net[-1].bias -= network.net(inputs).mean(dim=0)
    with torch.no_grad():
        agent.temperature.log_alpha.fill_(-0.5)
    return agent


def explain(name: str, found: float, wanted: float, slips: dict[str, Tensor]) -> None:
    """Give the hint of the slip that leads to a loss, if it is not the wanted one."""
    if close(found, wanted, 1e-6):
        return
    for hint, value in slips.items():
        gap = abs(found - value.item())
        expect(gap > 1e-8 * (1 + abs(wanted)), f"The {name} loss: {hint}")
    gap = f"yours is {found:.6g}, the agent's {wanted:.6g}."
    expect(False, f"The {name} loss is another: {gap}")


def picks(loss: Callable[..., Tensor]) -> dict[str, Tensor]:
    """Return the losses that other ways to take one of two answers lead to, by their hints."""
    return {
        "the smaller answer counts, not the larger.": loss(pick=torch.maximum),
        "the smaller answer counts; yours takes the first.": loss(pick=lambda a, b: a),
        "the smaller answer counts; yours takes the second.": loss(pick=lambda a, b: b),
        "the smaller answer counts, not the mean.": loss(pick=lambda a, b: (a + b) / 2),
    }


def soft_target(
    batch: NoisyBatch, draw: Callable, slow: Any, alpha: Any, gamma: float,
    pick: Callable = torch.minimum, share: float = 1.0, at: Tensor | None = None,
    noise: Tensor | None = None, action: Tensor | None = None, go: Tensor | None = None,
    outside: Tensor | float = 0.0, earned: float = 1.0, worth: float = 1.0,
) -> Tensor:  # fmt: skip
    """Return the target, Eq. 4, or what a slip makes of it.

    Args:
        share: how much of − α log π is in the next value.
        at, noise, action: in the place of next_obs, next_noise and the drawn action.
        go: in the place of 1 − terminated.
        outside: how much of − α log π stands outside of the brackets.
        earned, worth: how much of the reward and of the critics' answer is in it.
    """
    at = batch.next_obs if at is None else at
    drawn, log_density = draw(at, batch.next_noise if noise is None else noise)
    answers = [q(at, drawn if action is None else action) for q in slow]
    price = -alpha * log_density
    go = 1 - batch.terminated if go is None else go
    value = worth * pick(*answers) + share * price
    return earned * batch.reward + gamma * go * value + outside * price


def target_slips(target: Callable[..., Tensor], batch: NoisyBatch, gamma: float) -> dict:
    """Return the targets that likely mistakes lead to, by their hints."""
    ones = torch.ones_like(batch.reward)
    return picks(target) | {
        "the entropy's share is missing, − α log π of the drawn action.": target(share=0.0),
        "its share has the wrong sign: what is unlikely is worth more.": target(share=-1.0),
        "the entropy's share belongs to the next state: it is discounted, and nothing of it "
        "comes after a true end.": target(share=0.0, outside=1.0),
        "after a true end no entropy is earned either: 1 − terminated is for the whole of the "
        "next value.": target(share=0.0, outside=gamma),
        "α is missing before log π.": target(alpha=1.0),
        "nothing follows a true end: 1 − terminated is missing.": target(go=ones),
        "terminated is upside down.": target(go=batch.terminated),
        "γ is missing.": target(gamma=1.0),
        "gamma is an argument: use it.": target(gamma=0.99),
        "next_noise belongs to next_obs; yours takes noise.": target(noise=batch.noise),
        "it looks at obs; it should look at next_obs.": target(at=batch.obs),
        "it looks at obs; it should look at next_obs, with next_noise.": target(
            at=batch.obs, noise=batch.noise
        ),
        "after the step the actor acts, not the stored action.": target(action=batch.action),
        "the reward is missing.": target(earned=0.0),
        "the critics' answer is missing.": target(worth=0.0),
    }  # fmt: skip


def critics_slips(old: tuple, batch: NoisyBatch, options: dict) -> dict[str, Tensor]:
    """Return the losses of the critics that likely mistakes lead to, by their hints."""
    actor, critics, slow, temperature = old
    gamma, draw = options["gamma"], draw_of(actor)

    def target(alpha: Any = None, gamma: float = gamma, slow: Any = slow, **changes: Any):
        alpha = temperature() if alpha is None else alpha
        return soft_target(batch, draw, slow, alpha, gamma, **changes)

    def loss(target: Tensor) -> Tensor:
        return sum(((q(batch.obs, batch.action) - target) ** 2).mean() for q in critics)

    with torch.no_grad():
        slips = target_slips(target, batch, gamma) | {
            "the target takes the fast critics; critics_target belongs there.": target(
                slow=critics
            ),
            "α is temperature(), not its logarithm.": target(alpha=temperature.log_alpha),
            "the next action is drawn; yours is tanh of the mean.": target(
                action=actor(batch.next_obs)
            ),
        }
        found = {hint: loss(each) for hint, each in slips.items()}
        whole = loss(target())
        return found | {
            "the two losses are added, not averaged.": 0.5 * whole,
            "take the mean over the batch, not the sum.": len(batch.reward) * whole,
        }


def actor_slips(old: tuple, course: SACAgent, batch: NoisyBatch) -> dict[str, Tensor]:
    """Return the losses of the actor that likely mistakes lead to, by their hints."""
    actor, critics, slow, temperature = old

    def loss(judges=course.critics, pick=torch.minimum, alpha=None, at=batch.obs,
             noise=batch.noise, action=None, sign=1.0, scale=1.0):  # fmt: skip
        alpha = temperature() if alpha is None else alpha
        drawn, log_density = draw_of(actor)(at, noise)
        answers = [q(at, drawn if action is None else action) for q in judges]
        return scale * (alpha * log_density - sign * pick(*answers)).mean()

    with torch.no_grad():
        return picks(loss) | {
            "the critics learn first, and the actor climbs the new ones.": loss(critics),
            "the fast critics judge the actor, not critics_target.": loss(slow),
            "its sign: the actor climbs, so the loss is minus the soft value.": loss(scale=-1.0),
            "α log π is missing.": loss(alpha=0.0),
            "α is missing before log π.": loss(alpha=1.0),
            "α is temperature(), not its logarithm.": loss(alpha=temperature.log_alpha),
            "log π has the wrong sign: it is dear to be predictable.": loss(alpha=-temperature()),
            "Q has the wrong sign: the actor climbs it.": loss(sign=-1.0),
            "the actor acts at obs, not at next_obs.": loss(
                at=batch.next_obs, noise=batch.next_noise
            ),
            "obs goes with noise, not with next_noise.": loss(noise=batch.next_noise),
            "the critics judge the drawn action, not the stored one.": loss(action=batch.action),
            "the critics judge the drawn action; yours is tanh of the mean.": loss(
                action=actor(batch.obs)
            ),
            "take the mean over the batch, not the sum.": loss(scale=len(batch.reward)),
        }


def temperature_slips(
    old: tuple, course: SACAgent, batch: NoisyBatch, wanted: float
) -> dict[str, Tensor]:
    """Return the losses of the temperature that likely mistakes lead to, by their hints."""
    before, _, _, temperature = old

    def loss(actor=course.actor, wanted=wanted, alpha=None, scale=1.0, at=batch.obs,
             noise=batch.noise):  # fmt: skip
        alpha = temperature() if alpha is None else alpha
        _, log_density = draw_of(actor)(at, noise)
        return -scale * (alpha * (log_density + wanted)).mean()

    with torch.no_grad():
        return {
            "the actor learns first: draw again, from the new one.": loss(before),
            "its sign. With too little entropy α should rise.": loss(scale=-1.0),
            "the target entropy is added to log π: the entropy is minus log π.": loss(
                wanted=-wanted
            ),
            "the target entropy is missing.": loss(wanted=0.0),
            "it holds α itself, not its logarithm.": loss(alpha=temperature.log_alpha),
            "α is missing before the brackets.": loss(alpha=1.0),
            "obs goes with noise, not with next_noise.": loss(noise=batch.next_noise),
            "it judges draws at obs, not at next_obs.": loss(
                at=batch.next_obs, noise=batch.next_noise
            ),
            "take the mean over the batch, not the sum.": loss(scale=len(batch.reward)),
        }


def step(name: str, mine: SACAgent, course: SACAgent, update: int) -> None:
    """Check where an update has taken a network, α or the slow copies."""
    if close(flat(getattr(mine, name)), flat(getattr(course, name)), 1e-6):
        return
    hints = {
        "critics": "The critics' loss is right, but the critics are not where one step down this "
        "loss leads. Clear their gradients just before backward(); the actor's loss leaves some.",
        "actor": "The actor's loss is right, but the actor is not where one step down this loss "
        "leads. Its gradient runs through the action, and through log π: detach neither. Clear "
        "the actor's gradients just before backward().",
        "temperature": "The temperature's loss is right, but α is not where one step down this "
        "loss leads. Clear its gradient just before backward(): the actor's loss may leave some.",
        "critics_target": "critics_target moves by τ of its distance to the new critics, once in "
        "each update.",
    }
    expect(False, f"Update {update}: {hints[name]}")
