"""The trial stack: starts, remembers, and leaves nothing behind."""

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from handoff.adapters import kafka_admin
from handoff.adapters.kafka_admin import Operator
from handoff.trial.child import ChildProcess
from handoff.trial.errors import TrialError
from handoff.trial.ports import PortBlock
from handoff.trial.stack import TrialStack
from tests.support.stack import Jurisdictions, throwaway_stack

_HOLDS_A_STACK = """
import sys, time
from pathlib import Path
from handoff.trial.stack import TrialStack
stack = TrialStack(Path(sys.argv[1]))
stack.start()
print(stack.kafka.brokers[0].pid, stack.postgres.process.pid, flush=True)
time.sleep(60)
"""


async def test_a_set_up_that_is_repeated_changes_nothing(broker_jurisdictions: Jurisdictions) -> None:
    jurisdiction = broker_jurisdictions.planned()
    assert len(await jurisdiction.apply_broker()) == 30
    assert await jurisdiction.apply_broker() == ()


async def test_a_topic_that_was_altered_by_hand_is_brought_back(
    kafka: Operator, broker_jurisdictions: Jurisdictions
) -> None:
    jurisdiction = await broker_jurisdictions.on_broker()
    record = f"{jurisdiction.name}.record"
    _set_config(kafka.client(), record, "retention.ms", "1000")
    assert _becomes(kafka.client(), record, "retention.ms", "1000")
    await jurisdiction.apply_broker()
    assert _becomes(kafka.client(), record, "retention.ms", "-1")


async def test_a_password_in_the_plan_is_the_one_that_opens(broker_jurisdictions: Jurisdictions) -> None:
    jurisdiction = await broker_jurisdictions.on_broker()
    settings = jurisdiction.kafka_settings("police")
    police = Operator(
        settings.bootstrap_servers, settings.username, settings.password.get_secret_value(), "SASL_PLAINTEXT"
    )
    assert kafka_admin.brokers_seen(police.client()) == 1


def test_a_stopped_stack_comes_back_with_its_ports_and_topics() -> None:
    with throwaway_stack() as stack:
        stack.start()
        _create_topic(stack.kafka_operator.client(), "kept")
        stack.stop()
        stack.close()
        again = TrialStack(stack.directory)
        again.start()
        assert again.bootstrap_servers == stack.bootstrap_servers
        assert again.postgres_operator == stack.postgres_operator
        assert "kept" in again.kafka_operator.client().list_topics(timeout=10).topics
        again.kill()
        again.close()


def test_one_state_directory_runs_once_at_a_time() -> None:
    with throwaway_stack() as stack, pytest.raises(TrialError, match="already running"):
        TrialStack(stack.directory)


def test_the_stack_ends_with_its_parent_even_when_that_is_killed() -> None:
    directory = Path(tempfile.mkdtemp(prefix="handoff-"))
    directory.chmod(0o711)
    argv = (sys.executable, "-c", _HOLDS_A_STACK, str(directory / "stack"))
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        children = [int(pid) for pid in parent.stdout.readline().split()]
        parent.kill()
    assert len(children) == 2
    assert _all_gone(children)
    stack = TrialStack(directory / "stack")
    stack.discard()
    directory.rmdir()


def test_a_part_that_fails_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    child = ChildProcess("the part", ("sh", "-c", "echo broken pipe organ; exit 3"), tmp_path / "part.log")
    child.start()
    with pytest.raises(TrialError, match=r"(?s)the part ended with exit code 3.*broken pipe organ"):
        child.wait_ready(lambda: False)


def test_a_child_that_ignores_the_request_to_stop_is_killed(tmp_path: Path) -> None:
    child = ChildProcess("deaf", ("sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done"), tmp_path / "log")
    child.start()
    child.wait_ready(lambda: "up" in child.tail())
    assert child.terminate(timeout=0.2) == -signal.SIGKILL
    assert not child.running


def test_two_blocks_of_ports_share_no_port() -> None:
    first, second = PortBlock.reserve(), PortBlock.reserve()
    assert abs(first.base - second.base) >= 50
    first.release()
    second.release()


def _all_gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if not any(psutil.pid_exists(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def _create_topic(client: AdminClient, name: str) -> None:
    for future in client.create_topics([NewTopic(name, 1, 1)]).values():
        future.result(10)


def _set_config(client: AdminClient, topic: str, key: str, value: str) -> None:
    entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    for future in client.incremental_alter_configs([resource]).values():
        future.result(10)


def _becomes(client: AdminClient, topic: str, key: str, value: str) -> bool:
    """Whether the broker shows the value soon: it follows its controller a moment later."""
    resource = ConfigResource(ResourceType.TOPIC, topic)
    for _ in range(100):
        (future,) = client.describe_configs([resource]).values()
        if future.result(10)[key].value == value:
            return True
        time.sleep(0.02)
    return False
