"""The timeline against the record that it was made from, on the real broker and database."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest

from handoff.adapters.postgres.pool import open_pool
from handoff.adapters.postgres.timeline_reader import HandoffFilter, Timeline
from handoff.domain.handoff_clock import Segment, segments
from handoff.domain.state_codec import dump_case, load_directory
from handoff.proof.log.entry import NO_PREVIOUS, LogEntry, case_tag, record_hash
from handoff.proof.log.frontier import Frontier
from handoff.record.codes import CaseService, State
from handoff.record.delivery import EFFECTIVE, from_ms
from handoff.record.events import referral as r
from handoff.record.header_codec import unpack_headers
from handoff.record.message import Message
from handoff.record.redaction import original_hash
from handoff.views.replay.gaps import Gap, gaps
from tests.support.dsl.builders import T0, key_of, nth_id, signed
from tests.support.parts.proof_record import Appended, entries_of, tree
from tests.support.parts.record_writer import RecordedCase, RecordWriter, record_writer
from tests.support.parts.running_projection import projecting
from tests.support.parts.stack import Jurisdictions


def strange(writer: RecordWriter) -> list[Message]:
    """Entries that should never be on a record, and nevertheless may be."""
    story = RecordedCase(writer.town, 3)
    opening = next(story.request())
    genuine = signed(opening)
    other_bytes = signed(opening.model_copy(update={"time": T0 + timedelta(seconds=1)}))
    return [
        genuine,
        genuine,
        other_bytes,
        signed(RecordedCase(writer.town, 4).event(opening.data), key_of("shelter")),
        replace(genuine, key=b"another key"),
        Message(b"nobody", None),
        Message(b"\xff", b"\x00\x01", (("twice", b"1"), ("twice", b""))),
    ]


@pytest.fixture(scope="module")
async def writer(jurisdictions: Jurisdictions, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RecordWriter]:
    """Timeline of a record with two complete cases, one unanswered request, and invalid entries."""
    async with record_writer(jurisdictions, tmp_path_factory.mktemp("timeline")) as kept:
        async with projecting(kept):
            await kept.found()
            for number in (1, 2):
                await kept.append(*RecordedCase(kept.town, number).whole())
            await kept.append(*(signed(event) for event in RecordedCase(kept.town, 5).request()))
            await kept.append(*strange(kept))
            await kept.until_caught_up()
        yield kept


async def test_every_entry_of_the_record_is_on_the_timeline_with_its_exact_bytes(writer: RecordWriter) -> None:
    """Offset, append time, key, value and headers are the record's own."""
    stored = await writer.query("timeline_entries")
    found = [
        (row["record_offset"], row["appended_ms"], Message(row["key"], row["value"], unpack_headers(row["headers"])))
        for row in stored
    ]
    assert found == [(entry.offset, entry.appended_ms, entry.message) for entry in await writer.record()]


async def test_each_tag_s_entries_are_chained_from_one_by_their_leaves(writer: RecordWriter) -> None:
    """Anyone with the record's bytes recomputes every tag, hash, sequence and previous leaf."""
    salts: dict[bytes, bytes] = {}
    heads: dict[bytes, tuple[int, bytes]] = {}
    for row in await writer.query("timeline_entries"):
        tag = case_tag(row["key"], salts.setdefault(row["key"] or b"", original_hash(row["value"])))
        sequence, previous = heads.get(tag, (0, NO_PREVIOUS))
        hashed = record_hash(row["key"], row["value"], unpack_headers(row["headers"]))
        facts = LogEntry(0, row["record_offset"], row["appended_ms"], hashed, tag, sequence + 1, previous)
        stored = (row["record_hash"], row["case_tag"], row["tag_sequence"], row["previous_leaf"], row["leaf"])
        assert stored == (hashed, tag, facts.sequence, previous, facts.leaf_hash())
        heads[tag] = (facts.sequence, facts.leaf_hash())


async def test_the_stored_tree_is_the_one_that_anyone_makes_of_the_record(writer: RecordWriter) -> None:
    """Its root needs nothing but the raw topic; strange entries have their leaves like any other."""
    ((frontier,),) = await writer.query("timeline_frontier")
    record = [Appended(entry.offset, entry.appended_ms, entry.message) for entry in await writer.record()]
    assert Frontier.unpack(frontier) == tree(entries_of(record))


async def test_duplicates_and_equivocations_and_bytes_that_are_no_event_are_named_for_what_they_are(
    writer: RecordWriter,
) -> None:
    """The projection judges for itself, and the first with an id counts."""
    rows = await writer.query("last_seven_verdicts")
    assert [tuple(row) for row in reversed(rows)] == [
        ("effective", None),
        ("duplicate", None),
        ("invalid", "equivocation"),
        ("invalid", "key_not_owner"),
        ("invalid", "malformed"),
        ("invalid", "malformed"),
        ("invalid", "malformed"),
    ]


async def test_a_reader_gets_the_timeline_of_one_case(writer: RecordWriter) -> None:
    """Entries of a case in order, with emitter and event, and none of another case."""
    story = RecordedCase(writer.town, 1)
    async with open_pool(writer.postgres("reader"), max_size=1) as pool:
        lines = await Timeline(pool, writer.origin).entries(story.case)
    expected = [(event.type, event.emitter, EFFECTIVE) for event in (*story.request(), *story.arrival())]
    assert [(line.type, line.emitter, line.verdict) for line in lines] == expected
    assert ("service", "shelter") in lines[2].details
    assert lines[2].referral == story.referral


async def test_a_handoff_has_the_record_s_time_of_each_of_its_steps(writer: RecordWriter) -> None:
    """The five segments of an arrived referral follow one another without a gap."""
    story = RecordedCase(writer.town, 2)
    async with open_pool(writer.postgres("reader"), max_size=1) as pool:
        (handoff,) = await Timeline(pool, writer.origin).handoffs(HandoffFilter(case=story.case))
        times = {line.type: line.record_time for line in await Timeline(pool, writer.origin).entries(story.case)}
    moments = (handoff.requested_at, handoff.delivered_at, handoff.opened_at, handoff.answered_at, handoff.started_at)
    steps = (r.ReferralRequested, r.ReferralDelivered, r.ReferralOpened, r.ReferralAccepted, r.ReferralStarted)
    assert moments == tuple(times[step.type] for step in steps)
    assert handoff.state is State.IN_PROGRESS
    assert [span.segment for span in segments(handoff, from_ms(0))] == list(Segment)


async def test_a_replay_folds_the_timeline_into_what_the_projection_folded(writer: RecordWriter) -> None:
    """The case, its handoffs and its directory are the stored ones; strange entries fold into nothing, and show."""
    async with open_pool(writer.postgres("reader"), max_size=1) as pool:
        timeline = Timeline(pool, writer.origin)
        for number in (1, 2, 3, 5):
            read = await timeline.history(RecordedCase(writer.town, number).case)
            ((stored,),) = await writer.query("timeline_case_state", read.case_id)
            assert dump_case(read.case) == stored
            assert read.handoffs == await timeline.handoffs(HandoffFilter(case=read.case_id))
        strange_one = await timeline.history(RecordedCase(writer.town, 3).case)
        assert (await timeline.history(nth_id(999))).own == ()
    ((directory,),) = await writer.query("timeline_directory")
    assert strange_one.known.directory.members == load_directory(directory).members
    found = [row.gap for row in gaps(strange_one, from_ms(2**41)).rows]
    assert found == [Gap.DUPLICATE, Gap.EQUIVOCATION]


async def test_only_unclosed_handoffs_are_open(writer: RecordWriter) -> None:
    """Handoffs can be asked for by case, service and whether they are open."""
    async with open_pool(writer.postgres("reader"), max_size=1) as pool:
        waiting = await Timeline(pool, writer.origin).handoffs(
            HandoffFilter(service=CaseService.SHELTER, open_only=True)
        )
        assert await Timeline(pool, writer.origin).handoffs(HandoffFilter(service=CaseService.LEGAL_AID)) == ()
    assert {handoff.case for handoff in waiting} == {RecordedCase(writer.town, n).case for n in (1, 2, 5)}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE timeline.entries SET verdict = 'effective'",
        "DELETE FROM timeline.entries",
        "DELETE FROM timeline.entries WHERE false",
        "TRUNCATE timeline.entries",
        "UPDATE timeline.tree_nodes SET hash = hash",
        "UPDATE proof.checkpoints SET size = 1",
        "DELETE FROM proof.receipts",
    ],
)
async def test_entries_and_signed_statements_cannot_be_changed(writer: RecordWriter, change: str) -> None:
    """The writer's role has no right to, and a trigger refuses even a superuser who has disabled ordinary triggers."""
    writing = await asyncpg.connect(writer.postgres("writer").dsn)
    superuser = await asyncpg.connect(writer.superuser)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await writing.execute(change)
        await superuser.execute("SET session_replication_role = replica")
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="append-only"):
            await superuser.execute(change)
    finally:
        await writing.close()
        await superuser.close()


@pytest.mark.parametrize("table", ["cases", "directory", "handoffs", "position", "cosignatures", "progress"])
async def test_the_writer_removes_nothing_and_the_reader_writes_nothing(writer: RecordWriter, table: str) -> None:
    """In the other tables, too, rows are inserted and updated, never deleted."""
    statements = {
        "cases": ("DELETE FROM timeline.cases", "UPDATE timeline.cases SET state = ''"),
        "directory": ("DELETE FROM timeline.directory", "UPDATE timeline.directory SET state = ''"),
        "handoffs": ("DELETE FROM timeline.handoffs", "UPDATE timeline.handoffs SET hop = 0"),
        "position": ("DELETE FROM timeline.position", "UPDATE timeline.position SET epoch = 0"),
        "cosignatures": ("DELETE FROM proof.cosignatures", "UPDATE proof.cosignatures SET size = 1"),
        "progress": ("DELETE FROM proof.progress", "UPDATE proof.progress SET published = 0"),
    }
    removal, change = statements[table]
    writing = await asyncpg.connect(writer.postgres("writer").dsn)
    reading = await asyncpg.connect(writer.postgres("reader").dsn)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await writing.execute(removal)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await reading.execute(change)
    finally:
        await writing.close()
        await reading.close()
