"""Measure what the bugs of the museum cost: `python -m pgcourse.tools.museum`.

Each exhibit is trained beside the right agent of its kind, with the same seeds, and the paired
differences of their returns are reported with a bootstrap interval. Prints a table and writes it
to build/museum.md. Uses all cores of this machine.
"""

import argparse
import datetime
import importlib.metadata
import os
import platform
import sys

import numpy as np

from pgcourse import BCAgent, SACAgent, evaluate, interval, make_env, record_demos, run_study
from pgcourse.agents.agent import Agent
from pgcourse.agents.ddpgfd import DDPGfDAgent
from pgcourse.agents.on_policy import OnPolicyAgent
from pgcourse.display.live import AUDIENCE
from pgcourse.exercises.exhibits import EXHIBITS, Exhibit10
from pgcourse.exercises.others import RIGHT, own
from pgcourse.tools.course import ROOT

OUT = ROOT / "build" / "museum.md"
# As in the chapters: steps of a run, of them random; held-out starts; a piece between looks.
PENDULUM = ("Pendulum-v1", 8_000, 1_000, range(10_000, 10_100))
CAR = ("MountainCarContinuous-v0", 4_000, 1_000, range(10_000, 10_020))
SHORT = (CAR[0], 2_000, 1_000, CAR[3])
LONG = ("Pendulum-v1", 150_000, 0, PENDULUM[3])
PIECE = 500


def push(obs: np.ndarray) -> np.ndarray:
    """Return full force in the direction of motion, chapter 07's teacher: (..., 2) to (..., 1)."""
    return np.where(obs[..., 1:] < 0, -1.0, 1.0).astype(np.float32)


def setting(kind: type[Agent]) -> tuple[str, int, int, range]:
    """Return the task of an agent's kind: its id, steps, random steps and held-out starts."""
    if issubclass(kind, OnPolicyAgent):
        return LONG
    if issubclass(kind, DDPGfDAgent):
        return SHORT
    return CAR if issubclass(kind, BCAgent) else PENDULUM


def make(kind: type[Agent], seed: int) -> Agent:
    """Return a new agent as its chapter has it."""
    task, _, random_steps, _ = setting(kind)
    if issubclass(kind, OnPolicyAgent):
        return kind(task, seed=seed)
    sizes, options = (100_000, 128), {"initial_random_steps": random_steps, "seed": seed}
    if issubclass(kind, BCAgent | DDPGfDAgent):
        options["demo"] = record_demos(push, task, 10, seed=1_000)
    if issubclass(kind, BCAgent):
        sizes = (*sizes, 128)
    sigma = 1.0 if issubclass(kind, SACAgent) else 0.1  # SAC's noise is that of its draws
    return kind(make_env(task), *sizes, 1.0, sigma, **options)


def train(kind: type[Agent], seed: int) -> tuple[float, float]:
    """Train one agent and return its mean return after half of the steps, and at the end."""
    task, steps, _, starts = setting(kind)
    agent, found = make(kind, seed), []
    for k in range(1, steps // PIECE + 1):
        # Environments side by side may overshoot a piece; the whole run does not.
        agent.train(k * PIECE - agent.total_steps, plotting_interval=0)
        if isinstance(agent, Exhibit10):  # the right agents' test changes nothing
            agent.test(seed=k)
        if k * PIECE in (steps // 2, steps):
            found.append(float(evaluate(agent, task, starts).mean()))
    return tuple(found)


def table(rows: list[dict]) -> str:
    """Return the costs in Markdown: negative where the exhibit is worse than the right agent."""
    found = {(row["config"], row["seed"]): row["result"] for row in rows}
    seeds = sorted({row["seed"] for row in rows})
    lines = [
        "| exhibit | half of the steps | 95% interval | all steps | 95% interval | failed |",
        "|---|---|---|---|---|---|",
    ]
    for number, (name, (kind, _)) in enumerate(EXHIBITS.items(), 1):
        base = f"right {own(kind).__name__}"
        kept = [s for s in seeds if found[name, s] and found[base, s]]
        if not kept:
            lines.append(f"| {number}. {name} | | | | | all {len(seeds)} |")
            continue
        costs = np.array([np.subtract(found[name, s], found[base, s]) for s in kept]).T
        cells = [
            f"{cost.mean():+.1f} | {low:+.1f} to {high:+.1f}"
            for cost in costs
            for low, high in [interval(cost)]
        ]
        lines.append(f"| {number}. {name} | {' | '.join(cells)} | {len(seeds) - len(kept)} |")
    for agent in RIGHT:
        steps = setting(agent)[1]
        returns = [found[f"right {agent.__name__}", s] for s in seeds]
        means = " and ".join(f"{m:.1f}" for m in np.mean([r for r in returns if r], axis=0))
        lines += ["", f"right {agent.__name__}: mean return {means} "
                  f"after {steps // 2:,} and {steps:,} steps."]  # fmt: skip
    return "\n".join(lines)


def main() -> int:
    """Run the measurement; 1 if a run failed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=8)
    options = parser.parse_args()
    os.environ.setdefault(AUDIENCE, "terminal")
    configs = {name: kind for name, (kind, _) in EXHIBITS.items()}
    configs |= {f"right {agent.__name__}": agent for agent in RIGHT}
    rows = run_study(train, configs, range(options.seeds))
    versions = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in ("torch", "gymnasium"))
    text = (
        f"{table(rows)}\n\n{options.seeds} seeds, {datetime.date.today()}, "
        f"Python {platform.python_version()}, {versions}."
    )
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(text + "\n", encoding="utf-8")
    print(text)
    failed = [row for row in rows if row["error"]]
    print(*(f"{r['config']}, seed {r['seed']}: {r['error']}" for r in failed), sep="\n")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
