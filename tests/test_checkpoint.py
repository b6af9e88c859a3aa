"""Nothing is lost: saved, interrupted and killed training goes on as if nothing had happened.

What every kind of agent promises of its checkpoints stands in `test_contract.py`.
"""

import os
import pickle
import signal
import time

import gymnasium as gym
import numpy as np
import pytest
import torch
from jupyter_client.manager import start_new_kernel

from pgcourse import DDPGAgent, make_env
from pgcourse.runs.interrupt import HeldInterrupt
from tests.kill_saves import kill_saves
from tests.kinds import digest, make, short_pendulum, weights

TOTAL = 130


@pytest.fixture(scope="module")
def uninterrupted():
    torch.set_num_threads(1)
    agent = make("DDPG")
    agent.train(TOTAL, 0)
    return digest(agent)


def test_the_first_reset_is_still_seeded_after_loading_a_new_agent(tmp_path, uninterrupted):
    make("DDPG").save(tmp_path / "a.pt")
    again = make("DDPG")
    again.load(tmp_path / "a.pt")
    again.train(TOTAL, 0)
    assert digest(again) == uninterrupted


def test_train_saves_at_ends_of_episodes_and_carries_on_and_says_so(tmp_path, capsys):
    path, agent, saved = tmp_path / "run.pt", make("DDPG"), []
    save = agent.save
    agent.save = lambda where: (saved.append(agent.total_steps), save(where))
    agent.train(TOTAL, 0, checkpoint=path, checkpoint_interval=25)
    assert saved == [40, 80, 120]
    again = make("DDPG")
    again.train(TOTAL, 0, checkpoint=path)
    assert "Carrying on at step 120 from" in capsys.readouterr().out
    assert digest(again) == digest(agent)


def test_an_episode_under_way_is_dropped_by_a_save(tmp_path):
    agent, again = make("DDPG"), make("DDPG")
    agent.train(50, 0)
    agent.save(tmp_path / "a.pt")
    again.load(tmp_path / "a.pt")
    assert agent.obs is not None and again.obs is None
    assert again.total_steps == 50 and len(again.history.scores) == 2


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda: make("TD3"), "whose file differs in 'critic"),
        (lambda: make("DDPG", env="MountainCarContinuous-v0"), "whose file.environment is "),
        (lambda: make("DDPG", hidden=(8, 16)), r"whose file.actor.net.0.weight is .*\(16, 3\)"),
        (lambda: make("DDPG", amsgrad=False), "whose file.moments.critic.0 differs in 'max_exp"),
        (lambda: make("DDPG", env=lambda: short_pendulum(g=2.0)), r"g=10.0.* and not .*g=2.0"),
    ],
)
def test_a_checkpoint_of_something_else_is_refused_and_the_difference_named(
    tmp_path, other, message
):
    agent = make("DDPG")
    agent.train(30, 0)
    agent.save(tmp_path / "a.pt")
    stranger = other()
    before = digest(stranger)
    for attempt in (
        lambda: stranger.load(tmp_path / "a.pt"),
        lambda: stranger.train(10, 0, checkpoint=tmp_path / "a.pt"),
    ):
        with pytest.raises(ValueError, match=f"^path: got .*{message}.*expected a checkpoint"):
            attempt()
    assert digest(stranger) == before


def test_other_wrappers_are_another_environment(tmp_path):
    agent = make("DDPG")
    agent.save(tmp_path / "a.pt")
    clipped = make_env(lambda: gym.wrappers.ClipReward(short_pendulum(), -1.0, 1.0))
    with pytest.raises(ValueError, match="ClipReward"):
        make("DDPG", env=clipped).load(tmp_path / "a.pt")


class OwnDice(gym.Wrapper):
    """A wrapper that draws from a stream of its own."""

    def __init__(self, env):
        super().__init__(env)
        self.dice = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("wrapper", "name"),
    [
        (gym.wrappers.NormalizeReward, "NormalizeReward, whose return_rms"),
        (gym.wrappers.NormalizeObservation, "NormalizeObservation, whose obs_rms"),
        (OwnDice, "OwnDice, whose dice"),
    ],
)
def test_what_a_checkpoint_would_lose_is_refused_by_name_at_once(tmp_path, wrapper, name):
    agent = make("DDPG", env=make_env(lambda: wrapper(short_pendulum())))
    with pytest.raises(ValueError, match=f"^env: got {name} outlives an episode"):
        agent.train(10, 0, checkpoint=tmp_path / "a.pt")
    assert agent.total_steps == 0
    with pytest.raises(ValueError, match=f"^env: got {name} outlives an episode"):
        agent.save(tmp_path / "a.pt")


def test_a_moment_of_another_shape_and_a_column_of_one_row_are_refused(tmp_path):
    agent, path = make("DDPG"), tmp_path / "a.pt"
    agent.train(60, 0)
    for change in (
        lambda s: s["moments"]["actor"]["0"].update(exp_avg=torch.zeros(1, 3)),
        lambda s: s["memory"]["rows"].update(reward=torch.ones(1)),
    ):
        state = agent.state_dict()
        change(state)
        torch.save(state, path)
        with pytest.raises(ValueError, match="^path: got .*expected a checkpoint"):
            make("DDPG").load(path)


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
            make("DDPG").load(path)
    assert not sentinel.exists()


def test_missing_files_and_folders(tmp_path):
    agent = make("DDPG")
    with pytest.raises(FileNotFoundError, match="^path: got .*expected"):
        agent.load(tmp_path / "none.pt")
    with pytest.raises(ValueError, match="^path: got .*expected"):
        agent.load(tmp_path)
    with pytest.raises(FileNotFoundError, match="^path: got .*expected"):
        agent.save(tmp_path / "no" / "a.pt")
    with pytest.raises(ValueError, match="^path: got .*expected"):
        agent.save(tmp_path)


def test_a_save_that_fails_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.pt"
    make("DDPG").save(path)
    old = path.read_bytes()
    monkeypatch.setattr("torch.save", lambda state, file: file.write(b"half") and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make("DDPG").save(path)
    assert path.read_bytes() == old and [p.name for p in tmp_path.iterdir()] == ["a.pt"]


def test_an_interrupt_waits_for_the_whole_step_and_training_can_go_on(uninterrupted):
    agent, handler = make("DDPG"), signal.getsignal(signal.SIGINT)
    learn = agent.learn

    def interrupted_at_60():
        if agent.total_steps == 60:
            os.kill(os.getpid(), signal.SIGINT)
        learn()

    agent.learn = interrupted_at_60
    with pytest.raises(KeyboardInterrupt):
        agent.train(TOTAL, 0)
    assert agent.total_steps == agent.history.loss_steps["critic_loss"][-1] == 60
    assert signal.getsignal(signal.SIGINT) is handler
    assert len(agent.test().frames) == 20
    agent.learn = learn
    agent.train(TOTAL - 60, 0)
    assert digest(agent) == uninterrupted | {"counts.first_step": 60}


def test_a_second_interrupt_is_obeyed_at_once():
    with HeldInterrupt() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.asked
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)


def test_a_running_kernel_is_interrupted_and_goes_on(monkeypatch, tmp_path):
    monkeypatch.setenv("PGCOURSE_AUDIENCE", "nobody")
    learns = tmp_path / "learns"  # the agent writes it, however slow the machine is
    manager, client = start_new_kernel(kernel_name="python3")
    try:

        def run(code, interrupt=False):
            asked = client.execute(code, stop_on_error=False)  # else what follows is aborted
            if interrupt:
                while not learns.exists() and client.is_alive():
                    time.sleep(0.05)
                manager.interrupt_kernel()
            while True:  # there may be a reply to the question whether the kernel is ready
                reply = client.get_shell_msg(timeout=600)
                if reply["parent_header"].get("msg_id") == asked:
                    return reply["content"]

        setup = (
            "from pgcourse import *\n"
            "agent = DDPGAgent('Pendulum-v1', 500, 8, 1.0, 0.1, initial_random_steps=9)\n"
            "learn = agent.learn\n"
            "def learn_and_tell():\n"
            "    learn()\n"
            "    if agent.total_steps > 20:\n"
            f"        open({str(learns)!r}, 'w').close()\n"
            "agent.learn = learn_and_tell"
        )
        assert run(setup)["status"] == "ok"
        assert run("agent.train(10_000_000)", interrupt=True).get("ename") == "KeyboardInterrupt"
        check = (
            "n = agent.total_steps\n"
            "assert n > 8 and agent.updates == n - 7, n\n"
            "agent.train(10)\n"
            "assert agent.total_steps == n + 10 and len(agent.test().frames) == 200"
        )
        assert run(check)["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_weight_that_is_not_finite_stops_training_within_one_update():
    agent = make("DDPG")
    agent.train(100, 0)
    with torch.no_grad():
        agent.actor.net[0].weight[0, 0] = torch.nan
    with pytest.raises((FloatingPointError, ValueError), match=r"actor_loss is nan|action: got"):
        agent.train(2, 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_saves_leave_a_whole_file_and_lose_none_that_was_acknowledged(tmp_path):
    assert kill_saves(10, tmp_path) == {"kills": 10, "corrupt": 0, "lost": 0}


def test_a_checkpoint_never_takes_an_agent_back(tmp_path):
    path, agent = tmp_path / "run.pt", make("DDPG")
    agent.train(60, 0, checkpoint=path)
    agent.train(20, 0, checkpoint=path)  # the run was finished: twenty more
    assert agent.total_steps == 80
    agent.train(40, 0, checkpoint=path)  # a longer run than the one before
    assert agent.total_steps == 120
    agent.train(10, 0)
    before = weights(agent)
    agent.train(10, 0, checkpoint=path)  # the file holds this agent's own past
    assert agent.total_steps == 140 and not torch.equal(weights(agent), before)
    stranger = make("DDPG", seed=4)
    stranger.train(200, 0)
    with pytest.raises(ValueError, match="^checkpoint: got .*of another run; expected a new file"):
        stranger.train(10, 0, checkpoint=path)
    assert stranger.total_steps == 200


def test_an_environment_made_by_its_id_is_described_by_its_settings():
    from pgcourse.runs.checkpoint import environment

    text = environment(DDPGAgent("Pendulum-v1").env)
    assert "TimeLimit(max_episode_steps=200)" in text and "PendulumEnv(g=10.0)" in text
