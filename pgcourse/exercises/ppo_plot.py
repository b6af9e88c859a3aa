"""Chapter 02's exercise on a plot of the KL divergence: the plot, and the check."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pgcourse.display.colors import ACTOR, CRITIC, FOURTH, INK
from pgcourse.exercises.ddpg_kit import close
from pgcourse.exercises.grading import expect, number, right
from pgcourse.studies import chapter_02
from pgcourse.studies.evidence import Evidence

# letter -> the arm of the chapter's study
ARMS = {
    "a": "no clipping", "b": "constant rate",
    "c": "no clipping, constant rate", "d": chapter_02.RUN,
}  # fmt: skip
LOOKS = {"a": (CRITIC, ":"), "b": (ACTOR, "--"), "c": (INK, "-"), "d": (FOURTH, "-.")}


def medians() -> dict[str, np.ndarray]:
    """Return for each letter the KL of each of 73 updates, the median of five seeds."""
    study = Evidence("02").load()
    return {each: np.median(study.of(arm, "kl")[:5], axis=0) for each, arm in ARMS.items()}


def draw_four() -> Figure:
    """Draw how far each update of four agents moved the policy, without their names."""
    fig, found = Figure(figsize=(7.2, 3.2)), medians()
    ax = fig.subplots()
    for letter, kl in found.items():
        color, line = LOOKS[letter]
        ax.plot(np.arange(1, len(kl) + 1), kl, line, color=color, label=letter)
    ax.set(yscale="log", ylim=(2e-5, 100), xlabel="update", ylabel="KL after ten epochs")
    ax.set_title("How far each update moved the policy")
    fig.legend(loc="outside right center")
    return fig


def table_of_four() -> str:
    """Return some numbers of the plot, for those who cannot see it."""
    some = (1, 15, 30, 40, 50, 60, 70, 73)
    lines = ["update" + "".join(f"{k:8d}" for k in some)]
    for letter, kl in medians().items():
        lines.append(f"{letter:6s}" + "".join(f"{kl[k - 1]:8.2g}" for k in some))
    return "\n".join(lines)


def check_plot(
    course: Any, constant: Any, loose: Any, loose_constant: Any, near: Any, far: Any
) -> None:
    """Grade whose KL each letter's curve is, and how far two of them moved, in deviations."""
    found = {
        "course": course, "constant": constant, "loose": loose, "loose_constant": loose_constant
    }  # fmt: skip
    for name, letter in found.items():
        expect(letter is not ..., f"{name} has no answer yet.")
        known = isinstance(letter, str) and letter in ARMS
        expect(known, f'{name} should be "a", "b", "c" or "d"; got {letter!r}.')
    expect(len(set(found.values())) == 4, "Each curve belongs to one agent, and each has one.")
    arms = {name: ARMS[letter] for name, letter in found.items()}
    for name, arm in arms.items():
        expect(
            name.startswith("loose") == arm.startswith("no clipping"),
            f"{name}: look at the height between updates 30 and 50. What is it that the clip does?",
        )
    for name, arm in arms.items():
        expect(
            name.endswith("constant") == arm.endswith("constant rate"),
            f"{name}: look at the last updates. What is left of a rate that falls to 0?",
        )
    for name, kl in (("near", 0.006), ("far", 1.0)):
        answer, wanted = number(name, {"near": near, "far": far}[name]), (2 * kl) ** 0.5
        expect(answer > 0, f"{name}: a distance is positive; yours is {answer:g}.")
        for slip, hint in (
            (kl, "that is the KL itself. Solve Eq. 4 for m/σ."),
            (2 * kl, "the root is missing."),
            (kl**0.5, "a factor of 2 is missing: see Eq. 4 with equal deviations."),
            ((kl / 2) ** 0.5, "the 2 stands on the wrong side."),
            (kl**2 / 2, "Eq. 4 was used the wrong way round: the KL is given, m/σ is asked."),
        ):
            expect(not close(answer, slip, 2e-3), f"{name}: {hint}")
        expect(
            close(answer, wanted, 1e-2),
            f"{name}: with equal deviations Eq. 4 has one term left that knows m; "
            f"yours is {answer:g}.",
        )
    right("In this plot the clip sets the height, and the learning rate the end.")
