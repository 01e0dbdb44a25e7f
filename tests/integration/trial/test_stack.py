"""The trial stack: starts, remembers, and leaves nothing behind."""

import asyncio
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
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

from handoff.operations.setup import broker_setup
from handoff.operations.setup.kafka_operator import KafkaOperator
from handoff.record.topics import topics
from handoff.trial.child_process import ChildProcess
from handoff.trial.errors import TrialError
from handoff.trial.stack import TrialStack
from handoff.trial.tcp_ports import PortBlock
from tests.support.parts.stack import Jurisdictions, throwaway_stack
from tests.support.probes.broker_probe import GRANTED, BrokerProbe

pytestmark = pytest.mark.slow

_HOLDS_A_STACK = """
import sys, time
from pathlib import Path
from handoff.trial.stack import TrialStack
TrialStack(Path(sys.argv[1])).start()
time.sleep(60)
"""


async def test_a_set_up_that_is_repeated_changes_nothing(broker_jurisdictions: Jurisdictions) -> None:
    jurisdiction = broker_jurisdictions.planned()
    created = await jurisdiction.apply_broker()
    assert sorted(created) == sorted(topic.name for topic in topics(jurisdiction.name, jurisdiction.plan.member_ids))
    assert await jurisdiction.apply_broker() == ()


async def test_a_topic_that_was_altered_by_hand_is_brought_back(
    kafka: KafkaOperator, broker_jurisdictions: Jurisdictions
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
    police = KafkaOperator(
        settings.bootstrap_servers, settings.username, settings.password.get_secret_value(), "SASL_PLAINTEXT"
    )
    assert broker_setup.broker_count(police.client()) == 1


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


@pytest.mark.faults
async def test_three_brokers_continue_when_one_is_killed() -> None:
    with throwaway_stack(brokers=3) as stack:
        stack.start_kafka()
        jurisdiction = await Jurisdictions(stack).on_broker()
        stack.kafka.brokers[0].kill()
        async with BrokerProbe(
            stack.bootstrap_servers, stack.kafka_operator.username, stack.kafka_operator.password
        ) as operator:
            record = f"{jurisdiction.name}.record"
            assert await _eventually_writes(operator, record)
        stack.kafka.brokers[0].start()
        stack.kafka.wait_ready()


def test_one_state_directory_runs_once_at_a_time() -> None:
    with throwaway_stack() as stack, pytest.raises(TrialError, match="already running"):
        TrialStack(stack.directory)


@pytest.mark.faults
@pytest.mark.parametrize(("blow", "after"), [(signal.SIGINT, 0.3), (signal.SIGINT, 2.0), (signal.SIGKILL, 2.0)])
def test_a_stack_ends_with_its_parent_at_whatever_moment_that_ends(blow: signal.Signals, after: float) -> None:
    directory = Path(tempfile.mkdtemp(prefix="handoff-"))
    argv = (sys.executable, "-c", _HOLDS_A_STACK, str(directory / "stack"))
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as parent:
        children = _first_children(parent.pid)
        time.sleep(after)
        children |= {child.pid for child in psutil.Process(parent.pid).children(recursive=True)}
        parent.send_signal(blow)
        assert parent.wait(10) != 0
    assert children
    assert _all_gone(children)
    TrialStack(directory / "stack").discard()
    directory.rmdir()


def test_a_part_that_fails_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    child = ChildProcess("the part", ("sh", "-c", "echo broken pipe organ; exit 3"), tmp_path / "part.log")
    child.start()
    with pytest.raises(TrialError, match=r"(?s)the part ended with exit code 3.*broken pipe organ"):
        child.wait_ready(lambda: False)


def test_a_child_that_ignores_the_request_to_stop_is_killed(tmp_path: Path) -> None:
    child = ChildProcess("deaf", ("sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done"), tmp_path / "log")
    child.start()
    child.wait_ready(lambda: "up" in child.log_tail())
    assert child.terminate(timeout=0.2) == -signal.SIGKILL
    assert not child.running


def test_two_blocks_of_ports_share_no_port() -> None:
    first, second = PortBlock.reserve(), PortBlock.reserve()
    assert abs(first.base - second.base) >= 50
    first.release()
    second.release()


def _first_children(pid: int) -> set[int]:
    parent = psutil.Process(pid)
    while not (children := parent.children(recursive=True)):
        time.sleep(0.02)
    return {child.pid for child in children}


def _all_gone(pids: Iterable[int]) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if not any(psutil.pid_exists(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


async def _eventually_writes(operator: BrokerProbe, topic: str) -> bool:
    """Return whether a write succeeds after the other brokers have noticed the loss."""
    for _ in range(100):
        if await operator.write_wherever_led(topic) == GRANTED:
            return True
        await asyncio.sleep(0.2)
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
    """Return whether the broker soon reports the value: it applies its controller's change a moment later."""
    resource = ConfigResource(ResourceType.TOPIC, topic)
    for _ in range(100):
        (future,) = client.describe_configs([resource]).values()
        if future.result(10)[key].value == value:
            return True
        time.sleep(0.02)
    return False
