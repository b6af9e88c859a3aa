"""Stored evidence: every row as it was written, and its beginning replayed."""

import contextlib
import functools
import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from distributed import LocalCluster
from joblib import parallel_config

from pgcourse.runs.evaluation import play
from pgcourse.studies import chapter_04, chapter_07
from pgcourse.studies.chapter_04 import long_episodes, promised_and_came
from pgcourse.studies.evidence import (
    FOLDER,
    TOLERANCE,
    Evidence,
    differences,
    fingerprint,
    flat,
    load_networks,
    study,
)
from pgcourse.tasks.pendulum import interpolate, policy_values
from tests.kinds import make

ROOT = FOLDER.parents[1]
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
ARMS = [(name, arm) for name in NAMES for arm in dict.fromkeys(arm for arm, _ in study(name).JOBS)]


@functools.cache
def stored(name):
    """The rows of a chapter's study, read once."""
    return Evidence(name).load().rows


def test_every_study_has_its_evidence():
    found = (FOLDER.parents[1] / "pgcourse" / "studies").glob("chapter_*.py")
    assert NAMES == sorted(path.stem.removeprefix("chapter_") for path in found)


@pytest.mark.parametrize("name", NAMES)
def test_the_rows_are_complete_and_sorted_and_agree_with_themselves(name):
    found = Evidence(name).load()
    assert list(found.rows) == study(name).JOBS and found.head["failed"] == []
    assert found.head["command"] == f"make study NAME={name}"
    assert {"torch", "numpy", "gymnasium"} == set(found.head["versions"])
    for row in found.rows.values():
        assert row["beginning"] and len(row["steps"]) == len(row["curve"])
        if "panel" not in row:  # else the curve is of other starts
            assert row["curve"][-1] == pytest.approx(np.mean(row["final"]), abs=0.01)
    for kept in getattr(study(name), "KEPT", {}).values():
        assert (FOLDER / f"{kept}.pt").stat().st_size < 1_000_000
    assert found.path.stat().st_size < 500_000


@pytest.mark.parametrize(("name", "arm"), ARMS)
def test_the_beginning_of_an_arm_is_what_its_study_says(name, arm):
    row = next(row for (a, _), row in stored(name).items() if a == arm)
    again = fingerprint(study(name).make(arm, row["seed"]), row["steps"][0])
    tolerance = getattr(study(name), "TOLERANCE", TOLERANCE)
    assert differences(row, again, tolerance) == []


# --- the machinery, on a study of seconds

TINY = "tests.tiny"
RUN = f"""
from joblib import parallel_config
from pgcourse.studies.evidence import Evidence
with parallel_config(backend="sequential"):
    Evidence({TINY!r}, {{!r}}).run()
"""


def found(folder):
    """What a file of rows holds but the seconds that they took."""
    rows = Evidence(TINY, folder).load().rows
    return [(job, {**row, "seconds": 0}) for job, row in rows.items()]


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    """The rows of one run, one after the other."""
    folder = tmp_path_factory.mktemp("serial")
    with parallel_config(backend="sequential"):
        assert Evidence(TINY, folder).run() == []
    return folder


def test_a_study_that_was_killed_three_times_ends_with_the_rows_of_one_run(serial, tmp_path):
    command = [sys.executable, "-c", RUN.format(str(tmp_path))]
    path, kills = tmp_path / f"{TINY}.json", 0
    while kills < 3:
        process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
        before = path.stat().st_mtime_ns if path.exists() else 0
        while process.poll() is None and (not path.exists() or path.stat().st_mtime_ns == before):
            time.sleep(0.01)
        time.sleep(random.random() * 0.3)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
    assert len(found(tmp_path)) >= 3
    with parallel_config(backend="sequential"):
        assert Evidence(TINY, tmp_path).run() == []
    assert found(tmp_path) == found(serial)
    assert (tmp_path / "tiny_sac.pt").exists()


def test_two_workers_of_a_dask_cluster_find_the_same_bit_for_bit(serial, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    place = {"dashboard_address": None, "local_directory": str(tmp_path)}
    with LocalCluster(**options, **place) as cluster:
        done = subprocess.run(
            [sys.executable, "-m", "pgcourse.tools.study", TINY, "--folder",
             str(tmp_path / "found"), "--scheduler", cluster.scheduler_address],
            cwd=ROOT, capture_output=True, text=True,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert found(tmp_path / "found") == found(serial)


def test_rows_of_other_versions_are_not_mixed(serial, tmp_path):
    evidence = Evidence(TINY, tmp_path)
    other = Evidence(TINY, serial).load()
    evidence.head, evidence.rows = other.head | {"versions": {"torch": "0.1"}}, other.rows
    evidence.save()
    with pytest.raises(
        ValueError, match=r"its rows were made with .*0\.1.*delete it to begin anew"
    ):
        Evidence(TINY, tmp_path).run()


def test_a_run_that_fails_is_named_and_left_to_be_run_again(serial, tmp_path, monkeypatch):
    import tests.tiny

    train = tests.tiny.train
    monkeypatch.setattr(tests.tiny, "train", lambda arm, seed: 1 / seed if arm == "SAC" else
                        train(arm, seed) if seed < 2 else 1 / 0)  # fmt: skip
    monkeypatch.setattr(tests.tiny, "JOBS", [("DDPG", 0), ("DDPG", 1), ("SAC", 0)])
    with parallel_config(backend="sequential"):
        failed = Evidence(TINY, tmp_path).run()
    assert failed == ["SAC, seed 0: ZeroDivisionError: division by zero"]
    assert Evidence(TINY, tmp_path).load().head["failed"] == failed
    monkeypatch.setattr(tests.tiny, "train", train)
    monkeypatch.setattr("pgcourse.studies.evidence.processor", lambda: "another")
    with parallel_config(backend="sequential"):
        assert Evidence(TINY, tmp_path).run() == []
    machines = Evidence(TINY, tmp_path).load().head["processor"].split("; ")
    assert len(machines) == 2 and "another" in machines  # rows of both are in the file
    assert found(tmp_path) == [(job, row) for job, row in found(serial)
                               if job in tests.tiny.JOBS]  # fmt: skip


def test_a_number_that_was_edited_is_found(serial, tmp_path):
    text = (serial / f"{TINY}.json").read_text()
    row = json.loads(text)["rows"][1]
    for number in (row["curve"][-1], row["final"][0], row["beginning"]["10"]["critic_loss"]):
        assert str(number) in text
        (tmp_path / f"{TINY}.json").write_text(text.replace(str(number), str(number + 1), 1))
        with pytest.raises(ValueError, match="seed . was changed"):
            Evidence(TINY, tmp_path).load()


def test_an_equation_that_was_changed_is_found(serial, monkeypatch):
    row = Evidence(TINY, serial).load().rows["DDPG", 1]
    assert differences(row, fingerprint(make("DDPG", 1), 20)) == []
    monkeypatch.setattr("pgcourse.agents.ddpg.td_target", lambda reward, next_q, end, gamma: reward)
    changed = differences(row, fingerprint(make("DDPG", 1), 20))
    assert "DDPG, seed 1, update 10: critic_loss" in " ".join(changed)


def test_networks_that_a_study_kept_are_those_of_its_row(serial):
    agent, other = load_networks(make("SAC", 9), "tiny_sac", serial), make("SAC", 1)
    other.train(60, 0)
    assert torch.equal(flat(agent.actor), flat(other.actor))


def signed(x):
    return f"{x:.1f}".replace("-", "−")


def test_the_readmes_tables_are_the_evidence():
    text, run = (ROOT / "README.md").read_text(encoding="utf-8"), study("03").RUN
    rows = Evidence("03").load().rows
    for seed in study("03").RUN_SEEDS:
        final = rows[run, seed]["final"]
        assert f"| {seed} | {signed(np.mean(final))} | {signed(min(final))} |" in text
    for line in arm_table():
        assert line in text


def arm_table():
    """The lines of the robot arm's table."""
    rows = Evidence("08").load().rows
    for arm, (episodes, _) in study("08").ARM_KINDS.items():
        found = [rows[arm, seed] for seed in study("08").SEEDS]
        ends = {episodes: [row["final"] for row in found]}
        for end in {key for row in found for key in row["panel"]}:
            ends[int(end)] = [row["panel"][end] for row in found]
        for end, final in sorted(ends.items()):
            each = " ".join(f"{np.mean(met):.2f}" for met in final)
            yield f"| {arm} | {end} | {each} | {np.mean(final):.3f} |"


def test_what_a_critic_promised_is_held_against_what_came():
    obs, action = np.zeros((4, 3)), np.zeros((3, 1))
    critic = lambda obs, action: 10.0 + obs[:, 0] + action[:, 0]  # noqa: E731
    episode = obs, action, np.array([1.0, 2.0, 4.0])  # it fell
    promised, came = promised_and_came(critic, episode, 0.5)
    assert promised.tolist() == [10.0] * 3 and came.tolist() == [3.0, 4.0, 4.0]
    # A bonus counts for the steps that follow: 2 + (4 + 8) / 2, and 1 + (8 + 2) / 2.
    assert promised_and_came(critic, episode, 0.5, np.array([9.0, 2.0, 8.0]))[1].tolist() == [
        6.0, 8.0, 4.0,
    ]  # fmt: skip
    whole = np.zeros((901, 3)), np.zeros((900, 1)), np.ones(900)  # the time limit came
    assert len(promised_and_came(critic, whole, 0.5)[0]) == 200
    assert len(promised_and_came(critic, [x[:-1] for x in whole], 0.5)[0]) == 899


def test_what_came_is_what_the_grid_of_the_pendulum_says():
    agent = chapter_04.make("pendulum: TD3", 0)
    load_networks(agent, "04_td3")
    values = policy_values(agent, 0.99, 201, 201)
    _, came = chapter_04.promises(agent, "pendulum")
    starts = chapter_04.TASKS["pendulum"][3][:10]
    paths = [play(agent, long_episodes("Pendulum-v1"), seed)[0][:200] for seed in starts]
    cos, sin, velocity = torch.from_numpy(np.concatenate(paths)).float().T
    angle = torch.atan2(sin, cos)
    found = interpolate(values, angle[:, None], velocity[:, None]).ravel().numpy()
    assert len(came) == 2_000
    assert abs(np.median(found - came)) < 1.0 and np.mean(np.abs(found - came) < 10) > 0.9


def test_a_teacher_who_is_not_there_is_named():
    with pytest.raises(ValueError, match="^teacher: got 'fullforce'; expected one of full force"):
        chapter_07.demonstrations("fullforce")
