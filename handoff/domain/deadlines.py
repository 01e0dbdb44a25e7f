"""Open steps of a case, their due times, and the members that they concern.

Steps are derived from the folded state. Their amounts come from the deadlines in force when a step begins. Calendars
and holds are not applied yet, although a deadline has fields for both.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace

from handoff.domain.case import NOT_ENDED, Basis, Case, Referral, Step
from handoff.domain.directory import Directory
from handoff.record.codes import CaseService, DeadlineStep, DeadlineUnit, RejectionCode, State, Urgency
from handoff.record.events.directory import Deadline

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
    return r.paused_at if r.state is State.ON_HOLD else None


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


def responsible_member(referral: Referral, step: DeadlineStep) -> str:
    """Return the member that has to do the step."""
    return referral.source if step in _SOURCE_IS_RESPONSIBLE else referral.target


def step_parties(referral: Referral, step: DeadlineStep) -> frozenset[str]:
    """Return the members that receive the events of a late step: those who wait for it and who have to do it.

    The next referral after a rejection concerns the source alone.
    """
    if step in _WITHOUT_TARGET:
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
    for name, start_of in STEP_STARTS.items():
        since = start_of(referral)
        if since is None:
            continue
        agreed = _agreed_due_time(referral, name)
        before = open_before.get((name, since))
        if before is not None and (before.missed or agreed in (None, before.due_at)):
            yield before
        elif agreed is not None:
            yield Step(name, since, agreed)
        elif (deadline := directory.deadline(name, referral.service, referral.urgency)) is not None:
            yield Step(name, since, due_time(deadline, since), paused_by=deadline.paused_by)


def _agreed_due_time(referral: Referral, step: DeadlineStep) -> datetime | None:
    """Return the due time that the parties agreed on, which replaces that of the directory's deadline."""
    if step is DeadlineStep.ARRIVAL:
        return referral.place_held_until
    return referral.due_at if step is DeadlineStep.FOLLOW_UP else None


def due_time(deadline: Deadline, since: datetime) -> datetime:
    """Return the due time of a step that began at ``since``.

    Calendars and holds are not applied yet: a working day counts as 24 hours, and no hold stops the clock.
    """
    return since + deadline.amount * _UNITS[deadline.unit]


_UNITS = {DeadlineUnit.SECONDS: timedelta(seconds=1), DeadlineUnit.WORKING_DAYS: timedelta(days=1)}


def mark_missed(steps: tuple[Step, ...], step: DeadlineStep, since: datetime) -> tuple[Step, ...]:
    """Return ``steps`` with the step of this identity marked as missed."""
    return tuple(replace(s, missed=True) if s.is_step(step, since) else s for s in steps)


def open_steps(case: Case) -> Iterator[tuple[Referral | Basis, Step]]:
    """Yield each open step of a case that is not marked as missed, with its holder."""
    holders: tuple[Referral | Basis, ...] = (*case.referrals.values(), *case.bases.values())
    for holder in holders:
        for step in holder.steps:
            if not step.missed:
                yield holder, step
