"""A service process as `ps` lists it."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from handoff.config import CONFIG_VARIABLE, HttpSettings, KafkaSettings, PostgresSettings, ProcessSettings
from handoff.domain.rules import UnsupportedRules
from handoff.process import UPGRADE_REQUIRED, require_upgrade
from tests.support.parts.settings_file import write_settings

_RUN = """
import sys
from handoff.process import run_process

async def wait(settings):
    print("running", flush=True)
    return len(sys.stdin.read())

run_process(wait)
"""


def test_a_process_that_lacks_the_rules_in_force_ends_with_a_code_of_its_own() -> None:
    """The log line asks for an upgrade; the supervisor shows the exit code."""
    nested = ExceptionGroup("tasks", [ExceptionGroup("router", [UnsupportedRules(7)])])
    with capture_logs() as logs:
        assert require_upgrade(nested) == UPGRADE_REQUIRED
    assert [(line["event"], line["log_level"]) for line in logs] == [("record.rules_not_supported", "critical")]
    assert "Upgrade this process" in logs[0]["why"]


@pytest.mark.parametrize("member", ["police", "shelter"])
def test_the_title_names_the_jurisdiction_and_the_member(member: str, tmp_path: Path) -> None:
    settings = ProcessSettings(
        jurisdiction="small",
        generation=1,
        genesis_sha256="0" * 64,
        member=member,
        kafka=KafkaSettings(bootstrap_servers="127.0.0.1:9", username=member, password=SecretStr("none")),
        postgres=PostgresSettings(host="127.0.0.1", port=9, database="d", user="u", password=SecretStr("none")),
        http=HttpSettings(port=9),
    )
    environment = {**os.environ, CONFIG_VARIABLE: str(write_settings(settings, tmp_path / "settings.toml"))}
    argv = [sys.executable, "-c", _RUN]
    with subprocess.Popen(argv, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        # The title replaces the arguments, and the rest of their memory reads as empty arguments.
        assert [part for part in psutil.Process(process.pid).cmdline() if part] == [f"handoff: small {member}"]
        process.communicate("")
    assert process.returncode == 0
