import itertools
import math
import pickle
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from pgcourse import load_demos, make_env, record_demos, save_demos

DEMO = Path(__file__).parents[1] / "demo.pkl"
ROW = ([0.0, 1.0], [0.5], -1.0, [0.5, 1.0], False)


def pendulum_step(obs, action):
    """Pendulum-v1 from its documentation: reward and next obs, in double precision."""
    angle, velocity, torque = math.atan2(obs[1], obs[0]), obs[2], 2 * action[0]
    reward = -(angle**2 + 0.1 * velocity**2 + 0.001 * torque**2)
    velocity = min(max(velocity + (15 * math.sin(angle) + 3 * torque) * 0.05, -8), 8)
    angle += velocity * 0.05
    return reward, [math.cos(angle), math.sin(angle), velocity]


def test_every_committed_transition_obeys_pendulums_equations():
    for obs, action, reward, next_obs, terminated in load_demos(DEMO):
        expected_reward, expected_obs = pendulum_step(obs, action)
        assert reward == pytest.approx(expected_reward, abs=1e-5)
        assert next_obs == pytest.approx(expected_obs, abs=1e-5)
        assert terminated is False  # Pendulum has no real end


def test_committed_demos_are_ten_good_episodes_from_different_starts():
    rows = load_demos(DEMO)
    assert len(rows) >= 2_000 and len(rows) % 200 == 0
    episodes = [rows[k : k + 200] for k in range(0, len(rows), 200)]
    for episode in episodes:
        for row, after in itertools.pairwise(episode):
            assert row[3] == after[0]
    assert len({tuple(episode[0][0]) for episode in episodes}) == len(episodes) >= 10
    assert np.mean([sum(row[2] for row in episode) for episode in episodes]) >= -150


def test_committed_demos_load_with_plain_pickle_and_hold_plain_types_only():
    code = (
        "import pickle, sys\n"
        "sys.modules['numpy'] = None\n"
        "def types(x):\n"
        "    yield type(x)\n"
        "    if isinstance(x, (list, tuple)):\n"
        "        for y in x: yield from types(y)\n"
        f"print(sorted(t.__name__ for t in set(types(pickle.load(open({str(DEMO)!r}, 'rb'))))))"
    )
    out = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True)
    assert out.stdout.strip() == "['bool', 'float', 'list', 'tuple']", out.stderr


def test_save_and_load_give_back_the_same_numbers(tmp_path):
    rows = [ROW, (np.float32([1, 2]), np.array([-1.0]), np.float64(3.0), [0, 0], np.True_)]
    save_demos(tmp_path / "d.pkl", rows)
    assert load_demos(tmp_path / "d.pkl") == [
        ROW,
        ([1.0, 2.0], [-1.0], 3.0, [0.0, 0.0], True),
    ]


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_files_written_by_plain_pickle_load_too(tmp_path, protocol):
    path = tmp_path / "d.pkl"
    path.write_bytes(pickle.dumps([ROW, ROW], protocol=protocol))
    assert load_demos(path) == [ROW, ROW]


class Touch:
    """Unpickled without care, it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        import os

        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_would_call_os_system_is_refused_without_the_call(tmp_path, protocol):
    sentinel, path = tmp_path / "sentinel", tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps([Touch(sentinel)], protocol=protocol))
    with pytest.raises(ValueError, match="^path: got .*opcode.*expected a pickled list"):
        load_demos(path)
    assert not sentinel.exists()
    pickle.loads(path.read_bytes())
    assert sentinel.exists()  # it would have run


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a pickle",
        pickle.dumps([]),
        pickle.dumps({"a": 1}),
        pickle.dumps(ROW),
        pickle.dumps([list(ROW)]),
        pickle.dumps([ROW[:4]]),
        pickle.dumps([(*ROW[:2], 1, *ROW[3:])]),
        pickle.dumps([(*ROW[:2], float("nan"), *ROW[3:])]),
        pickle.dumps([([0.0, 1e300], *ROW[1:])]),
        pickle.dumps([([0.0], *ROW[1:])]),
        pickle.dumps([(ROW[0], [1.5], *ROW[2:])]),
        pickle.dumps([(*ROW[:4], 0.0)]),
        pickle.dumps([ROW, (ROW[0], [0.5, 0.5], *ROW[2:])]),
        pickle.dumps([ROW])[:-1],
        b"\x80\x04]r\xff\xff\xff\x7f.",  # LONG_BINPUT to slot 2**31: asks for gigabytes
        b"\x80\x04]" + b"\x94" * 200_000 + b".",
    ],
)
def test_anything_but_demonstrations_is_refused_with_one_clear_error(tmp_path, data):
    path = tmp_path / "d.pkl"
    path.write_bytes(data)
    with pytest.raises(ValueError, match="^path: got .*expected a pickled list of tuples"):
        load_demos(path)


def test_an_oversized_file_a_missing_one_and_a_folder(tmp_path):
    (tmp_path / "big.pkl").write_bytes(b"\x80\x04" + b"." * 4_000_001)
    with pytest.raises(ValueError, match="over 4,000,000 bytes"):
        load_demos(tmp_path / "big.pkl")
    with pytest.raises(FileNotFoundError):
        load_demos(tmp_path / "none.pkl")
    with pytest.raises(ValueError, match="^path: got the folder"):
        load_demos(tmp_path)


@pytest.mark.parametrize(
    "rows",
    [[], None, [ROW[:4]], [ROW, ([0.0], *ROW[1:])], [(ROW[0], [2.0], *ROW[2:])], [(*ROW[:4], 1)]],
)
def test_bad_transitions_are_not_saved_and_the_old_file_is_kept(tmp_path, rows):
    path = tmp_path / "d.pkl"
    save_demos(path, [ROW])
    with pytest.raises((TypeError, ValueError), match="got .*expected"):
        save_demos(path, rows)
    assert load_demos(path) == [ROW]
    assert [p.name for p in tmp_path.iterdir()] == ["d.pkl"]


def test_saving_sweeps_stray_temporary_files_and_names_a_missing_folder(tmp_path):
    (tmp_path / ".d.pkl.abc.tmp").write_bytes(b"half")
    save_demos(tmp_path / "d.pkl", [ROW])
    assert [p.name for p in tmp_path.iterdir()] == ["d.pkl"]
    with pytest.raises(FileNotFoundError, match="^path: got"):
        save_demos(tmp_path / "no" / "d.pkl", [ROW])
    with pytest.raises(ValueError, match="^path: got the folder"):
        save_demos(tmp_path, [ROW])


def test_record_demos_records_whole_episodes_of_any_callable():
    rows = record_demos(lambda obs: [0.25], make_env("Pendulum-v1"), episodes=2, seed=3)
    assert len(rows) == 400 and len({tuple(rows[k][0]) for k in (0, 200)}) == 2
    assert all(row[1] == [0.25] and row[4] is False for row in rows)
    assert rows[0][3] == rows[1][0]
    assert rows == record_demos(lambda obs: [0.25], make_env("Pendulum-v1"), episodes=2, seed=3)


def test_a_recorded_real_end_is_terminated():
    env = make_env("MountainCarContinuous-v0")
    rows = record_demos(lambda obs: np.sign(obs[1:]), env, episodes=1, seed=0)
    assert [row[4] for row in rows] == [False] * (len(rows) - 1) + [True]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"policy": 3}, "policy"),
        ({"policy": lambda obs: [1.5]}, r"policy\(obs\)"),
        ({"policy": lambda obs: [np.nan]}, r"policy\(obs\)"),
        ({"policy": lambda obs: [0.0, 0.0]}, r"policy\(obs\)"),
        ({"policy": lambda obs: None}, r"policy\(obs\)"),
        ({"env": "Pendulum-v1"}, "env"),
        ({"episodes": 0}, "episodes"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_arguments_are_refused_by_name(changes, name):
    good = {"policy": lambda obs: [0.0], "env": make_env("Pendulum-v1"), "episodes": 1, "seed": 0}
    with pytest.raises((TypeError, ValueError), match=f"^{name}: got .*expected"):
        record_demos(**(good | changes))


def test_an_environment_may_reuse_its_array():
    class Reusing(gym.ObservationWrapper):
        def __init__(self, env):
            super().__init__(env)
            self.array = np.zeros(3, dtype=np.float32)

        def observation(self, obs):
            self.array[:] = obs
            return self.array

    plain = record_demos(lambda obs: np.zeros(1), make_env("Pendulum-v1"), 1, seed=0)
    reused = record_demos(lambda obs: np.zeros(1), Reusing(make_env("Pendulum-v1")), 1, seed=0)
    assert reused == plain
