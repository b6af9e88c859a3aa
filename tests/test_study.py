import os
import threading
import time
from itertools import product

import pytest
from distributed import Client, LocalCluster
from joblib import cpu_count, parallel_config

from pgcourse import DDPGAgent, make_env, run_study
from pgcourse.display.live import audience
from tests.kinds import weights


def train(config, seed):
    agent = DDPGAgent(
        make_env("Pendulum-v1"), 200, 8, 1.0, 0.1, initial_random_steps=20, seed=seed, **config
    )
    agent.train(40)
    return weights(agent).tolist()


def test_every_pair_is_run_in_order_and_processes_give_the_same_as_threads():
    configs = {"slow": {"tau": 0.001}, "fast": {"tau": 0.1}}
    rows = run_study(train, configs, [0, 1])
    assert [(row["config"], row["seed"]) for row in rows] == [
        ("slow", 0), ("slow", 1), ("fast", 0), ("fast", 1),
    ]  # fmt: skip
    with parallel_config(backend="threading"):
        assert run_study(train, configs, [0, 1]) == rows
    assert all(row["error"] is None for row in rows)
    assert rows[0]["result"] != rows[1]["result"] != rows[3]["result"]


def test_two_workers_of_a_dask_cluster_give_the_same_bit_for_bit(tmp_path):
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    place = {"dashboard_address": None, "local_directory": str(tmp_path)}
    with (
        LocalCluster(**options, **place) as cluster,
        Client(cluster),
        parallel_config(backend="dask"),
    ):
        rows = run_study(train, {"a": {}}, [0, 1, 2])
        where = run_study(lambda config, seed: os.getpid(), {"a": {}}, range(8))
        failing = run_study(lambda config, seed: 1 / seed, {"a": {}}, [0, 1])
    with parallel_config(backend="sequential"):  # one after the other
        assert rows == run_study(train, {"a": {}}, [0, 1, 2])
    assert rows == run_study(train, {"a": {}}, [0, 1, 2])  # a pool of processes
    assert len({row["result"] for row in where}) == 2
    assert os.getpid() not in {row["result"] for row in where}
    assert [row["error"] for row in failing] == ["ZeroDivisionError: division by zero", None]


@pytest.mark.parametrize("backend", ["loky", "threading", "sequential"])
def test_order_and_failures_do_not_depend_on_who_ends_first(backend):
    def late_first(config, seed):
        time.sleep(0.3 if seed == 0 else 0.0)
        return config / (seed - 2)

    with parallel_config(backend=backend):
        rows = run_study(late_first, {"a": 2.0, "b": 4.0}, [0, 2, 3])
    assert [(row["config"], row["seed"]) for row in rows] == list(product("ab", [0, 2, 3]))
    assert [row["result"] for row in rows] == [-1.0, None, 2.0, -2.0, None, 4.0]
    division = "ZeroDivisionError: float division by zero"
    assert [row["error"] for row in rows] == [None, division, None] * 2


def test_agents_made_side_by_side_in_threads_have_their_own_seeds_weights():
    def make(config, seed):
        return weights(DDPGAgent("Pendulum-v1", 200, 8, seed=seed)).tolist()

    expected = [make(None, seed) for seed in range(4)]
    for _ in range(5):
        with parallel_config(backend="threading"):
            rows = run_study(make, {"a": None}, range(4))
        assert [row["result"] for row in rows] == expected


@pytest.mark.skipif(cpu_count() < 2, reason="one core runs one thread at a time")
def test_nobody_watches_runs_in_threads_and_the_audience_is_back_after_them(monkeypatch):
    monkeypatch.setenv("PGCOURSE_AUDIENCE", "terminal")
    both, seen_outside = threading.Barrier(2, timeout=600), []

    def overlapping(config, seed):
        both.wait()  # both runs are inside, and the one that came first is the last to leave
        inside = audience()
        both.wait()
        time.sleep(0.2 if seed == 0 else 0.0)
        return inside

    def outside():
        for _ in range(20):
            seen_outside.append(audience())
            time.sleep(0.02)

    watcher = threading.Thread(target=outside)
    watcher.start()
    with parallel_config(backend="threading"):
        rows = run_study(overlapping, {"a": None}, [0, 1])
    watcher.join()
    assert [row["result"] for row in rows] == ["nobody", "nobody"]
    assert set(seen_outside) == {"terminal"}
    assert audience() == os.environ["PGCOURSE_AUDIENCE"] == "terminal"


def test_functions_that_pickle_cannot_send_are_sent():
    offset = 5
    rows = run_study(lambda config, seed: config + seed + offset, {"a": 1}, [10])
    assert rows[0]["result"] == 16


def test_whole_agents_come_back():
    def train_agent(config, seed):
        agent = DDPGAgent(make_env("Pendulum-v1"), 200, 8, 1.0, 0.1, seed=seed)
        agent.train(10)
        return agent

    agent = run_study(train_agent, {"a": None}, [0])[0]["result"]
    agent.train(5)
    assert agent.total_steps == 15


def test_a_failing_run_is_reported_and_the_others_are_kept():
    def fail_on_one(config, seed):
        if seed == 1:
            raise ValueError("one is bad")
        return os.getpid()

    rows = run_study(fail_on_one, {"a": None}, [0, 1, 2])
    assert [row["error"] for row in rows] == [None, "ValueError: one is bad", None]
    assert rows[1]["result"] is None and rows[1]["seed"] == 1
    assert rows[0]["result"] != os.getpid()  # in another process


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((3, {"a": 1}, [0]), "train"),
        ((train, {}, [0]), "configs"),
        ((train, ["a"], [0]), "configs"),
        ((train, {"a": 1}, []), "seeds"),
        ((train, {"a": 1}, ["x"]), "seeds"),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments, name):
    with pytest.raises((TypeError, ValueError), match=f"^{name}: got .*expected"):
        run_study(*arguments)
