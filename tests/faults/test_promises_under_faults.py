"""Under faults nothing is lost, nothing counts twice, both sides are equal, and the timeline is the record."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faults.injections import kinds
from tests.faults.sabotage import SABOTAGED

_FAULTS = int(os.environ.get("FAULTS", "20"))
_FAULTS_OF_THREE = 4

pytestmark = pytest.mark.faults


@pytest.mark.timeout(180 + 30 * _FAULTS)
def test_every_answered_command_survives_faults_of_every_kind(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """While processes, broker and database are killed, frozen and refused in turn, and referrals race meanwhile."""
    with capfd.disabled():
        told = _run(tmp_path, _FAULTS)
    _holds(told, set(list(kinds(1))[:_FAULTS]))


@pytest.mark.timeout(180 + 60 * _FAULTS_OF_THREE)
def test_every_answered_command_survives_the_loss_of_one_broker_of_three_and_of_two(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Killed, frozen while another leads, and away with the majority for longer than a producer waits."""
    with capfd.disabled():
        told = _run(tmp_path, _FAULTS_OF_THREE, "--brokers", "3", "--only", "broker")
    _holds(told, set(kinds(3, "broker")))


def _run(directory: Path, faults: int, *options: str) -> dict[str, Any]:
    """A run of minutes, whose progress is shown: where it is broken off, what it said last tells where it stood."""
    told = directory / "ordeal.json"
    command = (sys.executable, "-m", "tests.faults", str(faults), *options, "--json", str(told))
    subprocess.run(command, check=False)
    assert told.exists(), "the run broke off: see what it said"
    found: dict[str, Any] = json.loads(told.read_text())
    return found


def _holds(ordeal: dict[str, Any], faults: set[str]) -> None:
    history = ordeal["history"]
    assert history["findings"] == []
    assert ordeal["came_to_rest"]
    assert {suffered["fault"] for suffered in ordeal["suffered"]} == faults
    assert {finding["component"] for finding in ordeal["sabotage"]} == SABOTAGED, (
        "what is planted in real parts is found"
    )
    assert {"effective", "ineffective"} <= history["outcomes"].keys(), "the races had losers"
