"""Comparison of the timeline's rows with what their raw records give.

Derived columns can be edited in the database. The raw record of each entry is covered by the log, so everything else
is computed again from it: hashes, the chain of its strand, record time and verdict.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from handoff.domain.directory import Directory
from handoff.domain.escalations import escalation_of
from handoff.domain.record_fold import JudgedRecord
from handoff.judging.strands import StrandJudge
from handoff.proof.log.entry import NO_PREVIOUS, PARTITION, LogEntry, case_tag, record_hash
from handoff.record.delivery import Verdict
from handoff.record.envelope import Event
from handoff.record.kafka_record import KafkaRecord
from handoff.record.redaction import original_hash


@dataclass(frozen=True, slots=True)
class DerivedColumns:
    """Columns of a row that the projection derived from the record."""

    record_ms: int
    verdict: Verdict
    subject: str | None
    event_id: UUID | None
    event_type: str | None
    emitter: str | None
    referral: UUID | None
    reference: UUID | None
    rules: int
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TimelineRecord:
    """A row of the timeline: the raw record, its place in the log, the derived columns, and the record time due.

    ``record_ms`` is the greatest append time up to this offset, computed from the append times of all entries. A row
    that ``is_of_strand`` belongs to a strand that is complete here; of others the chain is not compared.
    """

    kafka: KafkaRecord
    record_ms: int
    is_of_strand: bool
    tag: bytes
    sequence: int
    previous_leaf: bytes
    leaf: bytes
    derived: DerivedColumns

    @property
    def key(self) -> bytes:
        """Record key of its strand."""
        return self.kafka.message.key or b""


@dataclass(frozen=True, slots=True)
class TimelineDifference:
    """A value of the timeline that differs from the raw records. ``position`` is the offset of the entry."""

    position: int
    column: str
    stored: str | None
    computed: str | None


class StrandCheck:
    """Judgement and comparison of strands, row by row in the record's order. ``differences`` are those found so far."""

    def __init__(self, genesis_hash: str, empty: Directory) -> None:
        self._judge = StrandJudge(genesis_hash, empty)
        self._heads: dict[bytes, LogEntry] = {}
        self.differences: list[TimelineDifference] = []

    def add(self, row: TimelineRecord) -> JudgedRecord:
        """Judge the next row again, from its raw record, and compare it, and its chain if its strand is complete.

        Raises ``UnsupportedRules``.
        """
        judged, recipients = self._judge.judge(row.kafka, row.record_ms)
        if row.is_of_strand:
            self.differences += self._chain_differences(row)
        self.differences += _derived_differences(row, judged, recipients)
        return judged

    def _chain_differences(self, row: TimelineRecord) -> Iterator[TimelineDifference]:
        """Yield a break in the hash chain of the strand: a changed or hidden entry breaks it."""
        message, before = row.kafka.message, self._heads.get(row.key)
        entry = LogEntry(
            partition=PARTITION,
            offset=row.kafka.offset,
            appended_ms=row.kafka.appended_ms,
            record_hash=record_hash(message.key, message.value, message.headers),
            case_tag=before.case_tag if before is not None else case_tag(row.key, original_hash(message.value)),
            sequence=before.sequence + 1 if before is not None else 1,
            previous_leaf=before.leaf_hash() if before is not None else NO_PREVIOUS,
        )
        if row.sequence != entry.sequence:
            yield TimelineDifference(row.kafka.offset, "tag_sequence", str(row.sequence), str(entry.sequence))
        for column, stored, computed in (
            ("case_tag", row.tag, entry.case_tag),
            ("previous_leaf", row.previous_leaf, entry.previous_leaf),
            ("leaf", row.leaf, entry.leaf_hash()),
        ):
            if stored != computed:
                yield TimelineDifference(row.kafka.offset, column, stored.hex(), computed.hex())
        # One finding for one break: the rest of the strand is compared with what the timeline has.
        self._heads[row.key] = replace(entry, case_tag=row.tag, sequence=row.sequence, previous_leaf=row.previous_leaf)


INCLUSION: Final = "inclusion"
"""Column of a difference: the checkpoint's tree does not include the entry."""
HASHES: Final = frozenset({"leaf", "case_tag", "previous_leaf", "tag_sequence", INCLUSION})
"""Columns that connect an entry with the tree: if one differs, no checkpoint covers the entry as it is shown."""


def all_differences(
    found: Iterable[TimelineDifference], missing: Iterable[int], outside: Iterable[int] = ()
) -> tuple[TimelineDifference, ...]:
    """Return the differences in the record's order.

    ``missing`` are offsets that the timeline lacks, ``outside`` those that the checkpoint's tree does not include.
    """
    hidden = (TimelineDifference(offset, "entry", None, "an entry of the record") for offset in missing)
    foreign = (TimelineDifference(offset, INCLUSION, "an entry", "another entry in the tree") for offset in outside)
    return tuple(sorted((*found, *hidden, *foreign), key=lambda one: (one.position, one.column)))


def _derived_differences(
    row: TimelineRecord, judged: JudgedRecord, recipients: tuple[str, ...]
) -> Iterator[TimelineDifference]:
    stored, event, verdict = row.derived, judged.record.event, judged.verdict
    claims: tuple[object, ...] = (None,) * 6
    if isinstance(event, Event):
        referral, reference = getattr(event.data, "referral", None), escalation_of(event)
        claims = (event.subject, event.id, event.type, event.emitter, referral, reference)
    for column, found, computed in (
        ("record_ms", stored.record_ms, row.record_ms),
        ("verdict", stored.verdict.kind.value, verdict.kind.value),
        ("reason", stored.verdict.reason, verdict.reason),
        ("subject", stored.subject, claims[0]),
        ("event_id", stored.event_id, claims[1]),
        ("event_type", stored.event_type, claims[2]),
        ("emitter", stored.emitter, claims[3]),
        ("referral", stored.referral, claims[4]),
        ("reference", stored.reference, claims[5]),
        ("rules", stored.rules, judged.rules),
        ("recipients", " ".join(stored.recipients), " ".join(recipients)),
    ):
        if found != computed:
            yield TimelineDifference(row.kafka.offset, column, _text(found), _text(computed))


def _text(value: object) -> str | None:
    return None if value is None else str(value)
