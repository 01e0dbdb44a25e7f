"""Conditions of an event beyond the state of its referral.

A condition takes the folded state, the event and the record time. It returns the reason why the event is ineffective,
or None. Conditions are pure and total. A docstring states what has to hold. The names appear in ``docs/lifecycle.md``.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from handoff.domain.allowances import HOLDS, OUTCOMES, PLAN_OUTCOMES, PURPOSES, REJECTIONS, STARTS
from handoff.domain.case import Basis, Case, Referral, Situation
from handoff.record.codes import (
    BasisEndReason,
    CaseService,
    IneffectiveReason,
    MemberKind,
    ServiceOutcome,
    State,
    Urgency,
)
from handoff.record.envelope import Event
from handoff.record.events.referral import DossierDisclosed

Condition = Callable[[Situation, Event[Any], datetime], str | None]


def referral_of(known: Situation, event: Event[Any]) -> Referral | None:
    """Return the referral of an event; None if there is none."""
    referral: UUID | None = getattr(event.data, "referral", None)
    return known.case.referrals.get(referral) if known.case is not None and referral is not None else None


def _the_referral(known: Situation, event: Event[Any]) -> Referral:
    referral = referral_of(known, event)
    if referral is None:
        raise LookupError("cannot check this condition: the referral does not exist")
    return referral


def _the_case(known: Situation) -> Case:
    if known.case is None:
        raise LookupError("cannot judge an event about a case without the case")
    return known.case


MAX_OPEN_REFERRALS = 100
"""Open referrals of one source in one case: many times what a case needs, and few enough to load with each command."""
MAX_REFERRALS = 400
"""Referrals of one source in one case, ended ones included: they stay in the case, which each command loads."""
_COPIED = ("kind", "purpose", "recipient", "recipient_class", "expires_at")
"""Fields of a basis that a request copies."""


def target_accepts_requests(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    """The target is an admitted agency, offers the service, and is not suspended."""
    target = known.directory.members.get(event.data.target)
    if target is None:
        return IneffectiveReason.UNKNOWN_TARGET
    if target.id == event.emitter:
        return IneffectiveReason.OWN_TARGET
    if target.kind is not MemberKind.AGENCY:
        return IneffectiveReason.TARGET_NOT_AGENCY
    if event.data.service not in target.services:
        return IneffectiveReason.SERVICE_NOT_OFFERED
    return IneffectiveReason.SUSPENDED if target.suspended else None


def referrals_are_few(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    """The source has fewer referrals in the case than the limits, which an emergency does not have."""
    if event.data.urgency is Urgency.EMERGENCY:
        return None
    own = [r for r in _the_case(known).referrals.values() if r.source == event.emitter]
    if sum(r.closed_at is None for r in own) >= MAX_OPEN_REFERRALS:
        return IneffectiveReason.TOO_MANY_OPEN_REFERRALS
    return IneffectiveReason.TOO_MANY_REFERRALS if len(own) >= MAX_REFERRALS else None


def request_has_valid_basis(known: Situation, event: Event[Any], at: datetime) -> str | None:
    """The source recorded the basis, the basis is valid, and its purpose and recipient match the request."""
    request = event.data
    basis = _the_case(known).bases.get(request.basis.basis)
    if basis is None or basis.owner != event.emitter:
        return IneffectiveReason.BASIS_MISSING
    if any(getattr(request.basis, name) != getattr(basis, name) for name in _COPIED):
        return IneffectiveReason.BASIS_DIFFERS
    if basis.purpose not in PURPOSES[request.service]:
        return IneffectiveReason.PURPOSE_NOT_COVERED
    if not basis.covers(request.target, known.directory):
        return IneffectiveReason.RECIPIENT_NOT_COVERED
    return objection_to_basis(basis, request.target, basis.expires_at, at)


def objection_to_basis(basis: Basis | None, target: str, expires_at: datetime, at: datetime) -> str | None:
    """Return the reason why a basis is not valid at ``at``; None if it is.

    ``basis`` is None at a target, which knows only the expiry that the request copied.
    """
    ended = basis.ended_for(target) if basis is not None else None
    if ended is not None:
        return ended
    return IneffectiveReason.BASIS_EXPIRED if at >= expires_at else None


def basis_is_valid(known: Situation, event: Event[Any], at: datetime) -> str | None:
    """The basis of the request is valid at the record time of the event."""
    referral = _the_referral(known, event)
    basis = _the_case(known).bases.get(referral.basis)
    return objection_to_basis(basis, referral.target, referral.basis_expires_at, at)


def end_of_basis_is_due(known: Situation, event: Event[Any], at: datetime) -> str | None:
    """For an expiry, the basis has expired at the record time of the event."""
    if event.data.reason is not BasisEndReason.BASIS_EXPIRED:
        return None
    return IneffectiveReason.TOO_EARLY if at < _the_referral(known, event).basis_expires_at else None


def disclosure_is_open(known: Situation, event: Event[Any], at: datetime) -> str | None:
    """The basis was neither withdrawn nor has it expired."""
    if not _the_referral(known, event).disclosure_open:
        return IneffectiveReason.RELEASE_WITHDRAWN
    return basis_is_valid(known, event, at)


def code_is_allowed(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    """The service allows this code."""
    return _code_verdict(event.data.code in REJECTIONS[_the_referral(known, event).service])


def outcome_is_allowed(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    """The service allows this outcome."""
    return _code_verdict(event.data.outcome in OUTCOMES[_the_referral(known, event).service])


def hold_is_allowed(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    """The service allows this reason for a pause."""
    return _code_verdict(event.data.code in HOLDS[_the_referral(known, event).service])


def start_is_allowed(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    """The service allows this start."""
    return _code_verdict(event.data.kind in STARTS[_the_referral(known, event).service])


def _code_verdict(allowed: bool) -> str | None:  # noqa: FBT001 - the only argument, and no option
    return None if allowed else IneffectiveReason.CODE_NOT_ALLOWED


def plan_is_completed(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    """For a planned discharge, a plan referral by the target is completed, as agreed or refused."""
    if event.data.outcome is not ServiceOutcome.DISCHARGE_PLANNED:
        return None
    plans = (r for r in _the_case(known).referrals.values() if r.service is CaseService.REINTEGRATION_PLAN)
    settled = any(
        plan.source == event.emitter and plan.state is State.COMPLETED and plan.code in PLAN_OUTCOMES for plan in plans
    )
    return None if settled else IneffectiveReason.PLAN_MISSING


def cancellation_is_pending(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    """The source requested a cancellation and has no answer yet."""
    is_pending = _the_referral(known, event).cancellation_asked_at is not None
    return None if is_pending else IneffectiveReason.CANCELLATION_NOT_REQUESTED


def no_cancellation_is_pending(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    """The source has no unanswered request for a cancellation."""
    return None if _the_referral(known, event).cancellation_asked_at is None else IneffectiveReason.ALREADY


def ending_is_reported(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    """The exchange reported an ending that the target has not answered."""
    is_reported = _the_referral(known, event).ending_reported_at is not None
    return None if is_reported else IneffectiveReason.ENDING_NOT_REPORTED


def no_ending_is_reported(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    """No reported ending waits for an answer."""
    return None if _the_referral(known, event).ending_reported_at is None else IneffectiveReason.ALREADY


def next_request_exists(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    """The redirect names another request by the same source, and the chain of redirects has no cycle.

    A redirect ends the deadline for the next referral. One without a request would hide that no target was asked.
    """
    referrals = _the_case(known).referrals
    following = referrals.get(event.data.next)
    if following is None or following.source != event.emitter:
        return IneffectiveReason.NEXT_REFERRAL_MISSING
    return IneffectiveReason.REDIRECT_CYCLE if event.data.referral in _chain(referrals, following) else None


def _chain(referrals: Mapping[UUID, Referral], first: Referral | None) -> Iterator[UUID]:
    while first is not None:
        yield first.id
        first = referrals.get(first.next) if first.next is not None else None


def dossier_was_disclosed(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    """The source disclosed a dossier."""
    was_disclosed = _the_referral(known, event).has_fact(DossierDisclosed, "source")
    return None if was_disclosed else IneffectiveReason.DOSSIER_NOT_DISCLOSED
