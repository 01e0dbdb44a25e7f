"""Escalations of late steps: the coordinator's view of one, and the exchange's view of the step behind it.

Each is a row of its own, found by its opaque reference. Judging an event about one escalation loads that one only.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID, uuid5

from msgspec import Struct

from handoff.record.codes import CaseService, DeadlineStep, Urgency
from handoff.record.envelope import Event
from handoff.record.events.deadline import DeadlineEscalated, DeadlineMissed, EscalationAcknowledged, EscalationEnded

_ENDS = EscalationAcknowledged | EscalationEnded
_REFERENCES = UUID("6a0f2a59-8b0e-5f4e-9a39-5f0f1f0a7b11")


class Escalation(Struct, frozen=True):
    """A late step as the coordinator sees it, without case and referral.

    It exists until it is acknowledged, the step is done, or the step is no longer awaited. The fields are those of the
    event.
    """

    reference: UUID
    member: str
    service: CaseService | None
    step: DeadlineStep
    escalated_at: datetime
    age_seconds: int
    urgency: Urgency | None = None
    since: datetime | None = None
    due_at: datetime | None = None
    acknowledge_by: datetime | None = None
    notify_at: datetime | None = None
    repeats: UUID | None = None


Escalations = Mapping[UUID, Escalation]
"""Reference → open escalation."""

NO_ESCALATIONS: Final[Escalations] = MappingProxyType({})


class Overdue(Struct, frozen=True):
    """Case and step behind an escalation's opaque reference. Only the exchange stores it."""

    case: UUID
    step: DeadlineStep
    since: datetime
    referral: UUID | None
    basis: UUID | None


def escalation_reference(missed_event: UUID) -> UUID:
    """Return the opaque reference of the escalation of a missed deadline."""
    return uuid5(_REFERENCES, str(missed_event))


def escalation_of(event: Event[Any]) -> UUID | None:
    """Return the reference of the escalation that ``event`` begins, carries or acknowledges, if any."""
    if isinstance(event.data, DeadlineMissed):
        return escalation_reference(event.id)
    return event.data.reference if isinstance(event.data, DeadlineEscalated | _ENDS) else None


def changed_escalations(event: Event[Any], at: datetime) -> dict[UUID, Escalation | None]:
    """Return what an effective event at ``at`` changes: an escalation that it opens, or None if it closes one."""
    body = event.data
    if isinstance(body, DeadlineEscalated):
        fields = {name: getattr(body, name) for name in DeadlineEscalated.model_fields}
        return {body.reference: Escalation(**fields, escalated_at=at)}
    return {body.reference: None} if isinstance(body, _ENDS) else {}


def changed_overdue(event: Event[Any]) -> dict[UUID, Overdue | None]:
    """Return what an effective event changes: the late step that it finds, or None for one whose escalation it ends.

    The keys are the references of the escalations.
    """
    body = event.data
    if isinstance(body, DeadlineMissed) and event.case_id is not None:
        late = Overdue(event.case_id, body.step, body.since, body.referral, body.basis)
        return {escalation_reference(event.id): late}
    return {body.reference: None} if isinstance(body, _ENDS) else {}
