"""Open steps of a case, their due times, and the members that they concern.

Steps are derived from the folded state. Their amounts come from the deadlines in force when a step begins.
A hold leaves the steps of the state before it open: each deadline names the hold codes that stop its clock.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from msgspec.structs import replace

from handoff.domain import calendars
from handoff.domain.calendars import ALL_HOURS, Counting
from handoff.domain.case import NOT_ENDED, Allowance, Basis, Case, HoldPeriod, Referral, Step
from handoff.domain.directory import Directory
from handoff.record.codes import Calendar, CaseService, DeadlineStep, DeadlineUnit, RejectionCode, State, Urgency
from handoff.record.envelope import COORDINATION
from handoff.record.events.deadline import DeadlineMissed
from handoff.record.events.directory import Deadline


class Timed(Protocol):
    """Moments of a referral by which its steps are timed."""

    @property
    def source(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def requested_at(self) -> datetime: ...
    @property
    def due_at(self) -> datetime | None: ...
    @property
    def place_held_until(self) -> datetime | None: ...
    @property
    def place_agreed_at(self) -> datetime | None: ...
    @property
    def pauses(self) -> tuple[HoldPeriod, ...]: ...


_TURNED_AWAY = frozenset(
    {
        RejectionCode.UNITS_FULL,
        RejectionCode.NO_STAFF,
        RejectionCode.CLOSED_UNFUNDED,
        RejectionCode.CANNOT_MEET_NEED,
    }
)
_FIRST_CONTACT_SERVICES = frozenset({CaseService.CASE_MANAGEMENT, CaseService.CHILD_PROTECTION})


def _delivered(r: Referral) -> datetime | None:
    return r.requested_at if r.state is State.REQUESTED and r.delivered_at is None else None


def _opened(r: Referral) -> datetime | None:
    waiting = r.state is State.REQUESTED and r.urgency is Urgency.EMERGENCY and r.opened_at is None
    return r.delivered_at if waiting else None


def _answered(r: Referral) -> datetime | None:
    return r.delivered_at if r.state is State.REQUESTED else None


def _first_contact(r: Referral) -> datetime | None:
    return r.answered_at if r.state is State.ACCEPTED and r.service in _FIRST_CONTACT_SERVICES else None


def _arrival(r: Referral) -> datetime | None:
    return r.answered_at if r.state is State.ACCEPTED and r.service is CaseService.SHELTER else None


def _review(r: Referral) -> datetime | None:
    return r.paused_at


def _cancellation_answered(r: Referral) -> datetime | None:
    return r.cancellation_asked_at if r.state in NOT_ENDED else None


def _ending_answered(r: Referral) -> datetime | None:
    return r.ending_reported_at if r.state in NOT_ENDED else None


def _onward_answered(r: Referral) -> datetime | None:
    return r.onward_refused_at if r.state in NOT_ENDED else None


def _next_referral(r: Referral) -> datetime | None:
    turned_away = r.state is State.REJECTED and r.service is CaseService.SHELTER and r.code in _TURNED_AWAY
    return r.closed_at if turned_away and r.next is None else None


def _benefit_decided(r: Referral) -> datetime | None:
    return r.requested_at if r.service is CaseService.BENEFIT_CONTINUITY and r.state in NOT_ENDED else None


def _order_decided(r: Referral) -> datetime | None:
    return r.started_at if r.service is CaseService.PROTECTION_ORDER and r.state is State.IN_PROGRESS else None


def _follow_up(r: Referral) -> datetime | None:
    return r.requested_at if r.due_at is not None and r.state in {State.REQUESTED, State.ACCEPTED} else None


STEP_STARTS: Mapping[DeadlineStep, Callable[[Referral], datetime | None]] = {
    DeadlineStep.DELIVERED: _delivered,
    DeadlineStep.OPENED: _opened,
    DeadlineStep.ANSWERED: _answered,
    DeadlineStep.FIRST_CONTACT: _first_contact,
    DeadlineStep.ARRIVAL: _arrival,
    DeadlineStep.REVIEW: _review,
    DeadlineStep.CANCELLATION_ANSWERED: _cancellation_answered,
    DeadlineStep.ENDING_ANSWERED: _ending_answered,
    DeadlineStep.ONWARD_ANSWERED: _onward_answered,
    DeadlineStep.NEXT_REFERRAL: _next_referral,
    DeadlineStep.BENEFIT_DECIDED: _benefit_decided,
    DeadlineStep.ORDER_DECIDED: _order_decided,
    DeadlineStep.FOLLOW_UP: _follow_up,
}
"""Step of a referral → its start; None if the step is not open."""

_SOURCE_IS_RESPONSIBLE = frozenset({DeadlineStep.NEXT_REFERRAL, DeadlineStep.ARRIVAL})
_WITHOUT_TARGET = frozenset({DeadlineStep.NEXT_REFERRAL})


def responsible_member(referral: Timed, step: DeadlineStep) -> str:
    """Return the member that has to do the step."""
    if step is DeadlineStep.ACKNOWLEDGED:
        return COORDINATION
    return referral.source if step in _SOURCE_IS_RESPONSIBLE else referral.target


def step_parties(referral: Referral, step: DeadlineStep) -> frozenset[str]:
    """Return the members that receive the events of a late step: those who wait for it and who have to do it.

    The next referral after a rejection concerns the source alone, and so does the acknowledgement that it is late.
    """
    is_next = step is DeadlineStep.ACKNOWLEDGED and referral.state is State.REJECTED
    if step in _WITHOUT_TARGET or is_next:
        return frozenset({referral.source})
    return frozenset({referral.source, referral.target})


def with_open_steps(referral: Referral, directory: Directory) -> Referral:
    """Return ``referral`` with the steps that are open in its state.

    A step that was open before keeps the deadline under which it began.
    """
    steps = tuple(_open_steps_of(referral, directory))
    return referral if steps == referral.steps else replace(referral, steps=steps)


def _open_steps_of(referral: Referral, directory: Directory) -> Iterator[Step]:
    open_before = {(step.step, step.since): step for step in referral.steps}
    late: set[UUID | None] = set()
    outside_hold = replace(referral, state=referral.paused_from) if referral.paused_from is not None else referral
    for name, start_of in STEP_STARTS.items():
        since = start_of(referral if name is DeadlineStep.REVIEW else outside_hold)
        if since is not None:
            step = open_before.get((name, since)) or _begun(referral, name, since, directory)
            if step is not None:
                step = step if step.missed else _timed(referral, step, directory)
                late |= {step.escalation}
                yield step
    # The coordinator's steps last as long as the late steps that they are about.
    yield from (step for step in referral.steps if step.answers is not None and step.answers in late)


def _begun(referral: Referral, name: DeadlineStep, since: datetime, directory: Directory) -> Step | None:
    """Return a step that begins now, before its due time is computed; None if it has no deadline."""
    row = directory.deadline(name, referral.service, referral.urgency)
    if row is None and _agreed_due_time(referral, name) is None:
        return None
    return Step(name, since, since, allowance=_allowance(row, directory) if row is not None else None)


def _allowance(row: Deadline, directory: Directory) -> Allowance:
    calendar = len(directory.calendars) - 1 if row.calendar is Calendar.WORKING else None
    return Allowance(row.amount, row.unit, calendar, row.paused_by, row.source)


def _timed(referral: Referral, step: Step, directory: Directory) -> Step:
    allowed = allowed_time(referral, step, directory)
    due = calendars.due(allowed.counting, allowed.since, allowed.amount, allowed.pauses)
    return replace(step, due_at=due.at, suspended=due.suspended, agreed=allowed.agreed)


@dataclass(frozen=True, slots=True)
class AllowedTime:
    """Time that a step may take: ``amount``, counted from ``since`` outside ``pauses``."""

    since: datetime
    amount: timedelta
    counting: Counting
    pauses: tuple[HoldPeriod, ...]
    agreed: bool


def allowed_time(referral: Timed, step: Step, directory: Directory) -> AllowedTime:
    """Return the time that a step of ``referral`` may take.

    A due time that the parties agreed on counts every hour from the agreement. The same holds stop it.
    """
    allowance = step.allowance
    stopping = allowance.paused_by if allowance is not None else ()
    pauses = tuple(pause for pause in referral.pauses if pause.code in stopping)
    agreed = _agreed_due_time(referral, step.step)
    if agreed is not None or allowance is None:
        until = step.due_at if agreed is None else agreed
        since = (referral.place_agreed_at if step.step is DeadlineStep.ARRIVAL else None) or step.since
        return AllowedTime(since, until - since, ALL_HOURS, pauses, agreed=True)
    counting = calendars.counting(allowance, responsible_member(referral, step.step), directory)
    amount = allowance.amount * _UNITS[allowance.unit]
    return AllowedTime(step.since, amount, counting, pauses, agreed=False)


_UNITS = {DeadlineUnit.SECONDS: timedelta(seconds=1), DeadlineUnit.WORKING_DAYS: timedelta(days=1)}


def _agreed_due_time(referral: Timed, step: DeadlineStep) -> datetime | None:
    """Return the due time that the parties agreed on, which replaces that of the directory's deadline."""
    if step is DeadlineStep.ARRIVAL:
        return referral.place_held_until
    return referral.due_at if step is DeadlineStep.FOLLOW_UP else None


def mark_missed(
    steps: tuple[Step, ...], miss: DeadlineMissed, escalation: UUID, acknowledgement: Step | None
) -> tuple[Step, ...]:
    """Return ``steps`` after a miss: with its escalation, and with the step in which the coordinator acknowledges it.

    A missing acknowledgement is a missed deadline like any other, which escalates once more, and never again.
    """
    marked = tuple(
        replace(s, missed=True, escalation=escalation) if s.is_step(miss.step, miss.since) else s for s in steps
    )
    if miss.step is DeadlineStep.ACKNOWLEDGED or acknowledgement is None:
        return marked
    # Name and start identify a step within its holder, and two steps can be missed in the same millisecond.
    since = acknowledgement.since
    while any(s.is_step(DeadlineStep.ACKNOWLEDGED, since) for s in marked):
        since += timedelta(milliseconds=1)
    return *marked, replace(acknowledgement, since=since)


def acknowledgement_step(
    directory: Directory, service: CaseService | None, urgency: Urgency | None, escalation: UUID, at: datetime
) -> Step | None:
    """Return the step in which the coordinator acknowledges an escalation; None without a deadline for it.

    It counts by her calendar.
    """
    row = directory.deadline(DeadlineStep.ACKNOWLEDGED, service, urgency)
    if row is None:
        return None
    allowance = _allowance(row, directory)
    counting = calendars.counting(allowance, directory.coordinator, directory)
    due_at = counting.advance(at, row.amount * _UNITS[row.unit])
    return Step(DeadlineStep.ACKNOWLEDGED, at, due_at, allowance=allowance, answers=escalation)


def mark_acknowledged(steps: tuple[Step, ...], step: DeadlineStep, since: datetime) -> tuple[Step, ...]:
    """Return ``steps`` after an acknowledgement: without the open escalation, and without the coordinator's step."""
    answered = {s.escalation for s in steps if s.is_step(step, since)} - {None}
    cleared = (replace(s, escalation=None) if s.is_step(step, since) else s for s in steps)
    return tuple(s for s in cleared if s.answers is None or s.answers not in answered)


_DONE: Mapping[DeadlineStep, Callable[[Referral], bool]] = {
    DeadlineStep.DELIVERED: lambda r: r.delivered_at is not None or r.answered_at is not None,
    DeadlineStep.OPENED: lambda r: r.opened_at is not None or r.answered_at is not None,
    DeadlineStep.ANSWERED: lambda r: r.answered_at is not None,
    DeadlineStep.FIRST_CONTACT: lambda r: r.started_at is not None,
    DeadlineStep.ARRIVAL: lambda r: r.started_at is not None,
    DeadlineStep.FOLLOW_UP: lambda r: r.started_at is not None,
    DeadlineStep.REVIEW: lambda r: r.state in NOT_ENDED,
    DeadlineStep.CANCELLATION_ANSWERED: lambda r: r.state is State.CANCELLED or r.state in NOT_ENDED,
    DeadlineStep.NEXT_REFERRAL: lambda r: r.next is not None,
    DeadlineStep.BENEFIT_DECIDED: lambda r: r.state is State.COMPLETED,
    DeadlineStep.ORDER_DECIDED: lambda r: r.state is State.COMPLETED,
}


def is_done(holder: Referral | Basis, step: DeadlineStep) -> bool:
    """Return whether a step that is no longer awaited was done. Otherwise the end of the referral or basis ended it."""
    if isinstance(holder, Basis):
        return holder.approved and holder.ended is None
    return _DONE[step](holder) if step in _DONE else True


def notify_at(member: str, urgency: Urgency | None, directory: Directory, at: datetime) -> datetime:
    """Return when a person of ``member`` may be paged about something at ``at``: in an emergency then.

    Otherwise it is the first working hour from then on. This delays a notice; no clock waits for it.
    """
    if urgency is Urgency.EMERGENCY or not directory.calendars:
        return at
    return calendars.first_working_hour(member, directory, at)


def open_steps(case: Case) -> Iterator[tuple[Referral | Basis, Step]]:
    """Yield each open step of a case that is neither marked as missed nor suspended by a hold, with its holder."""
    holders: tuple[Referral | Basis, ...] = (*case.referrals.values(), *case.bases.values())
    for holder in holders:
        for step in holder.steps:
            if step.is_pending:
                yield holder, step
