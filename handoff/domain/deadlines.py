"""Which steps somebody waits for, who waits and who owes, and when each is due.

The steps are read off the folded state; their amounts come from the directory's deadlines at the moment when a
step begins. Every clock here runs around the clock; working-hours calendars belong to the deadlines' own field.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace

from handoff.domain.case import Basis, Case, Referral, Step
from handoff.domain.directory import Directory
from handoff.record.codes import CaseService, DeadlineStep, RejectionCode, State, Urgency

_CAPACITY_REFUSALS = frozenset(
    {
        RejectionCode.UNITS_FULL,
        RejectionCode.NO_STAFF,
        RejectionCode.CLOSED_UNFUNDED,
        RejectionCode.CANNOT_MEET_NEED,
    }
)
_FIRST_CONTACT_SERVICES = frozenset({CaseService.CASE_MANAGEMENT, CaseService.CHILD_PROTECTION})
_NOT_ENDED = frozenset({State.REQUESTED, State.ACCEPTED, State.IN_PROGRESS, State.ON_HOLD})


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
    return r.cancellation_asked_at if r.state in _NOT_ENDED else None


def _next_referral(r: Referral) -> datetime | None:
    turned_away = r.state is State.REJECTED and r.service is CaseService.SHELTER and r.code in _CAPACITY_REFUSALS
    return r.closed_at if turned_away and r.next is None else None


def _benefit_decided(r: Referral) -> datetime | None:
    return r.requested_at if r.service is CaseService.BENEFIT_CONTINUITY and r.state in _NOT_ENDED else None


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
    DeadlineStep.NEXT_REFERRAL: _next_referral,
    DeadlineStep.BENEFIT_DECIDED: _benefit_decided,
    DeadlineStep.ORDER_DECIDED: _order_decided,
    DeadlineStep.FOLLOW_UP: _follow_up,
}
"""Step of a referral → since when somebody waits for it, or None."""

_OWED_BY_SOURCE = frozenset({DeadlineStep.NEXT_REFERRAL, DeadlineStep.ARRIVAL})
_NOBODY_ELSE_WAITS = frozenset({DeadlineStep.NEXT_REFERRAL})


def responsible_member(referral: Referral, step: DeadlineStep) -> str:
    """The member that a late step is charged to."""
    return referral.source if step in _OWED_BY_SOURCE else referral.target


def step_parties(referral: Referral, step: DeadlineStep) -> frozenset[str]:
    """The members that hear of a late step; a next step after a refusal concerns the source alone."""
    if step in _NOBODY_ELSE_WAITS:
        return frozenset({referral.source})
    return frozenset({referral.source, referral.target})


def with_open_steps(referral: Referral, directory: Directory) -> Referral:
    """``referral`` with the steps that are awaited in its state; a step that goes on keeps its own deadline."""
    steps = tuple(_steps(referral, directory))
    return referral if steps == referral.steps else replace(referral, steps=steps)


def _steps(referral: Referral, directory: Directory) -> Iterator[Step]:
    begun = {(step.step, step.since): step for step in referral.steps}
    for name, waiting_since in STEP_STARTS.items():
        since = waiting_since(referral)
        if since is None:
            continue
        agreed = _agreed_time(referral, name)
        kept = begun.get((name, since))
        if kept is not None and (kept.missed or agreed in (None, kept.due_at)):
            yield kept
        elif (due_at := agreed or _due(referral, name, since, directory)) is not None:
            yield Step(name, since, due_at)


def _agreed_time(referral: Referral, step: DeadlineStep) -> datetime | None:
    if step is DeadlineStep.ARRIVAL:
        return referral.place_held_until
    return referral.due_at if step is DeadlineStep.FOLLOW_UP else None


def _due(referral: Referral, step: DeadlineStep, since: datetime, directory: Directory) -> datetime | None:
    deadline = directory.deadline(step, referral.service, referral.urgency)
    return since + timedelta(seconds=deadline.seconds) if deadline is not None else None


def mark_missed(steps: tuple[Step, ...], step: DeadlineStep, due_at: datetime) -> tuple[Step, ...]:
    """``steps`` with that one marked as missed."""
    return tuple(replace(s, missed=True) if (s.step, s.due_at) == (step, due_at) else s for s in steps)


def open_steps(case: Case) -> Iterator[tuple[Referral | Basis, Step]]:
    """Every awaited step of a case that was not missed yet, with what it belongs to."""
    holders: tuple[Referral | Basis, ...] = (*case.referrals.values(), *case.bases.values())
    for holder in holders:
        for step in holder.steps:
            if not step.missed:
                yield holder, step
