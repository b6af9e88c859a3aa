"""load_demos under fire, in a process of its own with a memory limit."""

import contextlib
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz_demos import hostile

ROOT = Path(__file__).parents[1]


def test_damaged_and_hostile_files_are_loaded_soundly_or_refused_clearly():
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz_demos", "2000"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    assert "110 hostile and 2000 damaged files" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="the command is touch")
def test_the_hostile_files_would_do_harm_if_trusted(tmp_path):
    done = set()
    for name, data in hostile(tmp_path / "sentinel").items():
        if "protocol" in name:
            with contextlib.suppress(Exception):
                pickle.loads(data)
            if (tmp_path / "sentinel").exists():
                done.add(name.split(", protocol")[0])
                (tmp_path / "sentinel").unlink()
    assert done >= {"REDUCE", "REDUCE, text", "INST", "OBJ", "STACK_GLOBAL", "in a list"}
