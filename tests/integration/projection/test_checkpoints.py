"""The record's log at work: what it states, publishes, collects and promises, on the real broker and database."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from handoff.proof.log.checkpoint import cosign, cosigned_at
from handoff.proof.log.note import Note
from handoff.proof.log.receipt import open_receipt
from handoff.proof.log.witness import AddCheckpoint
from handoff.record.codes import RefusalCode
from handoff.record.delivery import EFFECTIVE
from handoff.record.envelope import EXCHANGE
from handoff.record.events.directory import SubmissionRefused
from tests.support.dsl.builders import signed
from tests.support.parts.checkpoint_log import (
    append_cases,
    publish,
    published,
    roots,
    until_more_checkpoints,
    witnessed_heads,
)
from tests.support.parts.proof_record import witness_key
from tests.support.parts.record_writer import WITNESSES, RecordWriter, record_writer, witness_of
from tests.support.parts.running_projection import projecting
from tests.support.parts.stack import Jurisdictions
from tests.support.probes.eventually import eventually

CADENCE_SECONDS = 0.25


@pytest.fixture(scope="module")
async def writer(jurisdictions: Jurisdictions, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RecordWriter]:
    """A record that has begun, and its log at work."""
    async with record_writer(jurisdictions, tmp_path_factory.mktemp("log"), CADENCE_SECONDS) as kept:
        await kept.found()
        async with projecting(kept):
            yield kept


async def test_a_witness_walks_through_all_checkpoints_and_their_roots_are_the_raw_record_s(
    writer: RecordWriter,
) -> None:
    """Each proof starts at the checkpoint before, over tiles of the tree, and each root can be recomputed."""
    await until_more_checkpoints(writer, 2)
    for first in (0, 60, 120):
        await append_cases(writer, first, 60)
        requests = await until_more_checkpoints(writer)
    heads = witnessed_heads(writer, requests)
    assert heads[-1].size == await writer.end() > 4 * 256
    assert [head.root for head in heads] == await roots(writer, *(head.size for head in heads))


async def test_the_cadence_holds_when_nothing_grows(writer: RecordWriter) -> None:
    """Each interval has one checkpoint, busy or not: a checkpoint does not reveal activity."""
    size = await writer.until_caught_up()
    requests = await until_more_checkpoints(writer, 5)
    due = [row[0] for row in await writer.query("checkpoint_times")]
    assert all(moment % round(CADENCE_SECONDS * 1000) == 0 for moment in due)
    assert len(set(due)) == len(due)
    assert {(request.old_size, request.proof) for request in requests[-4:]} == {(size, ())}
    assert len({request.note for request in requests[-5:]}) == 1


async def test_every_delivered_event_gets_a_receipt_for_its_own_bytes(writer: RecordWriter) -> None:
    """Signed by the log, for the record hash at its offset and its verdict, below a published checkpoint."""
    refused = SubmissionRefused(member="police", code=RefusalCode.MALFORMED, value_hashes=("0" * 64,))
    await writer.append(signed(writer.town.event(refused, emitter=EXCHANGE)))
    end = await append_cases(writer, 0, 100)
    await eventually(lambda: receipted(writer, end))
    heads = {head.size for head in witnessed_heads(writer, await published(writer))}
    entries = await writer.query("timeline_record_hashes")
    rows = await writer.query("timeline_receipts")
    assert [row["record_offset"] for row in rows] == [
        e["record_offset"] for e in entries if e["verdict"] == "effective"
    ]
    for row in rows:
        receipt = open_receipt(row["note"].encode(), writer.log.public_key)
        assert receipt.verdict == EFFECTIVE
        assert receipt.record_hash == row["record_hash"] == entries[row["record_offset"]]["record_hash"]
        assert receipt.size == row["size"] > row["record_offset"]
        assert receipt.size in heads


async def test_cosignatures_are_kept_with_their_time_and_forged_ones_are_not(writer: RecordWriter) -> None:
    """The last word of each cosigner counts; a signature that only claims a cosigner's key is passed over."""
    *_, request = await until_more_checkpoints(writer)
    genuine, again = (cosigned(writer, request, "police", seconds) for seconds in (100, 200))
    forged = cosigned(writer, request, "shelter", 100, by="somebody")
    stranger = cosigned(writer, request, "neighbour", 100)
    await publish(writer, again, genuine, forged, stranger, cosigned(writer, request, "monitor", 100))
    await eventually(lambda: has_cosigned(writer, "monitor"))
    rows = await writer.query("cosignatures_without_newcomer")
    assert [row["cosigner"] for row in rows] == ["monitor", "police"]
    note = Note.parse(request.note + "".join(row["line"] for row in rows).encode())
    for row in rows:
        assert cosigned_at(note, witness_of(writer.town.name, row["cosigner"])) == row["cosigned_at"]
    assert rows[1]["cosigned_at"].timestamp() == 200


async def test_a_newcomer_s_cosignature_counts_as_soon_as_the_trust_file_names_it(writer: RecordWriter) -> None:
    """The log needs no restart when a member joins."""
    writer.trust(*WITNESSES, "newcomer")
    *_, request = await until_more_checkpoints(writer, 2)
    await publish(writer, cosigned(writer, request, "newcomer", 100))
    await eventually(lambda: has_cosigned(writer, "newcomer"))


def cosigned(
    writer: RecordWriter, request: AddCheckpoint, name: str, seconds: int, *, by: str | None = None
) -> AddCheckpoint:
    """The request with a cosignature, as its cosigner publishes it."""
    note = Note.parse(request.note)
    key = witness_of(writer.town.name, name)
    signature = cosign(note, key, witness_key(by or name), datetime.fromtimestamp(seconds, UTC))
    return AddCheckpoint(request.old_size, request.proof, str(note.signed(signature)).encode())


async def has_cosigned(writer: RecordWriter, name: str) -> bool:
    return name in {row[0] for row in await writer.query("cosigners")}


async def receipted(writer: RecordWriter, end: int) -> bool:
    next_receipt: int = (await writer.query("next_receipt"))[0][0]
    return next_receipt >= end
