"""The cockpit's Python side; tests/browser/test_drive.py drives the page."""

import importlib
import io
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box
from PIL import Image

from pgcourse import BCAgent, load_demos, make_env
from pgcourse.display import drive
from pgcourse.tasks.demos import episodes_of, save_demos
from pgcourse.tasks.recording import PAGE, retrace

CAR, PENDULUM = "MountainCarContinuous-v0", "Pendulum-v1"
STORED = Path(__file__).parents[1] / "notebooks" / "evidence" / "07_drive.npz"


def recording(name, seed, push=lambda state, k: 1.0 if state[1] >= 0 else -1.0):
    """An episode as the page records it, and its transitions as gymnasium gave them."""
    env, kind = make_env(name), PAGE[name][0]
    env.reset(seed=seed)
    env.unwrapped.state = env.unwrapped.state.astype(kind)
    obs = env.unwrapped.state if name == CAR else env.unwrapped._get_obs()
    states, actions, rows, ended = [env.unwrapped.state.tolist()], [], [], False
    while not ended:
        action = np.array([push(env.unwrapped.state, len(rows))], dtype=np.float32)
        next_obs, reward, terminated, truncated, _ = env.step(action)
        rows.append((obs.tolist(), action.tolist(), float(reward), next_obs.tolist(), terminated))
        states.append(env.unwrapped.state.tolist())
        actions.append(action.tolist())
        obs, ended = next_obs.copy(), terminated or truncated
    return {"states": states, "actions": actions}, rows


@pytest.mark.parametrize("name", [CAR, PENDULUM])
def test_a_recording_becomes_gymnasiums_transitions(name):
    pairs = [recording(name, 3), recording(name, 4, lambda state, k: (k % 7) / 8 - 0.5)]
    cockpit = drive(name)
    assert cockpit.demo == []
    cockpit.episodes = [episode for episode, _ in pairs]
    assert cockpit.demo == pairs[0][1] + pairs[1][1]
    assert sum(row[4] for row in cockpit.demo) == (name == CAR)  # else truncated: 999, 200 steps
    dims = len(cockpit.demo[0][0]), 1
    lengths = [len(rows) for _, rows in pairs]
    assert [len(each) for each in episodes_of(cockpit.demo, *dims, max(lengths))] == lengths
    cockpit.episodes = cockpit.episodes[:-1]  # what "undo" does
    assert cockpit.demo == pairs[0][1]


def test_a_demo_goes_into_an_agent_and_a_file(tmp_path):
    cockpit = drive(CAR)
    cockpit.episodes = [recording(CAR, 0)[0]]
    BCAgent(CAR, 1_000, 8, 8, demo=cockpit.demo).train(3)
    save_demos(tmp_path / "mine.npz", cockpit.demo)
    assert load_demos(tmp_path / "mine.npz")[-1][4] is True


def test_rounding_is_no_disagreement():
    episode, rows = recording(PENDULUM, 0)
    episode["states"] = [[x * (1 + 1e-8) for x in state] for state in episode["states"]]
    found = retrace(PENDULUM, [episode])
    np.testing.assert_allclose([row[0] for row in found], [row[0] for row in rows], atol=1e-6)
    assert [row[3] for row in found[:-1]] == [row[0] for row in found[1:]]


def spoil(part, at, value):
    episode, _ = recording(CAR, 1)
    episode[part][at] = value
    return episode


def shorter(count):
    episode, _ = recording(CAR, 1)
    states, actions = episode["states"][: count + 1], episode["actions"][:count]
    return {"states": states, "actions": actions}


def longer():
    episode, _ = recording(CAR, 1)
    last = np.array(episode["states"][-1], dtype=np.float32)
    env = make_env(CAR)
    env.reset()
    env.unwrapped.state = last
    env.step(np.zeros(1, dtype=np.float32))
    episode["states"].append(env.unwrapped.state.tolist())
    return episode | {"actions": episode["actions"] + [[0.0]]}


BAD = {
    "episode 2, step 9: got the state .*; expected gymnasium's, .* to 1e-06":
        lambda: spoil("states", 9, [-0.4, 0.01]),
    "episode 2, step 3: got the state": lambda: spoil("actions", 2, [-0.9]),
    "episode 2, step 5: got an end; expected": lambda: shorter(5),
    r"episode 2, step \d+: got no end; expected": longer,
    "episode 2: got shapes": lambda: shorter(5) | {"actions": [[0.0]]},
    "episode 2: got shapes .0,": lambda: {"states": [], "actions": []},
    "episode 2: got other numbers": lambda: spoil("actions", 2, [1.5]),
    "episode 2: got other numbers; expected finite": lambda: spoil("states", 0, [np.nan, 0.0]),
    "episode 2: got {'states'": lambda: spoil("states", 0, "here"),
    "episode 2: got 7; expected finite": lambda: 7,
    "episode 2: got {}": lambda: {},
}  # fmt: skip


@pytest.mark.parametrize("said", BAD)
def test_a_wrong_recording_is_refused_by_episode_and_step(said):
    good, _ = recording(CAR, 0)
    with pytest.raises(ValueError, match=said):
        retrace(CAR, [good, BAD[said]()])


@pytest.mark.parametrize("name", [CAR, PENDULUM])
def test_episodes_start_where_the_simulator_starts(name):
    starts = drive(name, seed=5).task["starts"]
    assert len({tuple(start) for start in starts}) == len(starts)
    env = make_env(name)
    env.reset(seed=6)
    np.testing.assert_allclose(starts[1], env.unwrapped.state, rtol=1e-6)


def test_the_stored_drivers_rows_are_gymnasiums():
    demo, env = load_demos(STORED), make_env(CAR)
    found = episodes_of(demo, 2, 1, 999)
    assert len(found) == 5 and all(rows[-1][4] for rows in found)
    for obs, action, reward, next_obs, terminated in demo:
        env.reset()
        env.unwrapped.state = np.array(obs, dtype=np.float32)
        after, paid, flag, _, _ = env.step(np.array(action, dtype=np.float32))
        np.testing.assert_allclose(after, next_obs, atol=1e-6)
        assert paid == pytest.approx(reward) and flag == terminated


# --- through the kernel


class Slide(gym.Env):
    """A dot that two numbers push about; it draws itself."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012
    observation_space = Box(-np.inf, np.inf, (2,), np.float32)

    def __init__(self, render_mode=None, dim=2):
        self.action_space = Box(-2, 2, (dim,), np.float32)
        self.render_mode = render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.state = np.zeros(2, dtype=np.float32)
        return self.state, {}

    def step(self, action):
        self.state += action
        return self.state, -1.0, bool(self.state[0] > 5), False, {}

    def render(self):
        return np.full((40, 60, 3), 200, dtype=np.uint8)


class Blind(Slide):
    metadata = {"render_modes": []}  # noqa: RUF012

    def render(self):
        return None


@pytest.fixture
def slide(monkeypatch):
    cockpit = drive(Slide)
    cockpit.told = []
    monkeypatch.setattr(type(cockpit), "send", lambda self, *news: self.told.append(news))
    cockpit.ask = lambda kind, **more: cockpit.hear(None, {"kind": kind} | more, [])
    return cockpit


def test_the_kernel_steps_and_sends_pictures(slide):
    assert slide.task == {"name": "Slide", "dim": 2, "fps": 10.0}
    slide.ask("look")
    slide.ask("start")
    for _ in range(3):
        slide.ask("step", action=[1, 0.5])
    kinds = [news.get("end") for news, _ in slide.told]
    assert kinds == [None, "", "", "", "terminated"]
    assert slide.told[-1][0] == {"kind": "frame", "step": 3, "score": -3.0, "end": "terminated"}
    for _, (picture,) in slide.told:
        assert Image.open(io.BytesIO(picture)).format == "JPEG"
    assert slide.count == 1
    row = ([0.0, 0.0], [1.0, 0.5], -1.0, [2.0, 1.0], False)  # actions as the agents see them
    assert slide.demo[0] == row and [row[4] for row in slide.demo] == [False, False, True]
    slide.ask("step", action=[1, 1])  # too late: the episode has ended
    assert slide.count == 1 and len(slide.demo) == 3


def test_the_kernel_forgets_when_told_to(slide):
    slide.ask("undo")
    for length in (3, 1):
        slide.ask("start")
        for _ in range(length):
            slide.ask("step", action=[1, 0])
    slide.ask("stop")
    assert slide.count == 1
    slide.ask("undo")
    assert slide.count == 0 and slide.demo == []


@pytest.mark.parametrize("action", [[1.5, 0], [1], "x", None, [float("nan"), 0]])
def test_a_bad_action_is_answered_in_the_page(slide, action):
    slide.ask("start")
    slide.ask("step", action=action)
    assert slide.told[-1][0]["kind"] == "error" and "action: got" in slide.told[-1][0]["text"]
    assert slide.demo == [] and not slide.env.unwrapped.state.any()


def test_what_is_no_question_gets_no_answer(slide):
    for content in ({"kind": "demo"}, {}, None, "start", {"kind": ["start"]}):
        slide.hear(None, content, [])
    assert slide.told == []


def test_options_make_another_task_which_the_page_does_not_know():
    assert "starts" not in drive(PENDULUM, g=3.0).task


def test_what_cannot_be_driven_gets_one_clear_error():
    with pytest.raises(ValueError, match="env: got .* with 3 actions; expected one or two"):
        drive(Slide, dim=3)
    with pytest.raises(TypeError, match="action_space: got Discrete"):
        drive("CartPole-v1")
    with pytest.raises(ValueError, match="expected one that draws itself as 'rgb_array'"):
        drive(Blind)
    with pytest.raises(ValueError, match="expected a registered id"):
        drive("Car-v9")
    with pytest.raises(ValueError, match="seed: got -1"):
        drive(CAR, seed=-1)


def test_without_anywidget_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(importlib.sys.modules, "pgcourse.display.cockpit", None)
    monkeypatch.delattr("pgcourse.display.cockpit", raising=False)
    with pytest.raises(ImportError, match="pip install anywidget"):
        drive(CAR)


@pytest.mark.parametrize("audience", ["notebook", "nobody"])
def test_it_brings_a_still_picture_along(monkeypatch, audience):
    cockpit, shown = importlib.import_module("pgcourse.display.cockpit"), []
    monkeypatch.setattr(cockpit, "audience", lambda: audience)
    monkeypatch.setattr(
        cockpit, "display", lambda data, metadata, raw: shown.append((data, metadata))
    )
    drive(CAR)._ipython_display_()
    ((data, metadata),) = shown
    assert ("application/vnd.jupyter.widget-view+json" in data) == (audience == "notebook")
    assert data["image/png"] and metadata["image/png"]["alt"] == data["text/plain"]
