"""The robot arm of notebook 08 over five seeds: `python -m pgcourse.tools.robot_study`.

Trains each configuration with each seed, one core for each run, and writes the curves with the
date and the versions to notebooks/08_study.json, which the notebook draws. Each run that is
finished is kept in build/robot_study/, so a study that was stopped goes on where it stopped;
empty that folder after a change of the module.
"""

import argparse
import datetime
import json
import os
import platform
import sys
import time
from importlib.metadata import version
from typing import Any

import numpy as np

from pgcourse import (
    PICK_AND_PLACE,
    DemoResets,
    HERAgent,
    interval,
    make_env,
    pick_and_place,
    record_demos,
    run_study,
    successes,
)  # fmt: skip
from pgcourse.display.live import AUDIENCE
from pgcourse.files import write_atomically
from pgcourse.tools.course import ROOT

CURVE, PANEL = range(20_000, 20_040), range(10_000, 10_100)  # goals, none of them trained on
DEMOS, EVERY = 100, 25  # demonstrated episodes; episodes between two points of a curve
OUT, PARTS = ROOT / "notebooks" / "08_study.json", ROOT / "build" / "robot_study"
PACKAGES = ("torch", "numpy", "gymnasium", "gymnasium-robotics", "mujoco")

# name -> episodes, resets, settings of the agent; the longest first, so that no core waits
Job = tuple[int, bool, dict[str, Any]]
MAIN: dict[str, Job] = {  # five seeds
    "+ Q-filter": (400, False, {}),
    "+ resets": (150, True, {}),
    "+ cloning": (150, False, {"q_filter": False}),
    "+ demonstrations": (150, False, {"lambda2": 0.0}),
    "HER": (150, False, {"demo_batch_size": 0}),
}
OFF: dict[str, Job] = {  # two seeds
    "targets not clipped": (75, False, {"clipped": False}),
    "inputs not normalised": (75, False, {"normalized": False}),
}
LONG: dict[str, Job] = {"lambda1 0.001": (400, False, {"lambda1": 1e-3})}  # four seeds


def versions() -> dict[str, str]:
    """Return the versions that results depend on."""
    found = {name: version(name) for name in PACKAGES}
    return found | {"python": platform.python_version()}


def train(job: tuple[str, Job], seed: int) -> dict[str, Any]:
    """Train one agent and return its curve, its score on the panel, and its seconds of one core."""
    name, (episodes, resets, settings) = job
    path = PARTS / f"{name.replace(' ', '_')}_{seed}.json"
    made_by = {"job": list(job[1]), "versions": versions()}
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))
        if found.pop("made_by", None) == made_by:
            return found
    env, first = make_env(PICK_AND_PLACE), 1_000 * (seed + 1)
    demo = record_demos(pick_and_place, PICK_AND_PLACE, DEMOS, first)
    settings = {"demo_batch_size": 128} | settings
    if resets:
        env = DemoResets(env, demo, first)
    demo = demo if settings["demo_batch_size"] else []
    agent = HERAgent(env, 1_000, demo=demo, seed=seed, **settings)
    found = {"episodes": [], "success": [], "core_seconds": [], "panel": {}, "missed": {}}
    spent = 0.0
    for block in range(EVERY, episodes + 1, EVERY):
        start = time.process_time()
        agent.train(EVERY * 50)
        spent += time.process_time() - start
        found["episodes"].append(block)
        found["success"].append(float(successes(agent, PICK_AND_PLACE, CURVE).mean()))
        found["core_seconds"].append(round(spent, 1))
        if block in (150, 300, episodes):
            met = successes(agent, PICK_AND_PLACE, PANEL)
            found["panel"][str(block)] = float(met.mean())
            found["missed"][str(block)] = [PANEL[k] for k in np.flatnonzero(~met)]
    text = json.dumps(found | {"made_by": made_by})
    write_atomically(path, lambda file: file.write(text.encode()))
    return found


def table(rows: list[dict]) -> str:
    """Return the study as Markdown, a line for each configuration."""
    lines = [
        "| | episodes | success over 100 goals, each seed | mean | 95% interval | core seconds |",
        "|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(row["config"] for row in rows):
        runs = [row["result"] for row in rows if row["config"] == name and row["result"]]
        for episodes in dict.fromkeys(key for run in runs for key in run["panel"]):
            scores = [run["panel"][episodes] for run in runs]
            at = runs[0]["episodes"].index(int(episodes))
            seconds = np.mean([run["core_seconds"][at] for run in runs])
            low, high = interval(scores)
            lines.append(
                f"| {name} | {episodes} | {' '.join(f'{x:.2f}' for x in scores)} | "
                f"{np.mean(scores):.3f} | {low:.2f} to {high:.2f} | {seconds:.0f} |"
            )
    return "\n".join(lines)


def main() -> int:
    """Run the study; 1 if a run failed."""
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    os.environ.setdefault(AUDIENCE, "terminal")
    PARTS.mkdir(parents=True, exist_ok=True)
    rows = []
    for configs, seeds in ((MAIN, 5), (OFF, 2), (LONG, 4)):
        rows += run_study(train, {name: (name, job) for name, job in configs.items()}, range(seeds))
    print(table(rows))
    failed = [row for row in rows if row["error"]]
    if failed:
        print(*(f"{row['config']}, seed {row['seed']}: {row['error']}" for row in failed), sep="\n")
        return 1
    study = {"date": datetime.date.today().isoformat(), "versions": versions(), "rows": rows}
    OUT.write_text(json.dumps(study, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
