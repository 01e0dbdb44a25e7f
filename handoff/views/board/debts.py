"""Debts: which institution has to act for which, in which segment, and how much time is left."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from handoff.domain.deadlines import responsible_member
from handoff.domain.directory import Directory
from handoff.domain.handoff_clock import ClockReason, HandoffClock, Segment, StepClock, handoff_clock
from handoff.record.codes import CaseService, DeadlineStep, Urgency
from handoff.views.board.handoff import BoardHandoff

_DANGER = {urgency: rank for rank, urgency in enumerate((Urgency.EMERGENCY, Urgency.HIGH, Urgency.NORMAL, Urgency.LOW))}


@dataclass(frozen=True, slots=True)
class Debt:
    """One open handoff, or an ended one with a step that is still open.

    ``owes`` has to act and ``waits`` waits for it. ``segment`` holds it; None after its end. ``age`` is its time since
    the request. ``deadline`` is the step that is due first; None without one. ``escalation`` is the reference of its
    open escalation.
    """

    reference: UUID
    owes: str
    waits: str
    service: CaseService
    urgency: Urgency
    segment: Segment | None
    since: datetime
    age: timedelta
    deadline: StepClock | None
    reason: ClockReason
    escalation: UUID | None

    @property
    def is_late(self) -> bool:
        """Return whether its first deadline has passed."""
        return self.deadline is not None and self.reason is ClockReason.LATE


def debts(
    handoffs: Iterable[BoardHandoff], escalations: Mapping[UUID, UUID], directory: Directory, now: datetime
) -> tuple[Debt, ...]:
    """Return the debts at ``now``: the most dangerous first, then the oldest.

    ``escalations`` maps the references of handoffs to those of their open escalations.
    """
    found = (_debt(handoff, escalations, directory, now) for handoff in handoffs if handoff.is_open or handoff.steps)
    return tuple(sorted(found, key=lambda debt: (_DANGER[debt.urgency], -debt.age, debt.reference)))


def _debt(handoff: BoardHandoff, escalations: Mapping[UUID, UUID], directory: Directory, now: datetime) -> Debt:
    clock = handoff_clock(handoff, directory, now)
    current, deadline = clock.current if handoff.is_open else None, clock.deadline
    owes = _owes(handoff, clock)
    return Debt(
        reference=handoff.reference,
        owes=owes,
        waits=handoff.source if owes == handoff.target else handoff.target,
        service=handoff.service,
        urgency=handoff.urgency,
        segment=current.segment if current is not None else None,
        since=current.since if current is not None else (deadline.since if deadline is not None else now),
        age=max(now - handoff.requested_at, timedelta()),
        deadline=deadline,
        reason=clock.reason,
        escalation=escalations.get(handoff.reference),
    )


def _owes(handoff: BoardHandoff, clock: HandoffClock) -> str:
    if clock.deadline is not None:
        return clock.deadline.owes
    arrives = handoff.service is CaseService.SHELTER and clock.current is not None
    if arrives and clock.current is not None and clock.current.segment is Segment.ACTING:
        return responsible_member(handoff, DeadlineStep.ARRIVAL)
    return handoff.target
