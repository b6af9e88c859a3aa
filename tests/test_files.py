"""Files that are either whole or not there."""

import os
import stat
import sys

import pytest

from pgcourse.files import STRAY_SECONDS, plain_file, write_atomically

posix = pytest.mark.skipif(sys.platform == "win32", reason="modes and links of POSIX")


def put(path, data):
    write_atomically(path, lambda file: file.write(data))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def interrupt(path, seconds_ago=0.0):
    """Leave the temporary file that a process leaves which is killed while it writes."""
    before = set(path.parent.iterdir())

    def copy_and_fail(file):
        file.write(b"half")
        file.flush()
        (temporary,) = set(path.parent.iterdir()) - before
        kept.append((temporary, temporary.read_bytes()))
        raise InterruptedError

    kept = []
    with pytest.raises(InterruptedError):
        write_atomically(path, copy_and_fail)
    ((temporary, data),) = kept
    assert set(path.parent.iterdir()) == before  # a failure, unlike a kill, leaves nothing
    temporary.write_bytes(data)
    if seconds_ago:
        then = temporary.stat().st_mtime - seconds_ago
        os.utime(temporary, (then, then))
    return temporary


def test_a_file_is_written_replaced_and_alone(tmp_path):
    put(tmp_path / "run", b"one")
    put(tmp_path / "run", b"two")
    assert (tmp_path / "run").read_bytes() == b"two" and names(tmp_path) == ["run"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    put(tmp_path / "run", b"one")
    interrupt(tmp_path / "run").unlink()
    assert (tmp_path / "run").read_bytes() == b"one" and names(tmp_path) == ["run"]


def test_old_strays_are_swept_and_those_that_may_be_in_use_are_not(tmp_path):
    young = interrupt(tmp_path / "run", STRAY_SECONDS - 60)
    interrupt(tmp_path / "run", STRAY_SECONDS + 60)
    put(tmp_path / "run", b"one")
    assert names(tmp_path) == sorted([young.name, "run"])


@pytest.mark.parametrize(
    ("one", "other"), [("run", "run.best"), ("run.best", "run"), ("r+n", "rrn")]
)
def test_a_name_does_not_sweep_another_ones_temporary_files(tmp_path, one, other):
    foreign = interrupt(tmp_path / other, 10 * STRAY_SECONDS)
    put(tmp_path / one, b"one")
    assert names(tmp_path) == sorted([foreign.name, one])
    put(tmp_path / other, b"other")
    assert names(tmp_path) == sorted([one, other])


def test_two_files_are_written_at_the_same_time(tmp_path):
    def write_both(file):
        put(tmp_path / "run.best", b"best")
        put(tmp_path / "run", b"inner")
        file.write(b"outer")

    write_atomically(tmp_path / "run", write_both)
    assert (tmp_path / "run").read_bytes() == b"outer"
    assert names(tmp_path) == ["run", "run.best"]


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o660])
def test_a_replaced_file_keeps_its_mode(tmp_path, mode):
    put(tmp_path / "run", b"one")
    (tmp_path / "run").chmod(mode)
    put(tmp_path / "run", b"two")
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == mode


@posix
def test_a_new_file_has_the_mode_that_the_user_wants(tmp_path):
    before = os.umask(0o027)
    try:
        put(tmp_path / "run", b"one")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o640


@posix
def test_a_link_stays_a_link_and_the_file_it_leads_to_is_written(tmp_path):
    (tmp_path / "disk").mkdir()
    link, file = tmp_path / "run", tmp_path / "disk" / "real"
    link.symlink_to(file)
    for data in (b"one", b"two"):  # the file is not there yet, and it is
        put(link, data)
        assert link.is_symlink() and file.read_bytes() == data
    assert names(tmp_path) == ["disk", "run"] and names(tmp_path / "disk") == ["real"]


@posix
def test_a_folder_a_pipe_and_a_missing_folder_are_refused_by_name(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(ValueError, match=r"^path: got .*expected a file name"):
            put(path, b"")
    with pytest.raises(FileNotFoundError, match="^path: got .*expected a folder that exists"):
        put(tmp_path / "no" / "run", b"")
    assert names(tmp_path) == ["pipe"]


def test_what_must_not_be_read_or_listed_is_one_clear_error(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    path.write_bytes(b"")
    denied = PermissionError(13, "Permission denied")

    def no(*_, **__):
        raise denied

    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", no)
        with pytest.raises(ValueError, match="^path: got .*Permission denied; expected x"):
            plain_file(path, "x", 10)
    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.iterdir", no)
        with pytest.raises(ValueError, match="^path: got .*expected a folder that can be written"):
            write_atomically(path, lambda file: None)
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


def test_a_null_character_in_a_path_is_one_clear_error():
    with pytest.raises(ValueError, match="^path: got .*null.*expected x"):
        plain_file("a\0b", "x", 10)
    with pytest.raises(ValueError, match="^path: got .*expected a file name, without a null"):
        write_atomically("a\0b", lambda file: None)
