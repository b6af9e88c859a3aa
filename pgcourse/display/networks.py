"""One update of DDPG, of TD3, and of DDPG with demonstrations, as diagrams."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from pgcourse.display.colors import ACTOR, CHANCE, CRITIC, INK, TEACHER, TEACHER_TEXT

TARGET, STEP, CLIMB = 54.0, 33.0, 10.0  # heights of the three rows, from the top
MU, Q, LOSS = 40.0, 63.0, 91.0  # the columns of networks and losses
SLOW = 24.0  # the actor's slow copy, left of the titles' end and of the actor


def blank(height: float, low: float, high: float) -> tuple[Figure, Axes]:
    """Return an empty sheet for a diagram, 7.2 inches and 108 units wide.

    Args:
        height: in inches.
        low, high: of the sheet, in units.
    """
    fig = Figure(figsize=(7.2, height), layout="none")
    ax: Axes = fig.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, 108), ylim=(low, high))
    ax.axis("off")
    return fig, ax


def box(
    ax: Axes, x: float, y: float, text: str, color: str, wide: bool = False, slow: bool = False,
    behind: float = 0.0,
) -> None:  # fmt: skip
    """Draw a network, or a wide box for a loss; slow copies are dashed and tinted.

    Args:
        behind: 1.0 for a box that another one covers.
    """
    width, height, line = 25.0 if wide else 11.0, 8.0, (0, (3, 2)) if slow else "-"
    for face, alpha in (("white", 1.0), (color, 0.1))[: 1 + slow]:
        ax.add_patch(
            FancyBboxPatch(
                (x - width / 2, y - height / 2), width, height, fc=face, ec="none", alpha=alpha,
                boxstyle="round,pad=0,rounding_size=1.4", zorder=3 - behind / 2,
            )
        )  # fmt: skip
    ax.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2), width, height, fc="none", ec=color, lw=1.8, ls=line,
            boxstyle="round,pad=0,rounding_size=1.4", zorder=4 - 1.4 * behind,
        )
    )  # fmt: skip
    note(ax, x, y, text, size=10 if wide or "," in text else 13)


def arrow(
    ax: Axes, start: tuple, end: tuple, color: str = INK, lw: float = 1.2, ls="-", **options
) -> None:
    """Draw an arrow; a gradient's is thick, a slow copy's is dashed."""
    head = 15 if lw > 2 else 10
    ax.add_patch(
        FancyArrowPatch(
            start, end, arrowstyle="-|>", mutation_scale=head, lw=lw, color=color, ls=ls,
            shrinkA=0, shrinkB=0, zorder=2, **options,
        )
    )  # fmt: skip


def note(ax: Axes, x: float, y: float, text: str, color: str = INK, size=9.0, **options) -> None:
    """Write a text, centred unless options say otherwise."""
    centred = {"ha": "center", "va": "center"} | options
    ax.text(x, y, text, color=color, size=size, zorder=5, **centred)


def band(ax: Axes, y: float, height: float, tint: str, color: str, title: str) -> None:
    """Draw the ground of a row, with its title."""
    ax.add_patch(
        FancyBboxPatch(
            (14, y - height / 2), 92.5, height, fc=tint, ec="none", alpha=0.09, zorder=0,
            boxstyle="round,pad=0,rounding_size=2",
        )
    )  # fmt: skip
    note(ax, 29, y + height / 2 - 2.2, title, color, 8.5, ha="left", weight="bold")


def pull(ax: Axes, start: float, end: float, y: float, color: str) -> None:
    """Draw an arrow to the right and, below it, the gradient that comes back."""
    arrow(ax, (start, y + 1.5), (end, y + 1.5))
    arrow(ax, (end, y - 1.8), (start, y - 1.8), color, 3.2)


def draw_networks(twins: bool = False) -> Figure:
    """Draw one update of DDPG: target, critic's step, actor's step, and the slow copies.

    Args:
        twins: draw TD3's instead, with two critics and the equations of chapter 04.
    """
    fig, ax = blank(4.5, -3, 66)
    words = (
        ("1  Target (Eqs. 3, 5): the smaller of two slow answers",
         "2  Critics' step (Eq. 4)",
         "3  Actor's step, in every second update: uphill on the first critic")
        if twins else
        ("1  Target (Eq. 6): the slow copies answer", "2  Critic's step (Eq. 7)",
         "3  Actor's step (Eq. 8): uphill on the critic")
    )  # fmt: skip
    grounds = (TARGET, 16, CHANCE, INK), (STEP, 16, CRITIC, CRITIC), (CLIMB, 20, ACTOR, ACTOR)
    for ground, title in zip(grounds, words, strict=True):
        band(ax, *ground, title)
    ax.add_patch(
        FancyBboxPatch(
            (1.5, 0), 9.5, 62, fc="white", ec=CHANCE, lw=1, zorder=3,
            boxstyle="round,pad=0,rounding_size=1.4",
        )
    )  # fmt: skip
    note(ax, 6.2, 64, "batch", weight="bold")
    for y, symbols in ((TARGET, "$s',r,d$"), (STEP, "$s, a$"), (CLIMB, "$s$")):
        note(ax, 6.2, y, symbols, size=11)
    draw_target_and_critic(ax, twins)
    draw_actor_and_copies(ax, twins)
    return fig


def draw_target_and_critic(ax: Axes, twins: bool) -> None:
    """Draw rows 1 and 2, and the bar between them that no gradient passes."""
    box(ax, SLOW, TARGET, r"$\mu'$", ACTOR, slow=True)
    for y, one, two, slow in (
        (TARGET, "$Q'$", "$Q'_1, Q'_2$", True), (STEP, "$Q$", "$Q_1, Q_2$", False),
    ):  # fmt: skip
        box(ax, Q, y, two if twins else one, CRITIC, slow=slow)
        if twins:
            box(ax, Q + 1.3, y - 1.5, "", CRITIC, slow=slow, behind=1.0)
    target = r"$y=r+\gamma(1-d)\,\min Q'_i$" if twins else r"$y=r+\gamma(1-d)\,Q'$"
    box(ax, LOSS, TARGET, target, CHANCE, wide=True)
    arrow(ax, (11, TARGET), (SLOW - 5.5, TARGET))
    arrow(ax, (SLOW + 5.5, TARGET), (Q - 5.5, TARGET))
    action = r"$\tilde a=\mu'(s')$ + clipped noise" if twins else r"$a'=\mu'(s')$"
    note(ax, (SLOW + Q) / 2, TARGET + 2.4, action)
    arrow(ax, (Q + 5.5, TARGET), (LOSS - 12.5, TARGET))
    loss = r"$\sum_i$ mean $(Q_i-y)^2$" if twins else r"mean $(Q-y)^2$"
    box(ax, LOSS, STEP, loss, CRITIC, wide=True)
    arrow(ax, (11, STEP), (Q - 5.5, STEP))
    pull(ax, Q + (7.0 if twins else 5.5), LOSS - 12.5, STEP, CRITIC)
    note(ax, (Q + LOSS) / 2 - 3.5, STEP - 5.4, r"$\nabla_\phi$", CRITIC, 11)
    arrow(ax, (LOSS, TARGET - 4), (LOSS, STEP + 4))
    for y in (42.9, 44.2):
        ax.plot([LOSS - 3.4, LOSS + 3.4], [y, y], color=INK, lw=2.2, solid_capstyle="butt")
    note(ax, LOSS - 5, 43.5, "no gradient passes:\n$y$ is data", size=8, ha="right")


def draw_actor_and_copies(ax: Axes, twins: bool) -> None:
    """Draw row 3, and the dashed arrows along which the slow copies follow."""
    critic, when = ("Q_1", ", in every second update") if twins else ("Q", " (Eq. 9)")
    box(ax, MU, CLIMB, r"$\mu$", ACTOR)
    box(ax, Q, CLIMB, f"${critic}$", CRITIC)
    box(ax, LOSS, CLIMB, rf"$-$ mean ${critic}(s,\mu(s))$", ACTOR, wide=True)
    arrow(ax, (11, CLIMB), (MU - 5.5, CLIMB))
    pull(ax, MU + 5.5, Q - 5.5, CLIMB, ACTOR)
    note(ax, (MU + Q) / 2, CLIMB + 4, r"$a=\mu(s)$")
    pull(ax, Q + 5.5, LOSS - 12.5, CLIMB, ACTOR)
    note(ax, (MU + Q) / 2, CLIMB - 5.4, rf"$\nabla_a {critic}$", ACTOR, 11)
    note(ax, MU, CLIMB - 6.6, r"$\nabla_\theta\,\mu$", ACTOR, 11)
    note(ax, Q + 5.5, CLIMB - 6.6, f"same ${critic}$, weights held", size=8)
    dashed = {"lw": 1.6, "ls": (0, (2, 2))}
    arrow(ax, (Q, STEP + 4), (Q, TARGET - (5.6 if twins else 4)), CRITIC, **dashed)
    note(ax, Q + 1.6, 43.5, r"$\tau$", CRITIC, 11)
    corner = "angle,angleA=180,angleB=90,rad=4"
    up = {"connectionstyle": corner, **dashed}
    arrow(ax, (MU - 5.5, CLIMB + 2.4), (SLOW, TARGET - 4), ACTOR, **up)
    note(ax, SLOW + 1.6, 43.5, r"$\tau$", ACTOR, 11)
    title = f"4  Soft update{when}, dashed: the copies follow"
    note(ax, 29, 22.5, title, size=8.5, ha="left", weight="bold")


def draw_cloning() -> Figure:
    """Draw one update of DDPG with demonstrations: what feeds what, and what pulls the actor."""
    fig, ax = blank(4.0, -4, 62)
    top, middle, bottom = 46.0, 25.0, 4.0
    all_rows = ((CHANCE, "$N$"), (TEACHER, "$N_D$"))  # replayed, demonstrated
    for y, kinds, tint, color, title in (
        (top, all_rows, CRITIC, CRITIC, "1  Critic's step (Eq. 2): all rows"),
        (middle, all_rows, ACTOR, ACTOR, "2  Actor, first pull (Eq. 3): uphill on the critic"),
        (bottom, all_rows[1:], TEACHER, TEACHER_TEXT, "3  Actor, second pull (Eq. 1): the teacher"),
    ):
        band(ax, y + 1, 15, tint, color, title)
        for k, (kind, name) in enumerate(kinds):
            ax.add_patch(Rectangle((1.5 + 5.5 * k, y - 4), 5.5, 8, fc=kind, ec="white", alpha=0.6))
            note(ax, 4.2 + 5.5 * k, y, name)
    note(ax, 1.5, 58.5, "$N$ replayed and $N_D$ demonstrated rows", ha="left")
    box(ax, Q, top, "$Q$", CRITIC)
    box(ax, LOSS, top, "mean $(Q-y)^2$", CRITIC, wide=True)
    arrow(ax, (13, top), (Q - 5.5, top))
    note(ax, 35, top + 2.2, "$s, a$")
    pull(ax, Q + 5.5, LOSS - 12.5, top, CRITIC)
    box(ax, MU, middle, r"$\mu$", ACTOR)
    box(ax, Q, middle, "$Q$", CRITIC)
    box(ax, LOSS, middle, r"$-\lambda_1$ mean $Q(s,\mu(s))$", ACTOR, wide=True)
    arrow(ax, (13, middle), (MU - 5.5, middle))
    note(ax, 24, middle + 2.2, "$s$")
    pull(ax, MU + 5.5, Q - 5.5, middle, ACTOR)
    pull(ax, Q + 5.5, LOSS - 12.5, middle, ACTOR)
    box(ax, MU, bottom, r"$\mu$", ACTOR)
    box(ax, LOSS, bottom, r"$\lambda_2\,$mean$\,f\,\|\mu(s)-a\|^2$", TEACHER, wide=True)
    arrow(ax, (7.5, bottom), (MU - 5.5, bottom))
    note(ax, 21, bottom + 2.2, "$s$, and $a$ for the loss")
    pull(ax, MU + 5.5, LOSS - 12.5, bottom, TEACHER)
    dashed = {"color": CRITIC, "lw": 1.6, "ls": (0, (2, 2))}
    ax.plot([Q, Q, LOSS, LOSS], [middle - 4, 15, 15, 10], **dashed)
    arrow(ax, (LOSS, 10), (LOSS, bottom + 4), CRITIC)
    note(ax, Q - 1.5, 15, "filter $f$ (Eqs. 4, 5): no gradient", CRITIC, ha="right")
    return fig
