"""What the API answers with: small typed models over what the node knows."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from handoff.domain.case import Basis, Case, Referral
from handoff.node.commands.results import CaseView, FeedEntry, Stored
from handoff.record.codes import (
    BasisKind,
    CaseService,
    DeadlineStep,
    RecipientClass,
    ReleasePurpose,
    State,
    Urgency,
)
from handoff.record.delivery import Verdict


class Answer(BaseModel):
    """The body of an answer."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class Status(StrEnum):
    """How far a command has come: kept here, or judged on the record."""

    STORED = "stored"
    EFFECTIVE = "effective"
    INEFFECTIVE = "ineffective"
    DUPLICATE = "duplicate"
    INVALID = "invalid"

    @classmethod
    def of(cls, verdict: Verdict | None) -> Self:
        """The status that a verdict gives; *stored* while there is none."""
        return cls("stored" if verdict is None else verdict.outcome.value)


class Judgement(StrEnum):
    """What the rules made of an event at its position on the record."""

    EFFECTIVE = "effective"
    INEFFECTIVE = "ineffective"
    DUPLICATE = "duplicate"
    INVALID = "invalid"


class StoredCommand(Answer):
    """A command that is kept and will be sent; with `Prefer: wait`, also what the record made of it."""

    status: Status
    reason: str | None = Field(None, description="Why it is ineffective or invalid: a state's name or a code")
    events: tuple[UUID, ...] = Field(description="The events that it made, in their order")
    case: UUID | None = None
    referral: UUID | None = None
    basis: UUID | None = None

    @classmethod
    def of(cls, stored: Stored, verdict: Verdict | None) -> Self:
        """The answer to a command."""
        return cls(
            status=Status.of(verdict),
            reason=verdict.reason if verdict is not None else None,
            events=stored.events,
            case=stored.about.case,
            referral=stored.about.referral,
            basis=stored.about.basis,
        )


class AwaitedStep(Answer):
    """A step that somebody waits for, until when, and whether the record says that it was missed."""

    step: DeadlineStep
    due_at: datetime
    missed: bool


class BasisState(Answer):
    """A release or legal basis."""

    id: UUID
    owner: str
    kind: BasisKind
    purpose: ReleasePurpose
    recipient: str | None = None
    recipient_class: RecipientClass | None = None
    expires_at: datetime
    approved: bool
    ended: str | None = None


class ReferralState(Answer):
    """A referral. ``state`` is what the record says; ``expected`` adds what this member has said and not heard back.

    ``parked`` means that this release cannot follow the referral any further: use the phone.
    """

    id: UUID
    case: UUID
    source: str
    target: str
    service: CaseService
    urgency: Urgency
    basis: UUID
    state: State
    expected: State
    code: str | None = None
    seen: int
    since: datetime
    requested_at: datetime
    due_at: datetime | None = None
    delivered_at: datetime | None = None
    opened_at: datetime | None = None
    answered_at: datetime | None = None
    started_at: datetime | None = None
    closed_at: datetime | None = None
    place_held_until: datetime | None = None
    cancellation_asked_at: datetime | None = None
    disclosure_open: bool
    next: UUID | None = Field(None, description="The referral that was made in place of this one")
    steps: tuple[AwaitedStep, ...] = ()
    parked: bool

    @classmethod
    def of(cls, view: CaseView, referral: Referral) -> Self:
        """A referral of a case, as expected here."""
        folded = view.folded.referrals.get(referral.id)
        known = {name: getattr(referral, name) for name in cls.model_fields if hasattr(referral, name)}
        known |= {
            "case": view.expected.id,
            "state": folded.state if folded is not None else State.ABSENT,
            "expected": referral.state,
            "steps": tuple(AwaitedStep.model_validate(step) for step in referral.steps),
            "parked": referral.id in view.parked,
        }
        return cls(**known)


class CaseState(Answer):
    """A case as this member knows it; ``pending`` are its own events that the record has not given back yet."""

    id: UUID
    opener: str | None = None
    opened_at: datetime | None = None
    links: tuple[UUID, ...] = ()
    bases: tuple[BasisState, ...] = ()
    referrals: tuple[ReferralState, ...] = ()
    pending: tuple[UUID, ...] = ()

    @classmethod
    def of(cls, view: CaseView) -> Self:
        """The case as expected here."""
        case: Case = view.expected
        return cls(
            id=case.id,
            opener=case.opener,
            opened_at=case.opened_at,
            links=case.links,
            bases=tuple(_basis(basis) for basis in case.bases.values()),
            referrals=tuple(ReferralState.of(view, referral) for referral in case.referrals.values()),
            pending=view.pending,
        )


def _basis(basis: Basis) -> BasisState:
    return BasisState.model_validate(basis)


class WorkItem(Answer):
    """One line of the work list, as the record says."""

    id: UUID
    case: UUID
    source: str
    target: str
    service: CaseService
    urgency: Urgency
    state: State
    code: str | None = None
    requested_at: datetime
    since: datetime
    due_at: datetime | None = Field(None, description="When the next awaited step is late")
    delivered_at: datetime | None = None
    opened_at: datetime | None = None
    seen: int
    parked: bool


class WorkList(Answer):
    """A page of referrals, the most urgent first; ``next`` is the cursor of the page behind it, if there may be one."""

    referrals: tuple[WorkItem, ...]
    next: UUID | None = None


class FeedItem(Answer):
    """One thing that the record told this member; its ``own`` changed nothing unless they are *effective*."""

    sequence: int
    record_time: datetime
    verdict: Judgement
    reason: str | None = None
    own: bool
    event: dict[str, Any] | None = Field(None, description="The CloudEvents document; absent where it is unreadable")

    @classmethod
    def of(cls, entry: FeedEntry) -> Self:
        """An entry of the inbox."""
        return cls(
            sequence=entry.sequence,
            record_time=entry.record_time,
            verdict=Judgement(entry.verdict.value),
            reason=entry.reason,
            own=entry.own,
            event=dict(entry.event) if entry.event is not None else None,
        )


class Feed(Answer):
    """A page of the feed; ask again with ``after`` = ``next``, which stays the same while there is nothing new."""

    entries: tuple[FeedItem, ...]
    next: int
