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
from tests.support.parts.record_writer import RecordedCase, RecordWriter, record_writer
from tests.support.parts.running_projection import projecting
from tests.support.parts.stack import Jurisdictions

pytestmark = pytest.mark.faults

KILLS = 3


@pytest.fixture
async def writer(jurisdictions: Jurisdictions, tmp_path: Path) -> AsyncIterator[RecordWriter]:
    async with record_writer(jurisdictions, tmp_path) as kept:
        yield kept


def send(child: ChildProcess, number: signal.Signals) -> None:
    assert child.pid is not None
    os.kill(child.pid, number)


async def append_cases(writer: RecordWriter, first: int, number: int) -> None:
    await writer.append(
        *(message for n in range(first, first + number) for message in RecordedCase(writer.town, n).whole())
    )


async def append_cases_slowly(writer: RecordWriter, first: int) -> None:
    """Tells cases for longer than a page takes, the last of them over again."""
    for number in range(first, first + 60, 6):
        await append_cases(writer, number, 8)
        await asyncio.sleep(0.03)


async def offsets(writer: RecordWriter) -> list[int]:
    return [row[0] for row in await writer.query("timeline_offsets")]


def quiet(_done: int, _of: int) -> None:
    """Ignore progress."""


async def test_a_projection_killed_again_and_again_loses_nothing_and_doubles_nothing(writer: RecordWriter) -> None:
    """After every SIGKILL under load the timeline equals the record, byte for byte."""
    await writer.found()
    child = writer.projection("killed")
    for first in range(0, 60 * KILLS, 60):
        await _at_work(writer, child)
        telling = asyncio.create_task(append_cases_slowly(writer, first))
        await writer.until_caught_up(await writer.next_offset() + 1)
        child.kill()
        await telling
    await _at_work(writer, child)
    end = await writer.until_caught_up()
    assert child.terminate() == 0
    assert await offsets(writer) == list(range(end))
    assert (await rebuild(writer.settings("owner"), quiet)).is_identical


async def test_a_stopped_projection_is_replaced_and_changes_nothing_when_it_wakes(writer: RecordWriter) -> None:
    """The standby takes over when the timeline falls behind the record; the old writer's epoch is refused."""
    await writer.found()
    first, second = writer.projection("first"), writer.projection("second")
    first.start()
    await writer.until_caught_up()
    second.start()
    await _epoch(writer, 2)
    await append_cases(writer, 0, 20)
    await writer.until_caught_up()
    send(second, signal.SIGSTOP)
    await append_cases(writer, 20, 20)
    await _epoch(writer, 3)
    reached = await writer.until_caught_up()
    send(second, signal.SIGCONT)
    await append_cases(writer, 40, 20)
    assert await writer.until_caught_up() > reached
    assert await offsets(writer) == list(range(await writer.end()))
    assert first.running
    assert second.running
    assert "projection.leadership_lost" in second.log_tail(200)


async def test_a_rebuild_while_the_projection_writes_gives_the_same_tables(writer: RecordWriter) -> None:
    """The rebuilt tables are byte-identical, and the projection continues on them."""
    end = await writer.found()
    async with projecting(writer):
        await append_cases(writer, 0, 100)
        await writer.until_caught_up(end)
        telling = asyncio.create_task(append_cases(writer, 100, 100))
        report = await rebuild(writer.settings("owner"), quiet)
        await telling
        end = await writer.until_caught_up()
        await append_cases(writer, 200, 1)
        assert await writer.until_caught_up() > end
    assert report.is_identical
    assert {table.name: table.found.rows for table in report.tables}["entries"] == report.next_offset
    assert (await rebuild(writer.settings("owner"), quiet)).is_identical


async def test_a_rebuild_finds_a_changed_entry_and_keeps_what_it_replaced(writer: RecordWriter) -> None:
    """Even an owner who lifts the trigger is found out, and the evidence is not overwritten by the next rebuild."""
    await writer.found()
    async with projecting(writer):
        await append_cases(writer, 0, 3)
        await writer.until_caught_up()
    await writer.query("allow_changes_of_entries")
    await writer.query("falsify_acceptances")
    report = await rebuild(writer.settings("owner"), quiet)
    assert [table.name for table in report.tables if not table.is_identical] == ["entries"]
    assert await _accepted(writer, "timeline") == {"effective"}
    assert await _accepted(writer, "timeline_replaced") == {"ineffective"}
    with pytest.raises(RebuildRefused):
        await rebuild(writer.settings("owner"), quiet)


async def test_a_database_that_goes_away_is_waited_for(writer: RecordWriter) -> None:
    """A connection that the server ends is made again, under the same epoch and from the stored position."""
    await writer.found()
    async with projecting(writer):
        await writer.until_caught_up()
        superuser = await asyncpg.connect(writer.superuser)
        try:
            for number in range(5):
                await append_cases(writer, number, 1)
                await superuser.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1",
                    writer.postgres("writer").user,
                )
        finally:
            await superuser.close()
        await writer.until_caught_up()
    assert await offsets(writer) == list(range(await writer.end()))
    assert (await writer.query("timeline_epoch"))[0][0] == 1


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("move_timeline_past_the_end", "the record ends at"),
        ("falsify_append_times", "differs from the timeline's"),
    ],
)
async def test_a_record_that_is_not_what_it_was_stops_the_projection(
    writer: RecordWriter, change: str, why: str
) -> None:
    """With a shorter record, or another one of the same length, the projection stops with its own exit code."""
    await writer.found()
    async with projecting(writer):
        await writer.until_caught_up()
    await writer.query("allow_changes_of_entries")
    await writer.query(change)
    child = writer.projection("misled")
    child.start()
    async with asyncio.timeout(30):
        while child.running:  # noqa: ASYNC110 - another process ends
            await asyncio.sleep(0.05)
    assert why in child.log_tail()
    assert child.terminate() == BROKEN_RECORD


async def _at_work(writer: RecordWriter, child: ChildProcess) -> None:
    """Start a projection, and wait until an entry appended after the start is on the timeline."""
    child.start()
    await append_cases(writer, 0, 1)
    await writer.until_caught_up()


async def _epoch(writer: RecordWriter, epoch: int) -> None:
    async with asyncio.timeout(20):
        while (await writer.query("timeline_epoch"))[0][0] < epoch:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)


async def _accepted(writer: RecordWriter, schema: str) -> set[str]:
    owner = await asyncpg.connect(writer.postgres("owner").dsn, server_settings={"search_path": schema})
    try:
        rows = await owner.fetch("SELECT verdict FROM entries WHERE event_type = 'referral.accepted.v1'")
    finally:
        await owner.close()
    return {row["verdict"] for row in rows}
