"""Results of the desk, and its errors, typed by what the caller does next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from handoff.domain.available_actions import Action, available_actions
from handoff.domain.case import Case, Referral, ReferralKey, Situation
from handoff.domain.decide import About, InvalidField, Refusal
from handoff.domain.directory import Directory
from handoff.domain.own_keys import KeyStatus
from handoff.record.codes import CaseService, State, Urgency
from handoff.record.delivery import VerdictKind
from handoff.record.envelope import Source


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored command: ids of its events in order, and its object, new ids included.

    ``replayed`` is True if the same request was stored before under the same idempotency key.
    """

    events: tuple[UUID, ...]
    about: About
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case as known to this node.

    ``folded`` is the recorded state; ``expected`` adds the node's pending events, whose ids
    are ``pending``, oldest first. ``parked`` are referrals that this release cannot fold: use the phone.
    ``read_by`` is the member of this node, ``read_at`` the time at which a command would be judged.
    """

    folded: Case
    expected: Case
    directory: Directory
    read_by: Source
    read_at: datetime
    pending: tuple[UUID, ...] = ()
    parked: tuple[UUID, ...] = ()

    def actions(self, referral: UUID) -> tuple[Action, ...]:
        """Return the commands that this node would accept on a referral now."""
        return available_actions(Situation(self.directory, self.expected), referral, self.read_by, self.read_at)


@dataclass(frozen=True, slots=True)
class ReferralRow:
    """One row of the work list, in its recorded state. ``due_at`` is the due time of its next open step.

    ``referral`` is the folded referral.
    """

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
    referral: Referral

    @property
    def key(self) -> ReferralKey:
        """Identity of the referral."""
        return ReferralKey(self.case, self.id)


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """One inbox entry, in order. ``event`` is missing if this release could not decode it.

    ``own`` marks this member's events: with the verdict *ineffective* or *invalid* they had no effect.
    ``settles`` is the own event that the entry resolves: itself, or one that was refused and never recorded.
    """

    sequence: int
    record_time: datetime
    verdict: VerdictKind
    reason: str | None
    own: bool
    event: Mapping[str, Any] | None
    settles: UUID | None = None


@dataclass(frozen=True, slots=True)
class OpenReferrals:
    """The member's open referrals, each with its case, in the state that the feed up to ``sequence`` gives.

    ``parked`` are those that this release cannot fold: use the phone.
    """

    sequence: int
    referrals: tuple[tuple[UUID, Referral], ...]
    parked: frozenset[ReferralKey]


@dataclass(frozen=True, slots=True)
class Backlog:
    """Backlog of this node: row counts, and the age of the oldest own event without an echo."""

    unsent: int
    unechoed: int
    oldest_seconds: float
    parked: int
    quarantined: int
    clock_offset_ms: int
    """The least amount by which the own clock is ahead of the record's; negative if it is behind."""
    sequence: int
    paused: bool


class Refused(Exception):
    """The rules do not allow the command now. Report the code, and the referral's state if there is one."""

    def __init__(self, refusal: Refusal, seen: int | None = None) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal
        self.seen = seen


class InvalidCommand(Exception):
    """A field of the command makes no sense: correct it."""

    def __init__(self, invalid: InvalidField) -> None:
        super().__init__(f"{invalid.field} {invalid.problem}")
        self.invalid = invalid


class PreconditionFailed(Exception):
    """The referral has changed since the caller read it: read it again, then decide."""

    def __init__(self, state: State | None, seen: int | None) -> None:
        super().__init__("the referral has changed")
        self.state = state
        self.seen = seen


class IdempotencyConflict(Exception):
    """The idempotency key was used for another request: use a new one."""


class OwnKeyEnded(Exception):
    """Nothing that this member signs counts, because its keys are revoked or retired: its operator acts."""

    def __init__(self, status: KeyStatus, keys: Sequence[str]) -> None:
        super().__init__(f"the own signing key is {status}: {', '.join(keys)}")
        self.status = status
        self.keys = tuple(keys)


class CursorPastEnd(Exception):
    """The feed ends before the cursor, at ``end``: the cursor belongs to another feed or to a lost database."""

    def __init__(self, end: int) -> None:
        super().__init__(f"the feed ends at {end}")
        self.end = end


class StoreUnavailable(Exception):
    """The database is unavailable or the transaction failed. Its outcome is unknown: retry the same request."""
