"""A case as folded from the record: its bases and its referrals. Frozen; the fold makes new ones.

They are msgspec's structs: every event makes a few anew, and a frozen dataclass of thirty fields costs ten times as
much.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from msgspec import Struct, field

from handoff.domain.directory import Directory
from handoff.record.codes import (
    BasisKind,
    CaseService,
    DeadlineStep,
    IneffectiveReason,
    RecipientClass,
    ReleasePurpose,
    State,
    Urgency,
)


class Step(Struct, frozen=True):
    """A step that somebody waits for, with the deadline that was in force when it began."""

    step: DeadlineStep
    since: datetime
    due_at: datetime
    missed: bool = False


class Basis(Struct, frozen=True):
    """A release or legal basis, by who recorded it.

    ``withdrawn_for`` are the members of its class that she no longer wants told; for the others it stands.
    """

    id: UUID
    owner: str
    kind: BasisKind
    purpose: ReleasePurpose
    recipient: str | None
    recipient_class: RecipientClass | None
    expires_at: datetime
    recorded_at: datetime
    approved: bool = True
    ended: IneffectiveReason | None = None
    withdrawn_for: tuple[str, ...] = ()
    end_was_said: bool = False
    steps: tuple[Step, ...] = ()

    def covers(self, member: str, directory: Directory) -> bool:
        """Whether ``member`` is its recipient, or belongs to its class."""
        if self.recipient is not None:
            return self.recipient == member
        known = directory.members.get(member)
        return known is not None and self.recipient_class in known.classes

    def ended_for(self, member: str) -> IneffectiveReason | None:
        """Why it no longer allows anything to be told to ``member``."""
        return IneffectiveReason.RELEASE_WITHDRAWN if member in self.withdrawn_for else self.ended


class Referral(Struct, frozen=True):
    """One referral and what is known of it.

    Times are record times. ``since`` is the last transition's, ``seen`` how many of its events are folded and
    ``seen_then`` how many were at the last transition. ``code`` is the code of the last transition that had one.
    """

    id: UUID
    source: str
    target: str
    service: CaseService
    urgency: Urgency
    basis: UUID
    basis_expires_at: datetime
    due_at: datetime | None
    state: State
    since: datetime
    requested_at: datetime
    seen: int = 1
    seen_then: int = 1
    delivered_at: datetime | None = None
    opened_at: datetime | None = None
    answered_at: datetime | None = None
    started_at: datetime | None = None
    closed_at: datetime | None = None
    paused_at: datetime | None = None
    paused_from: State | None = None
    paused_ms: int = 0
    cancellation_asked_at: datetime | None = None
    code: str | None = None
    place_held_until: datetime | None = None
    disclosure_open: bool = True
    next: UUID | None = None
    hop: int = 0
    facts: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()

    def other_party(self, member: str) -> str:
        """The side that ``member`` is not."""
        return self.target if member == self.source else self.source


class Case(Struct, frozen=True):
    """One survivor's matter, under a random id."""

    id: UUID
    opener: str | None = None
    opened_at: datetime | None = None
    bases: Mapping[UUID, Basis] = field(default_factory=dict)
    referrals: Mapping[UUID, Referral] = field(default_factory=dict)
    links: tuple[UUID, ...] = ()

    def has_party(self, member: str) -> bool:
        """Whether ``member`` opened it or is a side of a referral in it."""
        return member == self.opener or any(member in (r.source, r.target) for r in self.referrals.values())


class Situation(Struct, frozen=True):
    """What is known when an event is judged: the directory, and the case that the event is about, if any."""

    directory: Directory
    case: Case | None = None
