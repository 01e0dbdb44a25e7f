"""When the record lost entries that the timeline or a signed head has, the projection stops with its exit code."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from handoff.operations.setup.broker_topics import delete_records_before, recreate_topic
from handoff.projection.runtime import BROKEN_RECORD
from handoff.record.message import Message
from handoff.record.topics import Topic, record_topic, topics
from handoff.trial.child_process import ChildProcess
from tests.support.parts.checkpoint_log import append_cases, published, until_more_checkpoints, wipe_timeline
from tests.support.parts.record_writer import RecordWriter, record_writer
from tests.support.parts.running_projection import projecting
from tests.support.parts.stack import Jurisdictions

pytestmark = pytest.mark.faults

CADENCE_SECONDS = 0.5


@pytest.fixture
async def writer(jurisdictions: Jurisdictions, tmp_path: Path) -> AsyncIterator[RecordWriter]:
    """A record that is on the timeline, under a checkpoint."""
    async with record_writer(jurisdictions, tmp_path, CADENCE_SECONDS) as kept:
        await kept.found()
        async with projecting(kept):
            await append_cases(kept, 0, 3)
            await until_more_checkpoints(kept)
        yield kept


def topic_of(writer: RecordWriter) -> Topic:
    jurisdiction = writer.town.jurisdiction
    declared = topics(jurisdiction.name, jurisdiction.members)
    return next(topic for topic in declared if topic.name == record_topic(jurisdiction.name))


async def replace(writer: RecordWriter, messages: list[Message]) -> None:
    """Replace the record by these entries, as at a broker that lost everything before."""
    await asyncio.to_thread(recreate_topic, writer.town.jurisdiction.kafka, topic_of(writer))
    await writer.append(*messages)


async def messages(writer: RecordWriter) -> list[Message]:
    return [entry.message for entry in await writer.record()]


async def ended(child: ChildProcess) -> str:
    """Returns the log of a process once it has ended by itself, for the reason that is asked for here."""
    async with asyncio.timeout(40):
        while child.running:  # noqa: ASYNC110 - another process ends
            await asyncio.sleep(0.05)
    assert child.terminate() == BROKEN_RECORD
    logged = child.log_tail()
    assert '"code": "record_truncated"' in logged
    assert '"level": "critical"' in logged
    return logged


async def test_a_record_that_is_shorter_than_the_timeline_stops_the_projection(writer: RecordWriter) -> None:
    """An unclean election or a power cut took the tail."""
    held = await messages(writer)
    await replace(writer, held[:-2])
    child = writer.projection("shorter")
    child.start()
    assert f"the record ends at {len(held) - 2}" in await ended(child)


async def test_a_record_that_has_grown_again_past_what_it_lost_stops_the_projection(writer: RecordWriter) -> None:
    """It is as long as it was and longer: only the entry that the timeline ends with tells it apart."""
    held = await messages(writer)
    await replace(writer, [*held[:-2], *held])
    child = writer.projection("regrown")
    child.start()
    assert f"the record's entry at offset {len(held) - 1} differs from the timeline's" in await ended(child)


async def test_a_record_that_no_longer_begins_at_0_stops_the_projection(writer: RecordWriter) -> None:
    """The beginning of the record is deleted; the entries at the end of the timeline are still there."""
    await asyncio.to_thread(delete_records_before, writer.town.jurisdiction.kafka, topic_of(writer).name, 5)
    child = writer.projection("beheaded")
    child.start()
    assert "no longer begins at 0, but at 5" in await ended(child)


async def test_a_projection_at_work_notices_that_its_record_lost_its_beginning(writer: RecordWriter) -> None:
    """It looks before each checkpoint that it signs, and signs none any more."""
    child = writer.projection("beheaded at work")
    child.start()
    await until_more_checkpoints(writer)
    await asyncio.to_thread(delete_records_before, writer.town.jurisdiction.kafka, topic_of(writer).name, 5)
    await ended(child)


async def test_a_projection_at_work_notices_that_its_record_lost_its_tail(writer: RecordWriter) -> None:
    """The record lost entries below a signed head."""
    child = writer.projection("shortened at work")
    child.start()
    await until_more_checkpoints(writer)
    await replace(writer, (await messages(writer))[:-2])
    await ended(child)


async def test_a_restored_database_does_not_hide_that_the_record_is_shorter_than_the_signed_head(
    writer: RecordWriter,
) -> None:
    """The database knows nothing of what was lost; the topic of checkpoints does, in the log's own signature."""
    held, count = await messages(writer), len(await published(writer))
    await wipe_timeline(writer)
    await replace(writer, held[:-2])
    child = writer.projection("restored")
    child.start()
    assert f"the record ends at {len(held) - 2}, before {len(held)}" in await ended(child)
    assert len(await published(writer)) == count
