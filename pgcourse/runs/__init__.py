"""What is done with agents: evaluate them, save them, compile them, run many."""

from pgcourse.runs.evaluation import RandomAgent, evaluate, interval, successes
from pgcourse.runs.study import run_study

__all__ = ["RandomAgent", "evaluate", "interval", "run_study", "successes"]
