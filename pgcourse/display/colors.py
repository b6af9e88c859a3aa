"""The course's colours by role: a colour means the same thing in every picture.

ACTOR is also the student and whatever is ours, CRITIC also the gradient of Q, TEACHER the
demonstrations, MET a goal that was reached, EXACT the optimum (dashed), CHANCE chance, failure and
what is untrained (dotted or hollow). FOURTH is for a fourth series, if there must be one.
"""

from matplotlib.colors import LinearSegmentedColormap

ACTOR = "#0072B2"
CRITIC = "#C2410C"
TEACHER, TEACHER_TEXT = "#E69F00", "#8A5A00"  # the second is dark enough for words
MET, MET_TEXT = "#009E73", "#00755A"
EXACT = "#222222"
CHANCE, CHANCE_TEXT = "#8A8F98", "#5A616B"
FOURTH = "#AA4499"
INK, NOTE = "#1F2933", "#3C4350"  # headings and remarks

# Light in the middle and, unlike RdBu, not equally dark at both ends: it survives greyscale.
TORQUE = LinearSegmentedColormap.from_list("torque", ["#123C69", "#F7F7F5", "#E8A33D"])


def text_color(color: str) -> str:
    """Return the colour for words about something drawn in `color`."""
    return {TEACHER: TEACHER_TEXT, MET: MET_TEXT, CHANCE: CHANCE_TEXT}.get(color, color)
