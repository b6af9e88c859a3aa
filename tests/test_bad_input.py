"""Every public function and constructor: one clear error that names the argument.

The tests of each file hold the cases that belong to its subject; this table holds the rest.
"""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete

import pgcourse as pg
from pgcourse.parts.seeding import seed_everything

T, NAN = torch.zeros, float("nan")
ENV = pg.make_env("Pendulum-v1")
FRAME = np.zeros((4, 4, 3), np.uint8)


class Odd(gym.Env):
    observation_space = Box(-1, 1, (2,), np.float32)
    action_space = Box(-1, 1, (1,), np.float32)

    def __init__(self, **spaces):
        vars(self).update(spaces)


def agent(**changes):
    good = {
        "env": ENV, "memory_size": 50, "batch_size": 5, "ou_noise_theta": 1.0,
        "ou_noise_sigma": 0.1,
    }  # fmt: skip
    return pg.DDPGAgent(**(good | changes))


def study(**changes):
    return pg.run_study(**({"train": print, "configs": {"a": 1}, "seeds": [0]} | changes))


CASES = [
    ("reward", lambda: pg.td_target([1.0], T(1), T(1), 0.9)),
    ("next_q", lambda: pg.td_target(T(1), np.zeros(1), T(1), 0.9)),
    ("gamma", lambda: pg.td_target(T(1), T(1), T(1), NAN)),
    ("gamma", lambda: pg.td_target(T(1), T(1), T(1), "0.9")),
    ("gamma", lambda: pg.td_target(T(1), T(1), T(1), 1.1)),
    ("target", lambda: pg.critic_loss(T(2), None)),
    ("q", lambda: pg.critic_loss(T(2), T(3))),
    ("q", lambda: pg.actor_loss(3.0)),
    ("q", lambda: pg.actor_loss(T(()))),
    ("demo_q", lambda: pg.q_filter([1.0], T(1))),
    ("action", lambda: pg.bc_loss([[1.0]], T(1, 1), T(1))),
    ("mask", lambda: pg.bc_loss(T(1, 1), T(1, 1), None)),
    ("action", lambda: pg.bc_loss(T(2, 1), T(3, 1), T(2))),
    ("target", lambda: pg.soft_update(None, pg.Critic(2), 0.1)),
    ("source", lambda: pg.soft_update(pg.Critic(2), "net", 0.1)),
    ("source", lambda: pg.soft_update(pg.Critic(2), pg.Critic(3), 0.1)),
    ("tau", lambda: pg.soft_update(pg.Critic(2), pg.Critic(2), np.inf)),
    ("in_dim", lambda: pg.Actor("3", 1)),
    ("out_dim", lambda: pg.Actor(3, None)),
    ("init_w", lambda: pg.Critic(3, init_w="small")),
    ("env", lambda: agent(env=None)),
    ("env.action_space", lambda: agent(env=Odd(action_space=Discrete(3)))),
    ("env.action_space", lambda: agent(env=Odd(action_space=Box(-np.inf, np.inf, (1,))))),
    ("env.observation_space", lambda: agent(env=Odd(observation_space=Dict(a=Box(0, 1, (1,)))))),
    ("env.observation_space", lambda: agent(env=Odd(observation_space=Box(0, 1, (2, 2))))),
    ("size", lambda: agent(memory_size="many")),
    ("size", lambda: agent(memory_size=-1)),
    ("batch_size", lambda: agent(batch_size=51)),
    ("batch_size", lambda: agent(batch_size=2.5)),
    ("theta", lambda: agent(ou_noise_theta=None)),
    ("sigma", lambda: agent(ou_noise_sigma=-0.1)),
    ("gamma", lambda: agent(gamma=NAN)),
    ("tau", lambda: agent(tau=2)),
    ("seed", lambda: agent(seed=-1)),
    ("seed", lambda: agent(seed=None)),
    ("device", lambda: agent(device=3.5)),
    ("num_frames", lambda: agent().train("10")),
    ("plotting_interval", lambda: agent().train(10, plotting_interval=-1)),
    ("checkpoint_interval", lambda: agent().train(10, checkpoint_interval=0)),
    ("seed", lambda: agent().test(seed=-3)),
    ("agent", lambda: pg.evaluate(None, "Pendulum-v1", [0])),
    ("seeds", lambda: pg.evaluate(agent(), "Pendulum-v1", 5)),
    ("seeds", lambda: pg.evaluate(agent(), "Pendulum-v1", [NAN])),
    ("env", lambda: pg.evaluate(agent(), None, [0])),
    ("env", lambda: pg.make_env("Pendulum-v99")),
    ("env", lambda: pg.make_env("")),
    ("env.action_space", lambda: pg.make_env("CartPole-v1")),
    ("env", lambda: pg.ActionNormalizer(3)),
    ("history", lambda: pg.plot_history([1, 2])),
    ("fig", lambda: pg.show_figure("fig", "text")),
    ("env", lambda: pg.render_episode(agent(), ENV, 0)),
    ("env", lambda: pg.render_episode(agent(), pg.register_bit_flip(2), 0)),
    ("seed", lambda: pg.render_episode(agent(), "Pendulum-v1", -1)),
    ("env", lambda: pg.make_env(ENV)),
    ("env", lambda: pg.make_env(3)),
    ("env", lambda: pg.make_env(lambda: "no environment")),
    ("env", lambda: pg.make_env("Pendulum-v1", gravity=2.0)),
    ("env", lambda: pg.evaluate(agent(), ENV, [0])),
    ("env", lambda: pg.successes(agent(), ENV, [0])),
    ("env", lambda: pg.record_demos(agent().policy, ENV, 1, 0)),
    ("frames", lambda: pg.show_video(None, "text")),
    ("frames", lambda: pg.show_video([FRAME[:, :, 0]], "text")),
    ("frames", lambda: pg.show_video([FRAME / 255], "text")),
    ("frames", lambda: pg.show_video(["frame"], "text")),
    ("frames", lambda: pg.show_video([FRAME, FRAME[:2]], "text")),
    ("fps", lambda: pg.show_video([FRAME], "text", fps=NAN)),
    ("every", lambda: pg.show_video([FRAME], "text", every=1.5)),
    ("path", lambda: pg.save_video(None, [FRAME])),
    ("path", lambda: pg.save_video("no/such/folder/a.mp4", [FRAME])),
    ("path", lambda: pg.save_video("a.txt", [FRAME])),
    ("objects", lambda: pg.show_source(3)),
    ("seed", lambda: seed_everything(True)),
    ("train", lambda: study(train="train")),
    ("configs", lambda: study(configs={})),
    ("seeds", lambda: study(seeds=3)),
]


@pytest.mark.parametrize(("name", "call"), CASES, ids=[f"{k}-{c[0]}" for k, c in enumerate(CASES)])
def test_one_error_that_names_the_argument_what_came_and_what_would_do(name, call):
    with pytest.raises((TypeError, ValueError, FileNotFoundError)) as caught:
        call()
    text = str(caught.value)
    assert text.startswith(f"{name}") and "expected" in text, text


def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied", str(tmp_path))

    # root, as in CI, may write anywhere
    monkeypatch.setattr("pgcourse.files.open", refuse, raising=False)
    with pytest.raises(ValueError, match=r"^path: got .*expected a folder that can be written"):
        agent().save(tmp_path / "a.pt")
