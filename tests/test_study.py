import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from distributed import Client, LocalCluster

from pgcourse import DDPGAgent, make_env, run_study
from pgcourse.tools.study import table
from tests.conftest import weights


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
    with ThreadPoolExecutor(1) as pool:
        assert run_study(train, configs, [0, 1], pool) == rows
    assert all(row["error"] is None for row in rows)
    assert rows[0]["result"] != rows[1]["result"] != rows[3]["result"]


def test_two_workers_of_a_dask_cluster_give_the_same_bit_for_bit(tmp_path):
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    place = {"dashboard_address": None, "local_directory": str(tmp_path)}
    with LocalCluster(**options, **place) as cluster, Client(cluster) as client:
        dask = client.get_executor()
        rows = run_study(train, {"a": {}}, [0, 1, 2], dask)
        where = run_study(lambda config, seed: os.getpid(), {"a": {}}, range(8), dask)
        failing = run_study(lambda config, seed: 1 / seed, {"a": {}}, [0, 1], dask)
    with ThreadPoolExecutor(1) as one_after_the_other:
        assert rows == run_study(train, {"a": {}}, [0, 1, 2], one_after_the_other)
    assert rows == run_study(train, {"a": {}}, [0, 1, 2])  # a pool of processes
    assert len({row["result"] for row in where}) == 2
    assert os.getpid() not in {row["result"] for row in where}
    assert [row["error"] for row in failing] == ["ZeroDivisionError: division by zero", None]


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


def test_the_studys_table_names_failed_runs_and_averages_the_others():
    best, chance = np.array([-100.0]), np.array([-1100.0])
    good = {"seed": 0, "result": [-200.0], "error": None}
    bad = {"seed": 1, "result": None, "error": "ValueError: no"}
    text = table([good, bad], best, chance)
    assert "| 0 | -200.0 | 100.0 | 0.9000 |" in text
    assert "| 1 | failed: ValueError: no | | |" in text
    assert "| mean of 1 | -200.0 | 100.0 | 0.9000 |" in text
    assert "mean" not in table([bad], best, chance).partition("|---")[2]
