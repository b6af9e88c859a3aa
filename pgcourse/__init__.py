"""The companion module of the course: what the notebooks show is what runs here."""

from pgcourse import agents, display, parts, runs, tasks
from pgcourse.agents import *
from pgcourse.display import *
from pgcourse.parts import *
from pgcourse.runs import *
from pgcourse.tasks import *

__all__ = sorted(parts.__all__ + tasks.__all__ + display.__all__ + runs.__all__ + agents.__all__)
