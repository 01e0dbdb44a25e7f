"""A trial that is kept running: what an operator does to it, and what becomes of it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]

HANDOFF = Path(sys.executable).with_name("handoff")
PLAN = Path(__file__).parents[2] / "infra" / "prizren.toml"
NEWCOMER = '\n[[members]]\nid = "housing_office"\nservice = "partner"\noffers = ["housing"]\n'
PATIENCE_SECONDS = 60


@contextmanager
def kept_up(state: Path) -> Iterator[dict[str, Any]]:
    """`handoff up --json` on ``state``, with its output when everything is ready."""
    argv: list[str | Path] = [HANDOFF, "up", "--state", state, "--json"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True) as running:
        assert running.stdout is not None
        printed = ""
        for line in running.stdout:
            printed += line
            if line == "}\n":
                break
        children = psutil.Process(running.pid).children(recursive=True)
        try:
            yield json.loads(printed)
        finally:
            running.send_signal(signal.SIGINT)
            assert running.wait(PATIENCE_SECONDS) == 130
            assert psutil.wait_procs(children, timeout=20)[1] == []


def ask(*arguments: str | Path) -> dict[str, Any]:
    """Return another command's output about it, as JSON."""
    done = subprocess.run([HANDOFF, *arguments, "--json"], capture_output=True, text=True, check=False)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def is_ready(url: str) -> bool:
    """Return whether a service reports that it can do all of its work."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=2)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def wait_until_healthy(state: Path, *members: str) -> None:
    """Returns when the doctor finds nothing amiss, ``members`` among what it looked at."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = ask("doctor", "--state", state)
        if found["healthy"] and {*members} <= {finding["part"] for finding in found["findings"]}:
            return
        assert time.monotonic() < deadline, found
        time.sleep(0.5)


def listener(url: str) -> int:
    """The process that listens there."""
    port = urlsplit(url).port
    found: list[int] = [
        c.pid for c in psutil.net_connections("tcp") if c.laddr.port == port and c.status == "LISTEN" and c.pid
    ]
    return found[0]


def test_a_trial_lives_on_over_a_crash_a_newcomer_and_a_restart(tmp_path: Path) -> None:
    """A killed service is restarted; a member that was added while it was down is served; ports stay the same."""
    state, plan = tmp_path / "state", tmp_path / "plan.toml"
    plan.write_text(PLAN.read_text() + NEWCOMER)
    with kept_up(state) as first:
        urls = {process["id"]: process["health"] for process in first["processes"]}
        killed = listener(urls["shelter"])
        os.kill(killed, signal.SIGKILL)
        wait_until_healthy(state)
        assert listener(urls["shelter"]) != killed
        founded = ask("init", "--state", state, "--plan", plan)
        assert "housing_office" in founded["configurations"]
        wait_until_healthy(state, "housing_office")
        assert ask("init", "--state", state, "--plan", plan) == founded
        rebuilt = ask("projection", "rebuild", "--state", state)
        assert rebuilt["identical"]
        assert ask("node", "rebuild", "police", "--state", state)["identical"]
    assert not any(is_ready(url) for url in urls.values())
    with kept_up(state) as second:
        assert urls.items() <= {process["id"]: process["health"] for process in second["processes"]}.items()
        wait_until_healthy(state, "housing_office")
