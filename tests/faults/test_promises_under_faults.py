"""Under faults no command is lost or counted twice, both sides agree, and the timeline equals the record."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faults.injections import fault_kinds
from tests.faults.planted_faults import PLANTED_COMPONENTS

_FAULTS = int(os.environ.get("FAULTS", "20"))
_FAULTS_WITH_THREE_BROKERS = 4

pytestmark = pytest.mark.faults


@pytest.mark.timeout(180 + 30 * _FAULTS)
def test_every_answered_command_survives_faults_of_every_kind(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Processes, broker and database are killed, frozen and stopped in turn while referrals race."""
    with capfd.disabled():
        result = _run(tmp_path, _FAULTS)
    _check(result, set(list(fault_kinds(1))[:_FAULTS]))


@pytest.mark.timeout(180 + 60 * _FAULTS_WITH_THREE_BROKERS)
def test_every_answered_command_survives_the_loss_of_one_broker_of_three_and_of_two(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The leader is killed and frozen, and the majority is down for longer than the producer's timeout."""
    with capfd.disabled():
        result = _run(tmp_path, _FAULTS_WITH_THREE_BROKERS, "--brokers", "3", "--only", "broker")
    _check(result, set(fault_kinds(3, "broker")))


def _run(directory: Path, faults: int, *options: str) -> dict[str, Any]:
    """Run for minutes and print the progress. If the run is aborted, the last line shows the last fault."""
    output = directory / "result.json"
    command = (sys.executable, "-m", "tests.faults", str(faults), *options, "--json", str(output))
    subprocess.run(command, check=False)
    assert output.exists(), "the run was aborted: see its output"
    result: dict[str, Any] = json.loads(output.read_text())
    return result


def _check(result: dict[str, Any], faults: set[str]) -> None:
    report = result["report"]
    assert report["findings"] == []
    assert result["became_idle"]
    assert {effect["fault"] for effect in result["effects"]} == faults
    assert {finding["component"] for finding in result["planted"]} == PLANTED_COMPONENTS
    assert {"effective", "ineffective"} <= report["outcomes"].keys(), "no race had a loser"
