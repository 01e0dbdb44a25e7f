"""Events that the exchange emits as a consequence of other events or of time.

They follow from a whole case, which no single institution can see. Each kind has a permanent number. Ids and times
derive from the trigger alone, so that a repetition produces the same bytes.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any
from uuid import UUID, uuid5

from handoff.domain import conditions, lifecycle
from handoff.domain.case import Basis, Case, Referral, Situation, Step
from handoff.domain.deadlines import is_done, notify_at, responsible_member
from handoff.domain.escalations import Overdue, escalation_reference
from handoff.domain.evolve import is_in_scope
from handoff.record.codes import BasisEndReason, DeadlineStep, EscalationEnd, FailureCode, State
from handoff.record.delivery import to_ms
from handoff.record.envelope import EXCHANGE, Event, Source, compose
from handoff.record.events.base import Body
from handoff.record.events.case import BasisEnded, ReleaseWithdrawn, SurvivorEnded
from handoff.record.events.deadline import (
    DeadlineAcknowledged,
    DeadlineEscalated,
    DeadlineMissed,
    EscalationAcknowledged,
    EscalationEnded,
)
from handoff.record.events.referral import DisclosureClosed, EndingReported, ReferralFailed, ReferralRevoked

_NAMESPACE = UUID("0f3c3f57-5c52-5d8e-9a5b-7f5f6a0f6a01")


class ConsequenceKind(IntEnum):
    """Permanent numbers of the kinds of consequences. A number is never reused."""

    BASIS_ENDED = 1
    REFERRAL_REVOKED = 2
    DISCLOSURE_CLOSED = 3
    SURVIVOR_ENDED = 4
    DEADLINE_MISSED = 5
    DEADLINE_ESCALATED = 6
    DEADLINE_ACKNOWLEDGED = 7
    ENDING_REPORTED = 8
    BASIS_EXPIRED = 9
    ESCALATION_ENDED = 10


@dataclass(frozen=True, slots=True)
class Trigger:
    """Trigger of a consequence: an event with its record time, or a late step with its due time.

    ``name`` identifies it on the whole record: other cases and other members may use the same ids.
    """

    name: str
    at: datetime


def consequences(
    before: Situation, after: Situation, event: Event[Any], at: datetime, overdue: Overdue | None = None
) -> tuple[Event[Any], ...]:
    """Return the events that the exchange emits because ``event`` was effective at ``at``, in order.

    ``overdue`` is the step behind the escalation that the event acknowledges, if it acknowledges one.
    """
    if isinstance(event.data, EscalationAcknowledged):
        return (_acknowledged(after, event.data, _trigger(event, at), overdue),) if overdue is not None else ()
    derive, trigger = _CONSEQUENCES.get(type(event.data)), _trigger(event, at)
    derived = tuple(derive(before, after, event, trigger)) if derive is not None else ()
    return *derived, *_ended_escalations(before, after, trigger)


def _trigger(event: Event[Any], at: datetime) -> Trigger:
    return Trigger("/".join(map(str, event.identity)), at)


def deadline_missed(known: Situation, holder: Referral | Basis, step: Step, attempt: int) -> Event[Any]:
    """Return the event for a late ``step`` of ``holder``. ``attempt`` counts earlier ones that were too early."""
    is_referral = isinstance(holder, Referral)
    body = DeadlineMissed(
        step=step.step,
        referral=holder.id if is_referral else None,
        basis=None if is_referral else holder.id,
        since=step.since,
        due_at=step.due_at,
        attempt=attempt,
    )
    # After its due time was moved, a step can be late again, so the due time is part of the name.
    name = f"{_case(known).id}/{holder.id}/{step.step}/{to_ms(step.since)}/{to_ms(step.due_at)}/{attempt}"
    trigger = Trigger(name, step.due_at)
    return _compose(known, ConsequenceKind.DEADLINE_MISSED, trigger, _case(known).id, body)


def basis_expired(known: Situation, referral: Referral, attempt: int) -> Event[Any]:
    """Return the event that ends an unanswered request whose basis has expired. ``attempt`` counts those too early."""
    body = ReferralRevoked(referral=referral.id, reason=BasisEndReason.BASIS_EXPIRED)
    trigger = Trigger(f"{referral.id}/{to_ms(referral.basis_expires_at)}/{attempt}", referral.basis_expires_at)
    return _compose(known, ConsequenceKind.BASIS_EXPIRED, trigger, _case(known).id, body)


def _withdrawn(before: Situation, after: Situation, _event: Event[Any], trigger: Trigger) -> Iterator[Event[Any]]:
    bases_before, case = _case(before).bases, _case(after)
    reason = BasisEndReason.RELEASE_WITHDRAWN
    for basis in sorted(case.bases):
        if case.bases[basis].ended is not None and bases_before[basis].ended is None:
            yield _compose(after, ConsequenceKind.BASIS_ENDED, trigger, case.id, BasisEnded(basis=basis, reason=reason))
    for referral in _in_order(case):
        if not _basis_has_ended(referral, bases_before, case.bases):
            continue
        if referral.state is State.REQUESTED:
            revoked = ReferralRevoked(referral=referral.id, reason=reason)
            yield _compose(after, ConsequenceKind.REFERRAL_REVOKED, trigger, case.id, revoked)
        elif referral.state in lifecycle.ACTIVE:
            closed = DisclosureClosed(referral=referral.id, reason=reason)
            yield _compose(after, ConsequenceKind.DISCLOSURE_CLOSED, trigger, case.id, closed)


def _basis_has_ended(referral: Referral, before: Mapping[UUID, Basis], after: Mapping[UUID, Basis]) -> bool:
    basis, target = referral.basis, referral.target
    return basis in after and after[basis].ended_for(target) is not None and before[basis].ended_for(target) is None


def _survivor_ended(_before: Situation, after: Situation, event: Event[Any], trigger: Trigger) -> Iterator[Event[Any]]:
    case, emitter = _case(after), event.emitter
    age = timedelta(seconds=after.directory.ending_age_seconds)
    ends_requests = case.counts_for_endings(emitter, trigger.at, age)
    for referral in _in_order(case):
        basis = case.bases.get(referral.basis)
        purpose = basis.purpose if basis is not None else ""
        if referral.state not in lifecycle.OPEN or not is_in_scope(event.data, purpose, referral.target):
            continue
        is_own = emitter in (referral.source, referral.target)
        if is_own or (ends_requests and referral.state is State.REQUESTED):
            failed = ReferralFailed(referral=referral.id, code=FailureCode.SURVIVOR_ENDED)
            yield _compose(after, ConsequenceKind.SURVIVOR_ENDED, trigger, case.id, failed)
        elif referral.ending_reported_at is None:
            reported = EndingReported(referral=referral.id)
            yield _compose(after, ConsequenceKind.ENDING_REPORTED, trigger, case.id, reported)


def _escalated(_before: Situation, after: Situation, event: Event[Any], trigger: Trigger) -> Iterator[Event[Any]]:
    missed: DeadlineMissed = event.data
    referral, reference = conditions.referral_of(after, event), escalation_reference(event.id)
    if missed.step is DeadlineStep.ACKNOWLEDGED:
        member = after.directory.coordinator
    elif referral is not None:
        member = responsible_member(referral, missed.step)
    else:
        member = _case(after).bases[_basis_id(missed)].owner
    steps = referral.steps if referral is not None else _case(after).bases[_basis_id(missed)].steps
    urgency = referral.urgency if referral is not None else None
    body = DeadlineEscalated(
        reference=reference,
        member=member,
        service=referral.service if referral is not None else None,
        step=missed.step,
        age_seconds=max(0, int((trigger.at - missed.since) / timedelta(seconds=1))),
        urgency=urgency,
        since=missed.since,
        due_at=missed.due_at,
        acknowledge_by=next((step.due_at for step in steps if step.answers == reference), None),
        notify_at=notify_at(after.directory.coordinator, urgency, after.directory, trigger.at),
        repeats=next((step.answers for step in steps if step.is_step(missed.step, missed.since)), None),
    )
    subject = body.keying.subject(after.directory.jurisdiction)
    yield _compose(after, ConsequenceKind.DEADLINE_ESCALATED, trigger, subject, body)


def _ended_escalations(before: Situation, after: Situation, trigger: Trigger) -> Iterator[Event[Any]]:
    """Yield the end of each escalation whose step was done late or is no longer awaited."""
    if before.case is None or after.case is None or before.case is after.case:
        return
    for earlier, later in _changed_holders(before.case, after.case):
        awaited = {(step.step, step.since) for step in later.steps}
        for step in earlier.steps:
            # An acknowledged step is still awaited; its acknowledgement has ended the escalation.
            if step.escalation is not None and (step.step, step.since) not in awaited:
                reason = EscalationEnd.STEP_DONE if is_done(later, step.step) else EscalationEnd.REFERRAL_ENDED
                body = EscalationEnded(reference=step.escalation, reason=reason)
                subject = body.keying.subject(after.directory.jurisdiction)
                named = Trigger(f"{trigger.name}/{step.escalation}", trigger.at)
                yield _compose(after, ConsequenceKind.ESCALATION_ENDED, named, subject, body)


def _changed_holders(before: Case, after: Case) -> Iterator[tuple[Referral | Basis, Referral | Basis]]:
    for key, referral in before.referrals.items():
        if referral is not (later := after.referrals[key]):
            yield referral, later
    for key, basis in before.bases.items():
        if basis is not (changed := after.bases[key]):
            yield basis, changed


def _basis_id(missed: DeadlineMissed) -> UUID:
    if missed.basis is None:
        raise LookupError("a missed deadline names neither a referral nor a basis")
    return missed.basis


def _acknowledged(after: Situation, answer: EscalationAcknowledged, trigger: Trigger, overdue: Overdue) -> Event[Any]:
    body = DeadlineAcknowledged(
        step=overdue.step,
        since=overdue.since,
        referral=overdue.referral,
        basis=overdue.basis,
        action=answer.action,
    )
    return _compose(after, ConsequenceKind.DEADLINE_ACKNOWLEDGED, trigger, overdue.case, body)


def _in_order(case: Case) -> list[Referral]:
    return sorted(case.referrals.values(), key=lambda referral: (referral.requested_at, referral.id))


def _case(known: Situation) -> Case:
    if known.case is None:
        raise LookupError("cannot derive consequences for a case without the case")
    return known.case


def _compose(known: Situation, kind: ConsequenceKind, trigger: Trigger, subject: UUID | str, body: Body) -> Event[Any]:
    about = getattr(body, "referral", None) or getattr(body, "basis", None) or subject
    return compose(
        id=uuid5(_NAMESPACE, f"{kind.value}/{trigger.name}/{about}"),
        source=Source(known.directory.jurisdiction, known.directory.generation, EXCHANGE),
        subject=subject,
        time=trigger.at,
        body=body,
    )


Derivation = Callable[[Situation, Situation, Event[Any], Trigger], Iterator[Event[Any]]]
_CONSEQUENCES: Mapping[type[Body], Derivation] = {
    ReleaseWithdrawn: _withdrawn,
    SurvivorEnded: _survivor_ended,
    DeadlineMissed: _escalated,
}
