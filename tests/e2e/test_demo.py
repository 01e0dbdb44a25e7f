"""The demo, to its end and when it does not go well: what a newcomer sees, and what is left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

PLAN = Path(__file__).parents[2] / "infra" / "prizren.toml"
HANDOFF = Path(sys.executable).with_name("handoff")
PATIENCE = 60


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    """A `handoff demo` with its progress on a pipe."""
    return subprocess.Popen(
        [HANDOFF, "demo", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_for(process: subprocess.Popen[str], words: str) -> str:
    """Return the output up to the line with ``words``."""
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if words in line:
            return printed
    pytest.fail(f"the demo ended before it printed {words!r}:\n{printed}")


def descendants(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Every process that the demo has started so far, with those that they have started."""
    found: list[psutil.Process] = psutil.Process(process.pid).children(recursive=True)
    return found


def still_running(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those of ``processes`` that have not ended a little later."""
    alive: list[psutil.Process] = psutil.wait_procs(processes, timeout=PATIENCE / 3)[1]
    return alive


@pytest.mark.slow
@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT,
        pytest.param(signal.SIGTERM, marks=pytest.mark.faults),
        pytest.param(signal.SIGKILL, marks=pytest.mark.faults),
    ],
)
def test_nothing_is_left_running_when_the_demo_is_interrupted(number: signal.Signals, tmp_path: Path) -> None:
    """Ctrl-C, an orderly stop and a kill in the middle of the start all end every process."""
    with start("--keep", tmp_path / "state") as process:
        wait_for(process, "admissions are stored")
        time.sleep(0.5)
        started = descendants(process)
        assert len(started) > 5
        os.kill(process.pid, number)
        assert process.wait(PATIENCE) == (-signal.SIGKILL if number is signal.SIGKILL else 130)
    assert still_running(started) == []


@pytest.mark.faults
@pytest.mark.timeout(300)
def test_the_demo_ends_with_an_auditors_read_recorded_in_the_case(tmp_path: Path) -> None:
    """A read recorded at the audit's API becomes effective, is on the timeline and in the view `reads`."""
    played = subprocess.run([HANDOFF, "demo", "--json"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert played.returncode == 0, played.stderr
    shown = json.loads(played.stdout)
    (read,) = (entry for entry in shown["timeline"] if entry["type"] == "case.read.v1")
    assert (read["emitter"], read["verdict"]["kind"]) == ("audit", "effective")
    assert {question["view"]: question["count"] for question in shown["replay"]["questions"]}["reads"] == 1
    late = shown["late_step"]
    assert (late["member"], late["cause"], late["escalation_ended"]) == ("social_work", "unseen", "step_done")


@pytest.mark.slow
def test_a_failure_names_its_cause_and_shows_its_log(tmp_path: Path) -> None:
    """A service that cannot start is named, the end of its log is shown, and the exit code is not zero."""
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN.read_text().replace('service = "legal_aid"', 'service = "lawyers_without_code"'))
    with start("--plan", plan) as process:
        printed = wait_for(process, "admissions are stored")
        started = descendants(process)
        assert process.stdout is not None
        printed += process.stdout.read()
        assert process.wait(PATIENCE) == 1
    assert "legal_aid ended with exit code 1" in printed
    assert "No module named" in printed
    assert still_running(started) == []
