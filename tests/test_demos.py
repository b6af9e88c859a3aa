import contextlib
import io
import itertools
import math
import os
import pickle
import random
import re
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from pgcourse import load_demos, make_env, record_demos, save_demos
from tests.fuzz_demos import damage, outcome

DEMO = Path(__file__).parents[1] / "demo.pkl"
REFUSED = "^path: got .*; expected demonstrations: a pickled list"
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
    with pytest.raises(ValueError, match="^path: got .*opcode.*; expected demonstrations: a"):
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
    with pytest.raises(ValueError, match=REFUSED):
        load_demos(path)


def test_an_oversized_file_a_missing_one_and_a_folder(tmp_path):
    (tmp_path / "big.pkl").write_bytes(b"\x80\x04" + b"." * 4_000_001)
    with pytest.raises(ValueError, match="over 4,000,000 bytes"):
        load_demos(tmp_path / "big.pkl")
    with pytest.raises(FileNotFoundError):
        load_demos(tmp_path / "none.pkl")
    (tmp_path / "folder.pkl").mkdir()
    with pytest.raises(ValueError, match="^path: got .*, no plain file; expected demonstrations"):
        load_demos(tmp_path / "folder.pkl")


@contextlib.contextmanager
def calls():
    """Count the calls of functions: what takes long on any machine has many."""
    found = [0]

    def count(frame, event, argument):
        found[0] += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield lambda: found[0]
    finally:
        sys.setprofile(before)


def test_rows_that_share_their_lists_are_refused_at_once(tmp_path):
    obs = [0.5] * 2_000
    row = (obs, [0.5], -1.0, obs, False)
    path = tmp_path / "d.pkl"
    path.write_bytes(pickle.dumps([row] * 10_000))
    assert path.stat().st_size < 50_000  # and it stands for 40 million numbers
    with calls() as count:
        with pytest.raises(ValueError, match=REFUSED.replace("got .*", "got .*share their lists")):
            load_demos(path)
    assert count() < 1_000_000  # of functions: the numbers were not looked at one by one


@pytest.mark.parametrize("more", [b"\0", b".", pickle.dumps([ROW])])
def test_bytes_behind_the_end_are_refused(tmp_path, more):
    path = tmp_path / "d.pkl"
    path.write_bytes(pickle.dumps([ROW]) + more)
    with pytest.raises(ValueError, match=f"{len(more)} bytes behind its end; expected"):
        load_demos(path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no FIFO, and links for few")
def test_a_pipe_and_links_that_lead_nowhere_are_refused_at_once(tmp_path):
    expected = {}
    for name in ("d.pkl", "d.npz"):
        pipe, dangling, loop, good = (tmp_path / f"{kind}{name}" for kind in "pnlg")
        os.mkfifo(pipe)
        expected[pipe] = "ValueError path: got .*, no plain file"
        dangling.symlink_to(tmp_path / "nothing")
        expected[dangling] = "FileNotFoundError path: got .*, No such file or directory"
        loop.symlink_to(loop)
        expected[loop] = "ValueError path: got .*, .*symbolic links"
        save_demos(tmp_path / name, [ROW])
        good.symlink_to(tmp_path / name)
        assert load_demos(good) == [ROW]
    code = (
        "import pgcourse, sys\n"
        "for path in sys.argv[1:]:\n"
        "    try: pgcourse.load_demos(path)\n"
        "    except Exception as error: print(type(error).__name__, error)"
    )
    # In a process of its own: one that waits for a pipe would hang the tests.
    command = [sys.executable, "-c", code, *expected]
    out = subprocess.run(command, capture_output=True, text=True, timeout=600)
    for line, message in zip(out.stdout.splitlines(), expected.values(), strict=True):
        assert re.match(message + "; expected demonstrations: a pickled list", line)


def many(count, obs_dim, act_dim=1, seed=0):
    """Transitions of random numbers, rounded as a file holds them."""
    rng = np.random.default_rng(seed)
    obs = rng.normal(size=(count + 1, obs_dim)).astype(np.float32).tolist()
    action = rng.uniform(-1, 1, (count, act_dim)).astype(np.float32).tolist()
    reward, end = rng.normal(size=count).tolist(), (rng.random(count) < 0.1).tolist()
    return list(zip(obs[:-1], action, reward, obs[1:], end, strict=True))


@pytest.mark.parametrize(("count", "obs_dim", "act_dim"), [(1, 1, 1), (50, 3, 2), (5_000, 31, 4)])
def test_arrays_give_back_the_same_numbers_bit_for_bit(tmp_path, count, obs_dim, act_dim):
    rows = many(count, obs_dim, act_dim)
    save_demos(tmp_path / "d.npz", rows)
    assert load_demos(tmp_path / "d.npz") == rows
    assert load_demos(str(tmp_path / "d.npz")) == rows
    kinds = {
        type(x) for row in load_demos(tmp_path / "d.npz")[:9] for x in (*row, *row[0], *row[1])
    }
    assert kinds == {list, float, bool}
    assert [p.name for p in tmp_path.iterdir()] == ["d.npz"]


def test_two_hundred_thousand_transitions_go_through_arrays(tmp_path):
    rows = many(200_000, 3)
    save_demos(tmp_path / "d.npz", rows)
    assert load_demos(tmp_path / "d.npz") == rows


@pytest.mark.parametrize(("count", "obs_dim"), [(5_000, 31), (20_000, 1)])
def test_more_than_a_pickle_can_hold_is_refused_before_anything_is_written(
    tmp_path, count, obs_dim
):
    with pytest.raises(ValueError, match=rf"^transitions: got {count:,}.*; expected fewer .*\.npz"):
        save_demos(tmp_path / "d.pkl", many(count, obs_dim))
    assert not list(tmp_path.iterdir())


def columns(**changes):
    """What a .npz of two transitions holds, some of it changed; None leaves a column out."""
    good = {
        "obs": np.float32([[0.0, 1.0], [1.0, 2.0]]),
        "action": np.float32([[0.5], [-1.0]]),
        "reward": np.array([-1.0, 2.0]),
        "next_obs": np.float32([[1.0, 2.0], [3.0, 4.0]]),
        "terminated": np.array([False, True]),
    }
    return {name: column for name, column in (good | changes).items() if column is not None}


def test_the_columns_that_the_bad_ones_differ_from_are_good(tmp_path):
    np.savez(tmp_path / "d.npz", **columns())
    assert [row[2] for row in load_demos(tmp_path / "d.npz")] == [-1.0, 2.0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"obs": np.array([[0.0, Touch("x")]] * 2, dtype=object)}, "arrays cannot be loaded"),
        ({"next_obs": None}, "which holds obs, action"),
        ({"more": np.zeros(2)}, "which holds obs, action"),
        ({"obs": np.float32([[0.0, 1.0], [np.nan, 2.0]])}, "finite numbers"),
        ({"next_obs": np.float32([[0.0, 1.0], [np.inf, 2.0]])}, "finite numbers"),
        ({"action": np.float32([[0.5], [np.nan]])}, "finite numbers"),
        ({"reward": np.array([1.0, np.nan])}, "finite numbers"),
        ({"reward": np.array([1.0, 1e300])}, "finite numbers"),
        ({"action": np.float32([[0.5], [2.0]])}, r"an action outside \[-1, 1\]"),
        ({"action": np.float32([[0.5], [-2.0]])}, r"an action outside \[-1, 1\]"),
        ({"action": np.zeros((2, 0), np.float32)}, "an action"),
        ({"action": np.float32([0.5, 0.5])}, "do not fit"),
        ({"action": np.float64([[0.5], [0.5]])}, "do not fit"),
        ({"action": np.float32([[0.5]])}, "do not fit"),
        ({"reward": np.zeros((2, 1))}, "do not fit"),
        ({"reward": np.array(1.0)}, ""),
        ({"next_obs": np.zeros((2, 3), np.float32)}, "do not fit"),
        ({"terminated": np.array([0.0, 1.0])}, "do not fit"),
        ({"terminated": np.array([False])}, "do not fit"),
        ({name: column[:0] for name, column in columns().items()}, "do not fit"),
    ],
)
def test_arrays_of_anything_but_demonstrations_are_refused(tmp_path, changes, message):
    np.savez(tmp_path / "d.npz", **columns(**changes))
    with pytest.raises(ValueError, match=REFUSED.replace("got .*", f"got .*{message}.*")):
        load_demos(tmp_path / "d.npz")


@pytest.mark.parametrize("width", [2, 100_000])
def test_compressed_arrays_could_unpack_to_any_size_and_are_refused(tmp_path, width):
    zeros = np.zeros((2, width), np.float32)
    np.savez_compressed(tmp_path / "d.npz", **columns(obs=zeros, next_obs=zeros))
    with pytest.raises(ValueError, match=REFUSED.replace("got .*", "got .*compressed data")):
        load_demos(tmp_path / "d.npz")


@pytest.mark.parametrize("data", [b"", b"PK\3\4", pickle.dumps([ROW]), b"\x93NUMPY" + bytes(100)])
def test_what_is_no_archive_of_arrays_is_refused(tmp_path, data):
    (tmp_path / "d.npz").write_bytes(data)
    with pytest.raises(ValueError, match=REFUSED):
        load_demos(tmp_path / "d.npz")


def test_damaged_archives_are_loaded_soundly_or_refused_clearly(tmp_path):
    path, good, chance = tmp_path / "d.npz", io.BytesIO(), random.Random(0)
    np.savez(good, **columns())
    for _ in range(2_000):
        path.write_bytes(damage(good.getvalue(), chance))
        outcome(path)


@pytest.mark.parametrize("name", ["d", "d.pickle", "d.npy", "d.npz.gz"])
def test_other_endings_are_refused_by_name(tmp_path, name):
    for call in (load_demos, lambda path: save_demos(path, [ROW])):
        with pytest.raises(ValueError, match=r"^path: got .*; expected a name that ends in .npz"):
            call(tmp_path / name)
    with pytest.raises(TypeError, match="^path: got 3; expected"):
        load_demos(3)


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
    stray = tmp_path / f".d.pkl.{16 * 'a'}.tmp"
    stray.write_bytes(b"half")
    os.utime(stray, (0, 0))  # of a process that died long ago
    save_demos(tmp_path / "d.pkl", [ROW])
    assert [p.name for p in tmp_path.iterdir()] == ["d.pkl"]
    with pytest.raises(FileNotFoundError, match="^path: got"):
        save_demos(tmp_path / "no" / "d.pkl", [ROW])
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(ValueError, match="^path: got .*, a folder or a device; expected"):
        save_demos(tmp_path / "folder.npz", [ROW])


def test_a_teacher_that_changes_what_it_is_given_changes_no_demonstration():
    def spoil(obs):
        obs[:] = 0.0
        return [0.25]

    good = record_demos(lambda obs: [0.25], "Pendulum-v1", episodes=1, seed=3)
    assert record_demos(spoil, "Pendulum-v1", episodes=1, seed=3) == good


def test_record_demos_records_whole_episodes_of_any_callable():
    rows = record_demos(lambda obs: [0.25], "Pendulum-v1", episodes=2, seed=3)
    assert len(rows) == 400 and len({tuple(rows[k][0]) for k in (0, 200)}) == 2
    assert all(row[1] == [0.25] and row[4] is False for row in rows)
    assert rows[0][3] == rows[1][0]
    assert rows == record_demos(lambda obs: [0.25], "Pendulum-v1", episodes=2, seed=3)


def test_a_recorded_real_end_is_terminated():
    env_id = "MountainCarContinuous-v0"
    rows = record_demos(lambda obs: np.sign(obs[1:]), env_id, episodes=1, seed=0)
    assert [row[4] for row in rows] == [False] * (len(rows) - 1) + [True]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"policy": 3}, "policy"),
        ({"policy": lambda obs: [1.5]}, r"policy\(obs\)"),
        ({"policy": lambda obs: [np.nan]}, r"policy\(obs\)"),
        ({"policy": lambda obs: [0.0, 0.0]}, r"policy\(obs\)"),
        ({"policy": lambda obs: None}, r"policy\(obs\)"),
        ({"env": make_env("Pendulum-v1")}, "env"),
        ({"episodes": 0}, "episodes"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_arguments_are_refused_by_name(changes, name):
    good = {"policy": lambda obs: [0.0], "env": "Pendulum-v1", "episodes": 1, "seed": 0}
    with pytest.raises((TypeError, ValueError), match=f"^{name}: got .*expected"):
        record_demos(**(good | changes))


def test_an_environment_may_reuse_its_array():
    class Reusing(gym.ObservationWrapper):
        def __init__(self):
            super().__init__(gym.make("Pendulum-v1"))
            self.array = np.zeros(3, dtype=np.float32)

        def observation(self, obs):
            self.array[:] = obs
            return self.array

    plain = record_demos(lambda obs: np.zeros(1), "Pendulum-v1", 1, seed=0)
    reused = record_demos(lambda obs: np.zeros(1), Reusing, 1, seed=0)
    assert reused == plain
