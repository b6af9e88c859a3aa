"""Nothing is lost: saved, interrupted and killed training goes on as if nothing had happened."""

import copy
import hashlib
import os
import pickle
import signal
import time

import numpy as np
import pytest
import torch
from jupyter_client.manager import start_new_kernel

from pgcourse import BCAgent, DDPGAgent, make_env
from pgcourse.checkpoint import restore, snapshot
from pgcourse.training import HeldInterrupt
from tests.conftest import weights
from tests.kill_saves import kill_saves

TOTAL = 330  # steps: one whole episode and part of the next


def new_agent(kind="ddpg", seed=0, env_id="Pendulum-v1", **changes):
    options = {"initial_random_steps": 40, "seed": seed} | changes
    env = make_env(env_id)
    if kind == "ddpg":
        return DDPGAgent(env, 250, 8, 0.15, 0.2, **options)
    rng = np.random.default_rng(0)
    demo = [(rng.normal(size=3), [0.5], -1.0, rng.normal(size=3), False) for _ in range(20)]
    return BCAgent(env, 250, 8, 4, 0.15, 0.2, demo, **options)


def digest(agent):
    """A fingerprint of all that training changes."""
    sha = hashlib.sha256(weights(agent).numpy().tobytes())
    for part in (agent.history, agent.total_steps, agent.score, agent.noise.state.tolist()):
        sha.update(repr(part).encode())
    for column in agent.memory.data:
        sha.update(column.tobytes())
    return sha.hexdigest()


@pytest.fixture(scope="module")
def uninterrupted():
    torch.set_num_threads(1)
    digests = {}
    for kind in ("ddpg", "bc"):
        agent = new_agent(kind)
        agent.train(TOTAL)
        digests[kind] = digest(agent)
    return digests


@pytest.mark.parametrize("kind", ["ddpg", "bc"])
@pytest.mark.parametrize(
    "stop", [1, 8, 200, 201, *np.random.default_rng(0).integers(2, TOTAL, 16).tolist()]
)
def test_resumed_training_is_bit_identical(tmp_path, uninterrupted, kind, stop):
    agent = new_agent(kind)
    agent.train(stop)
    agent.save(tmp_path / "a.pt")
    again = type(agent).load(tmp_path / "a.pt", make_env("Pendulum-v1"))
    again.train(TOTAL - stop)
    assert digest(again) == uninterrupted[kind]


ITEMS = [
    *(("modules", key) for key in ("actor", "critic", "actor_target", "critic_target")),
    *(("modules", key) for key in ("actor_optimizer", "critic_optimizer")),
    *(("numbers", key) for key in ("score", "total_steps")),
    *(("streams", key) for key in ("agent", "noise", "memory", "demo_memory", "environment")),
    ("buffers", "memory"),
    ("noise",),
    ("history",),
    ("episode_actions",),
    ("obs",),
]


@pytest.mark.parametrize("item", ITEMS, ids="-".join)
def test_every_item_of_a_checkpoint_is_needed(item):
    # The random stream of the warm-up matters only while it lasts.
    warm_up = 300 if item == ("streams", "agent") else 40
    first, other = (new_agent("bc", seed=seed, initial_random_steps=warm_up) for seed in (0, 9))
    blank = snapshot(other)
    first.train(250)
    state = copy.deepcopy(snapshot(first)) | {"settings": other.settings}
    whole = copy.deepcopy(state)
    first.train(200)  # through the next reset, at step 400

    restore(other, whole)
    other.train(200)
    assert digest(other) == digest(first)

    inner = state
    for key in item[:-1]:
        inner, blank = inner[key], blank[key]
    inner[item[-1]] = blank[item[-1]]
    broken = new_agent("bc", seed=9, initial_random_steps=warm_up)
    try:
        restore(broken, state)
    except ValueError:
        return  # the omission was noticed
    broken.train(200)
    assert digest(broken) != digest(first)


def test_the_first_reset_is_still_seeded_after_loading_a_new_agent(tmp_path, uninterrupted):
    new_agent().save(tmp_path / "a.pt")
    again = DDPGAgent.load(tmp_path / "a.pt", make_env("Pendulum-v1"))
    again.train(TOTAL)
    assert digest(again) == uninterrupted["ddpg"]


def test_train_saves_as_it_goes_and_carries_on_and_says_so(tmp_path, uninterrupted, capsys):
    path = tmp_path / "run.pt"
    agent, steps = new_agent(), []
    update = agent.update_model

    def stop_at_230():
        steps.append(agent.total_steps)
        if agent.total_steps == 230:
            raise RuntimeError("the laptop sleeps")
        return update()

    agent.update_model = stop_at_230
    with pytest.raises(RuntimeError):
        agent.train(TOTAL, checkpoint=path, checkpoint_interval=100)
    again = new_agent()
    history = again.train(TOTAL, checkpoint=path, checkpoint_interval=100)
    assert "Carrying on at step 200 from" in capsys.readouterr().out
    assert digest(again) == uninterrupted["ddpg"] and history.update_steps[-1] == TOTAL
    third = new_agent()
    third.train(TOTAL, checkpoint=path)  # it is finished: nothing is left to do
    assert digest(third) == uninterrupted["ddpg"]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda: new_agent("bc"), "agent 'DDPGAgent'; expected 'BCAgent'"),
        (
            lambda: new_agent(env_id="MountainCarContinuous-v0"),
            r"environment 'Pendulum-v1 .*; expected 'MountainCarContinuous-v0",
        ),
        (lambda: new_agent(gamma=0.5), "'gamma': 0.99.*expected .*'gamma': 0.5"),
    ],
)
def test_a_checkpoint_of_something_else_is_refused_with_both_named(tmp_path, other, message):
    agent = new_agent()
    agent.train(30)
    agent.save(tmp_path / "a.pt")
    stranger = other()
    before = digest(stranger)
    with pytest.raises(ValueError, match=message):
        stranger.train(10, checkpoint=tmp_path / "a.pt")
    assert digest(stranger) == before
    if type(stranger) is not DDPGAgent:
        with pytest.raises(ValueError, match=message):
            type(stranger).load(tmp_path / "a.pt", make_env("Pendulum-v1"))


class Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_a_checkpoint_cannot_run_code(tmp_path):
    sentinel, path = tmp_path / "sentinel", tmp_path / "evil.pt"
    torch.save({"agent": Touch(sentinel)}, path)
    for content in (path.read_bytes(), pickle.dumps(Touch(sentinel)), b"", b"nonsense"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="^path: got .*expected a checkpoint"):
            DDPGAgent.load(path, make_env("Pendulum-v1"))
    assert not sentinel.exists()


def test_missing_files_folders_and_strays(tmp_path):
    agent, env = new_agent(), make_env("Pendulum-v1")
    with pytest.raises(FileNotFoundError, match="^path: got .*expected"):
        DDPGAgent.load(tmp_path / "none.pt", env)
    with pytest.raises(ValueError, match="^path: got .*expected"):
        DDPGAgent.load(tmp_path, env)
    with pytest.raises(FileNotFoundError, match="^path: got .*expected"):
        agent.save(tmp_path / "no" / "a.pt")
    (tmp_path / ".a.pt.x.tmp").write_bytes(b"half a checkpoint")
    agent.save(tmp_path / "a.pt")
    assert [p.name for p in tmp_path.iterdir()] == ["a.pt"]


def test_a_save_that_fails_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.pt"
    new_agent().save(path)
    old = path.read_bytes()
    monkeypatch.setattr("torch.save", lambda state, file: file.write(b"half") and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        new_agent().save(path)
    assert path.read_bytes() == old and [p.name for p in tmp_path.iterdir()] == ["a.pt"]


def test_an_interrupt_waits_for_the_whole_step_and_training_can_go_on(tmp_path, uninterrupted):
    agent, handler = new_agent(), signal.getsignal(signal.SIGINT)
    update = agent.update_model

    def interrupted_at_60():
        if agent.total_steps == 60:
            os.kill(os.getpid(), signal.SIGINT)
        return update()

    agent.update_model = interrupted_at_60
    with pytest.raises(KeyboardInterrupt):
        agent.train(TOTAL, checkpoint=tmp_path / "a.pt")
    assert agent.total_steps == agent.history.update_steps[-1] == 60
    assert DDPGAgent.load(tmp_path / "a.pt", make_env("Pendulum-v1")).total_steps == 60
    assert signal.getsignal(signal.SIGINT) is handler
    assert len(agent.test().frames) == 200
    agent.update_model = update
    agent.train(TOTAL - 60)
    assert digest(agent) == uninterrupted["ddpg"]


def test_a_second_interrupt_is_obeyed_at_once():
    with HeldInterrupt() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.asked
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)


def test_a_running_kernel_is_interrupted_and_goes_on(monkeypatch):
    monkeypatch.setenv("PGCOURSE_AUDIENCE", "nobody")
    manager, client = start_new_kernel(kernel_name="python3")
    try:

        def run(code, interrupt=False):
            client.execute(code)
            if interrupt:
                time.sleep(2)
                manager.interrupt_kernel()
            return client.get_shell_msg(timeout=60)["content"]

        setup = (
            "from pgcourse import *\n"
            "agent = DDPGAgent(make_env('Pendulum-v1'), 500, 8, 1.0, 0.1, initial_random_steps=9)"
        )
        assert run(setup)["status"] == "ok"
        assert run("agent.train(10_000_000)", interrupt=True)["ename"] == "KeyboardInterrupt"
        check = (
            "n = agent.total_steps\n"
            "assert n > 8 and len(agent.history.update_steps) == n - 7, n\n"
            "agent.train(10)\n"
            "assert agent.total_steps == n + 10 and len(agent.test().frames) == 200"
        )
        assert run(check)["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.mark.parametrize("name", ["critic_loss", "actor_loss"])
def test_a_loss_that_is_not_finite_stops_training_and_keeps_the_weights(name):
    agent = new_agent()
    agent.train(100)
    last = agent.history.losses[name][-1]
    before = weights(agent).clone()
    if name == "critic_loss":
        agent.memory.data.reward[:] = 1e30
    else:
        agent.update_critic = lambda batch: {"critic_loss": 0.0}
        agent.actor_objective = lambda batch: (None, {"actor_loss": torch.tensor(np.nan)})
    with pytest.raises(FloatingPointError, match=f"step 101: {name} is .*{last}"):
        agent.train(10)
    assert torch.equal(weights(agent), before)
    assert len(agent.history.losses["critic_loss"]) == 93


def test_a_weight_that_is_not_finite_stops_training_within_one_update():
    agent = new_agent()
    agent.train(100)
    with torch.no_grad():
        agent.actor.net[0].weight[0, 0] = torch.nan
    with pytest.raises((FloatingPointError, ValueError), match=r"actor_loss is nan|action: got"):
        agent.train(2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_saves_leave_a_whole_file_and_lose_none_that_was_acknowledged(tmp_path):
    assert kill_saves(10, tmp_path) == {"kills": 10, "corrupt": 0, "lost": 0}


def test_a_checkpoint_never_takes_an_agent_back(make_agent, tmp_path):
    path, agent = tmp_path / "run.pt", make_agent()
    agent.train(60, 0, checkpoint=path)
    agent.train(20, 0, checkpoint=path)  # the run was finished: twenty more
    assert agent.total_steps == 80
    agent.train(40, 0, checkpoint=path)  # a longer run than the one before
    assert agent.total_steps == 120
    agent.train(10, 0)
    with pytest.raises(ValueError, match="^checkpoint: got one of step 120 for .* step 130"):
        agent.train(10, 0, checkpoint=path)
    assert agent.total_steps == 130


def test_other_files_of_tensors_are_no_checkpoints(tmp_path):
    path = tmp_path / "weights.pt"
    torch.save(torch.nn.Linear(1, 1).state_dict(), path)
    with pytest.raises(ValueError, match=r"^path: got .*without agent, .*expected a checkpoint"):
        DDPGAgent.load(path, make_env("Pendulum-v1"))
