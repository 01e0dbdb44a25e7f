"""Rows of the node's database, as exchanged with its store."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from handoff.domain.case import Case, ReferralKey
from handoff.domain.directory import Directory
from handoff.domain.escalations import Escalations
from handoff.node.record_clock import AGREEING, RecordClock
from handoff.record import codec, signing
from handoff.record.codes import RedactionReason
from handoff.record.delivery import Delivery, Verdict
from handoff.record.envelope import Event, Source


@dataclass(frozen=True, slots=True)
class InboxPosition:
    """Position in the inbox: next offset to read, and sequence and chain hash of the last folded entry.

    ``chain`` is empty before the first entry.
    """

    next_offset: int
    sequence: int
    chain: bytes = b""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """An own event with its exact bytes, fixed at its decision."""

    id: UUID
    subject: str
    referral: UUID | None
    type: str
    value: bytes
    created_at: datetime

    @classmethod
    def of(cls, event: Event[Any], at: datetime, value: bytes | None = None) -> Self:
        """Build the row of an event decided at ``at``; ``value`` if its bytes exist already."""
        referral: UUID | None = getattr(event.data, "referral", None)
        return cls(event.id, event.subject, referral, event.type, value or codec.encode(event), at)

    @property
    def value_hash(self) -> str:
        """SHA-256 of the value, by which a refusal identifies the event."""
        return signing.sha256(self.value)


@dataclass(frozen=True, slots=True)
class PendingEvent:
    """An own event without an echo."""

    id: UUID
    subject: str
    value: bytes
    created_at: datetime


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The answer stored under an idempotency key, and the fingerprint of its request."""

    key_hash: str
    fingerprint: str
    answer: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DueEvent:
    """An own event to send now."""

    id: UUID
    subject: str
    type: str
    value: bytes


@dataclass(frozen=True, slots=True)
class DueEvents:
    """Own events to send now, in order, with the directory and the own clock that choose the key to sign them."""

    events: tuple[DueEvent, ...]
    directory: Directory | None
    clock: RecordClock
    is_paused: bool


@dataclass(frozen=True, slots=True)
class InboxRow:
    """A stored inbox entry: raw, with its offset in the topic and the hash of the exchange's statement.

    ``rules`` is the version of the rules in force at the entry, as this node folded it.
    """

    offset: int
    delivery: Delivery
    own: bool
    chain: bytes
    rules: int


@dataclass(frozen=True, slots=True)
class Echo:
    """The verdict on an own event, with the event's row as its echo shows it."""

    row: OutboxRow
    sequence: int
    verdict: Verdict
    at: datetime


@dataclass(frozen=True, slots=True)
class RefusedSubmission:
    """RefusedSubmission of an own event, identified by its hash, with the code."""

    value_hash: str
    code: str
    sequence: int
    at: datetime


@dataclass(frozen=True, slots=True)
class OwnKeyEvent:
    """An effective event about a key of this member: inbox sequence, event type, key id."""

    sequence: int
    type: str
    key: str


@dataclass(frozen=True, slots=True)
class ParkedReferral:
    """A referral that cannot be folded from an inbox sequence on, with the reason."""

    key: ReferralKey
    sequence: int
    why: str


STUB_PREFIX = "no_order_"
"""Beginning of the code of a held stub."""


def code_of_stub(reason: RedactionReason) -> str:
    """Return the code of a held stub with this reason: no order of the coordinator for it has arrived."""
    return f"{STUB_PREFIX}{reason.value}"


@dataclass(frozen=True, slots=True)
class QuarantinedEntry:
    """Coordinates, code and hash of an entry that cannot be decoded or authenticated, or of a held stub; no payload."""

    sequence: int
    offset: int
    code: str
    value_hash: str


@dataclass(frozen=True, slots=True)
class KnownState:
    """Stored state of some subjects.

    ``directory`` is absent before the founding. ``parked`` are parked referrals, ``pending`` own events without
    an echo, in the order of their decision. ``escalations`` are the open ones among those asked for.
    """

    directory: Directory | None
    cases: Mapping[UUID, Case]
    parked: Mapping[ReferralKey, ParkedReferral]
    pending: tuple[PendingEvent, ...]
    clock: RecordClock = AGREEING
    """The own clock against record time."""
    answers: tuple[StoredAnswer, ...] = ()
    """Stored answers of those idempotency keys that were asked for and are taken."""
    escalations: Escalations = field(default_factory=dict)

    def directory_for(self, me: Source) -> Directory:
        """Return the directory; an empty one before the founding."""
        return self.directory or Directory(me.jurisdiction, me.generation)
