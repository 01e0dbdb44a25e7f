"""Bundles written from a long record: rate and memory; then the time to read the case alone."""

import asyncio
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from bench.case import case_alone
from bench.contest import Job, Outcome
from bench.long_record import LongRecord
from bench.race import Spread, run
from bench.report import Chapter, Measurement
from bench.sizes import Sizes
from bench.stand import Stand
from handoff.adapters.postgres.timeline_store import Founding, TimelineStore, connect
from handoff.operations.setup.jurisdiction import Jurisdiction
from handoff.proof.log.checkpoint import TreeHead
from handoff.proof.log.witness import AddCheckpoint
from handoff.record import signing
from handoff.record.kafka_record import KafkaRecord, ParsedRecord, parse
from handoff.record.topics import PROJECTION

_CONCURRENT = 2000
_CHECKPOINT = "INSERT INTO proof.checkpoints VALUES (1, 0, $1, $2, $3)"


def bundle(stand: Stand, sizes: Sizes) -> Chapter:
    """Write and verify the bundle of one case from a record of each size; then read that case alone."""
    findings: list[Measurement] = []
    for size in sizes.bundles:
        jurisdiction = stand.jurisdiction()
        record = LongRecord(jurisdiction.plan, size)
        stand.progress(f"a record of {size:,} entries is stored")
        asyncio.run(store_record(jurisdiction, record))
        job = _job(jurisdiction, record, stand.directory / f"{size}.bundle")
        written, verified = run("handoff_bundle", job), run("handoff_verify", job)
        stand.progress(f"{size:,} entries: {written.rate:,.0f}/s written, {verified.rate:,.0f}/s verified")
        findings += _findings(size, written, verified)
    findings += asyncio.run(case_alone(jurisdiction, record))
    return Chapter("bundle", "The evidence for a case", findings, _REMARKS)


async def store_record(jurisdiction: Jurisdiction, record: LongRecord) -> None:
    """Store the record as the projection does, and a checkpoint over it."""
    place = record.place
    connection = await connect(jurisdiction.postgres_settings(PROJECTION, "writer"), patience=None)
    try:
        store = TimelineStore(connection)
        position = await store.take_over()
        founding = Founding(place.name, place.plan.generation, signing.sha256(place.genesis))
        fold = await store.load_fold(founding, position)
        for records in _batches(record):
            batch = fold.apply(records, await store.load_missing(fold, records))
            position = await store.append(position, batch)
        head = TreeHead(position.tree.size, position.tree.root)
        request = AddCheckpoint(0, (), str(record.checkpoint(head)).encode())
        await connection.execute(_CHECKPOINT, head.size, head.root, request.encode())
    finally:
        await connection.close()


def _batches(record: LongRecord) -> Iterator[list[ParsedRecord]]:
    parsed = (parse(KafkaRecord(offset, offset, message)) for offset, message in enumerate(record.messages()))
    while batch := list(islice(parsed, _CONCURRENT)):
        yield batch


def _job(jurisdiction: Jurisdiction, record: LongRecord, path: Path) -> Job:
    reader = jurisdiction.postgres_settings(PROJECTION, "reader")
    return Job(
        jurisdiction=record.place.name,
        generation=record.place.plan.generation,
        genesis_sha256=signing.sha256(record.place.genesis),
        entries=record.size,
        bootstrap_servers="",
        kafka_user="",
        kafka_password="",
        postgres=reader.model_dump(mode="json", exclude_none=True) | {"password": reader.password.get_secret_value()},
        options={"case": str(record.case), "trust": record.trust_text, "bundle": str(path)},
    )


def _findings(size: int, written: Outcome, verified: Outcome) -> Iterator[Measurement]:
    yield Measurement(f"{size:,} entries: a bundle written", _once(written.rate), "entries/s")
    yield Measurement(f"{size:,} entries: memory at its first chunk", _once(written.notes["first_mib"]), "MiB")
    yield Measurement(f"{size:,} entries: greatest memory", _once(written.peak_mib), "MiB")
    yield Measurement(f"{size:,} entries: the bundle verified", _once(verified.rate), "entries/s")
    yield Measurement(f"{size:,} entries: the verifier's greatest memory", _once(verified.peak_mib), "MiB")


def _once(value: float) -> Spread:
    return Spread(value, value, value)


_REMARKS = (
    "All cases of the record but one are unsigned filler; the case and the directory are real.",
    "The pages are rendered in this process, without a socket; each request reads, folds and renders the case.",
    "Writing and verifying run in separate processes; the target is the same memory for every size.",
)
