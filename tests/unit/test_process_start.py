"""A process whose start fails reports the reason as a line of its log."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from handoff.config import CONFIG_VARIABLE

SETTINGS: dict[str, Any] = {
    "jurisdiction": "prizren",
    "generation": 1,
    "genesis_sha256": "0" * 64,
    "member": "exchange",
    "kafka": {
        "bootstrap_servers": "127.0.0.1:1",
        "username": "u",
        "password": "p",
        "security_protocol": "SASL_PLAINTEXT",
    },
    "postgres": {"host": "127.0.0.1", "port": 1, "database": "d", "user": "u", "password": "p"},
}


def _run(service: str, path: Path) -> tuple[int, list[dict[str, Any]]]:
    """Run a service until it ends. Return its exit code and its output, of which every line has to be JSON."""
    done = subprocess.run(
        [sys.executable, "-m", f"services.{service}"],
        env={**os.environ, CONFIG_VARIABLE: str(path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, [json.loads(line) for line in (done.stdout + done.stderr).splitlines()]


@pytest.mark.parametrize("service", ["exchange", "shelter"])
def test_a_wrong_setting_is_a_line_of_the_log(service: str, tmp_path: Path) -> None:
    path = tmp_path / "process.toml"
    path.write_text(tomli_w.dumps(SETTINGS | {"generation": 0, "colour": "red"}))
    code, (line,) = _run(service, path)
    assert (code, line["level"], line["event"]) == (2, "critical", "process.start_failed")
    assert ["generation" in error or "colour" in error for error in line["errors"]] == [True, True]


def test_a_file_that_is_missing_is_a_line_of_the_log(tmp_path: Path) -> None:
    code, (line,) = _run("monitor", tmp_path / "none.toml")
    assert (code, line["event"]) == (2, "process.start_failed")
    assert "none.toml cannot be read" in line["errors"][0]


def test_a_port_in_use_is_a_line_of_the_log(tmp_path: Path) -> None:
    """The HTTP server would end the process with a report of its own."""
    key = tmp_path / "exchange.key"
    key.write_text("00" * 32)
    key.chmod(0o600)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        http = {"port": taken.getsockname()[1]}
        path = tmp_path / "process.toml"
        path.write_text(tomli_w.dumps(SETTINGS | {"health": http, "signing_key_file": str(key)}))
        code, lines = _run("exchange", path)
    assert code == 1
    assert lines[-1]["event"] == "process.crashed"
    assert f"127.0.0.1:{http['port']} cannot be used: Address already in use" in lines[-1]["exception"]
