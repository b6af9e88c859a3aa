"""The robot arm of notebook 08 over five seeds: `python -m pgcourse.tools.robot_study`.

Trains each configuration with each seed, one core for each run, and writes the curves with the
date and the versions to notebooks/08_study.json, which the notebook draws. Each run that is
finished is kept in build/robot_study/, so a study that was stopped goes on where it stopped.
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
import torch
from torch import nn

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
from pgcourse.files import write_atomically
from pgcourse.plotting import AUDIENCE
from pgcourse.tools.course import ROOT

CURVE, PANEL = range(20_000, 20_040), range(10_000, 10_100)  # goals, none of them trained on
DEMOS, EVERY = 100, 25  # demonstrated episodes; episodes between two points of a curve
OUT, PARTS = ROOT / "notebooks" / "08_study.json", ROOT / "build" / "robot_study"
PACKAGES = ("torch", "numpy", "gymnasium", "gymnasium-robotics", "mujoco")

# name -> episodes, seeds, resets, settings of the agent
PLAIN = {"lambda2": 0.0}  # demonstrations in the batches, and nothing more
CONFIGS: dict[str, tuple[int, int, bool, dict[str, Any]]] = {
    "HER": (200, 5, False, {"demo_batch_size": 0}),
    "+ demonstrations": (200, 5, False, PLAIN),
    "+ cloning": (200, 5, False, {"q_filter": False}),
    "+ Q-filter": (400, 5, False, {}),
    "+ resets": (200, 5, True, {}),
    "targets not clipped": (150, 3, False, {"clipped": False}),
    "inputs not normalised": (150, 3, False, {"normalized": False}),
    "plain Adam": (400, 3, False, {}),
}


class PlainAdam(HERAgent):
    """The agent without AMSGrad."""

    def make_optimizer(self, network: nn.Module, lr: float) -> torch.optim.Optimizer:
        """Return Adam as Kingma and Ba wrote it."""
        return torch.optim.Adam(network.parameters(), lr=lr, fused=True)


def train(job: tuple[str, int, bool, dict], seed: int) -> dict[str, Any]:
    """Train one agent and return its curve, its score on the panel, and its seconds of one core."""
    name, episodes, resets, settings = job
    path = PARTS / f"{name.replace(' ', '_')}_{seed}.json"
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    env, first = make_env(PICK_AND_PLACE), 1_000 * (seed + 1)
    demo = record_demos(pick_and_place, env, DEMOS, first)
    if resets:
        env = DemoResets(env, demo, first)
    agent_class = PlainAdam if name == "plain Adam" else HERAgent
    agent = agent_class(env, 1_000, demo=demo, seed=seed, **{"demo_batch_size": 128} | settings)
    found = {"episodes": [], "success": [], "core_seconds": [], "panel": {}, "missed": {}}
    spent = 0.0
    for block in range(EVERY, episodes + 1, EVERY):
        start = time.process_time()
        agent.train(EVERY * 50)
        spent += time.process_time() - start
        found["episodes"].append(block)
        found["success"].append(float(successes(agent, PICK_AND_PLACE, CURVE).mean()))
        found["core_seconds"].append(round(spent, 1))
        if block in (200, episodes):
            met = successes(agent, PICK_AND_PLACE, PANEL)
            found["panel"][str(block)] = float(met.mean())
            found["missed"][str(block)] = [PANEL[k] for k in np.flatnonzero(~met)]
    text = json.dumps(found)
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
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(CONFIGS)} (all)")
    options = parser.parse_args()
    if unknown := set(options.names) - set(CONFIGS):
        parser.error(f"no configuration {', '.join(sorted(unknown))}")
    os.environ.setdefault(AUDIENCE, "terminal")
    PARTS.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, (episodes, seeds, resets, settings) in CONFIGS.items():
        if not options.names or name in options.names:
            job = (name, episodes, resets, settings)
            rows += run_study(train, {name: job}, range(seeds))
    about = {
        "date": datetime.date.today().isoformat(),
        "versions": {name: version(name) for name in PACKAGES}
        | {"python": platform.python_version()},
    }
    if not options.names:
        text = json.dumps(about | {"rows": rows}, indent=1) + "\n"
        OUT.write_text(text, encoding="utf-8")
    print(table(rows))
    return int(any(row["error"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
