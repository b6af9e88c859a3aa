"""The block under which the notebooks are checked does block."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

BLOCK = Path(__file__).parent / "no_network"


def run(code):
    environment = os.environ | {"PYTHONPATH": str(BLOCK)}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )


@pytest.mark.parametrize(
    "code",
    [
        "import urllib.request; urllib.request.urlopen('http://example.invalid')",
        "import socket; socket.create_connection(('192.0.2.1', 80))",
        "import socket; socket.socket().connect(('192.0.2.1', 80))",
        "import socket; socket.socket(socket.AF_INET6).connect_ex(('2001:db8::1', 80))",
    ],
)
def test_a_connection_that_would_leave_is_refused(code):
    assert "a notebook must not use the network" in run(code).stderr


def test_connections_on_this_machine_work():
    code = (
        "import socket\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "socket.create_connection(('localhost', server.getsockname()[1])).close()\n"
        "print('connected')"
    )
    assert run(code).stdout.strip() == "connected"


def test_the_notebook_check_uses_the_block(monkeypatch):
    from pgcourse.tools import check

    calls = []
    monkeypatch.setattr(check.subprocess, "call", lambda *a, **k: calls.append((a, k)) or 0)
    assert check.main() == 0
    assert str(BLOCK) in calls[-1][1]["env"]["PYTHONPATH"]
