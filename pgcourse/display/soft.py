"""One update of SAC, as a diagram."""

from matplotlib.figure import Figure

from pgcourse.display.colors import ACTOR, CHANCE, CRITIC, INK, TEACHER, TEACHER_TEXT
from pgcourse.display.networks import LOSS, MU, Q, arrow, band, blank, box, note, pull


def draw_soft() -> Figure:
    """Draw one update of SAC: the target, and the steps of critics, actor and temperature."""
    fig, ax = blank(4.5, -3, 66)
    rows = (
        (57.0, CHANCE, INK, "1  Target (Eq. 4): the actor draws, slow critics answer"),
        (40.0, CRITIC, CRITIC, "2  Critics' step (03 Eq. 7)"),
        (22.0, ACTOR, ACTOR, "3  Actor's step (Eq. 7): value and surprise"),
        (4.5, TEACHER, TEACHER_TEXT, "4  Temperature's step (Eq. 8)"),
    )
    target, step, climb, heat = (row[0] for row in rows)
    for row in rows:
        band(ax, row[0], 14, *row[1:])
    losses = (
        (r"$y=r+\gamma(1-d)\,V'$", CHANCE),
        (r"$\sum_i$ mean $(Q_i-y)^2$", CRITIC),
        (r"mean $(\alpha\log\pi-\min Q_i)$", ACTOR),
        (r"$-\alpha$ mean $(\log\pi+\bar H)$", TEACHER),
    )
    symbols = "$s',r,d$", "$s, a$", "$s$", "$s$"
    for (y, *_), (text, color), symbol in zip(rows, losses, symbols, strict=True):
        note(ax, 7.5, y - 1, symbol, size=11)
        box(ax, LOSS + 1, y - 1, text, color, wide=True)
        if y != heat:
            name = "$Q'_1, Q'_2$" if y == target else "$Q_1, Q_2$"
            box(ax, Q - 1, y - 1, name, CRITIC, slow=y == target)
        if y != step:
            box(ax, MU - 8, y - 1, r"$\pi$", ACTOR)
            arrow(ax, (11, y - 1), (MU - 13.5, y - 1))
            note(ax, MU - 15, y + 0.6, r"$\varepsilon$", size=9)
    middle = (MU + Q - 9) / 2
    arrow(ax, (MU - 2.5, target - 1), (Q - 6.5, target - 1))
    note(ax, middle, target + 1.4, r"$a'$, log $\pi$")
    arrow(ax, (Q + 4.5, target - 1), (LOSS - 11.5, target - 1))
    note(ax, LOSS + 1, target - 6.2, r"$V'=\min Q'_i-\alpha\log\pi(a'|s')$", size=8)
    arrow(ax, (11, step - 1), (Q - 6.5, step - 1))
    pull(ax, Q + 4.5, LOSS - 11.5, step - 1, CRITIC)
    arrow(ax, (LOSS, target - 8), (LOSS, step + 3))
    for y in (45.6, 46.8):
        ax.plot([LOSS - 3.4, LOSS + 3.4], [y, y], color=INK, lw=2.2, solid_capstyle="butt")
    pull(ax, MU - 2.5, Q - 6.5, climb - 1, ACTOR)
    note(ax, middle, climb + 2.2, r"$a$, log $\pi$", size=8)
    pull(ax, Q + 4.5, LOSS - 11.5, climb - 1, ACTOR)
    note(ax, Q - 1, climb - 6.4, "weights held", size=8)
    arrow(ax, (MU - 2.5, heat - 1), (LOSS - 11.5, heat - 1))
    note(ax, middle, heat + 1.4, r"log $\pi$, without gradient", ha="left")
    arrow(ax, (Q - 1, step + 3), (Q - 1, target - 5), CRITIC, lw=1.6, ls=(0, (2, 2)))
    note(ax, Q + 1, 47.6, r"$\tau$", CRITIC, 11)
    arrow(ax, (LOSS + 1, heat + 3), (LOSS + 1, climb - 5), TEACHER)
    note(ax, LOSS + 3, 13.2, r"$\alpha$", TEACHER_TEXT, 11)
    return fig
