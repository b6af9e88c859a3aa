"""Demonstrations in and out of Minari: the field's format, our units. Needs the extra `minari`."""

import json
import sys

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete

from pgcourse import BCAgent, load_demos, make_env, record_demos, save_demos
from pgcourse.agents.clone import Clone
from pgcourse.tasks import minari_sets

NAME = "own/test-v0"
EXPECTED = r"; expected a local Minari dataset whose observations are a flat Box and whose actions"


class Tug(gym.Env):
    """Pull a weight to 0: actions from -0.3 to 0.7, terminated there, no time limit."""

    observation_space, action_space = Box(-9, 9, (2,)), Box(-0.3, 0.7, (1,))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.state = self.np_random.uniform(1, 2, 2).astype(np.float32)
        return self.state, {}

    def step(self, action):
        self.state = self.state - np.float32(action)
        return self.state, float(action[0]), bool(self.state[0] < 0), False, {}


@pytest.fixture
def minari(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    return pytest.importorskip("minari")


def dataset(minari, episodes=2, name=NAME, observation_space=None, action_space=None, **changes):
    """A dataset as others make them, without this module; each episode is five steps long."""
    from minari.data_collector.episode_buffer import EpisodeBuffer

    spaces = observation_space or Box(-9, 9, (2,)), action_space or Box(-0.3, 0.7, (1,))
    good = {
        "observations": np.arange(12, dtype=np.float32).reshape(6, 2),
        "actions": np.linspace(-0.3, 0.7, 5, dtype=np.float32)[:, None],
        "rewards": np.arange(5.0),
        "terminations": [False] * 5,
        "truncations": [False] * 4 + [True],
        "infos": {},
    }
    buffers = [EpisodeBuffer(**(good | changes)) for _ in range(episodes)]
    with pytest.warns(UserWarning):
        return minari.create_dataset_from_buffers(
            name, buffers, observation_space=spaces[0], action_space=spaces[1]
        )


@pytest.mark.parametrize("env", ["Pendulum-v1", "MountainCarContinuous-v0", "InvertedPendulum-v5"])
def test_what_is_saved_is_loaded_and_in_the_environments_units(minari, env):
    rows = record_demos(lambda obs: np.sin(9 * obs[1:2]), env, episodes=3, seed=0)
    save_demos(NAME, rows, env)
    loaded = load_demos(NAME)
    for mine, theirs in zip(rows, loaded, strict=True):
        assert mine[0] == theirs[0] and mine[3:] == theirs[3:]
        assert mine[1] == pytest.approx(theirs[1], abs=1e-6)
        assert mine[2] == theirs[2]
    found, bound = minari.load_dataset(NAME), gym.make(env).action_space.high[0]
    own = np.concatenate([episode.actions for episode in found])
    assert own.ravel() == pytest.approx(bound * np.array([row[1][0] for row in rows]), abs=1e-6)
    assert bound in (1, 2, 3) and found.action_space == gym.make(env).action_space


def test_an_episode_of_minari_steps_its_environment_to_the_same_obs(minari):
    rows = record_demos(lambda obs: obs[1:2], "Pendulum-v1", episodes=2, seed=5)
    save_demos(NAME, rows, "Pendulum-v1")
    found = minari.load_dataset(NAME)
    env, first = found.recover_environment(), next(iter(found))
    assert env.reset(seed=5)[0] == pytest.approx(first.observations[0])
    for action, obs in zip(first.actions, first.observations[1:], strict=True):
        assert env.step(action)[0] == pytest.approx(obs, abs=1e-4)


def test_ends_are_as_minari_has_them(minari):
    late = record_demos(lambda obs: [1.0], Tug, episodes=2, seed=0)
    save_demos(NAME, late[:-1], Tug)  # the second episode is cut before its end
    first, second = minari.load_dataset(NAME)
    for episode in (first, second):
        assert len(episode.observations) == len(episode.actions) + 1
        assert not episode.terminations[:-1].any() and not episode.truncations[:-1].any()
    assert (first.terminations[-1], first.truncations[-1]) == (True, False)
    assert (second.terminations[-1], second.truncations[-1]) == (False, True)
    assert minari.load_dataset(NAME).env_spec is None  # no file can hold a class
    assert [row[4] for row in load_demos(NAME)] == [row[4] for row in late[:-1]]


def test_time_limits_cut_episodes_that_go_on_where_the_last_one_stopped(minari):
    row = ([1.0, 0.0, 0.0], [0.0], 0.0, [1.0, 0.0, 0.0], False)  # at rest at the top, forever
    save_demos(NAME, [row] * 400, "Pendulum-v1")
    assert [len(episode) for episode in minari.load_dataset(NAME)] == [200, 200]


def test_a_dataset_of_others_is_read_by_id_and_as_an_object(minari):
    made = dataset(minari, terminations=[False] * 4 + [True], truncations=[False] * 5)
    rows = load_demos(NAME)
    assert rows == load_demos(made) and len(rows) == 10
    assert [row[1][0] for row in rows[:5]] == pytest.approx([-1.0, -0.5, 0.0, 0.5, 1.0])
    assert rows[4] == ([8.0, 9.0], rows[4][1], 4.0, [10.0, 11.0], True)
    assert rows[5][0] == [0.0, 1.0] and not rows[3][4]
    half = made.filter_episodes(lambda episode: episode.id == 0)
    assert load_demos(half) == rows[:5]
    assert {type(x) for row in rows for x in (*row, *row[0], *row[1])} == {list, float, bool}


def test_agents_learn_from_it_and_refuse_another_environments(minari):
    save_demos(NAME, record_demos(lambda obs: [0.5], Tug, episodes=4, seed=0), Tug)
    demo = load_demos(NAME)
    agent = BCAgent(make_env(Tug), demo=demo, demo_batch_size=4, pretrain=1)
    assert len(agent.demo_memory) == len(demo)
    Clone(demo, Tug).train(1)
    with pytest.raises(ValueError, match=r"^obs: got shape \(2,\); expected 3 finite numbers"):
        BCAgent("Pendulum-v1", demo=demo, demo_batch_size=4)
    with pytest.raises(ValueError, match=r"^obs: got shape \(2,\); expected 3 finite numbers"):
        save_demos("own/other-v0", demo, "Pendulum-v1")
    assert list(minari.list_local_datasets()) == [NAME]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"action_space": Discrete(3), "actions": np.zeros(5, int)},
            r"action_space is Discrete\(3",
        ),
        ({"action_space": Box(-np.inf, np.inf, (1,))}, "action_space is Box.*, without bounds"),
        ({"action_space": Box(-1, 1, (1, 1))}, r"action_space is Box\(.*\(1, 1\)"),
        (
            {
                "observation_space": Box(0, 255, (8, 8, 3), np.uint8),
                "observations": np.zeros((6, 8, 8, 3), np.uint8),
            },
            "observation_space is Box",
        ),
        (
            {
                "observation_space": Dict(goal=Box(-9, 9, (2,))),
                "observations": {"goal": np.zeros((6, 2), np.float32)},
            },
            "observation_space is Dict",
        ),
        ({"observations": np.zeros((6, 3), np.float32)}, "episode 0 has observations.*of shapes"),
        ({"observations": np.zeros((5, 2), np.float32)}, "episode 0 has observations.*of shapes"),
        ({"actions": np.zeros((5, 2), np.float32)}, "episode 0 has observations.*of shapes"),
        ({"actions": np.full((5, 1), 0.71)}, "episode 0 has an action outside its action_space"),
        ({"actions": np.full((5, 1), np.nan)}, "episode 0 has an action outside"),
        ({"observations": np.full((6, 2), np.inf)}, "something else than finite numbers"),
        ({"rewards": np.full(5, np.nan)}, "something else than finite numbers"),
        ({"episodes": 0}, "which holds no transition"),
    ],
)
def test_what_does_not_fit_is_named(minari, changes, said):
    dataset(minari, **changes)
    with pytest.raises(ValueError, match=f"^path: got '{NAME}', .*{said}.*{EXPECTED}"):
        load_demos(NAME)


def test_a_dataset_cannot_name_what_is_called(minari, tmp_path, monkeypatch):
    dataset(minari)
    metadata = tmp_path / NAME / "data" / "metadata.json"
    told = json.loads(metadata.read_text(encoding="utf-8"))
    spec = gym.spec("Pendulum-v1")
    hostile = json.loads(spec.to_json()) | {
        "entry_point": "pathlib:Path.touch", "kwargs": {"self": str(tmp_path / "sentinel")},
    }  # fmt: skip
    called = []
    monkeypatch.setattr(gym, "make", lambda *args, **kwargs: called.append(args))
    for name in ("observation_space", "action_space"):
        left = {key: value for key, value in told.items() if key != name}
        metadata.write_text(json.dumps(left | {"env_spec": json.dumps(hostile)}))
        with pytest.raises(ValueError, match=f"^path: got .*does not tell its spaces{EXPECTED}"):
            load_demos(NAME)
    metadata.write_text(json.dumps(told | {"env_spec": json.dumps(hostile)}))
    assert len(load_demos(NAME)) == 10 and not called


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"observation_space": 1}'])
def test_a_damaged_dataset_is_refused(minari, tmp_path, text):
    dataset(minari)
    (tmp_path / NAME / "data" / "metadata.json").write_text(text)
    with pytest.raises(ValueError, match=f"^path: got '{NAME}', .*{EXPECTED}"):
        load_demos(NAME)


def test_a_missing_dataset_a_taken_id_and_a_missing_environment_are_named(minari):
    with pytest.raises(FileNotFoundError, match=f"^path: got '{NAME}', of which nothing.*minari"):
        load_demos(NAME)
    rows = record_demos(lambda obs: [0.0], Tug, episodes=1, seed=0)
    with pytest.raises(TypeError, match="^env: got None; expected what"):
        save_demos(NAME, rows)
    parts = "observation", "achieved_goal", "desired_goal"
    goals = Dict({name: Tug.observation_space for name in parts})

    def with_goals():
        return gym.wrappers.TransformObservation(
            Tug(), lambda obs: dict.fromkeys(parts, obs), goals
        )

    with pytest.raises(TypeError, match=r"^env.observation_space: got Dict.*expected a flat Box"):
        save_demos(NAME, rows, with_goals)
    save_demos(NAME, rows, Tug)
    with pytest.raises(ValueError, match=f"^path: got '{NAME}', which is there; expected a new id"):
        save_demos(NAME, rows, Tug)
    assert len(load_demos(NAME)) == len(rows)


def test_an_id_is_no_file_and_a_file_is_no_id(tmp_path):
    rows = record_demos(lambda obs: [0.0], Tug, episodes=1, seed=0)
    with pytest.raises(ValueError, match=r"^env: got .* expected None: only a Minari dataset"):
        save_demos(tmp_path / "d.npz", rows, Tug)
    ids = ["own/test-v0", "test-v12", "D4RL/door/human-v2"]
    others = ["test", "test-v0.npz", "/own/test-v0", "../test-v0", "own/../../test-v0", "a\n-v0"]
    assert [minari_sets.is_id(name) for name in ids + others] == [True] * 3 + [False] * 6
    assert not minari_sets.is_id(tmp_path / "test-v0")


def test_without_minari_an_id_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "minari", None)
    rows = record_demos(lambda obs: [0.0], Tug, episodes=1, seed=0)
    for call in (lambda: load_demos(NAME), lambda: save_demos(NAME, rows, Tug)):
        with pytest.raises(ImportError, match=r"^path: got .*pip install .minari\[hdf5\]"):
            call()
