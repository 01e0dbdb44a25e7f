"""A case as folded from the record: its bases, referrals and open steps.

All are frozen; the fold creates changed copies. They are msgspec structs, because each event copies a few of them and
copying a frozen dataclass of thirty fields costs ten times as much (ADR 20).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct, field

from handoff.domain.directory import Directory
from handoff.domain.escalations import NO_ESCALATIONS, Escalations
from handoff.record.codes import (
    BasisEndReason,
    BasisKind,
    CaseService,
    DeadlineSource,
    DeadlineStep,
    DeadlineUnit,
    HoldCode,
    RecipientClass,
    ReleasePurpose,
    State,
    Urgency,
)
from handoff.record.events.base import Body

NOT_ENDED = frozenset({State.REQUESTED, State.ACCEPTED, State.IN_PROGRESS, State.ON_HOLD})


class HoldPeriod(Struct, frozen=True, array_like=True):
    """A hold of a referral, in record time. ``until`` is None while it lasts."""

    code: HoldCode
    since: datetime
    until: datetime | None = None


class Allowance(Struct, frozen=True, array_like=True):
    """Time that a step may take, from the deadline in force when it began.

    ``calendar`` is the number of the published calendar by which it is counted; None counts every hour. ``paused_by``
    are the hold codes that stop the clock.
    """

    amount: int
    unit: DeadlineUnit
    calendar: int | None
    paused_by: tuple[HoldCode, ...]
    source: DeadlineSource


class Step(Struct, frozen=True):
    """A step that is not done yet, with the deadline that was in force when it began.

    A referral or basis has at most one step of a name at a time, so (holder, name, ``since``) identifies it. ``due_at``
    is an attribute: a hold or a longer place hold moves it. ``suspended``: a hold stops its clock now, so ``due_at`` is
    the due time if the hold had ended when it began. ``agreed``: the parties agreed on the due time. ``allowance`` is
    None if no deadline of the directory fits. ``escalation`` is the reference of its open escalation. ``answers`` is
    the escalation that the coordinator has to acknowledge with this step.
    """

    step: DeadlineStep
    since: datetime
    due_at: datetime
    missed: bool = False
    suspended: bool = False
    agreed: bool = False
    allowance: Allowance | None = None
    escalation: UUID | None = None
    answers: UUID | None = None

    @property
    def is_pending(self) -> bool:
        """True if it will be missed at ``due_at``, unless something changes."""
        return not self.missed and not self.suspended

    def is_step(self, step: DeadlineStep, since: datetime) -> bool:
        """Return whether it has this identity within its holder."""
        return (self.step, self.since) == (step, since)


class Ending(Struct, frozen=True, array_like=True):
    """First end of a referral. A later correction does not change it."""

    state: State
    code: str | None


class Fact(Struct, frozen=True, array_like=True):
    """A fact about a referral: the name of its event type, without the version, and the role of the emitter."""

    event: str
    by: str


class Basis(Struct, frozen=True):
    """A release or legal basis; ``owner`` recorded it.

    ``withdrawn_for`` are members of its recipient class for which the survivor withdrew it. It stays valid for the
    others. ``end_recorded``: the exchange's event about its end is on the record.
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
    ended: BasisEndReason | None = None
    withdrawn_for: tuple[str, ...] = ()
    end_recorded: bool = False
    steps: tuple[Step, ...] = ()

    def covers(self, member: str, directory: Directory) -> bool:
        """Return whether ``member`` is its recipient, or belongs to its recipient class."""
        if self.recipient is not None:
            return self.recipient == member
        known = directory.members.get(member)
        return known is not None and self.recipient_class in known.classes

    def ended_for(self, member: str) -> BasisEndReason | None:
        """Return the reason why it allows no more disclosure to ``member``; None if it does."""
        return BasisEndReason.RELEASE_WITHDRAWN if member in self.withdrawn_for else self.ended


class Referral(Struct, frozen=True):
    """One referral.

    Times are record times. ``since`` is the time of the last transition. ``seen`` is the number of its events that are
    folded, ``seen_at_transition`` that number at the last transition. ``code`` is the code of the last transition with
    one. ``hop`` is the number of redirects that led to it.
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
    seen_at_transition: int = 1
    delivered_at: datetime | None = None
    opened_at: datetime | None = None
    answered_at: datetime | None = None
    started_at: datetime | None = None
    closed_at: datetime | None = None
    ending: Ending | None = None
    paused_from: State | None = None
    pauses: tuple[HoldPeriod, ...] = ()
    cancellation_asked_at: datetime | None = None
    ending_reported_at: datetime | None = None
    revoked_for: BasisEndReason | None = None
    onward_refused_at: datetime | None = None
    code: str | None = None
    place_held_until: datetime | None = None
    place_agreed_at: datetime | None = None
    disclosure_open: bool = True
    next: UUID | None = None
    hop: int = 0
    facts: tuple[Fact, ...] = ()
    steps: tuple[Step, ...] = ()

    @property
    def paused_at(self) -> datetime | None:
        """Start of the hold that lasts; None if there is none."""
        return self.pauses[-1].since if self.state is State.ON_HOLD and self.pauses else None

    @property
    def has_served(self) -> bool:
        """True if the target accepted it, whatever came later."""
        return self.answered_at is not None and self.state is not State.REJECTED

    def other_party(self, member: str) -> str:
        """Return the party that ``member`` is not."""
        return self.target if member == self.source else self.source

    def has_fact(self, event: type[Body], by: str) -> bool:
        """Return whether such an event by this role was effective, in any version of its type."""
        return Fact(event.name(), by) in self.facts


class ReferralKey(NamedTuple):
    """Identity of a referral. The same referral id in another case is another referral."""

    case: UUID
    referral: UUID


class Case(Struct, frozen=True):
    """The case of one survivor, under a random id."""

    id: UUID
    opener: str | None = None
    opened_at: datetime | None = None
    bases: Mapping[UUID, Basis] = field(default_factory=dict)
    referrals: Mapping[UUID, Referral] = field(default_factory=dict)
    links: tuple[UUID, ...] = ()

    def has_party(self, member: str) -> bool:
        """Return whether ``member`` opened it or is a party of a referral in it."""
        return member == self.opener or any(member in (r.source, r.target) for r in self.referrals.values())

    def is_party_of_open_referral(self, member: str) -> bool:
        """Return whether ``member`` is a party of a referral that has not ended."""
        return any(member in (r.source, r.target) and r.state in NOT_ENDED for r in self.referrals.values())

    def counts_for_endings(self, member: str, at: datetime, age: timedelta) -> bool:
        """Return whether ``member`` serves the survivor, or did less than ``age`` ago, so that its report can end more.

        A target that rejected the request never served her.
        """
        if member == self.opener or self.is_party_of_open_referral(member):
            return True
        served = (r for r in self.referrals.values() if member == r.source or (member == r.target and r.has_served))
        return any(r.closed_at is not None and at - r.closed_at < age for r in served)


class Situation(Struct, frozen=True):
    """State on which an event is judged: the directory, and the case or the escalations that the event names.

    Nothing else is loaded, so the cost of judging does not grow with the record.
    """

    directory: Directory
    case: Case | None = None
    escalations: Escalations = NO_ESCALATIONS
