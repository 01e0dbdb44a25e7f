"""What the desk answers, and its errors, typed by what the caller does next."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from handoff.domain.case import Case
from handoff.domain.decide import About, Refusal
from handoff.record.codes import CaseService, State, Urgency
from handoff.record.delivery import VerdictKind


@dataclass(frozen=True, slots=True)
class Stored:
    """A command that is kept: the ids of its events in order, and what it is about, new ids included.

    ``replayed`` says that the same request under the same idempotency key had been stored before.
    """

    events: tuple[UUID, ...]
    about: About
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case as this node knows it.

    ``folded`` is what the record says; ``expected`` adds the node's own events that have no echo yet, whose ids
    are ``pending``, oldest first. ``parked`` are referrals that this release cannot fold on: use the phone.
    """

    folded: Case
    expected: Case
    pending: tuple[UUID, ...] = ()
    parked: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class ReferralRow:
    """One line of the work list, as the record says. ``due_at`` is when its next awaited step is late."""

    id: UUID
    case: UUID
    source: str
    target: str
    service: CaseService
    urgency: Urgency
    state: State
    code: str | None
    requested_at: datetime
    since: datetime
    due_at: datetime | None
    delivered_at: datetime | None
    opened_at: datetime | None
    seen: int
    parked: bool


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """One entry of the inbox, in its order. ``event`` is None where the bytes could not be read here.

    ``own`` marks this member's own events: with the verdict *ineffective* or *invalid* they changed nothing.
    ``settles`` is the own event that the entry answers: itself, or one that was refused and never recorded.
    """

    sequence: int
    record_time: datetime
    verdict: VerdictKind
    reason: str | None
    own: bool
    event: Mapping[str, Any] | None
    settles: UUID | None = None


@dataclass(frozen=True, slots=True)
class Backlog:
    """How far this node is behind itself: counts of rows, and the age of the oldest own event without an echo."""

    unsent: int
    unechoed: int
    oldest_seconds: float
    parked: int
    quarantined: int
    sequence: int
    paused: bool


class Refused(Exception):
    """The rules do not allow the command now: tell the user the code, and the referral's state where there is one."""

    def __init__(self, refusal: Refusal, seen: int | None = None) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal
        self.seen = seen


class PreconditionFailed(Exception):
    """The referral is not as the caller last saw it: look again, then decide."""

    def __init__(self, state: State | None, seen: int | None) -> None:
        super().__init__("the referral has changed")
        self.state = state
        self.seen = seen


class IdempotencyConflict(Exception):
    """The idempotency key belongs to another request: take a new one."""


class StoreUnavailable(Exception):
    """The database is away or was interrupted: nothing is known to be kept; repeat the same request."""
