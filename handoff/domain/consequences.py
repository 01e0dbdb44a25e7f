"""What the exchange itself says: what follows from a whole case, which no single institution can see.

Each consequence has a permanent number. Its id and time derive from its cause alone, so that a repeat is the
same bytes.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any
from uuid import UUID, uuid5

from handoff.domain import conditions, lifecycle
from handoff.domain.case import Basis, Case, Referral, Situation, Step
from handoff.domain.deadlines import responsible_member
from handoff.domain.evolve import escalation_reference, is_in_scope
from handoff.record.codes import FailureCode, IneffectiveReason, State
from handoff.record.delivery import to_ms
from handoff.record.envelope import EXCHANGE, Event, Source, compose
from handoff.record.events.base import Body
from handoff.record.events.case import BasisEnded, ReleaseWithdrawn, SurvivorEnded
from handoff.record.events.deadline import (
    DeadlineAcknowledged,
    DeadlineEscalated,
    DeadlineMissed,
    EscalationAcknowledged,
)
from handoff.record.events.referral import DisclosureClosed, ReferralFailed, ReferralRevoked

_EXCHANGE_SAYS = UUID("0f3c3f57-5c52-5d8e-9a5b-7f5f6a0f6a01")


class Says(IntEnum):
    """The permanent numbers of what the exchange says. A number is never used again for something else."""

    BASIS_ENDED = 1
    REFERRAL_REVOKED = 2
    DISCLOSURE_CLOSED = 3
    SURVIVOR_ENDED = 4
    DEADLINE_MISSED = 5
    DEADLINE_ESCALATED = 6
    DEADLINE_ACKNOWLEDGED = 7


@dataclass(frozen=True, slots=True)
class Cause:
    """What the exchange reacts to: an event's id (or a step's name) and its record time."""

    id: str
    at: datetime


def consequences(before: Situation, after: Situation, event: Event[Any], at: datetime) -> tuple[Event[Any], ...]:
    """What the exchange says because ``event`` was effective at ``at``, in order."""
    follow = _FOLLOWS.get(type(event.data))
    return tuple(follow(before, after, event, Cause(str(event.id), at))) if follow is not None else ()


def deadline_missed(known: Situation, holder: Referral | Basis, step: Step, attempt: int) -> Event[Any]:
    """The event that says that ``step`` of ``holder`` is late; ``attempt`` counts those that came too early."""
    is_referral = isinstance(holder, Referral)
    body = DeadlineMissed(
        step=step.step,
        referral=holder.id if is_referral else None,
        basis=None if is_referral else holder.id,
        since=step.since,
        due_at=step.due_at,
        attempt=attempt,
    )
    # A step whose time was put off is late anew, so its due time belongs to the name.
    name = f"{holder.id}/{step.step}/{to_ms(step.since)}/{to_ms(step.due_at)}/{attempt}"
    cause = Cause(name, step.due_at)
    return _say(known, Says.DEADLINE_MISSED, cause, _case(known).id, body)


def _withdrawn(before: Situation, after: Situation, _event: Event[Any], cause: Cause) -> Iterator[Event[Any]]:
    stood, case = _case(before).bases, _case(after)
    reason = IneffectiveReason.RELEASE_WITHDRAWN
    for basis in sorted(case.bases):
        if case.bases[basis].ended is not None and stood[basis].ended is None:
            yield _say(after, Says.BASIS_ENDED, cause, case.id, BasisEnded(basis=basis, reason=reason))
    for referral in _in_order(case):
        if not _has_lost_its_basis(referral, stood, case.bases):
            continue
        if referral.state is State.REQUESTED:
            revoked = ReferralRevoked(referral=referral.id, reason=reason)
            yield _say(after, Says.REFERRAL_REVOKED, cause, case.id, revoked)
        elif referral.state in lifecycle.ACTIVE:
            closed = DisclosureClosed(referral=referral.id, reason=reason)
            yield _say(after, Says.DISCLOSURE_CLOSED, cause, case.id, closed)


def _has_lost_its_basis(referral: Referral, before: Mapping[UUID, Basis], after: Mapping[UUID, Basis]) -> bool:
    basis, target = referral.basis, referral.target
    return basis in after and after[basis].ended_for(target) is not None and before[basis].ended_for(target) is None


def _survivor_ended(_before: Situation, after: Situation, event: Event[Any], cause: Cause) -> Iterator[Event[Any]]:
    case = _case(after)
    for referral in _in_order(case):
        basis = case.bases.get(referral.basis)
        purpose = basis.purpose if basis is not None else ""
        if referral.state in lifecycle.OPEN and is_in_scope(event.data, purpose, referral.target):
            failed = ReferralFailed(referral=referral.id, code=FailureCode.SURVIVOR_ENDED)
            yield _say(after, Says.SURVIVOR_ENDED, cause, case.id, failed)


def _escalated(_before: Situation, after: Situation, event: Event[Any], cause: Cause) -> Iterator[Event[Any]]:
    said: DeadlineMissed = event.data
    referral = conditions.referral_of(after, event)
    body = DeadlineEscalated(
        reference=escalation_reference(event.id),
        member=responsible_member(referral, said.step)
        if referral is not None
        else _case(after).bases[_basis_id(said)].owner,
        service=referral.service if referral is not None else None,
        step=said.step,
        age_seconds=max(0, int((cause.at - said.since) / timedelta(seconds=1))),
    )
    yield _say(after, Says.DEADLINE_ESCALATED, cause, after.directory.jurisdiction, body)


def _basis_id(said: DeadlineMissed) -> UUID:
    if said.basis is None:
        raise LookupError("a missed deadline is of a referral or of a basis")
    return said.basis


def _acknowledged(before: Situation, after: Situation, event: Event[Any], cause: Cause) -> Iterator[Event[Any]]:
    said: EscalationAcknowledged = event.data
    overdue = before.directory.overdue.get(said.reference)
    if overdue is None:
        return
    body = DeadlineAcknowledged(
        step=overdue.step, since=overdue.since, referral=overdue.referral, basis=overdue.basis, action=said.action
    )
    yield _say(after, Says.DEADLINE_ACKNOWLEDGED, cause, overdue.case, body)


def _in_order(case: Case) -> list[Referral]:
    return sorted(case.referrals.values(), key=lambda referral: (referral.requested_at, referral.id))


def _case(known: Situation) -> Case:
    if known.case is None:
        raise LookupError("what follows from a case needs the case")
    return known.case


def _say(known: Situation, number: Says, cause: Cause, subject: UUID | str, body: Body) -> Event[Any]:
    about = getattr(body, "referral", None) or getattr(body, "basis", None) or subject
    return compose(
        id=uuid5(_EXCHANGE_SAYS, f"{number.value}/{cause.id}/{about}"),
        source=Source(known.directory.jurisdiction, known.directory.generation, EXCHANGE),
        subject=subject,
        time=cause.at,
        body=body,
    )


Follow = Callable[[Situation, Situation, Event[Any], Cause], Iterator[Event[Any]]]
_FOLLOWS: Mapping[type[Body], Follow] = {
    ReleaseWithdrawn: _withdrawn,
    SurvivorEnded: _survivor_ended,
    DeadlineMissed: _escalated,
    EscalationAcknowledged: _acknowledged,
}
