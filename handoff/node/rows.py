"""Rows of the node's database, as the runtime hands them to its store."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from handoff.domain.case import Case
from handoff.domain.directory import Directory
from handoff.record import codec, signing
from handoff.record.delivery import Delivery, Verdict
from handoff.record.envelope import Event, Source


@dataclass(frozen=True, slots=True)
class Position:
    """How far the inbox is folded: the next offset to read, and the sequence of the last entry."""

    next_offset: int
    sequence: int


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """An own event with its bytes, fixed when it was decided."""

    id: UUID
    subject: str
    referral: UUID | None
    type: str
    value: bytes
    created_at: datetime

    @classmethod
    def of(cls, event: Event[Any], at: datetime, value: bytes | None = None) -> Self:
        """The row of an event that was decided at ``at``; ``value`` where its bytes exist already."""
        referral: UUID | None = getattr(event.data, "referral", None)
        return cls(event.id, event.subject, referral, event.type, value or codec.encode(event), at)

    @property
    def value_hash(self) -> str:
        """By which a refusal names it."""
        return signing.sha256(self.value)


@dataclass(frozen=True, slots=True)
class PendingRow:
    """An own event that the record has not answered yet."""

    id: UUID
    subject: str
    value: bytes
    created_at: datetime


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What was answered under an idempotency key, and the hash of what had been asked."""

    key_hash: str
    request_hash: str
    answer: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Due:
    """An own event that has to be sent now."""

    id: UUID
    subject: str
    type: str
    value: bytes


@dataclass(frozen=True, slots=True)
class InboxRow:
    """An inbox entry as it is kept: raw, with the offset where it was read."""

    offset: int
    delivery: Delivery
    own: bool


@dataclass(frozen=True, slots=True)
class Echo:
    """What the record made of an own event, with the event's row as the echo shows it."""

    row: OutboxRow
    sequence: int
    verdict: Verdict
    at: datetime


@dataclass(frozen=True, slots=True)
class Refusal:
    """That an own event, named by its hash, was not put on the record, and why."""

    value_hash: str
    code: str
    sequence: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Park:
    """A referral that cannot be folded on from an inbox sequence, and why."""

    referral: UUID
    case: UUID
    sequence: int
    why: str


@dataclass(frozen=True, slots=True)
class QuarantineRow:
    """Where an entry stands that cannot be read or believed: coordinates, code and hash, no payload."""

    sequence: int
    offset: int
    code: str
    value_hash: str


@dataclass(frozen=True, slots=True)
class Known:
    """What is kept about some subjects.

    ``directory`` is None before the founding. ``parked`` are referrals that are set aside, ``pending`` own events that
    the record has not answered, in the order of their decision.
    """

    directory: Directory | None
    cases: Mapping[UUID, Case]
    parked: Mapping[UUID, Park]
    pending: tuple[PendingRow, ...]

    def directory_for(self, me: Source) -> Directory:
        """The directory, blank before the founding."""
        return self.directory or Directory(me.jurisdiction, me.generation)
