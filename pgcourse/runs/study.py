"""Many runs side by side: every configuration with every seed."""

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import torch
from joblib import Parallel, delayed

from pgcourse import checks
from pgcourse.display.live import Monitor, silence


def run_study(
    train: Callable[[Any, int], Any], configs: dict[str, Any], seeds: Iterable[int]
) -> list[dict]:
    """Call train(config, seed) for every pair, in parallel, and return one row for each.

    The runs go to the cores of this machine, or to where `joblib.parallel_config` says: a Dask
    cluster, for one.

    Args:
        train: a function; one written in a notebook will do. It runs in another process,
            on one thread.
        configs: name -> whatever `train` takes.
        seeds: integers.

    Returns:
        rows in the order of configs, then seeds: {"config", "seed", "result", "error"}.
        A run that failed has result None and its error as text; the others are kept.

    Raises:
        TypeError, ValueError: no configurations, no seeds, or a wrong type.
    """
    if not callable(train):
        raise TypeError(f"train: got {train!r}; expected a function of (config, seed)")
    if not isinstance(configs, dict) or not configs:
        raise ValueError(f"configs: got {configs!r}; expected a dict with at least one entry")
    seeds = checks.start_seeds("seeds", seeds)
    jobs = [(name, seed) for name in configs for seed in seeds]
    calls = (delayed(one_run)(train, name, configs[name], seed) for name, seed in jobs)
    rows = {}
    with Monitor(len(jobs), unit="run") as monitor, warnings.catch_warnings():
        # Long runs make a worker grow; loky then starts a new one, and nothing is lost.
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs")
        for row in Parallel(n_jobs=-1, return_as="generator_unordered")(calls):
            rows[row["config"], row["seed"]] = row
            monitor.tick()
    return [rows[job] for job in jobs]


def one_run(train: Callable[[Any, int], Any], name: str, config: Any, seed: int) -> dict[str, Any]:
    """Run one (configuration, seed) on one thread and without a progress bar of its own."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    row = {"config": name, "seed": seed, "result": None, "error": None}
    try:
        with silence():
            return row | {"result": train(config, seed)}
    except Exception as error:
        return row | {"error": f"{type(error).__name__}: {error}"}
    finally:
        torch.set_num_threads(threads)
