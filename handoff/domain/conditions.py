"""Conditions on an event beyond the state of its referral: each a small named rule.

A condition takes what is known, the event and the record time, and returns the reason why the event is
ineffective, or None. Conditions are pure and total.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from handoff.domain.allowances import OUTCOMES, PLAN_OUTCOMES, PURPOSES, REJECTIONS, STARTS
from handoff.domain.case import Basis, Case, Referral, Situation
from handoff.record.codes import CaseService, IneffectiveReason, MemberKind, ServiceOutcome, State
from handoff.record.envelope import Event

Condition = Callable[[Situation, Event[Any], datetime], str | None]


def referral_of(known: Situation, event: Event[Any]) -> Referral | None:
    """The referral that an event is about, if it exists."""
    referral: UUID | None = getattr(event.data, "referral", None)
    return known.case.referrals.get(referral) if known.case is not None and referral is not None else None


def _the_referral(known: Situation, event: Event[Any]) -> Referral:
    referral = referral_of(known, event)
    if referral is None:
        raise LookupError("the table lets only an existing referral reach this condition")
    return referral


def _the_case(known: Situation) -> Case:
    if known.case is None:
        raise LookupError("an event about a case is judged with its case")
    return known.case


def target_takes_requests(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    """The target is an admitted agency that offers the service and is not suspended."""
    target = known.directory.members.get(event.data.target)
    if target is None or target.id == event.emitter or target.kind is not MemberKind.AGENCY:
        return IneffectiveReason.UNKNOWN_TARGET
    if event.data.service not in target.services:
        return IneffectiveReason.UNKNOWN_TARGET
    return IneffectiveReason.SUSPENDED if target.suspended else None


def rests_on_live_basis(known: Situation, event: Event[Any], at: datetime) -> str | None:
    """A request rests on a basis that its own source recorded, that fits the service and covers the target."""
    request = event.data
    basis = _the_case(known).bases.get(request.basis.basis)
    if basis is None or basis.owner != event.emitter or not _is_snapshot_of(request.basis, basis):
        return IneffectiveReason.BASIS_MISSING
    if basis.purpose not in PURPOSES[request.service] or not basis.covers(request.target, known.directory):
        return IneffectiveReason.BASIS_MISSING
    return objection_to_basis(basis, request.target, basis.expires_at, at)


def _is_snapshot_of(snapshot: Any, basis: Basis) -> bool:
    fields = ("kind", "purpose", "recipient", "recipient_class", "expires_at")
    return all(getattr(snapshot, name) == getattr(basis, name) for name in fields)


def objection_to_basis(basis: Basis | None, target: str, expires_at: datetime, at: datetime) -> str | None:
    """Why nothing may rest on a basis at ``at``; a target knows only the snapshot's expiry."""
    ended = basis.ended_for(target) if basis is not None else None
    if ended is not None:
        return ended
    return IneffectiveReason.BASIS_EXPIRED if at >= expires_at else None


def basis_still_live(known: Situation, event: Event[Any], at: datetime) -> str | None:
    """An acceptance counts only while the basis of the request lives."""
    referral = _the_referral(known, event)
    basis = _the_case(known).bases.get(referral.basis)
    return objection_to_basis(basis, referral.target, referral.basis_expires_at, at)


def disclosure_is_open(known: Situation, event: Event[Any], at: datetime) -> str | None:
    """Nothing is disclosed after a withdrawal or an expiry."""
    if not _the_referral(known, event).disclosure_open:
        return IneffectiveReason.RELEASE_WITHDRAWN
    return basis_still_live(known, event, at)


def rejection_fits_service(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    """The code is one that the service allows."""
    return _unless(event.data.code in REJECTIONS[_the_referral(known, event).service])


def outcome_fits_service(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    """The outcome is one that the service can have."""
    return _unless(event.data.outcome in OUTCOMES[_the_referral(known, event).service])


def start_fits_service(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    """The start is one that the service can have."""
    return _unless(event.data.kind in STARTS[_the_referral(known, event).service])


def _unless(allowed: bool) -> str | None:  # noqa: FBT001 - it reads as a sentence
    return None if allowed else IneffectiveReason.CODE_NOT_ALLOWED


def plan_comes_first(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    """A planned discharge needs the target's own plan referral to be completed, agreed or refused."""
    if event.data.outcome is not ServiceOutcome.DISCHARGE_PLANNED:
        return None
    plans = (r for r in _the_case(known).referrals.values() if r.service is CaseService.REINTEGRATION_PLAN)
    settled = any(
        plan.source == event.emitter and plan.state is State.COMPLETED and plan.code in PLAN_OUTCOMES for plan in plans
    )
    return None if settled else IneffectiveReason.PLAN_MISSING


def cancellation_is_asked(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    """The source has asked, and has no answer yet."""
    referral = _the_referral(known, event)
    return None if referral.cancellation_asked_at is not None else referral.state


def cancellation_is_not_asked(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    """A second question while the first is open adds nothing."""
    referral = _the_referral(known, event)
    return None if referral.cancellation_asked_at is None else referral.state


def next_one_was_asked(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    """A redirect names another request of its own source that stands, and leads to no circle.

    It ends the wait for a next step; one that led nowhere would hide that nobody was asked.
    """
    asked = _the_case(known).referrals
    following = asked.get(event.data.next)
    if following is None or following.source != event.emitter:
        return State.ABSENT
    return State.ABSENT if event.data.referral in _chain(asked, following) else None


def _chain(asked: Mapping[UUID, Referral], first: Referral | None) -> Iterator[UUID]:
    while first is not None:
        yield first.id
        first = asked.get(first.next) if first.next is not None else None


def dossier_was_disclosed(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    """Only what was disclosed can be delivered."""
    referral = _the_referral(known, event)
    disclosed = any(fact.startswith("dossier.disclosed.v1/") for fact in referral.facts)
    return None if disclosed else referral.state
