"""Checks of the exercises of chapter 05: numbers, densities, targets; the others stand apart."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pgcourse.exercises.ddpg_kit import array, attempt, close, near, tell
from pgcourse.exercises.grading import call, expect, fresh, lock, number, right
from pgcourse.exercises.sac_update import check_gradients as check_gradients
from pgcourse.exercises.sac_update import check_judge as check_judge
from pgcourse.exercises.sac_update import check_sac_update as check_sac_update
from pgcourse.exercises.sac_update import draw_of, noisy_rows, soft_target, target_slips, twin
from pgcourse.parts.gaussian import squashed_gaussian

# 1, 2 and 6: numbers.


def check_arms(best: Any, value: Any, entropy: Any) -> None:
    """Grade the best distribution over three actions, its soft value and its entropy."""
    best, value = number("best", best), number("value", value)
    entropy = number("entropy", entropy)
    expect(0 <= best <= 1, f"best is a probability; yours is {best:g}.")
    tell("best", best, 0.6, {
        9 / 11: "Q is divided by α before exp.", 81 / 83: "Q is divided by α, not multiplied.",
        1.0: "that is the greedy choice; a price on being predictable spreads it.",
        1 / 3: "with equal chances Q would not count at all.",
        0.2: "that is the chance of each of the others.",
        3.0: "divide by the sum, so that the chances add up to 1.",
        3 / 4: "there are two others, not one.",
    }, "by Eq. 3 the three weights are exp(Q / α), and their share of the sum counts.")  # fmt: skip
    tell("value", value, 2 * math.log(5), {
        math.log(5): "α stands before the logarithm, too.", 2 * math.log(3): "that is the largest "
        "Q. The soft value is above it, as entropy is worth something.",
        1.2 * math.log(3): "that is the mean of Q. The entropy's worth is missing.",
        math.log(11): "Q is divided by α before exp, and α stands before the logarithm.",
        2 * math.log(11): "Q is divided by α before exp.",
        2 * math.log(5 / 3): "a sum over the actions, not a mean.",
        1.2 * math.log(3) + math.log(5) - 0.6 * math.log(3): "α is missing: one nat of entropy is "
        "worth α.", 2 * math.log10(5): "log is the natural logarithm.",
        2 * math.log2(5): "log is the natural logarithm.", 5.0: "take α times the logarithm.",
    }, "α times the logarithm of the sum of the weights.")  # fmt: skip
    right_one = math.log(5) - 0.6 * math.log(3)
    tell("entropy", entropy, right_one, {
        -right_one: "its sign. An entropy of chances is not negative.",
        right_one / math.log(2): "in nats, not in bits: the natural logarithm.",
        right_one / math.log(10): "in nats: the natural logarithm.",
        2 * right_one: "α is its price, and no part of it.",
        math.log(3): "that is the entropy of equal chances.",
        -0.6 * math.log(0.6): "all three actions count.",
        -0.6 * math.log(0.6) - 0.2 * math.log(0.2): "there are two other actions.",
        right_one / 3: "a sum, weighted by the chances, not a mean.",
    }, "minus the sum of p log p over the three actions.")  # fmt: skip
    right("Mean of Q plus α times the entropy gives the same value: 1.32 + 2 · 0.95.")


def check_temperature(entropy: Any, moves: Any, later: Any, most: Any, width: Any) -> None:
    """Grade what the temperature does, and which entropies there are."""
    entropy = number("entropy", entropy)
    tell("entropy", entropy, -1.75, {
        1.75: "its sign: the entropy is the mean of minus log π.",
        -7.0: "the mean of the four, not their sum.", 7.0: "minus the mean, not the sum.",
        -2.0: "that is the entropy wanted, not the one there is.",
        -0.25: "that is the distance to the target; first the entropy itself.",
        0.25: "that is the distance to the target; first the entropy itself.",
    }, "minus the mean of the four log densities.")  # fmt: skip
    expect(moves is not ... and moves is not None, "moves has no answer yet.")
    said = moves.strip().lower() if isinstance(moves, str) else moves
    expect(said in ("up", "down"), f'moves should be "up" or "down"; got {moves!r}.')
    expect(said == "down", "moves: the actor is still more random than wanted, −1.75 against −2. "
           "Should being predictable cost more, then, or less?")  # fmt: skip
    tell("later", number("later", later), math.exp(-0.2), {
        math.exp(0.2): "the other way: α falls.", 0.8: "log α takes the steps, not α.",
        1.2: "α falls, and log α takes the steps.", -0.2: "that is log α.", 0.2: "that is − log α.",
        math.exp(-0.001): "there are 200 steps.", 0.999: "there are 200 steps, of log α.",
    }, "log α starts at 0 and takes 200 steps of 0.001.")  # fmt: skip
    tell("most", number("most", most), 2 * math.log(2), {
        math.log(2): "so it is for one number; the entropies of two independent ones add up.",
        0.0: "no density is flatter than the uniform one, but its height on [−1, 1] is not 1.",
        math.log(2) ** 2: "the volume is 2 · 2; the logarithms are added.",
        2.0: "in nats: the natural logarithm of the volume.",
        4.0: "that is the volume; the entropy is its logarithm.",
        -2 * math.log(2): "its sign: the log density is − log 4 everywhere.",
        2 * 0.5 * math.log(2 * math.pi * math.e): "a Gaussian does not fit into [−1, 1].",
        2 * math.log10(2): "in nats: the natural logarithm.",
    }, "the uniform distribution's density is 1 / 4 everywhere: minus its logarithm.")  # fmt: skip
    tell("width", number("width", width), math.exp(-1), {
        math.e: "that has the entropy +1.", 2 / math.e: "the entropy is the logarithm of the "
        "width itself: 2 / e has log 2 − 1.", math.exp(-2): "so it is for −2.",
        1.0: "a width of 1 has the entropy 0.", 0.5: "in nats: e is the base.",
        0.1: "in nats: e is the base.", math.exp(-0.5): "that is half of it, to one side of the "
        "middle? The entropy is the logarithm of the whole width.",
        math.exp(-1) / 2: "the whole width, not half of it.",
    }, "log of what is −1?")  # fmt: skip
    right("A target of −1 for each number lets an actor use about a fifth of each range; a "
          "target above 1.39 could never be met, and α would grow without end.")  # fmt: skip


def entropies(std: float) -> tuple[float, float]:
    """Return the entropy of u ~ N(0, std²), and that of tanh(u), by integration."""
    noise = torch.linspace(-10, 10, 20_001).double()
    mean = noise.new_zeros(len(noise), 1)
    _, log_density = squashed_gaussian(mean, mean + math.log(std), noise[:, None])
    weights = torch.exp(-0.5 * noise**2)
    real = -(weights * log_density).sum() / weights.sum()
    return 0.5 * math.log(2 * math.pi * math.e) + math.log(std), real.item()


def check_forgotten(log_std: Any, believed: Any, real: Any, best: Any) -> None:
    """Grade what an actor comes to that forgets tanh in its density."""
    log_std = number("log_std", log_std)
    high, top = 2.0, 0.874
    normal, true = entropies(math.exp(high))
    expect(not near(log_std, math.exp(high)), "log_std: that is s itself.")
    expect(
        not abs(log_std) <= 0.2,
        "log_std: so it would be with the correction, or at the start. Without it, what does a "
        "wider Gaussian cost?",
    )
    expect(not near(log_std, -20), "log_std: the other end. A wide Gaussian has more entropy.")
    expect(log_std <= 20, "log_std: it would grow without end, but the network cuts it.")
    expect(near(log_std, high), f"log_std: where does the network cut it? Yours is {log_std:g}.")
    tell("believed", number("believed", believed), normal, {
        high: "that is log s. The Gaussian with s = 1 has an entropy, too.",
        normal - high: "that is for s = 1; log s is 2.",
        normal - high + math.log(2): "log s is 2, not s.",
        normal - 0.5: "ε² / 2 has the mean 1/2: it is a part of the entropy.",
        -normal: "its sign: the entropy is the mean of minus log π.",
        true: "that is what it really has.",
        normal - high + math.exp(high): "log s is 2; yours adds s.",
    }, "the entropy of a Gaussian, ½ log(2πe) + log s.")  # fmt: skip
    real = number("real", real)
    expect(math.isfinite(real), "real: where tanh(u) rounds to 1, the logarithm of 1 − tanh² has "
           "to be written in the stable way of exercise 3.")  # fmt: skip
    if abs(real - true) > 0.1:
        part = true - normal
        for slip, why in (
            (normal - part, "the mean of log(1 − tanh² u) is added to the entropy; it is negative"),
            (part, "that is the correction alone; the Gaussian's entropy belongs to it"),
            (normal, "that is what it believes. Actions lie in [−1, 1]"),
            (-true, "its sign: an entropy of densities may be negative"),
            (math.log(2), "that is the most that there is. Where do its actions lie?"),
            (entropies(2.0)[1], "log s is 2, not s"),
            (entropies(top)[1], "that is the most that a squashed Gaussian has"),
        ):
            expect(abs(real - slip) > 0.1, f"real: {why}.")
        low = -2.0 < real < 0.0 or real > 0.0
        expect(False, "real: the mean of minus the true log π over its own draws. " + (
            "Nearly all its actions lie at the two ends: that is much less." if low else
            "Is 1 − tanh² written in the stable way, without a small number added?"
        ) + f" Yours is {real:g}.")  # fmt: skip
    best = number("best", best)
    expect(not abs(best - math.log(top)) < 0.04, "best: that is log s.")
    expect(not near(best, math.exp(high)), "best: that is where it ends without the correction.")
    expect(
        0.84 <= best <= 0.91,
        f"best: compute real for many s between 0.5 and 2, and take the largest; yours is {best:g}."
        + " A wider one piles its actions up at the ends." * (best > 0.91),
    )
    right("It believes 3.42 nats, more than the 0.69 that fit into [−1, 1], and has −7.07: 72 of "
          "100 actions lie beyond ±0.99. With the correction it is nearly uniform.")  # fmt: skip


# 3 and 5: functions.


def check_log_density(answer: Callable) -> None:
    """Grade log densities of a squashed Gaussian: values, gradients, and where tanh is 1."""
    mean = torch.tensor([[0.5, -1.0, 0.1], [0.0, 0.2, -0.3]])
    log_std = torch.tensor([[0.3, -0.7, -0.1], [-0.4, 0.0, -0.9]])
    noise = torch.tensor([[0.6, -0.2, 1.0], [-1.1, 1.5, 0.4]])
    value = call(answer, mean, log_std, noise)
    expect(isinstance(value, Tensor), f"Return a tensor; got {type(value).__name__}.")
    if value.shape == (2, 3):
        expect(False, "One number for each action: sum over its components, so that (B,) is left.")
    found = array("log_density", value, (2,))
    std, u = log_std.exp(), mean + log_std.exp() * noise
    half, slope = 0.5 * math.log(2 * math.pi), torch.log(1 - torch.tanh(u) ** 2)
    normal = -0.5 * noise**2 - log_std - half
    squashed = -0.5 * ((torch.tanh(u) - mean) / std) ** 2 - log_std - half
    for slip, hint in (
        (normal, "The correction is missing: that is the density of u, not of tanh(u)."),
        (normal + slope, "The correction's sign: where tanh is flat, actions crowd, and the "
         "density is higher."),
        (normal - slope / 2, "The slope of tanh is 1 − tanh²: yours takes its root."),
        (normal - 2 * slope, "The slope of tanh is 1 − tanh², once."),
        (normal - torch.log(1 - torch.tanh(u).abs()), "The slope of tanh is 1 − tanh²(u)."),
        (normal - torch.log(1 - u.clamp(-0.99, 0.99) ** 2), "The slope is of tanh(u), not of u."),
        (normal + log_std - slope, "The Gaussian's − log s is missing."),
        (normal + 2 * log_std - slope, "log s is subtracted: the wider, the flatter."),
        (normal + log_std - std - slope, "log s is subtracted, not s."),
        (normal + half - slope, "The Gaussian's constant is missing, − ½ log 2π."),
        (normal - half - slope, "The Gaussian's constant is half of log 2π."),
        (normal - 0.5 * noise**2 - slope, "In the Gaussian ε² is halved."),
        (squashed - slope, "The Gaussian is asked at u, not at tanh(u)."),
        (-0.5 * u**2 - log_std - half - slope, "(u − m) / s is ε; yours takes u itself."),
        (-normal + slope, "log π, not minus log π."),
    ):  # fmt: skip
        expect(not close(found, slip.sum(dim=1)), hint)
    wanted = squashed_gaussian(mean, log_std, noise)[1]
    expect(not close(found, wanted.exp()), "That is the density; its logarithm is asked for.")
    expect(not close(found, wanted / 3), "Sum over the components; yours takes their mean.")
    expect(not close(found, normal.sum(dim=1) - slope.mean(dim=1)),
           "The corrections are summed, too; yours takes their mean.")  # fmt: skip
    expect(close(found, wanted), f"It should be {wanted.tolist()}; yours is {found.tolist()}.")
    rng = fresh()
    for n, dim in ((1, 1), (7, 1), (1, 3), (40, 5)):
        mean, log_std, noise = torch.from_numpy(rng.uniform(-1, 1, (3, n, dim))).float()
        given = mean, 0.7 * log_std - 0.4, 2 * noise
        found = array("log_density", call(answer, *given), (n,))
        wanted = squashed_gaussian(*given)[1]
        k = int((torch.from_numpy(found) - wanted).abs().argmax())
        expect(
            close(found, wanted, 1e-3),
            f"{n} random actions of {dim} numbers: log density {k} should be {wanted[k]:.4f}; "
            f"yours {found[k]:.4f}. Each row is summed for itself.",
        )
    check_ends(answer)
    right("At u = 100 it is still exact, and it has a gradient: α can be trusted.")


def check_ends(answer: Callable) -> None:
    """Grade log densities where tanh rounds to 1, and their gradients everywhere."""
    for u in (4.0, -6.0, 12.0, -30.0, 100.0):
        given = torch.tensor([[u, 0.0]]), torch.zeros(1, 2), torch.zeros(1, 2)
        found = array("log_density", call(answer, *given), (1,)).item()
        wanted = squashed_gaussian(*given)[1].item()
        expect(
            math.isfinite(found),
            f"At u = {u:g} yours is {found}: in float32 tanh(u) rounds to ±1 there, or exp(2u) is "
            "too large. Write log(1 − tanh²) so that neither is needed.",
        )
        expect(
            abs(found - wanted) < 1e-3 * abs(wanted),
            f"At u = {u:g} log π is {wanted:.3f}; yours is {found:.3f}. 1 − tanh² has lost its "
            "digits there; a small number added, or a bound, only hides that.",
        )
    u = torch.tensor([[0.3, -1.4], [9.0, -25.0], [60.0, 0.0]])
    log_std, noise = torch.full_like(u, -0.5), torch.tensor([[0.4, -2.0], [1.0, 0.0], [0.7, 1.9]])
    given = [each.requires_grad_() for each in (u, log_std)]
    wanted = torch.autograd.grad(squashed_gaussian(*given, noise)[1].sum(), given)
    value = attempt("log_density", answer, *given, noise)
    hint = "No gradient comes through your log density; the actor learns by it."
    expect(value.requires_grad, hint)
    found = torch.autograd.grad(value.sum(), given, allow_unused=True)
    for name, one, other in zip(("mean", "log_std"), found, wanted, strict=True):
        expect(one is not None, f"No gradient comes to {name}; detach nothing.")
        expect(
            bool(torch.isfinite(one).all()),
            f"The gradient of {name} is {one.tolist()}: a NaN in one row spoils them all.",
        )
        expect(
            close(one, other, 1e-3),
            f"The gradient of {name} should be {other.tolist()}; yours is {one.tolist()}. Is u, or "
            "the correction, detached or cut?",
        )


def check_soft_target(answer: Callable) -> None:
    """Grade the target of both critics, Eq. 4."""
    rng, agent = fresh(), twin()
    draw, slow = draw_of(agent.actor), list(agent.critics_target)
    for gamma, alpha in ((0.5, 0.25), (0.9, 2.0), (1.0, 0.0), (0.0, 0.7)):
        batch, price = noisy_rows(rng), torch.tensor(alpha).double().requires_grad_()
        target = call(answer, batch, draw, slow, price, gamma)
        expect(isinstance(target, Tensor), f"Return a tensor; got {type(target).__name__}.")
        expect(not target.requires_grad, "Your target carries a gradient; it is data.")
        found = array("soft_target", target, batch.reward.shape)

        def slip(alpha: Any = alpha, gamma: float = gamma, batch=batch, **changes: Any) -> Tensor:
            return soft_target(batch, draw, slow, alpha, gamma, **changes)

        with torch.no_grad():
            wanted = slip()
            if close(found, wanted):
                continue
            for hint, each in target_slips(slip, batch, gamma).items():
                expect(not close(found, each), f"Your target: {hint}")
        expect(
            False,
            f"{len(found)} rows, γ = {gamma:g}, α = {alpha:g}: the first target should be "
            f"{wanted[0]:.4f}; yours is {found[0]:.4f}.",
        )
    right("No slow actor is needed: the draw is what the actor would do now.")


lock()
