"""Many runs side by side: every configuration with every seed."""

import multiprocessing
import os
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ProcessPoolExecutor
from typing import Any

import cloudpickle
import torch

from pgcourse import checks
from pgcourse.plotting import AUDIENCE, Monitor


def run_study(
    train: Callable[[Any, int], Any],
    configs: dict[str, Any],
    seeds: Iterable[int],
    executor: Executor | None = None,
) -> list[dict]:
    """Call train(config, seed) for every pair, in parallel, and return one row for each.

    Args:
        train: a function; one written in a notebook will do. It runs in another process,
            on one thread.
        configs: name -> whatever `train` takes.
        seeds: integers.
        executor: any concurrent.futures.Executor; None uses the cores of this machine.

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
    checks.instance("executor", executor, Executor | None, "an Executor or None")
    if executor is None:
        spawn = multiprocessing.get_context("spawn")
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        with ProcessPoolExecutor(cores, mp_context=spawn) as pool:
            return run_study(train, configs, seeds, pool)
    # cloudpickle sends what is written in a notebook, and whole agents, which pickle cannot.
    jobs = [
        (name, seed, executor.submit(one_run, cloudpickle.dumps((train, config)), seed))
        for name, config in configs.items()
        for seed in seeds
    ]
    rows = []
    with Monitor(len(jobs), unit="run") as monitor:
        for name, seed, job in jobs:
            error = job.exception()
            result = None if error else cloudpickle.loads(job.result())
            text = f"{type(error).__name__}: {error}" if error else None
            rows.append({"config": name, "seed": seed, "result": result, "error": text})
            monitor.tick()
    return rows


def one_run(payload: bytes, seed: int) -> bytes:
    """Run one (configuration, seed) on one thread and without a progress bar of its own."""
    train, config = cloudpickle.loads(payload)
    threads, watching = torch.get_num_threads(), os.environ.get(AUDIENCE, "")
    torch.set_num_threads(1)
    os.environ[AUDIENCE] = "nobody"
    try:
        return cloudpickle.dumps(train(config, seed))
    finally:
        torch.set_num_threads(threads)
        os.environ[AUDIENCE] = watching
