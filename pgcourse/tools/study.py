"""DDPG on Pendulum over ten seeds, against the exact optimum: `python -m pgcourse.tools.study`.

Prints a table and writes it to build/study.md. Uses all cores of this machine; with
--scheduler ADDRESS the runs go to a Dask cluster (`pip install distributed`).
"""

import argparse
import contextlib
import os
import sys

import joblib
import numpy as np

from pgcourse import DDPGAgent, OptimalAgent, RandomAgent, evaluate, interval, run_study
from pgcourse.display.live import AUDIENCE
from pgcourse.tools.course import ROOT

ENV_ID, PANEL = "Pendulum-v1", range(10_000, 10_100)
OUT = ROOT / "build"


def train(frames: int, seed: int) -> list[float]:
    """Return the panel's returns after a run with the settings of notebook 03."""
    agent = DDPGAgent(ENV_ID, 100_000, 128, 1.0, 0.1, initial_random_steps=1_000, seed=seed)
    agent.train(frames)
    return evaluate(agent, ENV_ID, PANEL).tolist()


def table(rows: list[dict], best: np.ndarray, chance: np.ndarray) -> str:
    """Return the study as Markdown: one line per seed, then mean and interval over the seeds."""
    lines = ["| seed | mean return | regret | normalised score |", "|---|---|---|---|"]
    found = {}
    for row in rows:
        if row["error"]:
            lines.append(f"| {row['seed']} | failed: {row['error']} | | |")
            continue
        mean = np.mean(row["result"])
        score = (mean - chance.mean()) / (best.mean() - chance.mean())
        found[row["seed"]] = mean, best.mean() - mean, score
        lines.append(f"| {row['seed']} | {mean:.1f} | {best.mean() - mean:.1f} | {score:.4f} |")
    if not found:
        return "\n".join(lines)
    columns = np.array(list(found.values())).T
    (a, b, c), (d, e, f) = columns.mean(axis=1), [interval(x) for x in columns]
    lines.append(f"| mean of {len(found)} | {a:.1f} | {b:.1f} | {c:.4f} |")
    lines.append(
        f"| 95% interval | {d[0]:.1f} to {d[1]:.1f} | {e[0]:.1f} to {e[1]:.1f} | "
        f"{f[0]:.4f} to {f[1]:.4f} |"
    )
    return "\n".join([*lines, "", f"random {chance.mean():.1f}, optimal {best.mean():.1f}"])


def main() -> int:
    """Run the study; 1 if a run failed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--frames", type=int, default=12_000)
    parser.add_argument("--scheduler", help="address of a Dask scheduler, such as tcp://host:8786")
    options = parser.parse_args()
    os.environ.setdefault(AUDIENCE, "terminal")
    with contextlib.ExitStack() as stack:
        if options.scheduler:
            from distributed import Client

            stack.enter_context(Client(options.scheduler))
            stack.enter_context(joblib.parallel_config(backend="dask"))
        rows = run_study(train, {"DDPG": options.frames}, range(options.seeds))
    best, chance = (evaluate(who, ENV_ID, PANEL) for who in (OptimalAgent(), RandomAgent(1)))
    text = table(rows, best, chance)
    OUT.mkdir(exist_ok=True)
    (OUT / "study.md").write_text(text + "\n", encoding="utf-8")
    print(text)
    return int(any(row["error"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
