"""Tree and verdicts of the record, recomputed from the record alone."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self
from uuid import UUID

import msgspec

from handoff.domain.directory import Directory
from handoff.domain.escalations import Escalation
from handoff.domain.record_fold import RecordFold
from handoff.domain.state_codec import (
    dump_case,
    dump_directory,
    dump_escalation,
    load_case,
    load_directory,
    load_escalation,
)
from handoff.judging.verdict_statement import RunningVerdicts, VerdictStatement
from handoff.proof.log.checkpoint import Origin, TreeHead
from handoff.proof.log.entry import content_hash
from handoff.proof.log.frontier import Frontier, NotAFrontier
from handoff.proof.log.tag_chains import ChainHead, TagChains
from handoff.record import formats
from handoff.record.envelope import Event, Identity
from handoff.record.events.directory import ValueRedacted
from handoff.record.kafka_record import KafkaRecord, ParsedRecord, parse
from handoff.record.signing import SigningKey, verifies

_SIGNATURE_BYTES: Final = 64


class SnapshotRejected(Exception):
    """A stored snapshot that this monitor did not sign, or that is about another record: recompute from offset 0."""


class _Stored(msgspec.Struct, array_like=True):
    """Content of a snapshot."""

    origin: str
    genesis_hash: str
    frontier: bytes
    chains: dict[bytes, tuple[bytes, int, bytes]]
    directory: bytes
    record_ms: int
    cases: dict[bytes, bytes]
    identities: dict[bytes, bytes]
    escalations: list[bytes]
    verdicts: tuple[int, int, int, bytes | None]
    redactions: list[int]
    last_content: bytes


@dataclass
class Recomputation:
    """Tree over the entries that were appended so far, and the verdicts on them.

    It keeps no entry: for each case its folded state and the end of its chain, for each identity two hashes.
    """

    origin: Origin
    genesis_hash: str
    directory: Directory
    record_ms: int = 0
    verdicts: RunningVerdicts = field(default_factory=RunningVerdicts)
    redactions: list[int] = field(default_factory=list)
    """Offsets whose redaction the coordinator ordered while their values were still on the record."""
    last_content: bytes = b""
    """Content hash of the last entry: it shows whether the record still has the entry there."""
    _frontier: Frontier = field(default_factory=Frontier)
    _chains: TagChains = field(default_factory=TagChains)
    _cases: dict[bytes, bytes] = field(default_factory=dict)
    _identities: dict[bytes, bytes] = field(default_factory=dict)
    _escalations: dict[UUID, Escalation] = field(default_factory=dict)

    @classmethod
    def empty(cls, origin: Origin, genesis_hash: str) -> Self:
        """Return the recomputation of a record without entries."""
        return cls(origin, genesis_hash, Directory(origin.jurisdiction, origin.generation))

    @property
    def size(self) -> int:
        """Number of entries."""
        return self._frontier.size

    @property
    def head(self) -> TreeHead:
        """Size and root."""
        return TreeHead(self._frontier.size, self._frontier.root)

    @property
    def statement(self) -> VerdictStatement:
        """Statement of the verdicts on the entries so far."""
        return self.verdicts.statement(str(self.origin))

    def append(self, records: Sequence[KafkaRecord]) -> None:
        """Append and judge the next records, in the record's order. Raises ``UnsupportedRules``; then discard it."""
        parsed = [parse(record) for record in records]
        fold = self._fold(parsed)
        leaves = list[bytes]()
        for record in parsed:
            judged, _, after = fold.apply(record)
            self.verdicts.add_judged(judged)
            if after.case is not None and judged.verdict.is_effective:
                # Encoded: a folded case is five times as large in memory.
                self._cases[after.case.id.bytes] = dump_case(after.case)
            if record.identity is not None and judged.takes_identity:
                self._identities[_key(record.identity)] = bytes.fromhex(record.value_hash)
            if judged.verdict.is_effective and isinstance(record.event, Event):
                self._note_redaction(record.event)
            leaves.append(self._chains.append(record.kafka)[1])
        self.directory, self.record_ms = fold.directory, fold.record_ms
        self._frontier, _ = self._frontier.extended(leaves)
        if records:
            self.last_content = content_hash(records[-1].message)

    def _fold(self, records: Sequence[ParsedRecord]) -> RecordFold:
        """Return the fold at this position with the cases and identities that ``records`` need."""
        cases = {record.case_id for record in records if record.case_id is not None}
        loaded = {case: load_case(raw) for case in cases if (raw := self._cases.get(case.bytes)) is not None}
        identities = {record.identity for record in records if record.identity is not None}
        first = {one: raw.hex() for one in identities if (raw := self._identities.get(_key(one))) is not None}
        return RecordFold(
            self.genesis_hash,
            self.directory,
            self.record_ms,
            cases=loaded,
            escalations=self._escalations,
            first_hashes=first,
        )

    def _note_redaction(self, event: Event[Any]) -> None:
        if isinstance(event.data, ValueRedacted):
            self.redactions.append(event.data.offset)

    def snapshot(self, key: SigningKey) -> bytes:
        """Return the state, signed by the monitor itself."""
        stored = _Stored(
            str(self.origin),
            self.genesis_hash,
            self._frontier.pack(),
            {key: (head.tag, head.sequence, head.leaf) for key, head in self._chains.heads.items()},
            dump_directory(self.directory),
            self.record_ms,
            self._cases,
            self._identities,
            [dump_escalation(escalation) for escalation in self._escalations.values()],
            (self.verdicts.size, self.verdicts.rules, self.verdicts.redacted, self.verdicts.head),
            self.redactions,
            self.last_content,
        )
        content = msgspec.msgpack.encode(stored)
        return key.sign(hashlib.sha256(content).digest(), formats.MONITOR_SNAPSHOT) + content

    @classmethod
    def restored(cls, raw: bytes, keys: Iterable[SigningKey], origin: Origin, genesis_hash: str) -> Self:
        """Return the recomputation at a snapshot that one of ``keys`` signed. Raises ``SnapshotRejected``."""
        signature, content = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
        digest = hashlib.sha256(content).digest()
        if not any(verifies(key.public_key, digest, signature, formats.MONITOR_SNAPSHOT) for key in keys):
            raise SnapshotRejected("the monitor did not sign its stored snapshot")
        try:
            stored = msgspec.msgpack.decode(content, type=_Stored)
            if (stored.origin, stored.genesis_hash) != (str(origin), genesis_hash):
                raise SnapshotRejected(f"the stored snapshot is about {stored.origin} with another beginning")
            return cls(
                origin,
                genesis_hash,
                load_directory(stored.directory),
                stored.record_ms,
                RunningVerdicts(*stored.verdicts),
                stored.redactions,
                stored.last_content,
                Frontier.unpack(stored.frontier),
                TagChains({key: ChainHead(*head) for key, head in stored.chains.items()}),
                stored.cases,
                stored.identities,
                {one.reference: one for one in map(load_escalation, stored.escalations)},
            )
        except (msgspec.MsgspecError, NotAFrontier) as error:
            raise SnapshotRejected(f"another release wrote the stored snapshot: {error}") from error


def _key(identity: Identity) -> bytes:
    return hashlib.sha256("\0".join(map(str, identity)).encode()).digest()
