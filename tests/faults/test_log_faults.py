"""The record's log stopped, superseded, forked, tampered with and restored, on the real broker and database."""

import asyncio
from collections.abc import AsyncIterator
from itertools import groupby
from pathlib import Path

import pytest

from handoff.adapters.postgres.checkpoint_store import HeadForked
from handoff.adapters.postgres.timeline_store import Superseded, open_timeline_store
from handoff.domain.case import Situation
from handoff.operations.setup.broker_topics import recreate_topic
from handoff.operations.timeline_rebuild import rebuild
from handoff.projection.runtime import Projection
from handoff.proof.log.checkpoint import TreeHead
from handoff.proof.log.witness import AddCheckpoint
from handoff.record.delivery import Verdict, VerdictKind
from handoff.record.topics import checkpoints_topic, topics
from tests.support.parts.checkpoint_log import (
    forget_everything,
    grow,
    more_checkpoints,
    publish,
    published,
    roots,
    state_once,
    walked,
)
from tests.support.parts.record_writer import RecordKeeper, record_keeper
from tests.support.parts.running_projection import projecting
from tests.support.parts.stack import Jurisdictions
from tests.support.probes.eventually import eventually

pytestmark = pytest.mark.faults

CADENCE_SECONDS = 0.25


@pytest.fixture
async def keeper(jurisdictions: Jurisdictions, tmp_path: Path) -> AsyncIterator[RecordKeeper]:
    """A founded record with the timeline's database, and a log that does not run yet."""
    async with record_keeper(jurisdictions, tmp_path, CADENCE_SECONDS) as kept:
        await kept.found()
        yield kept


async def test_what_was_stored_and_not_published_is_published_as_it_was_stored(keeper: RecordKeeper) -> None:
    """A log that stopped between storing and publishing later publishes the same bytes, even if the record grew."""
    async with projecting(keeper):
        await more_checkpoints(keeper)
    await grow_without_log(keeper, 0, 40)
    stated = await state_once(keeper, epoch=None)
    assert stated is not None
    before = await published(keeper)
    assert stated.request not in before
    async with projecting(keeper):
        await grow(keeper, 40, 40)
        requests = await more_checkpoints(keeper, 2)
    assert requests[len(before)] == stated.request
    assert walked(keeper, requests)[-1].size == await keeper.end()


async def test_a_log_killed_again_and_again_says_what_it_stored_and_nothing_else(keeper: RecordKeeper) -> None:
    """After every SIGKILL the topic is what the database holds, in its order, and a witness gets through all of it."""
    child = keeper.projection("killed")
    for first in range(0, 40, 10):
        child.start()
        await more_checkpoints(keeper)
        await grow(keeper, first, 10)
        child.kill()
    async with projecting(keeper):
        requests = await more_checkpoints(keeper)
    stored = [row[0] for row in await keeper.query("checkpoint_requests")]
    said = [request.encode() for request in requests]
    assert [one for one, _ in groupby(said)] == [one for one, _ in groupby(stored)]
    assert walked(keeper, requests)[-1] == TreeHead(await keeper.end(), *await roots(keeper, await keeper.end()))


async def test_a_log_that_dies_while_nothing_happens_is_replaced(keeper: RecordKeeper) -> None:
    """The standby detects the missing checkpoint: it needs no new entry on the record."""
    first, second = keeper.projection("first"), keeper.projection("second")
    first.start()
    await more_checkpoints(keeper)
    second.start()
    await eventually(lambda: epoch_is(keeper, 2))
    await more_checkpoints(keeper)
    second.kill()
    requests = await more_checkpoints(keeper, 2)
    assert await epoch_is(keeper, 3)
    assert walked(keeper, requests)[-1].size == await keeper.end()


async def test_a_topic_that_lost_its_checkpoints_is_told_them_again(keeper: RecordKeeper) -> None:
    """They are published from the database, so a new witness can follow them from the first."""
    async with projecting(keeper):
        await more_checkpoints(keeper, 2)
        await grow(keeper, 0, 10)
        before = await more_checkpoints(keeper, 2)
    jurisdiction = keeper.town.jurisdiction
    declared = topics(jurisdiction.name, jurisdiction.members)
    lost = next(topic for topic in declared if topic.name == checkpoints_topic(jurisdiction.name))
    await asyncio.to_thread(recreate_topic, jurisdiction.kafka, lost)
    async with projecting(keeper):
        requests = await more_checkpoints(keeper, len(before) + 1)
    assert requests[: len(before)] == before
    assert walked(keeper, requests)[-1].size == await keeper.end()


async def test_a_log_that_was_superseded_states_nothing_more(keeper: RecordKeeper) -> None:
    """A writer with a superseded epoch is refused before it publishes a signature."""
    async with projecting(keeper):
        await more_checkpoints(keeper)
    async with open_timeline_store(keeper.settings().postgres) as store:
        before = await store.take_over()
        await store.take_over()
    count = await keeper.query("checkpoint_count")
    with pytest.raises(Superseded):
        await state_once(keeper, epoch=before.epoch)
    assert await keeper.query("checkpoint_count") == count


async def test_a_fork_signed_by_the_log_s_own_key_stops_it(keeper: RecordKeeper) -> None:
    """Two roots of one size stop the log: it signs nothing until an operator has examined them."""
    running = asyncio.create_task(Projection(keeper.settings()).run())
    head = walked(keeper, await more_checkpoints(keeper))[-1]
    fork = keeper.log.state(TreeHead(head.size, bytes(32)))
    await publish(keeper, AddCheckpoint(head.size, (), str(fork).encode()))
    with pytest.RaisesGroup(HeadForked, flatten_subgroups=True):
        async with asyncio.timeout(20):
            await running


async def test_mended_rules_change_verdicts_and_no_root(keeper: RecordKeeper, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves have Kafka's data only: a rebuild under other rules gives the same tree, and the log continues."""
    async with projecting(keeper):
        end = await grow(keeper, 0, 80)
        await more_checkpoints(keeper)
    monkeypatch.setattr("handoff.domain.record_fold.examine", strict)
    report = await rebuild(keeper.settings("owner"), lambda _done, _of: None)
    monkeypatch.undo()
    differing = {table.name for table in report.tables if not table.is_identical}
    assert {"entries", "cases"} <= differing
    assert differing.isdisjoint({"tree_nodes", "position"})
    async with projecting(keeper):
        requests = await more_checkpoints(keeper, 2)
    assert walked(keeper, requests)[-1] == TreeHead(end, *await roots(keeper, end))


async def test_a_tree_that_was_tampered_with_is_not_signed(keeper: RecordKeeper) -> None:
    """A tree that does not extend the last signed head stops the log before it publishes."""
    async with projecting(keeper):
        await more_checkpoints(keeper)
    await keeper.query("falsify_frontier")
    count = len(await published(keeper))
    with pytest.RaisesGroup(HeadForked, flatten_subgroups=True):
        async with asyncio.timeout(20):
            await Projection(keeper.settings()).run()
    assert len(await published(keeper)) == count


async def test_a_restored_database_goes_on_from_what_the_log_has_published(
    jurisdictions: Jurisdictions, keeper: RecordKeeper, tmp_path: Path
) -> None:
    """It folds the record again, takes the forgotten heads from the topic, and witnesses walk on without a gap."""
    async with projecting(keeper):
        await grow(keeper, 0, 40)
        before = await more_checkpoints(keeper, 2)
    await forget_everything(keeper)
    async with projecting(keeper):
        await grow(keeper, 40, 40)
        requests = await more_checkpoints(keeper, 2)
    assert requests[: len(before)] == before
    assert walked(keeper, requests)[-1].size == await keeper.end()


async def epoch_is(keeper: RecordKeeper, epoch: int) -> bool:
    found: int = (await keeper.query("timeline_epoch"))[0][0]
    return found == epoch


async def grow_without_log(keeper: RecordKeeper, first: int, stories: int) -> None:
    cadence, keeper.cadence_seconds = keeper.cadence_seconds, None
    async with projecting(keeper):
        await grow(keeper, first, stories)
    keeper.cadence_seconds = cadence


def strict(known: Situation, *_: object, **__: object) -> tuple[Verdict, Situation]:
    """Rules by which nothing counts."""
    return Verdict(VerdictKind.INVALID, "malformed"), known
