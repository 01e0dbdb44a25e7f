"""Verdicts on the entries of a bundle's case, judged offline from the bundle alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from handoff.domain.directory import Directory
from handoff.judging.strands import judge_strands
from handoff.judging.verdict_digest import VerdictDigest
from handoff.proof.log.checkpoint import Origin
from handoff.proof.log.entry import LogEntry, MalformedEntry
from handoff.proof.log.tiles import TILE_WIDTH
from handoff.proof.verify.bundle import BundleReader, NotABundle
from handoff.record.delivery import Verdict
from handoff.record.envelope import Event
from handoff.record.kafka_record import KafkaRecord
from handoff.record.message import Message


@dataclass(frozen=True, slots=True)
class EntryVerdict:
    """An entry of the case: record time, verdict, and the version of the rules in force.

    Type and emitter are None if it is no event.
    """

    offset: int
    record_time: datetime
    verdict: Verdict
    rules: int
    type: str | None
    emitter: str | None


@dataclass(frozen=True, slots=True)
class BundleVerdicts:
    """The verdicts on all entries of a case, their digest, and the version of the rules in force at the last one."""

    entries: tuple[EntryVerdict, ...]
    digest: str
    rules: int


def judge_bundle(source: BinaryIO, genesis_hash: str) -> BundleVerdicts:
    """Judge the case of a verified bundle; ``genesis_hash`` comes from the trust file. Raises ``NotABundle``."""
    bundle = BundleReader(source)
    origin, key = Origin.parse(bundle.manifest.origin), bundle.manifest.case.encode()
    digest, entries = VerdictDigest(), list[EntryVerdict]()
    for judged, _ in judge_strands(_timed(bundle), genesis_hash, Directory(origin.jurisdiction, origin.generation)):
        if judged.record.message.key != key:
            continue
        event, offset = judged.record.event, judged.record.offset
        known = event if isinstance(event, Event) else None
        digest.add(offset, judged.rules, judged.verdict)
        entries.append(
            EntryVerdict(
                offset,
                judged.record_time,
                judged.verdict,
                judged.rules,
                known.type if known is not None else None,
                known.emitter if known is not None else None,
            )
        )
    return BundleVerdicts(tuple(entries), digest.head.hex(), entries[-1].rules if entries else 0)


def _timed(bundle: BundleReader) -> Iterator[tuple[KafkaRecord, int]]:
    """Yield each record of the bundle with its record time: the greatest append time of all entries up to it."""
    record_ms = 0
    for tile, records in bundle.tiles():
        times: list[tuple[int, int]] = []
        for packed in tile:
            appended_ms = _unpacked(packed).appended_ms
            record_ms = max(record_ms, appended_ms)
            times.append((appended_ms, record_ms))
        for record in records:
            place = record.offset % TILE_WIDTH
            if place >= len(times):
                raise NotABundle(f"{record.path} does not follow its tile")
            message = Message(record.key, record.value, record.headers)
            yield KafkaRecord(record.offset, times[place][0], message), times[place][1]


def _unpacked(packed: bytes) -> LogEntry:
    try:
        return LogEntry.unpack(packed)
    except MalformedEntry as error:
        raise NotABundle(str(error)) from error
