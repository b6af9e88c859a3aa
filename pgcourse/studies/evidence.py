"""Evidence: the rows that a study found, each with a fingerprint of its beginning.

A study is a module with JOBS (pairs of an arm and a seed), `make(arm, seed)`, which returns an
agent, and `train(arm, seed)`, which returns a row; KEPT names files for the networks that a row
brings, TOLERANCE how far a replay may be off. `make study` writes the rows, `make test` replays.
"""

import copy
import datetime
import hashlib
import json
import platform
import time
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

from pgcourse.display.live import Monitor
from pgcourse.files import write_atomically
from pgcourse.runs.checkpoint import part_state, restore_part
from pgcourse.runs.study import one_run

FOLDER = Path(__file__).parents[2] / "notebooks" / "evidence"
UPDATES = (1, 10, 100, 500)  # of the beginning: what they lead to is in the fingerprint
# How far a replay may be off, (relative, absolute) after so many updates, unless a study has a
# TOLERANCE of its own. Another processor adds up in another order, and learning makes the
# difference grow. With PyTorch and MKL held to the instructions of 2008, twelve runs of chapter 03
# were off by at most 1e-5, 4e-6, 4e-7 and 0.02; a discount of 0.98 instead of 0.99, by 1e-3 after
# 100 updates.
TOLERANCE = {1: (1e-4, 0.0), 10: (3e-5, 0.0), 100: (1e-4, 1e-5), 500: (0.1, 1e-5)}
PACKAGES = ("torch", "numpy", "gymnasium")


def study(name: str) -> ModuleType:
    """Return the study of a chapter, such as "03", or that of a module with a dot in its name."""
    return import_module(name if "." in name else f"pgcourse.studies.chapter_{name}")


def fingerprint(agent, steps: int) -> dict[str, dict[str, float]]:
    """Train an agent's first updates and return what they led to.

    Args:
        agent: a new one, or a clone.
        steps: it makes no more of them.

    Returns:
        for each number of updates the last losses, how far each network's weights are from their
        start, and the sum of three exploring actions, which alone tells one noise from another.
    """
    networks = {name: each.network for name, each in agent.learners.items()}
    networks |= {f"slow {name}": each.slow for name, each in agent.followers.items()}
    first, found = {name: flat(network) for name, network in networks.items()}, {}
    for count in UPDATES:
        if hasattr(agent, "pretrain"):  # updates before the first step
            agent.learn_from_demos(min(count, agent.pretrain))
        while agent.updates < count and agent.total_steps < steps:
            agent.train(1, 0)
        if agent.updates == count:
            numbers = {name: values[-1] for name, values in agent.history.losses.items()}
            numbers |= {f"moved {n}": (flat(networks[n]) - first[n]).norm().item() for n in first}
            if hasattr(agent, "noise"):  # looked at, and put back; a clone has none
                noise, obs = copy.deepcopy(agent.noise), agent.obs_dim * [0.1]
                numbers["explores"] = sum(float(agent.explore(obs)[0]) for _ in range(3))
                agent.noise = noise
            found[str(count)] = {name: float(f"{x:.7g}") for name, x in numbers.items()}
    return found


def flat(network: nn.Module) -> Tensor:
    """Return a copy of all weights, one behind the other."""
    return parameters_to_vector(network.parameters()).detach()


def trained(agent, steps: int, pieces: int, measure: Callable[[Any], np.ndarray]) -> dict[str, Any]:
    """Train an agent and return its row.

    Args:
        agent: a new one.
        steps: of the environment.
        pieces: measurements, evenly spread.
        measure: from the agent to a return, or success, of every start of a panel.

    Returns:
        "beginning" (the fingerprint), "steps" and "curve" (means over the panel), "final" (the
        last measurement, start by start), "seconds" (of one core, without measuring).
    """
    start, spent = time.process_time(), 0.0
    row = {"beginning": fingerprint(agent, steps // pieces), "steps": [], "curve": []}
    for piece in range(1, pieces + 1):
        if (left := piece * steps // pieces - agent.total_steps) > 0:
            agent.train(left, 0)
        spent += time.process_time() - start
        found = np.asarray(measure(agent), dtype=np.float64)
        row["steps"].append(agent.total_steps)
        row["curve"].append(round(found.mean(), 3))
        start = time.process_time()
    return row | {"final": found.round(2).tolist(), "seconds": round(spent, 1)}


def networks_of(agent, *names: str) -> dict[str, Any]:
    """Return what some parts of an agent have learned: for a row's "networks"."""
    return {name: part_state(getattr(agent, name)) for name in names}


def load_networks(agent, name: str, folder: Path = FOLDER) -> Any:
    """Give an agent the networks that a study kept, and return it.

    Args:
        agent: made by the study.
        name: of a file in the folder, without .pt.
        folder: the evidence.
    """
    state = torch.load(folder / f"{name}.pt", weights_only=True, map_location="cpu")
    for part, learned in state.items():
        restore_part(getattr(agent, part), learned)
    return agent


class Evidence:
    """The rows of one study, and the file that holds them.

    Args:
        name: of the chapter, such as "03".
        folder: where the file is.

    Raises:
        FileNotFoundError, ValueError: from `load`, if there is no file or it is damaged.
    """

    def __init__(self, name: str, folder: Path = FOLDER):
        self.name, self.path = name, Path(folder) / f"{name}.json"
        self.head: dict[str, Any] = {}
        self.rows: dict[tuple[str, int], dict[str, Any]] = {}

    def load(self) -> "Evidence":
        """Read the file; every row must be as it was written."""
        self.head = json.loads(self.path.read_text(encoding="utf-8"))
        for row in self.head.pop("rows"):
            if row.pop("digest") != digest(row):
                raise ValueError(f"{self.path.name}: {row['arm']}, seed {row['seed']} was changed")
            self.rows[row["arm"], row["seed"]] = row
        return self

    def save(self) -> None:
        """Write the file, a line for each row, sorted as the study's jobs are."""
        jobs = study(self.name).JOBS
        rows = [self.rows[job] for job in jobs if job in self.rows]
        lines = ",\n".join(json.dumps(row | {"digest": digest(row)}) for row in rows)
        head = json.dumps(self.head, indent=1).removesuffix("\n}")
        text = f'{head},\n "rows": [\n{lines}\n ]\n}}\n'
        write_atomically(self.path, lambda file: file.write(text.encode()))

    def run(self) -> list[str]:
        """Run the jobs that have no row yet, on all cores or where joblib is told to.

        Each row is written when it is finished, so a study that was stopped goes on.

        Returns:
            what failed, in words.

        Raises:
            ValueError: the rows that are there were made with other versions.
        """
        made = {name: version(name) for name in PACKAGES}
        if self.path.exists():
            self.load()
            if self.head["versions"] != made:
                raise ValueError(
                    f"{self.path.name}: its rows were made with {self.head['versions']}, and "
                    f"here is {made}; install those, or delete it to begin anew"
                )
        self.path.parent.mkdir(exist_ok=True)
        machines = set(self.head.get("processor", "").split("; ")) - {""} | {processor()}
        module, failed = study(self.name), []
        # Seed by seed, so that a study that is stopped has rows of every arm.
        jobs = sorted((job for job in module.JOBS if job not in self.rows), key=lambda job: job[1])
        calls = (delayed(one_run)(module.train, arm, arm, seed) for arm, seed in jobs)
        with Monitor(len(jobs), unit="run") as monitor:
            for done in Parallel(n_jobs=-1, return_as="generator_unordered")(calls):
                arm, seed = done["config"], done["seed"]
                if done["error"]:
                    failed.append(f"{arm}, seed {seed}: {done['error']}")
                else:
                    if networks := done["result"].pop("networks", None):
                        self.keep(module.KEPT[arm, seed], networks)
                    self.rows[arm, seed] = {"arm": arm, "seed": seed} | done["result"]
                self.head = {
                    "command": f"make study NAME={self.name}",
                    "date": datetime.date.today().isoformat(),
                    "versions": made,
                    "processor": "; ".join(sorted(machines)),
                    "failed": sorted(failed),
                }
                self.save()
                monitor.tick()
        return failed

    def keep(self, name: str, networks: dict[str, Any]) -> None:
        """Write networks beside the rows."""
        write_atomically(self.path.with_name(f"{name}.pt"), lambda f: torch.save(networks, f))

    def of(self, arm: str, key: str) -> np.ndarray:
        """Return what the rows of an arm have under a key, (seeds, ...), in the order of seeds."""
        return np.array([row[key] for (name, _), row in sorted(self.rows.items()) if name == arm])


def digest(row: dict[str, Any]) -> str:
    """Return a row's check sum."""
    return hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()[:12]


def processor() -> str:
    """Name the processor, and what PyTorch uses of it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
                platform.machine())  # fmt: skip
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}"


def differences(
    row: dict[str, Any],
    again: dict[str, dict[str, float]],
    tolerance: dict[int, tuple[float, float]] = TOLERANCE,
) -> list[str]:
    """Return where a replayed beginning is not that of a row, in words."""
    if row["beginning"].keys() != again.keys():
        return [f"{row['arm']}: updates {list(again)} and not {list(row['beginning'])}"]
    found = []
    for count, then in row["beginning"].items():
        (relative, absolute), now = tolerance[int(count)], again[count]
        for name in then.keys() | now.keys():
            if name == "explores" and absolute:  # where rounding is let through, all may be another
                continue
            a, b = then.get(name, np.inf), now.get(name, np.inf)
            if not abs(a - b) <= relative * max(abs(a), abs(b)) + absolute:
                found.append(
                    f"{row['arm']}, seed {row['seed']}, update {count}: {name} {a}, now {b}"
                )
    return found
