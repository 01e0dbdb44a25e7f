"""Response models of the API: small typed models of what the node knows."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema

from handoff.domain.case import Case, Referral, ReferralKey
from handoff.domain.directory import Directory
from handoff.domain.escalations import Escalation
from handoff.domain.handoff_clock import ClockReason, HandoffClock, Segment, StepClock, handoff_clock
from handoff.domain.notices import Notice
from handoff.node.commands.results import CaseView, FeedEntry, OpenReferrals, ReferralRow, Stored
from handoff.record.codes import (
    BasisKind,
    CaseService,
    DeadlineStep,
    HoldCode,
    KeyUse,
    MemberKind,
    RecipientClass,
    ReleasePurpose,
    State,
    Urgency,
)
from handoff.record.delivery import Verdict, VerdictKind
from handoff.record.events.directory import Capacity, Deadline
from handoff.record.uuid_text import UUID_PATTERN
from handoff.web.available_actions import AvailableAction
from handoff.web.command_routes import available_actions


class ResponseModel(BaseModel):
    """Base of every response body."""

    model_config = ConfigDict(frozen=True, from_attributes=True, json_schema_serialization_defaults_required=True)


class CommandStatus(StrEnum):
    """Progress of a command: stored here, or judged on the record."""

    STORED = "stored"
    EFFECTIVE = "effective"
    DUPLICATE = "duplicate"

    @classmethod
    def of(cls, verdict: Verdict | None) -> Self:
        """Return the status that a verdict implies; *stored* if there is none yet."""
        return cls("stored" if verdict is None else verdict.kind.value)


class StoredCommand(ResponseModel):
    """A command that is stored and will be sent; with `Prefer: wait`, also its verdict on the record."""

    status: CommandStatus
    events: tuple[UUID, ...] = Field(description="Ids of the events that the command made, in their order")
    case: UUID | None = None
    referral: UUID | None = None
    basis: UUID | None = None

    @classmethod
    def of(cls, stored: Stored, verdict: Verdict | None) -> Self:
        """Return the response to a command."""
        return cls(
            status=CommandStatus.of(verdict),
            events=stored.events,
            case=stored.about.case,
            referral=stored.about.referral,
            basis=stored.about.basis,
        )


class AwaitedStep(ResponseModel):
    """A step that a party waits for, its deadline, and whether the record holds a missed-deadline event."""

    step: DeadlineStep
    due_at: datetime
    missed: bool


class StepClockState(ResponseModel):
    """Clock of an open step. ``remaining_seconds`` is the time left in its own time, negative if it is late."""

    step: DeadlineStep
    owes: str = Field(description="The member that has to do the step")
    since: datetime
    due_at: datetime
    remaining_seconds: float
    used: float = Field(description="Used share of the allowed time; 1 at the due time")
    missed: bool
    reason: ClockReason
    hold: HoldCode | None = Field(None, description="The hold that stops the clock")
    estimated: bool = Field(description="A holiday until then is estimated, so the due time may move")

    @classmethod
    def of(cls, clock: StepClock) -> Self:
        """Return the clock of a step."""
        known = {name: getattr(clock, name) for name in cls.model_fields if hasattr(clock, name)}
        return cls(**known, remaining_seconds=clock.remaining.total_seconds())


class SegmentState(ResponseModel):
    """Segment of a handoff that has begun, and its duration outside holds. ``ended`` is False if it lasts."""

    segment: Segment
    since: datetime
    seconds: float
    ended: bool


class ClockState(ResponseModel):
    """Clock of a referral at ``at``, by version ``version`` of the rules that ``GET /clock`` states."""

    version: int
    at: datetime
    reason: ClockReason
    deadline: StepClockState | None = Field(None, description="The open step that is due first")
    steps: tuple[StepClockState, ...]
    segments: tuple[SegmentState, ...]

    @classmethod
    def of(cls, clock: HandoffClock) -> Self:
        """Return the clock of a handoff."""
        return cls(
            version=clock.version,
            at=clock.now,
            reason=clock.reason,
            deadline=StepClockState.of(clock.deadline) if clock.deadline is not None else None,
            steps=tuple(map(StepClockState.of, clock.steps)),
            segments=tuple(
                SegmentState(
                    segment=span.segment, since=span.since, seconds=span.lasted.total_seconds(), ended=span.ended
                )
                for span in clock.segments
            ),
        )


class BasisState(ResponseModel):
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


class RecordedReferral(ResponseModel):
    """A referral as the record has it.

    ``parked`` means that this software version cannot read a later event of the referral: use the phone.
    """

    id: UUID
    case: UUID
    source: str
    target: str
    service: CaseService
    urgency: Urgency
    basis: UUID
    state: State
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
    ending_reported_at: datetime | None = None
    onward_refused_at: datetime | None = None
    disclosure_open: bool
    next: UUID | None = Field(None, description="The referral that replaces this one")
    steps: tuple[AwaitedStep, ...] = ()
    parked: bool

    @classmethod
    def recorded(cls, case: UUID, referral: Referral, *, parked: bool, **others: object) -> Self:
        """Return a referral of ``case``, with the fields that a subclass adds."""
        known = {name: getattr(referral, name) for name in cls.model_fields if hasattr(referral, name)}
        steps = tuple(AwaitedStep.model_validate(step) for step in referral.steps)
        return cls(**{**known, "case": case, "steps": steps, "parked": parked, **others})


class ReferralState(RecordedReferral):
    """A referral. ``state`` is the state on the record; ``expected`` also contains this member's pending events."""

    expected: State
    actions: tuple[AvailableAction, ...] = Field((), description="What this member can do with the referral now")
    clock: ClockState

    @classmethod
    def of(cls, view: CaseView, referral: Referral) -> Self:
        """Return a referral of a case, as expected here."""
        folded = view.folded.referrals.get(referral.id)
        return cls.recorded(
            view.expected.id,
            referral,
            parked=referral.id in view.parked,
            state=folded.state if folded is not None else State.ABSENT,
            expected=referral.state,
            actions=available_actions(view, referral.id),
            clock=ClockState.of(handoff_clock(referral, view.directory, view.read_at)),
        )


class CaseState(ResponseModel):
    """A case as this member knows it. ``pending`` are its own events that have not come back from the record yet."""

    id: UUID
    opener: str | None = None
    opened_at: datetime | None = None
    links: tuple[UUID, ...] = ()
    bases: tuple[BasisState, ...] = ()
    referrals: tuple[ReferralState, ...] = ()
    pending: tuple[UUID, ...] = ()

    @classmethod
    def of(cls, view: CaseView) -> Self:
        """Return the case as expected here."""
        case: Case = view.expected
        return cls(
            id=case.id,
            opener=case.opener,
            opened_at=case.opened_at,
            links=case.links,
            bases=tuple(BasisState.model_validate(basis) for basis in case.bases.values()),
            referrals=tuple(ReferralState.of(view, referral) for referral in case.referrals.values()),
            pending=view.pending,
        )


class WorkItem(ResponseModel):
    """A row of the work list: a referral as the record has it."""

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
    due_at: datetime | None = Field(None, description="Deadline of the next awaited step")
    delivered_at: datetime | None = None
    opened_at: datetime | None = None
    seen: int
    parked: bool
    clock: ClockState

    @classmethod
    def of(cls, row: ReferralRow, directory: Directory, now: datetime) -> Self:
        """Return a row of the work list at ``now``."""
        known = {name: getattr(row, name) for name in cls.model_fields if hasattr(row, name)}
        return cls(**known, clock=ClockState.of(handoff_clock(row.referral, directory, now)))


ReferralCursor = Annotated[str, StringConstraints(pattern=rf"^{UUID_PATTERN}\.{UUID_PATTERN}$")]
"""Last referral of a page: case and referral."""


class WorkList(ResponseModel):
    """A page of referrals, the most urgent first. ``next`` is the cursor of the next page; absent on the last page."""

    referrals: tuple[WorkItem, ...]
    next: ReferralCursor | None = None


CloudEvent = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {
            "title": "CloudEvent",
            "description": "A CloudEvents 1.0 document. `dataschema` is the address of the schema of its type.",
            "type": "object",
            "required": ["specversion", "id", "source", "type", "subject", "time", "dataschema", "data"],
            "properties": {
                "specversion": {"const": "1.0"},
                "id": {"type": "string", "format": "uuid"},
                "source": {"type": "string"},
                "type": {"type": "string", "examples": ["referral.requested.v1"]},
                "subject": {"type": "string", "description": "A case's id, or the jurisdiction"},
                "time": {"type": "string", "format": "date-time"},
                "dataschema": {"type": "string", "format": "uri-reference"},
                "data": {"type": "object", "additionalProperties": True},
            },
        }
    ),
]


class FeedItem(ResponseModel):
    """An event that this member received from the record. It changed nothing unless it is *effective*."""

    sequence: int
    record_time: datetime
    verdict: VerdictKind
    reason: str | None = None
    own: bool
    event: CloudEvent | None = Field(None, description="Absent if it is unreadable")

    @classmethod
    def of(cls, entry: FeedEntry) -> Self:
        """Return an entry of the inbox."""
        return cls(
            sequence=entry.sequence,
            record_time=entry.record_time,
            verdict=entry.verdict,
            reason=entry.reason,
            own=entry.own,
            event=dict(entry.event) if entry.event is not None else None,
        )


class Feed(ResponseModel):
    """A page of the feed. Poll again with ``after`` = ``next``, which stays the same until there are new entries."""

    entries: tuple[FeedItem, ...]
    next: int


class FeedSnapshot(ResponseModel):
    """The member's open referrals after the entry ``next`` of the feed. Continue with ``/feed?after=next``."""

    referrals: tuple[RecordedReferral, ...]
    next: int

    @classmethod
    def of(cls, found: OpenReferrals) -> Self:
        """Return the snapshot of a node's open referrals."""
        return cls(
            referrals=tuple(
                RecordedReferral.recorded(case, referral, parked=ReferralKey(case, referral.id) in found.parked)
                for case, referral in found.referrals
            ),
            next=found.sequence,
        )


class NoticeState(ResponseModel):
    """A share of the time for a step that this member owes is used up since ``at``. ``id`` stays the same."""

    id: UUID
    case: UUID
    referral: UUID
    urgency: Urgency
    share: int = Field(description="Used share of the allowed time, in per cent: 50 or 80")
    at: datetime
    notify_at: datetime = Field(description="No page or alarm before this working hour")
    clock: StepClockState

    @classmethod
    def of(cls, notice: Notice) -> Self:
        """Return a notice."""
        known = {name: getattr(notice, name) for name in cls.model_fields}
        return cls(**{**known, "clock": StepClockState.of(notice.clock)})


class Notices(ResponseModel):
    """The present notices, the oldest first. A notice disappears when its step is done, late or on hold."""

    notices: tuple[NoticeState, ...]


class DirectoryMember(ResponseModel):
    """A member of the jurisdiction with its published capacity."""

    id: str
    kind: MemberKind
    services: tuple[CaseService, ...]
    classes: tuple[RecipientClass, ...]
    suspended: bool
    capacity: tuple[Capacity, ...] = ()


class DirectoryKey(ResponseModel):
    """A key of a member."""

    id: str
    owner: str
    use: KeyUse
    public_key: str
    retired_at: datetime | None = None
    revoked: bool


class DirectoryState(ResponseModel):
    """The jurisdiction as the record has it: members in the order of their admission, keys, deadlines and rules."""

    jurisdiction: str
    generation: int
    founded: bool
    rules: int
    members: tuple[DirectoryMember, ...] = ()
    keys: tuple[DirectoryKey, ...] = ()
    deadlines: tuple[Deadline, ...] = ()

    @classmethod
    def of(cls, directory: Directory) -> Self:
        """Return the directory, without what only the coordinator or the exchange may know."""
        return cls(
            jurisdiction=directory.jurisdiction,
            generation=directory.generation,
            founded=directory.founded,
            rules=directory.rules,
            members=tuple(
                DirectoryMember(
                    id=member.id,
                    kind=member.kind,
                    services=member.services,
                    classes=member.classes,
                    suspended=member.suspended,
                    capacity=tuple(directory.capacity.get(member.id, {}).values()),
                )
                for member in directory.members.values()
            ),
            keys=tuple(DirectoryKey.model_validate(key) for key in directory.keys.values()),
            deadlines=directory.deadlines,
        )


class EscalationState(ResponseModel):
    """A late step as the coordinator sees it: the member and the step, but not the case."""

    reference: UUID
    member: str
    service: CaseService | None = None
    step: DeadlineStep
    escalated_at: datetime
    age_seconds: int = Field(description="Seconds since the step began, as of this answer")
    urgency: Urgency | None = None
    since: datetime | None = Field(None, description="Start of the step")
    due_at: datetime | None = None
    acknowledge_by: datetime | None = Field(None, description="Without an acknowledgement by then, it escalates again")
    notify_at: datetime | None = Field(None, description="No page or alarm before this working hour")
    repeats: UUID | None = Field(None, description="The escalation that was not acknowledged in time")

    @classmethod
    def of(cls, escalation: Escalation, now: datetime) -> Self:
        """Return an escalation with its age at ``now``."""
        began = escalation.since or escalation.escalated_at - timedelta(seconds=escalation.age_seconds)
        known = {name: getattr(escalation, name) for name in cls.model_fields}
        return cls(**{**known, "age_seconds": max(0, int((now - began) / timedelta(seconds=1)))})


class Escalations(ResponseModel):
    """The open escalations, the oldest first."""

    escalations: tuple[EscalationState, ...]
