"""Pictures of proximal policy optimisation: one update, its objective, and how far it moves."""

import numpy as np
import torch
from matplotlib.figure import Figure

from pgcourse import checks
from pgcourse.display.colors import ACTOR, CHANCE, CHANCE_TEXT, CRITIC, INK
from pgcourse.display.networks import LOSS, MU, Q, arrow, band, blank, box, note, pull
from pgcourse.parts.returns import clipped_objective


def draw_proximal() -> Figure:
    """Draw one update of PPO: rollout, what is computed once, and the steps on minibatches."""
    fig, ax = blank(4.5, -3, 66)
    rows = (
        (57.0, CHANCE, INK, "1  Rollout: 128 steps of 16 environments"),
        (40.0, CHANCE, INK, "2  Once, before the first step: data"),
        (22.0, ACTOR, ACTOR, "3  Policy's steps (Eqs. 1, 3), 80 times"),
        (4.5, CRITIC, CRITIC, "4  Value's steps, 80 times, at the same minibatches"),
    )
    play, weigh, climb, fit = (row[0] for row in rows)
    for row in rows:
        band(ax, row[0], 14, *row[1:])
    for y, symbols in ((play, "$s$"), (weigh, "$s, a, r, s'$"), (climb, "$s, a$"), (fit, "$s$")):
        note(ax, 7.0, y - 1, symbols, size=11)
    low = LOSS + 1
    box(ax, MU - 8, play - 1, r"$\pi$", ACTOR)
    box(ax, low, play - 1, "environments", CHANCE, wide=True)
    arrow(ax, (11, play - 1), (MU - 13.5, play - 1))
    arrow(ax, (MU - 2.5, play - 1), (low - 12.5, play - 1))
    note(ax, (MU + Q) / 2 + 6, play + 1.4, r"$a=\mu_\theta(s)+\sigma\varepsilon$, drawn")
    box(ax, MU - 4, weigh - 1, r"$V,\ \pi$", CHANCE)
    box(ax, low, weigh - 1, r"$A,\ G,\ \log\pi_{\mathrm{old}}$", CHANCE, wide=True)
    arrow(ax, (13.4, weigh - 1), (MU - 9.5, weigh - 1))
    arrow(ax, (MU + 1.5, weigh - 1), (low - 12.5, weigh - 1))
    note(ax, (MU + Q) / 2 + 8, weigh + 1.4, "of all 2,048 rows")
    arrow(ax, (low, play - 5), (low, weigh + 3))
    note(ax, low + 2, 49.0, "$r$")
    box(ax, MU - 8, climb - 1, r"$\pi$", ACTOR)
    box(ax, low, climb - 1, r"clipped: $\rho, A$", ACTOR, wide=True)
    arrow(ax, (11, climb - 1), (MU - 13.5, climb - 1))
    pull(ax, MU - 2.5, low - 12.5, climb - 1, ACTOR)
    note(ax, (MU + Q) / 2 + 6, climb + 2.4, r"$\rho=\pi\,/\,\pi_{\mathrm{old}}$")
    note(ax, (MU + Q) / 2 + 6, climb - 5.4, r"$\nabla_\theta$", ACTOR, 11)
    box(ax, MU - 8, fit - 1, "$V$", CRITIC)
    box(ax, low, fit - 1, "mean $(V-G)^2$", CRITIC, wide=True)
    arrow(ax, (11, fit - 1), (MU - 13.5, fit - 1))
    pull(ax, MU - 2.5, low - 12.5, fit - 1, CRITIC)
    note(ax, (MU + Q) / 2 + 6, fit - 5.4, r"$\nabla_\phi$", CRITIC, 11)
    arrow(ax, (low, weigh - 5), (low, climb + 3))
    for y in (30.4, 31.6):
        ax.plot([low - 3.4, low + 3.4], [y, y], color=INK, lw=2.2, solid_capstyle="butt")
    words = "ten epochs of 8 minibatches; no gradient passes"
    note(ax, low - 5, 31.0, words, size=8, ha="right")
    right = LOSS + 15.2
    ax.plot([low + 12.5, right, right], [weigh - 1, weigh - 1, fit - 1], color=INK, lw=1.2)
    arrow(ax, (right, fit - 1), (low + 12.5, fit - 1))
    note(ax, right - 0.8, 13.2, "$G=A+V$", size=8, ha="right")
    return fig


def draw_clip(clip: float) -> Figure:
    """Draw the clipped objective of one row over its ratio, for a good and for a bad action.

    Args:
        clip: how far the ratio may go, in (0, 1).

    Raises:
        TypeError, ValueError: clip is no such number.
    """
    clip = checks.real("clip", clip, 0.0, 1.0)
    fig = Figure(figsize=(7.2, 3.0))
    ratio = np.linspace(0.4, 1.6, 241)
    for ax, sign in zip(fig.subplots(1, 2, sharex=True), (1.0, -1.0), strict=True):
        rows = torch.from_numpy(ratio).float()
        value = clipped_objective(rows.log(), 0.0 * rows, torch.full_like(rows, sign), clip)
        gone = ratio > 1.0 + clip if sign > 0 else ratio < 1.0 - clip
        ax.axvspan(1.0 - clip, 1.0 + clip, color=CHANCE, alpha=0.12, lw=0, zorder=0)
        ax.plot(ratio, sign * ratio, color=CHANCE, ls=":")
        ax.plot(ratio, value, color=ACTOR)
        ax.plot(ratio[gone], value[gone], color=ACTOR, lw=4)
        ax.plot(1.0, sign, "o", color=ACTOR)
        title = "Worth doing more often" if sign > 0 else "Worth doing less often"
        ax.set(title=title, xlabel="ratio of new to old density", ylabel="objective")
        ax.text(
            1.0, 0.03, f"within {clip:g} of 1", ha="center", size=8, color=CHANCE_TEXT,
            transform=ax.get_xaxis_transform(),
        )  # fmt: skip
        ax.annotate(
            "flat: nothing to gain", (1.0 + sign * 0.4, sign * (1.0 + sign * clip)), (0, -7),
            textcoords="offset points", ha="center", va="top", size=8, color=INK,
        )  # fmt: skip
        ax.text(
            0.03 if sign > 0 else 0.97, 0.97, f"advantage {sign:+.0f}".replace("-", "−"), size=8,
            va="top", ha="left" if sign > 0 else "right", transform=ax.transAxes, color=ACTOR,
        )  # fmt: skip
    return fig


def draw_moves(moved: dict[str, np.ndarray]) -> Figure:
    """Draw over the epochs of an update how far two agents' policies moved.

    Args:
        moved: name -> (updates, epochs, 2), KL and the share of ratios outside; ours is first.

    Raises:
        ValueError: other shapes, or not two agents.
    """
    shapes = {name: np.shape(each) for name, each in moved.items()}
    if len(shapes) != 2 or any(len(x) != 3 or x[2] != 2 for x in shapes.values()):
        raise ValueError(f"moved: got {shapes}; expected two of (updates, epochs, 2)")
    fig = Figure(figsize=(7.2, 3.0))
    left, right = fig.subplots(1, 2)
    looks = (ACTOR, "-"), (CHANCE, ":")
    for ax, k in ((left, 0), (right, 1)):
        for (name, each), (color, line) in zip(moved.items(), looks, strict=True):
            epochs, rows = np.arange(1, np.shape(each)[1] + 1), np.asarray(each)[:, :, k]
            ax.plot(epochs, rows.T, color=color, lw=0.6, alpha=0.25)
            ax.plot(epochs, np.median(rows, axis=0), line, color=color, lw=2.2, label=name)
        ax.set(xlabel="epoch of an update", xticks=(1, *range(4, epochs[-1] + 1, 3)))
    left.set(title="With the clip it stays near", ylabel="KL", yscale="log", ylim=(1e-5, 10))
    right.set(title="Few ratios leave the range", ylabel="share of ratios outside", ylim=(0, 1))
    fig.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return fig
