"""`handoff up` restarts a broker or a database that died, and reports the reason."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from handoff.config import jurisdiction_plan
from handoff.operations.setup.broker_setup import broker_count
from handoff.trial.trial import Trial, running, temporary_directory
from tests.support.parts.stack import PRIZREN

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def parts() -> Iterator[Trial]:
    """A trial's broker and database, without services."""
    with temporary_directory() as directory:
        trial = Trial(directory, jurisdiction_plan(PRIZREN), lambda _stage: None)
        with running(trial, services=False):
            yield trial
        trial.discard()


def _sentences_until_started(trial: Trial, *names: str) -> list[str]:
    """Supervise as `handoff up` does, until each named process was started again."""
    found: list[str] = []
    while not all(f"{name} is started again." in found for name in names):
        found += trial.supervise()
        time.sleep(0.05)
    return found


@pytest.mark.timeout(120)
def test_a_killed_broker_and_a_killed_database_are_started_again_with_a_reason(parts: Trial) -> None:
    broker, database = parts.stack.kafka.brokers[0], parts.stack.postgres.process
    assert list(parts.supervise()) == []
    broker.kill()
    database.kill()
    sentences = _sentences_until_started(parts, broker.name, database.name)
    for process in (broker, database):
        [ended] = [sentence for sentence in sentences if sentence.startswith(f"{process.name} was ended")]
        assert "SIGKILL" in ended
        assert str(process.log) in ended
    parts.stack.kafka.wait_ready()
    parts.stack.postgres.wait_ready()
    assert broker_count(parts.stack.kafka_operator.client()) == 1


@pytest.mark.timeout(120)
def test_a_broker_that_cannot_start_is_reported_with_the_line_of_its_log(parts: Trial) -> None:
    broker = parts.stack.kafka.brokers[0]
    properties = next(Path(argument) for argument in broker.argv if argument.endswith("server.properties"))
    whole = properties.read_text()
    properties.write_text("process.roles=broker,controller\n")
    broker.kill()
    sentences: list[str] = []
    while not any("exit code 1" in sentence for sentence in sentences):
        sentences += parts.supervise()
        time.sleep(0.05)
    assert any("node.id" in sentence for sentence in sentences), sentences
    properties.write_text(whole)
    _sentences_until_started(parts, broker.name)
    parts.stack.kafka.wait_ready()
