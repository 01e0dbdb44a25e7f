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
from tests.support.parts.checkpoint_log import forget_everything, grow, more_checkpoints, published
from tests.support.parts.record_writer import RecordKeeper, record_keeper
from tests.support.parts.running_projection import projecting
from tests.support.parts.stack import Jurisdictions

pytestmark = pytest.mark.faults

CADENCE_SECONDS = 0.5


@pytest.fixture
async def keeper(jurisdictions: Jurisdictions, tmp_path: Path) -> AsyncIterator[RecordKeeper]:
    """A record that is on the timeline, under a checkpoint."""
    async with record_keeper(jurisdictions, tmp_path, CADENCE_SECONDS) as kept:
        await kept.found()
        async with projecting(kept):
            await grow(kept, 0, 3)
            await more_checkpoints(kept)
        yield kept


def topic_of(keeper: RecordKeeper) -> Topic:
    jurisdiction = keeper.town.jurisdiction
    declared = topics(jurisdiction.name, jurisdiction.members)
    return next(topic for topic in declared if topic.name == record_topic(jurisdiction.name))


async def replace(keeper: RecordKeeper, messages: list[Message]) -> None:
    """Replace the record by these entries, as at a broker that lost everything before."""
    await asyncio.to_thread(recreate_topic, keeper.town.jurisdiction.kafka, topic_of(keeper))
    await keeper.append(*messages)


async def messages(keeper: RecordKeeper) -> list[Message]:
    return [entry.message for entry in await keeper.record()]


async def ended(child: ChildProcess) -> str:
    """Returns the log of a process once it has ended by itself, for the reason that is asked for here."""
    async with asyncio.timeout(40):
        while child.running:  # noqa: ASYNC110 - another process ends
            await asyncio.sleep(0.05)
    assert child.terminate() == BROKEN_RECORD
    told = child.log_tail()
    assert '"code": "record-truncated"' in told
    assert '"level": "critical"' in told
    return told


async def test_a_record_that_is_shorter_than_the_timeline_stops_the_projection(keeper: RecordKeeper) -> None:
    """An unclean election or a power cut took the tail."""
    held = await messages(keeper)
    await replace(keeper, held[:-2])
    child = keeper.projection("shorter")
    child.start()
    assert f"the record ends at {len(held) - 2}" in await ended(child)


async def test_a_record_that_has_grown_again_past_what_it_lost_stops_the_projection(keeper: RecordKeeper) -> None:
    """It is as long as it was and longer: only the entry that the timeline ends with tells it apart."""
    held = await messages(keeper)
    await replace(keeper, [*held[:-2], *held])
    child = keeper.projection("regrown")
    child.start()
    assert f"the record's entry {len(held) - 1} is not the one that stands on the timeline" in await ended(child)


async def test_a_record_that_no_longer_begins_at_0_stops_the_projection(keeper: RecordKeeper) -> None:
    """The beginning of the record is deleted; the entries at the end of the timeline are still there."""
    await asyncio.to_thread(delete_records_before, keeper.town.jurisdiction.kafka, topic_of(keeper).name, 5)
    child = keeper.projection("beheaded")
    child.start()
    assert "no longer begins at 0, but at 5" in await ended(child)


async def test_a_projection_at_work_notices_that_its_record_lost_its_beginning(keeper: RecordKeeper) -> None:
    """It looks before each checkpoint that it signs, and signs none any more."""
    child = keeper.projection("beheaded at work")
    child.start()
    await more_checkpoints(keeper)
    await asyncio.to_thread(delete_records_before, keeper.town.jurisdiction.kafka, topic_of(keeper).name, 5)
    await ended(child)


async def test_a_projection_at_work_notices_that_its_record_lost_its_tail(keeper: RecordKeeper) -> None:
    """The record lost entries below a signed head."""
    child = keeper.projection("shortened at work")
    child.start()
    await more_checkpoints(keeper)
    await replace(keeper, (await messages(keeper))[:-2])
    await ended(child)


async def test_a_restored_database_does_not_hide_that_the_record_is_shorter_than_the_signed_head(
    keeper: RecordKeeper,
) -> None:
    """The database knows nothing of what was lost; the topic of checkpoints does, in the log's own signature."""
    held, count = await messages(keeper), len(await published(keeper))
    await forget_everything(keeper)
    await replace(keeper, held[:-2])
    child = keeper.projection("restored")
    child.start()
    assert f"the record ends at {len(held) - 2}, before {len(held)}" in await ended(child)
    assert len(await published(keeper)) == count
