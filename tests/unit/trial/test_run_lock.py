"""One state directory has one running stack, and the refusal of a second one gives advice that helps."""

import socket
from pathlib import Path

import pytest

from handoff.trial.errors import TrialError
from handoff.trial.run_lock import RunLock
from handoff.trial.tcp_ports import PortBlock


def test_a_directory_is_locked_once_until_its_release(tmp_path: Path) -> None:
    lock = RunLock.acquire(tmp_path / "stack")
    with pytest.raises(TrialError, match=r"already running.*handoff doctor.*Stop it"):
        RunLock.acquire(tmp_path / "stack")
    lock.release()
    RunLock.acquire(tmp_path / "stack").release()


def test_a_port_of_another_program_is_not_reported_as_a_running_trial() -> None:
    block = PortBlock.reserve()
    block.release()
    with socket.create_server(("127.0.0.1", block.base)), pytest.raises(TrialError) as refused:
        PortBlock.reclaim(block.base)
    assert f"port {block.base}" in str(refused.value)
    assert "another program" in str(refused.value)
    assert "already running" not in str(refused.value)
