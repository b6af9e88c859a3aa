"""Checks of chapter 08's exercises on the agent: the actor's loss, the filter, the inputs."""

from collections import deque
from collections.abc import Callable
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from pgcourse import Normalizer
from pgcourse.exercises.ddpg_kit import array, attempt, close
from pgcourse.exercises.grading import call, expect, fresh, number, right


def check_actor_loss(value: Any, penalty: Any, cloning: Any, loss: Any) -> None:
    """Grade the terms of Eq. 6 for two replayed rows and three demonstrated ones, and their sum."""
    every = "the mean runs over all N + N_D rows, replayed and demonstrated."
    terms = {
        "value": (value, 0.6, {
            -0.6: "the sign. Q is negative here, and Eq. 6 has minus Q.",
            6.0: "λ1 is missing.", -6.0: "λ1 is missing, and Eq. 6 has minus Q.",
            3.0: "take the mean over the rows, not the sum.", 0.4: every, 0.9: every,
        }, "it is λ1 times the mean of -Q over the five rows"),
        "penalty": (penalty, 0.09, {
            0.18: "the squares are averaged over the numbers of an action: divide by n_a = 2.",
            0.9: "λ1 stands before the bracket, so it multiplies the penalty, too.",
            1.8: "λ1 multiplies the penalty, too, and n_a divides it.",
            0.03: "w is missing.", 0.045: "you divide by n_a twice.", 0.05: every, 0.15: every,
            0.45: "take the mean over the rows, not the sum.",
            -0.09: "the sign. Large actions cost something, so they add to the loss.",
            0.15 * (3 + 0.5**0.5) / 5: "‖μ‖² is the sum of the squares: take no root.",
        }, "it is λ1 · w / n_a times the mean of ‖μ‖² over the five rows"),
        "cloning": (cloning, 0.225, {
            0.3375: "the sum is divided by N_D = 3, not by the rows that pass.",
            0.675: "divide the sum by N_D.",
            0.135: "only demonstrations are cloned: divide by N_D.",
            0.55: "a row with f = 0 adds nothing to the sum.",
            0.325: "the filter is upside down: rows with f = 1 count.",
            0.1125: "sum the squares over the numbers of an action: only the penalty has n_a.",
            0.75: "λ2 is missing.", 0.075: "λ2 belongs to this term, not λ1.",
            0.0225: "λ1 does not belong to this term.", 0.25: "square each difference.",
            0.1 * (0.5 + 2**0.5): "the distance is squared: take no root.",
        }, "it is λ2 times the sum of f ‖μ - a‖², divided by N_D"),
    }  # fmt: skip
    for name, (answer, wanted, slips, how) in terms.items():
        found = number(name, answer)
        for slip, hint in slips.items():
            expect(not close(found, slip), f"{name}: {hint}")
        expect(close(found, wanted), f"{name}: {how} (Eq. 6); yours is {found:g}.")
    found = number("loss", loss)
    expect(not close(found, 0.465), "loss: cloning adds to the loss, it is not subtracted.")
    expect(not close(found, 0.735), "loss: the penalty adds to the loss, it is not subtracted.")
    expect(
        not close(found, 0.1 * 0.69 + 0.3 * 0.225),
        "loss: your terms hold λ1 and λ2 already: do not multiply again.",
    )
    expect(close(found, 0.915), f"loss is the sum of your three terms; yours is {found:g}.")
    right("The actor climbs Q, pays for large actions, and follows the teacher where it should.")


def car_rows(episodes: int = 50, steps: int = 12) -> tuple[Tensor, Tensor, Tensor]:
    """Return demonstrations of a car that drives to a goal and stops there.

    Returns:
        The obs (600, 3), place, speed and goal; the same obs with goals drawn by `future`; and
        the actions (600, 1). Step t of all episodes stands in the rows 50 t to 50 t + 49.
    """
    rng = np.random.default_rng(0)
    goal = rng.uniform(20, 40, episodes)
    places, speeds, actions = [np.zeros(episodes)], [np.zeros(episodes)], []
    for _ in range(steps):
        way = goal - places[-1]
        aim = np.sign(way) * (np.sqrt(1 + 2 * np.abs(way)) - 1)  # the speed that ends there
        actions.append(np.clip(aim - speeds[-1], -1, 1))
        speeds.append(speeds[-1] + actions[-1])
        places.append(places[-1] + speeds[-1])
    step = np.repeat(np.arange(steps), episodes)
    later, who = rng.integers(step + 1, steps + 1), np.tile(np.arange(episodes), steps)
    own, drawn = np.tile(goal, steps), np.array(places)[later, who]
    begun = np.concatenate(places[:-1]), np.concatenate(speeds[:-1])
    obs, relabelled = (np.stack([*begun, aim], axis=1) for aim in (own, drawn))
    rows = obs, relabelled, np.concatenate(actions)[:, None]
    return tuple(torch.tensor(part, dtype=torch.float32) for part in rows)


def check_filtered_share(answer: Callable) -> None:
    """Grade the mask of the Q-filter, and the share of the rows that pass."""
    goal = torch.tensor([1.0, 1, 1, -1, -1, 0, 0.5, 1, 1])
    own = torch.tensor([0.0, 0.5, 0.25, 0, -0.5, 0.5, -0.5, 0.75, 0.5])
    demo_action = torch.tensor([0.5, 0, 0.25, -0.5, 0.25, -0.5, 0.5, 0.5, 0.25])[:, None]
    obs = torch.stack([own, goal], dim=1)

    def critic(obs: Tensor, action: Tensor) -> Tensor:
        return -((action[:, 0] - obs[:, 1]) ** 2)

    def actor(obs: Tensor) -> Tensor:
        return obs[:, :1]

    def mask_of(*arguments: Any) -> tuple[list, float]:
        found = call(answer, *arguments)
        expect(
            isinstance(found, tuple | list) and len(found) == 2,
            "Return two things: the mask (N_D,), and the share of the rows that pass.",
        )
        swapped = np.ndim(found[0]) == 0 and np.ndim(found[1]) == 1
        expect(not swapped, "The mask comes first, then the share.")
        expect(not getattr(found[0], "requires_grad", False), "The mask is data: no gradient.")
        rows = (len(arguments[-1]),)
        return array("The mask", found[0], rows).tolist(), number("The share", found[1])

    def values(policy: Callable = actor, judge: Callable = critic) -> tuple[Tensor, Tensor]:
        return judge(obs, demo_action), judge(obs, policy(obs))

    demo_q, policy_q = values()
    wanted = [1, 0, 0, 1, 0, 0, 1, 0, 0]
    mask, share = mask_of(critic, actor, obs, demo_action)
    for slip, hint in (
        (demo_q < policy_q, "Yours keeps the rows in which the policy's action is the better one."),
        (demo_q <= policy_q, "Upside down: a row passes where the demonstrated action is better."),
        (demo_q >= policy_q, "A row of equal values does not pass: the filter asks for more."),
        (demo_q > policy_q.mean(), "Compare row by row, not with the mean of the batch."),
        (demo_q > critic(obs, 0 * demo_action),
         "Yours compares with an action of 0; the rival is the policy's own, actor(obs)."),
        (demo_action[:, 0] > own, "Compare the values of the actions, not the actions."),
        (demo_q >= -1e9, "Every row passes yours. Did you compare with the policy's action?"),
        (demo_q > 1e9, "No row passes yours. Did you ask for the value of demo_action?"),
    ):  # fmt: skip
        expect(mask != slip.tolist(), hint)
    expect(set(mask) <= {0.0, 1.0}, f"A row passes or it does not, 1 or 0; yours is {mask}.")
    expect(mask == wanted, f"The mask should be {wanted}; yours is {[int(m) for m in mask]}.")
    expect(not close(share, 3), "That is the number of rows that pass; divide by N_D.")
    expect(not close(share, 2 / 3), "That is the share of the rows that do not pass.")
    expect(close(share, 1 / 3), f"3 of 9 rows pass, a share of 1/3; yours is {share:g}.")
    rng = fresh()

    def draw(*shape: int) -> Tensor:
        return torch.tensor(rng.integers(-9, 10, shape) / 8, dtype=torch.float32)

    aim, way, row = draw(4, 3), draw(4, 3), draw(1, 4)

    def near(obs: Tensor, action: Tensor) -> Tensor:  # the values differ little, and are exact
        return -8 - (action - obs.float() @ aim).abs().sum(dim=1) / 1024

    def linear(obs: Tensor) -> Tensor:
        return obs.float() @ way

    changed = {
        "goals": (critic, actor, obs * torch.tensor([1.0, -1.0]), demo_action),
        "demonstrated actions": (critic, actor, obs, -demo_action),
        "actor": (critic, lambda obs: -actor(obs), obs, demo_action),
        "critic": (lambda obs, action: -critic(obs, action), actor, obs, demo_action),
        "sizes": (near, linear, draw(200, 4), draw(200, 3)),
        "sizes, one row,": (near, linear, row, row @ aim),
    }
    for name, (judge, policy, seen, shown) in changed.items():
        better = judge(seen, shown) > judge(seen, policy(seen))
        mask, share = mask_of(judge, policy, seen, shown)
        expect(mask == better.tolist(), f"With other {name} your mask is wrong: use the arguments.")
        expect(close(share, better.float().mean()), f"With other {name} your share is wrong.")
    right("The same action of the same teacher passes for one goal and not for another.")


def theirs(*_: Any) -> None:
    """Stand for Normalizer.update during a check."""
    raise TypeError("that is the course's class, Normalizer. Write your own.")


@mock.patch.object(Normalizer, "update", theirs)
def check_running(kind: type) -> None:
    """Grade a running mean and deviation, and what they make of an input."""
    expect(isinstance(kind, type), "Running should be a class.")
    source = getattr(getattr(kind, "update", None), "__module__", None)
    expect(not issubclass(kind, Normalizer) and source != Normalizer.__module__,
           "That is the course's class. Write your own.")  # fmt: skip
    rng = np.random.default_rng(0)
    rows = rng.normal([1.0, -20.0, 0.0], [2.0, 5.0, 0.5], (60, 3)) + np.linspace(0, 8, 60)[:, None]
    parts = [rows[:1], rows[1:4], rows[4:20], rows[20:59], rows[59:]]
    running = attempt("Running(3)", kind, 3)
    for part in parts:
        given = part.copy()
        attempt("update", running.update, given)
        expect(np.array_equal(given, part), "update changes the rows it was given.")
    mean, deviation = statistics(running)
    expect(not close(mean, np.mean([p.mean(0) for p in parts], axis=0)),
           "A mean of means: weigh each part by its number of rows.")  # fmt: skip
    expect(not close(mean, parts[-1].mean(0)), "Yours only knows the last part.")
    expect(close(mean, rows.mean(0)), f"The mean is {rows.mean(0)}; yours is {mean}.")
    inside = sum(len(p) * p.var(0) for p in parts) / 60
    averaged = sum(len(p) * p.std(0) for p in parts) / 60
    plain = rows.std(0)
    for wrong, hint in (
        (np.sqrt(inside), "The means of the parts differ, and that is spread, too."),
        (averaged, "Deviations cannot be averaged; sums of squares can be added."),
        (rows.var(0), "That is the variance: take the root."),
        (rows.std(0, ddof=1), "Divide by n, not by n - 1."),
        (plain + 0.01, "Eq. 5 takes the larger of the deviation and 0.01; it does not add them."),
    ):
        expect(not close(deviation, wrong, 1e-5), hint)
    expect(close(deviation, plain, 1e-5), f"The deviation is {plain}; yours is {deviation}.")
    for given in (rows, rows.reshape(4, 15, 3), rows[0]):
        scaled = array("Running(3)(rows)", call(running, given), given.shape)
        expect(close(scaled, np.clip((given - mean) / deviation, -5, 5)),
               "Subtract the mean, then divide by the deviation (Eq. 5).")  # fmt: skip
    for side, where in ((1, "above"), (-1, "below")):
        far = array("an input", call(running, mean + 99 * side * deviation), (3,))
        expect(
            close(far, 5 * side),
            f"99 deviations {where} the mean are clipped to {5 * side}; yours is {far}.",
        )
    expect(close(statistics(running), [mean, deviation], 1e-9),
           "To normalise rows changes your mean or deviation: only update should.")  # fmt: skip
    other = attempt("Running(3)", kind, 3)
    for part in parts:
        given = part.copy()
        attempt("update", other.update, given)
        given[:] = 0
    expect(close(statistics(other), [mean, deviation], 1e-5),
           "Rows that change after update change your mean or deviation: keep copies.")  # fmt: skip
    attempt("update", other.update, rows + 9)
    expect(close(statistics(running), [mean, deviation], 1e-9),
           "A second object changes the first: each keeps its own numbers, in self.")  # fmt: skip
    constant = attempt("Running(1)", kind, 1)
    with np.errstate(all="ignore"):
        for _ in range(3):
            attempt("update", constant.update, np.full((7, 1), 0.3))
        found = array("an input", attempt("Running(1)(row)", constant, np.array([0.3])), (1,))
    expect(np.isfinite(found).all(), "An input that never changes is divided by 0.")
    expect(close(found, 0), f"An input that never changes becomes 0; yours is {found}.")
    found = statistics(constant, 1)[1]
    expect(close(found, 0.01), f"The smallest deviation is 0.01 (Eq. 5); yours is {found}.")
    with np.errstate(all="ignore"):
        check_columns(kind)
        check_clock(kind)
    right("The parts give what the whole would, and no row is kept.")


def statistics(running: Any, size: int = 3) -> list[np.ndarray]:
    """Return mean and deviation of a learner's object, (size,) each; a hint if one is missing."""
    for name in ("mean", "deviation"):
        expect(hasattr(running, name), f"Your object has no attribute {name}.")
    names = "mean", "deviation"  # copies, since an object may change its own arrays later
    return [array(name, getattr(running, name), (size,)).copy() for name in names]


def check_columns(kind: type) -> None:
    """Grade numbers of an input that vary much, little, not at all, and only after a while."""
    rng = fresh()
    rows = rng.normal(size=(200, 4)) * [2, 0, 0.001, 0.02] + [5, 0.3, 7, -2]
    rows[:100, 3] = -2
    rows = rows[:, rng.permutation(4)]
    running = attempt("Running(4)", kind, 4)
    for part in np.split(rows, 4):
        attempt("update", running.update, part.copy())
    mean, wanted = rows.mean(0), np.maximum(rows.std(0), 0.01)
    found = statistics(running, 4)[1]
    expect(close(found, wanted), f"The deviations are {wanted}; yours are {found}. 0.01 is the "
           "least for each number of an input by itself. Later rows go on from S, not from what "
           "0.01 has replaced.")  # fmt: skip
    given = mean + 4 * wanted * rng.normal(size=(50, 4))
    scaled = array("Running(4)(rows)", call(running, given), (50, 4))
    expect(close(scaled, np.clip((given - mean) / wanted, -5, 5), 1e-3),
           "Scale by the rows that update has seen, and clip each number by itself.")  # fmt: skip


def check_clock(kind: type) -> None:
    """Grade an input far from 0 that varies little, and the memory that many rows take."""
    clock = attempt("Running(1)", kind, 1)
    rng, rows, sizes = np.random.default_rng(1), [], []
    for _ in range(100):
        rows.append(1e8 + rng.normal(size=(20, 1)))
        attempt("update", clock.update, rows[-1])
        sizes.append(size_of([clock, *vars(kind).values()]))
    found, wanted = statistics(clock, 1)[1], np.concatenate(rows).std(0)
    expect(
        close(found, wanted, 1e-3),
        f"Near 10^8 the deviation should be {wanted[0]:.3f}; yours is {found[0]:.3f}. A difference "
        "of two large sums has lost its digits: sum squared distances from a mean.",
    )
    expect(sizes[-1] < sizes[1] + 50, "Your object grows with every row: keep sums, not rows.")


def size_of(thing: Any) -> int:
    """Return how many numbers a learner's object holds, roughly."""
    if isinstance(thing, np.ndarray | Tensor):
        return int(np.prod(thing.shape))
    if isinstance(thing, str | bytes):
        return len(thing)
    if isinstance(thing, type | ModuleType):
        return 1
    if isinstance(thing, dict):
        return size_of(list(thing.values()))
    if isinstance(thing, list | tuple | set | deque):
        return sum(1 + size_of(part) for part in thing)
    names = [*getattr(thing, "__dict__", ()), *getattr(type(thing), "__slots__", ())]
    return 1 + sum(size_of(getattr(thing, name, None)) for name in names)
