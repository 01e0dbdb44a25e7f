"""A superuser edits verdicts in the timeline's database: the monitor's digest shows it, whichever case is opened."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import asyncpg
import pytest

from handoff import clock, telemetry
from handoff.adapters.files.trust_file import TrustFile
from handoff.adapters.kafka.record_reader import RecordReader
from handoff.adapters.kafka.verdicts_topic import VerdictsTopic
from handoff.adapters.postgres.pool import open_pool
from handoff.adapters.postgres.timeline_store import connect
from handoff.adapters.postgres.tree_reader import Tree
from handoff.adapters.verdict_comparison import VerdictComparer
from handoff.config import CheckpointSettings
from handoff.judging.verdict_statement import VerdictComparison, VerdictStatement
from handoff.monitor.runtime import Examiner, MonitoredRecord
from handoff.operations.doctor.verdicts import verdicts_finding
from handoff.proof.log.checkpoint import TreeHead
from handoff.record import codec, signing
from handoff.record.topics import MONITOR, PROJECTION
from tests.support.parts.checkpoints import witness_key
from tests.support.parts.record_writer import WITNESSES, RecordedCase, RecordWriter, record_writer, witness_of
from tests.support.parts.running_projection import projecting
from tests.support.parts.stack import Jurisdictions
from tests.support.probes.eventually import eventually

_KEY = witness_key(MONITOR)
_SET = "UPDATE timeline.entries SET"
_LAST = "WHERE record_offset = (SELECT max(record_offset) FROM timeline.entries WHERE verdict = 'effective')"
_EDITS = {
    "verdict": f"{_SET} verdict = 'ineffective', reason = 'already' {_LAST}",
    "reason": f"{_SET} reason = 'already' {_LAST}",
    "rules": f"{_SET} rules = 7 WHERE record_offset = 2",
    "hidden entry": f"DELETE FROM timeline.entries {_LAST}",
}


class _NoSnapshot:
    async def load(self) -> bytes:
        return b""

    async def save(self, _value: bytes) -> None:
        raise AssertionError("a record this short needs no snapshot")


@pytest.fixture
async def writer(jurisdictions: Jurisdictions, tmp_path: Path) -> AsyncIterator[RecordWriter]:
    """A record with a case, on the timeline and judged by the monitor, which has published its digest."""
    async with record_writer(jurisdictions, tmp_path) as kept:
        await kept.found()
        await kept.append(*RecordedCase(kept.town, 1).whole())
        async with projecting(kept):
            size = await kept.until_caught_up()
        await _judge(kept, size)
        yield kept


async def _judge(writer: RecordWriter, size: int) -> None:
    """Let the monitor recompute the record up to ``size`` and publish what it found."""
    kafka = writer.town.jurisdiction.kafka_settings(MONITOR)
    reader, topic = (
        RecordReader(kafka, writer.town.name, client_id="test"),
        VerdictsTopic(kafka, writer.origin, client_id="test-verdicts"),
    )
    found: list[VerdictStatement] = []
    record = MonitoredRecord(writer.origin, signing.sha256(codec.encode(writer.town.genesis)), (_KEY,))
    try:
        connection = await connect(writer.postgres("reader"))
        head = TreeHead(size, await Tree(connection).root(size))
        await connection.close()
        await Examiner(reader, record, _NoSnapshot(), found.append).examine(head)
        await topic.publish(found[-1].signed(_KEY))
    finally:
        await reader.close()
        await topic.close()


@asynccontextmanager
async def _comparing(writer: RecordWriter) -> AsyncIterator[VerdictComparer]:
    """A comparer as the audit has it, with the rights of a member."""
    kafka = writer.town.jurisdiction.kafka_settings("police")
    topic = VerdictsTopic(kafka, writer.origin, client_id="test-audit")
    async with open_pool(writer.postgres("reader"), max_size=1) as pool:
        yield VerdictComparer(topic, pool, writer.origin, _trust(writer).current, clock.now)
    await topic.close()


async def _edit(writer: RecordWriter, statement: str) -> None:
    connection = await asyncpg.connect(writer.superuser)
    try:
        await connection.execute("ALTER TABLE timeline.entries DISABLE TRIGGER ALL")
        assert (await connection.execute(statement)).endswith(" 1"), "the edit meets one entry"
    finally:
        await connection.close()


@pytest.mark.parametrize("edit", sorted(_EDITS))
async def test_an_edit_of_any_case_makes_the_digests_differ(writer: RecordWriter, edit: str) -> None:
    """The audit's process alarms it, in metric and log, and the doctor finds it."""
    async with _comparing(writer) as comparer:
        honest = await comparer.compare()
        assert honest is not None
        assert honest.comparison is VerdictComparison.SAME
        assert (await verdicts_finding(_installed(writer))).state == "ok"
    await _edit(writer, _EDITS[edit])
    alarms = telemetry.VERDICT_ALARMS.labels(VerdictComparison.DIFFERENT.value)
    before = alarms._value.get()
    async with _comparing(writer) as comparer:
        running = asyncio.create_task(comparer.run())

        async def is_alarmed() -> bool:
            return comparer.result is not None and comparer.result.is_alarming

        await eventually(is_alarmed)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    assert alarms._value.get() == before + 1
    finding = await verdicts_finding(_installed(writer))
    assert (finding.part, finding.state) == ("verdicts", "bad")


async def test_a_statement_of_another_key_counts_for_nothing(writer: RecordWriter) -> None:
    """The broker's password of the monitor is not enough to hide an edit."""
    kafka = writer.town.jurisdiction.kafka_settings(MONITOR)
    topic = VerdictsTopic(kafka, writer.origin, client_id="test-verdicts")
    async with _comparing(writer) as comparer:
        assert await comparer.compare() is not None
        raw = await topic.newest()
        assert raw is not None
        await topic.publish(
            VerdictStatement.open(raw, witness_of(writer.town.name, MONITOR)).signed(witness_key("police"))
        )
    await topic.close()
    finding = await verdicts_finding(_installed(writer))
    assert (finding.state, "did not sign" in finding.finding) == ("bad", True)


def _trust(writer: RecordWriter) -> TrustFile:
    return TrustFile(CheckpointSettings(trust_file=writer.trust(*WITNESSES)), writer.origin)


def _installed(writer: RecordWriter) -> Any:
    """Return the parts of an installation that the doctor examines."""
    return cast(
        "Any",
        SimpleNamespace(
            processes=(writer.settings(),),
            checkpoints=CheckpointSettings(trust_file=writer.trust(*WITNESSES)),
            timeline_reader=writer.postgres("reader"),
            origin=writer.origin,
        ),
    )


async def test_only_the_monitor_may_publish_statements(writer: RecordWriter) -> None:
    """The topic's rights are those of the plan: one writer."""
    topics = {topic.name: topic for topic in writer.town.topics()}
    assert topics[f"{writer.town.name}.verdicts"].writers == (MONITOR,)
    assert PROJECTION in topics[f"{writer.town.name}.verdicts"].readers
