"""The projection killed, stopped, doubled and misled, on the real broker and database."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from handoff.operations.timeline_rebuild import RebuildRefused, rebuild
from handoff.projection.runtime import BROKEN_RECORD
from handoff.trial.child_process import ChildProcess
from tests.support.parts.record_writer import RecordKeeper, Story, record_keeper
from tests.support.parts.running_projection import projecting
from tests.support.parts.stack import Jurisdictions

pytestmark = pytest.mark.faults

KILLS = 3


@pytest.fixture
async def keeper(jurisdictions: Jurisdictions, tmp_path: Path) -> AsyncIterator[RecordKeeper]:
    async with record_keeper(jurisdictions, tmp_path) as kept:
        yield kept


def send(child: ChildProcess, number: signal.Signals) -> None:
    assert child.pid is not None
    os.kill(child.pid, number)


async def tell_stories(keeper: RecordKeeper, first: int, number: int) -> None:
    await keeper.append(*(message for n in range(first, first + number) for message in Story(keeper.town, n).whole()))


async def tell_slowly(keeper: RecordKeeper, first: int) -> None:
    """Tells stories for longer than a page takes, the last of them over again."""
    for number in range(first, first + 60, 6):
        await tell_stories(keeper, number, 8)
        await asyncio.sleep(0.03)


async def offsets(keeper: RecordKeeper) -> list[int]:
    return [row[0] for row in await keeper.query("timeline_offsets")]


def quiet(_done: int, _of: int) -> None:
    """Ignore progress."""


async def test_a_projection_killed_again_and_again_loses_nothing_and_doubles_nothing(keeper: RecordKeeper) -> None:
    """After every SIGKILL under load the timeline equals the record, byte for byte."""
    await keeper.found()
    child = keeper.projection("killed")
    for first in range(0, 60 * KILLS, 60):
        await _at_work(keeper, child)
        telling = asyncio.create_task(tell_slowly(keeper, first))
        await keeper.caught_up(await keeper.next_offset() + 1)
        child.kill()
        await telling
    await _at_work(keeper, child)
    end = await keeper.caught_up()
    assert child.terminate() == 0
    assert await offsets(keeper) == list(range(end))
    assert (await rebuild(keeper.settings("owner"), quiet)).is_identical


async def test_a_stopped_projection_is_replaced_and_changes_nothing_when_it_wakes(keeper: RecordKeeper) -> None:
    """The standby takes over when the timeline falls behind the record; the old writer's epoch is refused."""
    await keeper.found()
    first, second = keeper.projection("first"), keeper.projection("second")
    first.start()
    await keeper.caught_up()
    second.start()
    await _epoch(keeper, 2)
    await tell_stories(keeper, 0, 20)
    await keeper.caught_up()
    send(second, signal.SIGSTOP)
    await tell_stories(keeper, 20, 20)
    await _epoch(keeper, 3)
    reached = await keeper.caught_up()
    send(second, signal.SIGCONT)
    await tell_stories(keeper, 40, 20)
    assert await keeper.caught_up() > reached
    assert await offsets(keeper) == list(range(await keeper.end()))
    assert first.running
    assert second.running
    assert "projection.leadership_lost" in second.log_tail(200)


async def test_a_rebuild_while_the_projection_writes_gives_the_same_tables(keeper: RecordKeeper) -> None:
    """The rebuilt tables are byte-identical, and the projection continues on them."""
    end = await keeper.found()
    async with projecting(keeper):
        await tell_stories(keeper, 0, 100)
        await keeper.caught_up(end)
        telling = asyncio.create_task(tell_stories(keeper, 100, 100))
        report = await rebuild(keeper.settings("owner"), quiet)
        await telling
        end = await keeper.caught_up()
        await tell_stories(keeper, 200, 1)
        assert await keeper.caught_up() > end
    assert report.is_identical
    assert {table.name: table.found.rows for table in report.tables}["entries"] == report.next_offset
    assert (await rebuild(keeper.settings("owner"), quiet)).is_identical


async def test_a_rebuild_finds_a_changed_entry_and_keeps_what_it_replaced(keeper: RecordKeeper) -> None:
    """Even an owner who lifts the trigger is found out, and the evidence is not overwritten by the next rebuild."""
    await keeper.found()
    async with projecting(keeper):
        await tell_stories(keeper, 0, 3)
        await keeper.caught_up()
    await keeper.query("allow_changes_of_entries")
    await keeper.query("falsify_acceptances")
    report = await rebuild(keeper.settings("owner"), quiet)
    assert [table.name for table in report.tables if not table.is_identical] == ["entries"]
    assert await _accepted(keeper, "timeline") == {"effective"}
    assert await _accepted(keeper, "timeline_replaced") == {"ineffective"}
    with pytest.raises(RebuildRefused):
        await rebuild(keeper.settings("owner"), quiet)


async def test_a_database_that_goes_away_is_waited_for(keeper: RecordKeeper) -> None:
    """A connection that the server ends is made again, under the same epoch and from the stored position."""
    await keeper.found()
    async with projecting(keeper):
        await keeper.caught_up()
        superuser = await asyncpg.connect(keeper.superuser)
        try:
            for number in range(5):
                await tell_stories(keeper, number, 1)
                await superuser.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1",
                    keeper.postgres("writer").user,
                )
        finally:
            await superuser.close()
        await keeper.caught_up()
    assert await offsets(keeper) == list(range(await keeper.end()))
    assert (await keeper.query("timeline_epoch"))[0][0] == 1


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("move_timeline_past_the_end", "the record ends at"),
        ("falsify_append_times", "differs from the timeline's"),
    ],
)
async def test_a_record_that_is_not_what_it_was_stops_the_projection(
    keeper: RecordKeeper, change: str, why: str
) -> None:
    """With a shorter record, or another one of the same length, the projection stops with its own exit code."""
    await keeper.found()
    async with projecting(keeper):
        await keeper.caught_up()
    await keeper.query("allow_changes_of_entries")
    await keeper.query(change)
    child = keeper.projection("misled")
    child.start()
    async with asyncio.timeout(30):
        while child.running:  # noqa: ASYNC110 - another process ends
            await asyncio.sleep(0.05)
    assert why in child.log_tail()
    assert child.terminate() == BROKEN_RECORD


async def _at_work(keeper: RecordKeeper, child: ChildProcess) -> None:
    """Start a projection, and wait until an entry appended after the start is on the timeline."""
    child.start()
    await tell_stories(keeper, 0, 1)
    await keeper.caught_up()


async def _epoch(keeper: RecordKeeper, epoch: int) -> None:
    async with asyncio.timeout(20):
        while (await keeper.query("timeline_epoch"))[0][0] < epoch:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)


async def _accepted(keeper: RecordKeeper, schema: str) -> set[str]:
    owner = await asyncpg.connect(keeper.postgres("owner").dsn, server_settings={"search_path": schema})
    try:
        rows = await owner.fetch("SELECT verdict FROM entries WHERE event_type = 'referral.accepted.v1'")
    finally:
        await owner.close()
    return {row["verdict"] for row in rows}
