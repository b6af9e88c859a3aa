"""Checks of the core exercises of chapter 03, DDPG; two of them stand in files of their own."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from pgcourse.exercises.ddpg_kit import array as array
from pgcourse.exercises.ddpg_kit import attempt as attempt
from pgcourse.exercises.ddpg_kit import close as close
from pgcourse.exercises.ddpg_limit import check_fatal_limit as check_fatal_limit
from pgcourse.exercises.ddpg_update import Parts as Parts
from pgcourse.exercises.ddpg_update import check_training as check_training
from pgcourse.exercises.ddpg_update import check_update as check_update
from pgcourse.exercises.ddpg_update import parts as parts
from pgcourse.exercises.grading import call, expect, fresh, lock, number, right


def check_targets(y_running: Any, y_truncated: Any, y_terminated: Any) -> None:
    """Check three targets for r = -2, Q' = -50, γ = 0.99."""
    reward, next_q, gamma = -2.0, -50.0, 0.99
    names = ("y_running", "y_truncated", "y_terminated")
    answers = (y_running, y_truncated, y_terminated)
    running, truncated, ended = (number(n, y) for n, y in zip(names, answers, strict=True))
    expect(not close(running, reward + next_q), "y_running: you forgot to discount Q' by γ.")
    expect(
        not close(running, gamma * (reward + next_q)),
        "y_running: γ discounts what comes after the step, not the step's own reward.",
    )
    expect(
        close((running - reward) / gamma, next_q),
        f"y_running should be r + γ Q' by Eq. 6; yours is {running:g}.",
    )
    expect(
        not close(truncated, reward),
        "y_truncated: you cut the bootstrap. The time limit stopped our watch, not the pendulum.",
    )
    expect(close(truncated, running), "y_truncated: does Eq. 6 know about the time limit?")
    expect(not close(ended, running), "y_terminated: nothing follows a true end, so d is 1.")
    expect(close(ended, reward), f"y_terminated: put d = 1 into Eq. 6; yours is {ended:g}.")
    right("Only a true end cuts the bootstrap.")


def check_half_life_update(update: Callable) -> None:
    """Check a soft update of dicts of tensors with a half-life."""
    name = getattr(update, "__name__", "your function")
    rng = fresh()
    for h in (10.0, 1.0, 3.0, *rng.uniform([0.3, 4.1], [0.9, 8.9]).tolist()):
        target, source = two_states(rng)
        answer = call(update, target, source, h)
        expect(isinstance(answer, dict), f"{name} should return a dict.")
        expect(set(answer) == set(target), f"{name}: the keys should be {sorted(target)}.")
        expect(all(isinstance(v, torch.Tensor) for v in answer.values()), "Values are tensors.")
        weights = [key for key in target if target[key].is_floating_point()]
        for key in set(target) - set(weights):
            whole = not answer[key].is_floating_point()
            expect(whole, "A counter is no weight: it stays an integer.")
            taken = answer[key].tolist() == source[key].tolist()
            expect(taken, "A tensor of integers is taken over from the source.")
        moved = [
            (array(key, answer[key], tuple(target[key].shape)) - target[key].numpy())
            / (source[key] - target[key]).numpy()
            for key in weights
        ]
        share, tau = float(moved[0].flat[0]), 1 - 0.5 ** (1 / h)
        expect(all(close(m, share) for m in moved), "Every weight moves by the same fraction.")
        if close(share, tau, 1e-5):
            continue
        slips = {
            "You keep what should go: the target moves by τ of the distance, and keeps 1 − τ.": 1
            - tau,
            "1 / half_life is not τ: after that many updates 0.37 or less of the way is left.": 1
            / h,
            "0.5 / half_life is not τ: an update covers a fraction of what is left.": 0.5 / h,
            "log(2) / half_life is τ for long half-lives only. Solve Eq. 10 exactly.": np.log(2)
            / h,
        }
        for hint, slip in slips.items():
            expect(not close(share, slip), hint)
        left = max(1 - share, 0.0) ** h
        expect(
            False,
            f"half_life {h:.3g}: after {h:.3g} updates {left:.3f} of the distance is left, not "
            "0.5. It may be any number above 0.",
        )
    right("After half_life updates half of the distance is left, whatever the half-life.")


def two_states(rng: np.random.Generator) -> tuple[dict, dict]:
    """Return two dicts of tensors, weights and counters, that differ in every number."""
    shapes = [(2, 3), (2,), (), (), (2,)]
    kinds = [torch.float32, torch.float64, torch.float32, torch.int64, torch.int32]
    target, source = {}, {}
    for k, (shape, kind) in enumerate(zip(shapes, kinds, strict=True)):
        old, way = rng.uniform(-2, 2, shape), rng.uniform(1, 2, shape) * rng.choice([-1, 1], shape)
        if not kind.is_floating_point:
            old, way = np.rint(50 + 10 * old), np.rint(5 * way)
        key = f"{k}.{rng.integers(100)}"
        target[key], source[key] = (torch.tensor(each, dtype=kind) for each in (old, old + way))
    return target, source


def check_stationary_sigma(sigma: Any) -> None:
    """Check the σ of white noise that is as wide as the paper's noise."""
    value = number("sigma_white", sigma)
    rng = np.random.default_rng(0)
    state = np.zeros(20_000)
    for _ in range(60):
        state += -0.15 * state + 0.2 * rng.standard_normal(20_000)
    expect(not close(value, state.var(), 0.05), "That is the variance; σ is a standard deviation.")
    expect(not close(value, 0.2), "0.2 is one push. The noise remembers earlier ones and adds up.")
    expect(
        abs(value / (0.2 / (0.15 * 1.85) ** 0.5) - 1) < 0.015,
        f"20,000 copies of the paper's noise after 60 steps have a deviation of {state.std():.2f}; "
        f"your white noise has {value:.2f}.",
    )
    right(f"20,000 simulated copies agree: {state.std():.2f}.")


lock()
