"""The timeline as folded from the record: rows with hashes and verdicts, and the cases and handoffs that changed.

The projection judges every entry itself, with the fold that the exchange uses. It does not read the exchange's
verdicts.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Self, TypeVar
from uuid import UUID

from msgspec import Struct

from handoff.domain.case import Case, ReferralKey
from handoff.domain.directory import Directory
from handoff.domain.escalations import Escalation, changed_escalations
from handoff.domain.record_fold import JudgedRecord, RecordFold
from handoff.domain.routing import listed_recipients
from handoff.proof.log.entry import LogEntry
from handoff.proof.log.tag_chains import ChainHead, TagChains
from handoff.record.envelope import Event, Identity
from handoff.record.header_codec import pack_headers
from handoff.record.kafka_record import ParsedRecord
from handoff.views.handoffs import Handoff, changed_handoffs


class TimelineRow(Struct, frozen=True):
    """Row of the timeline: a judged record, its packed headers, its log entry, and its leaf hash.

    ``recipients`` are the members that it is delivered to:
    they may request its receipt.
    """

    judged: JudgedRecord
    headers: bytes
    entry: LogEntry
    leaf: bytes
    recipients: tuple[str, ...]


K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class TimelineBatch:
    """Rows that a batch of the record adds, and the newest version of everything that it changed."""

    rows: tuple[TimelineRow, ...]
    cases: tuple[Case, ...]
    directory: Directory | None
    handoffs: tuple[Handoff, ...]
    escalations: Mapping[UUID, Escalation | None]
    """Reference → open escalation, None for an acknowledged one."""

    @property
    def first_offset(self) -> int:
        """Offset of the first row."""
        return self.rows[0].entry.offset

    @property
    def next_offset(self) -> int:
        """Offset after the last row."""
        return self.rows[-1].entry.offset + 1

    @property
    def record_ms(self) -> int:
        """Record time after the last row, in milliseconds."""
        return self.rows[-1].judged.record_ms


@dataclass(slots=True)
class TimelineFold:
    """The record fold and the hash chains of the record's keys at one position, with a cache of cases and chain heads.

    The caller loads what a batch needs and the cache lacks. If a batch could not be stored, it discards the whole fold.

    A batch may be folded while the one before it is stored. ``unstored_hashes`` and ``unstored_escalations`` have the
    identities that the newest batch took, with their value hashes, and the escalations that it changed.
    """

    record: RecordFold
    chains: TagChains = field(default_factory=TagChains)
    unstored_hashes: dict[Identity, str] = field(default_factory=dict)
    unstored_escalations: dict[UUID, Escalation | None] = field(default_factory=dict)

    @classmethod
    def at(cls, genesis_hash: str, directory: Directory, record_ms: int = 0) -> Self:
        """Return the fold at a position, with an empty cache."""
        return cls(RecordFold(genesis_hash, directory, record_ms))

    @property
    def directory(self) -> Directory:
        """Directory at this position."""
        return self.record.directory

    def trim_cache(self, most: int) -> None:
        """Remove the cases and heads that were not used for longest, until ``most`` of each are left.

        Those of the newest batch have to stay as long as it is not stored: ``most`` is many times a batch.
        """
        _remove_first(self.record.cases, len(self.record.cases) - most)
        _remove_first(self.chains.heads, len(self.chains.heads) - most)

    def missing_cases(self, records: Iterable[ParsedRecord]) -> frozenset[UUID]:
        """Return the cases of ``records`` that the cache lacks."""
        return frozenset(r.case_id for r in records if r.case_id is not None) - self.record.cases.keys()

    def missing_heads(self, records: Iterable[ParsedRecord]) -> frozenset[bytes]:
        """Return the record keys of ``records`` whose heads the cache lacks."""
        return self.chains.missing(record.kafka for record in records)

    def named_escalations(self, records: Iterable[ParsedRecord]) -> frozenset[UUID]:
        """Return the references of the escalations that ``records`` are about."""
        return frozenset(r.escalation for r in records if r.escalation is not None)

    def cache(
        self, cases: Iterable[Case], heads: Mapping[bytes, ChainHead], escalations: Iterable[Escalation] = ()
    ) -> None:
        """Add the loaded cases and heads to the cache. The escalations replace those of the previous batch."""
        self.record.cases.update((case.id, case) for case in cases)
        self.chains.heads.update(heads)
        self.record.escalations = {escalation.reference: escalation for escalation in escalations}

    def apply(self, records: Sequence[ParsedRecord], first_hashes: Mapping[Identity, str]) -> TimelineBatch:
        """Fold the next records. ``first_hashes`` has the value hashes that earlier batches stored for their events."""
        batch = self.open_batch(first_hashes)
        batch.add(records)
        return batch.close()

    def open_batch(self, first_hashes: Mapping[Identity, str]) -> "OpenBatch":
        """Begin a batch that is folded in parts.

        The batch before it may be unstored: what was loaded lacks its identities and escalations.
        """
        self.record.first_hashes = {**first_hashes, **self.unstored_hashes}
        for reference, escalation in self.unstored_escalations.items():
            if escalation is not None:
                self.record.escalations[reference] = escalation
            else:
                self.record.escalations.pop(reference, None)
        return OpenBatch(self, self.record.directory)


@dataclass(slots=True)
class OpenBatch:
    """A batch while it is folded."""

    fold: TimelineFold
    directory_before: Directory
    rows: list[TimelineRow] = field(default_factory=list)
    changed_cases: dict[UUID, None] = field(default_factory=dict)
    handoffs: dict[ReferralKey, Handoff] = field(default_factory=dict)
    escalations: dict[UUID, Escalation | None] = field(default_factory=dict)
    hashes: dict[Identity, str] = field(default_factory=dict)

    def add(self, records: Sequence[ParsedRecord]) -> None:
        """Fold the next records."""
        for record in records:
            judged, earlier, later = self.fold.record.apply(record)
            if record.identity is not None and judged.takes_identity:
                self.hashes[record.identity] = record.value_hash
            if isinstance(record.event, Event) and judged.verdict.is_effective:
                self.escalations |= changed_escalations(record.event, judged.record_time)
            headers = pack_headers(record.message.headers)
            entry, leaf = self.fold.chains.append_hashed(record.kafka, bytes.fromhex(record.value_hash), headers)
            self.rows.append(TimelineRow(judged, headers, entry, leaf, listed_recipients(judged, earlier, later)))
            if later.case is not None and later.case is not earlier.case:
                self.changed_cases[later.case.id] = None
                for handoff in changed_handoffs(earlier.case, later.case):
                    self.handoffs[handoff.key] = handoff
        _move_to_end(self.fold.record.cases, (record.case_id for record in records))
        _move_to_end(self.fold.chains.heads, (record.message.key or b"" for record in records))

    def close(self) -> TimelineBatch:
        """Return the batch."""
        fold, record = self.fold, self.fold.record
        fold.unstored_hashes, fold.unstored_escalations = self.hashes, self.escalations
        return TimelineBatch(
            rows=tuple(self.rows),
            cases=tuple(record.cases[case] for case in self.changed_cases),
            directory=None if record.directory is self.directory_before else record.directory,
            handoffs=tuple(self.handoffs.values()),
            escalations=self.escalations,
        )


def _move_to_end(cached: dict[K, V], used: Iterable[K | None]) -> None:
    """Move the used keys behind all others, so that the keys are in the order of their last use."""
    for key in dict.fromkeys(used):
        if key in cached:
            cached[key] = cached.pop(key)


def _remove_first(cached: dict[K, V], count: int) -> None:
    for key in list(islice(cached, max(count, 0))):
        del cached[key]
