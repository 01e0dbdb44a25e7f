"""The record's log stopped, superseded, forked, tampered with and restored, on the real broker and database."""

import asyncio
from collections.abc import AsyncIterator
from itertools import groupby
from pathlib import Path

import pytest

from handoff.adapters.postgres.checkpoint_store import HeadForked
from handoff.adapters.postgres.timeline_store import open_timeline_store
from handoff.bootstrap.projection import build_projection
from handoff.domain.case import Situation
from handoff.leadership import LeadershipLost
from handoff.operations.setup.broker_topics import recreate_topic
from handoff.operations.timeline_rebuild import rebuild
from handoff.proof.log.checkpoint import TreeHead
from handoff.proof.log.witness import AddCheckpoint
from handoff.record.delivery import Verdict, VerdictKind
from handoff.record.topics import checkpoints_topic, topics
from tests.support.parts.checkpoint_log import (
    append_cases,
    publish,
    published,
    roots,
    store_checkpoint,
    until_more_checkpoints,
    wipe_timeline,
    witnessed_heads,
)
from tests.support.parts.record_writer import RecordWriter, record_writer
from tests.support.parts.running_projection import projecting
from tests.support.parts.stack import Jurisdictions
from tests.support.probes.eventually import eventually

pytestmark = pytest.mark.faults

CADENCE_SECONDS = 0.25


@pytest.fixture
async def writer(jurisdictions: Jurisdictions, tmp_path: Path) -> AsyncIterator[RecordWriter]:
    """A founded record with the timeline's database, and a log that does not run yet."""
    async with record_writer(jurisdictions, tmp_path, CADENCE_SECONDS) as kept:
        await kept.found()
        yield kept


async def test_a_stored_unpublished_event_is_published_unchanged(writer: RecordWriter) -> None:
    """A log that stopped between storing and publishing later publishes the same bytes, even if the record grew."""
    async with projecting(writer):
        await until_more_checkpoints(writer)
    await append_cases_without_log(writer, 0, 40)
    stated = await store_checkpoint(writer, epoch=None)
    assert stated is not None
    before = await published(writer)
    assert stated.request not in before
    async with projecting(writer):
        await append_cases(writer, 40, 40)
        requests = await until_more_checkpoints(writer, 2)
    assert requests[len(before)] == stated.request
    assert witnessed_heads(writer, requests)[-1].size == await writer.end()


async def test_a_repeatedly_killed_log_publishes_only_stored_checkpoints(writer: RecordWriter) -> None:
    """After every SIGKILL the topic is what the database holds, in its order, and a witness gets through all of it."""
    child = writer.projection("killed")
    for first in range(0, 40, 10):
        child.start()
        await until_more_checkpoints(writer)
        await append_cases(writer, first, 10)
        child.kill()
    async with projecting(writer):
        requests = await until_more_checkpoints(writer)
    stored = [row[0] for row in await writer.query("checkpoint_requests")]
    sent = [request.encode() for request in requests]
    assert [one for one, _ in groupby(sent)] == [one for one, _ in groupby(stored)]
    assert witnessed_heads(writer, requests)[-1] == TreeHead(
        await writer.end(), *await roots(writer, await writer.end())
    )


async def test_a_log_that_dies_while_nothing_happens_is_replaced(writer: RecordWriter) -> None:
    """The standby detects the missing checkpoint: it needs no new entry on the record."""
    first, second = writer.projection("first"), writer.projection("second")
    first.start()
    await until_more_checkpoints(writer)
    second.start()
    await eventually(lambda: epoch_is(writer, 2))
    await until_more_checkpoints(writer)
    second.kill()
    requests = await until_more_checkpoints(writer, 2)
    assert await epoch_is(writer, 3)
    assert witnessed_heads(writer, requests)[-1].size == await writer.end()


async def test_checkpoints_lost_from_the_topic_are_published_again(writer: RecordWriter) -> None:
    """They are published from the database, so a new witness can follow them from the first."""
    async with projecting(writer):
        await until_more_checkpoints(writer, 2)
        await append_cases(writer, 0, 10)
        before = await until_more_checkpoints(writer, 2)
    jurisdiction = writer.town.jurisdiction
    declared = topics(jurisdiction.name, jurisdiction.members)
    lost = next(topic for topic in declared if topic.name == checkpoints_topic(jurisdiction.name))
    await asyncio.to_thread(recreate_topic, jurisdiction.kafka, lost)
    async with projecting(writer):
        requests = await until_more_checkpoints(writer, len(before) + 1)
    assert requests[: len(before)] == before
    assert witnessed_heads(writer, requests)[-1].size == await writer.end()


async def test_a_log_that_was_superseded_states_nothing_more(writer: RecordWriter) -> None:
    """A writer with a superseded epoch is refused before it publishes a signature."""
    async with projecting(writer):
        await until_more_checkpoints(writer)
    async with open_timeline_store(writer.settings().postgres) as store:
        before = await store.take_over()
        await store.take_over()
    count = await writer.query("checkpoint_count")
    with pytest.raises(LeadershipLost):
        await store_checkpoint(writer, epoch=before.epoch)
    assert await writer.query("checkpoint_count") == count


async def test_a_fork_signed_by_the_log_s_own_key_stops_it(writer: RecordWriter) -> None:
    """Two roots of one size stop the log: it signs nothing until an operator has examined them."""
    running = asyncio.create_task(build_projection(writer.settings()).run())
    head = witnessed_heads(writer, await until_more_checkpoints(writer))[-1]
    fork = writer.log.state(TreeHead(head.size, bytes(32)))
    await publish(writer, AddCheckpoint(head.size, (), str(fork).encode()))
    with pytest.RaisesGroup(HeadForked, flatten_subgroups=True):
        async with asyncio.timeout(20):
            await running


async def test_mended_rules_change_verdicts_and_no_root(writer: RecordWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves have Kafka's data only: a rebuild under other rules gives the same tree, and the log continues."""
    async with projecting(writer):
        end = await append_cases(writer, 0, 80)
        await until_more_checkpoints(writer)
    monkeypatch.setattr("handoff.domain.record_fold.examine", strict)
    report = await rebuild(writer.settings("owner"), lambda _done, _of: None)
    monkeypatch.undo()
    differing = {table.name for table in report.tables if not table.is_identical}
    assert {"entries", "cases"} <= differing
    assert differing.isdisjoint({"tree_nodes", "position"})
    async with projecting(writer):
        requests = await until_more_checkpoints(writer, 2)
    assert witnessed_heads(writer, requests)[-1] == TreeHead(end, *await roots(writer, end))


async def test_a_tree_that_was_tampered_with_is_not_signed(writer: RecordWriter) -> None:
    """A tree that does not extend the last signed head stops the log before it publishes."""
    async with projecting(writer):
        await until_more_checkpoints(writer)
    await writer.query("falsify_frontier")
    # Stored, not published: a checkpoint that was stored before the projection ended is published now.
    signed = await writer.query("checkpoint_times")
    with pytest.RaisesGroup(HeadForked, flatten_subgroups=True):
        async with asyncio.timeout(20):
            await build_projection(writer.settings()).run()
    assert await writer.query("checkpoint_times") == signed


async def test_a_restored_database_continues_from_the_logs_published_checkpoint(
    jurisdictions: Jurisdictions, writer: RecordWriter, tmp_path: Path
) -> None:
    """It folds the record again, takes the forgotten heads from the topic, and witnesses walk on without a gap."""
    async with projecting(writer):
        await append_cases(writer, 0, 40)
        before = await until_more_checkpoints(writer, 2)
    await wipe_timeline(writer)
    async with projecting(writer):
        await append_cases(writer, 40, 40)
        requests = await until_more_checkpoints(writer, 2)
    assert requests[: len(before)] == before
    assert witnessed_heads(writer, requests)[-1].size == await writer.end()


async def epoch_is(writer: RecordWriter, epoch: int) -> bool:
    found: int = (await writer.query("timeline_epoch"))[0][0]
    return found == epoch


async def append_cases_without_log(writer: RecordWriter, first: int, stories: int) -> None:
    cadence, writer.cadence_seconds = writer.cadence_seconds, None
    async with projecting(writer):
        await append_cases(writer, first, stories)
    writer.cadence_seconds = cadence


def strict(known: Situation, *_: object, **__: object) -> tuple[Verdict, Situation]:
    """Rules by which nothing counts."""
    return Verdict(VerdictKind.INVALID, "malformed"), known
