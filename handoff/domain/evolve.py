"""The fold: apply an effective event to the folded state. Pure and total; it does not judge."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from handoff.domain import lifecycle
from handoff.domain.case import Basis, Case, Ending, Fact, HoldPeriod, Referral, Situation, Step
from handoff.domain.deadlines import acknowledgement_step, mark_acknowledged, mark_missed, with_open_steps
from handoff.domain.directory import Directory, Key, Member
from handoff.domain.escalations import changed_escalations, escalation_reference
from handoff.domain.lifecycle import Change, Transition
from handoff.domain.rules import rules_in_force
from handoff.record import signing
from handoff.record.codes import BasisEndReason, CaseService, DeadlineStep, EndScope, KeyUse, MemberKind, State, Urgency
from handoff.record.envelope import EXCHANGE, Event
from handoff.record.events import case as c
from handoff.record.events import deadline as dl
from handoff.record.events import directory as d
from handoff.record.events import referral as r
from handoff.record.events.base import Body, ReferralBody

AnyEvent = Event[Any]
Changes = dict[str, Any]


def initial_situation(jurisdiction: str, generation: int, case: UUID | None = None) -> Situation:
    """Return the state of an empty record."""
    return Situation(Directory(jurisdiction, generation), Case(case) if case is not None else None)


def evolve(known: Situation, event: AnyEvent, at: datetime, row: Transition | None = None) -> Situation:
    """Return the state after an effective event at record time ``at``. An event without a match changes nothing.

    ``row`` is the transition of an event about a referral, if the caller has found it already.
    """
    if isinstance(event.data, ReferralBody):
        return _with_referral(known, event, at, row)
    fold = _FOLDS.get(type(event.data))
    return fold(known, event, at) if fold is not None else known


# Referrals


def _with_referral(known: Situation, event: AnyEvent, at: datetime, row: Transition | None) -> Situation:
    if known.case is None:
        return known
    before = known.case.referrals.get(event.data.referral)
    if row is None:
        role = lifecycle.role_of(event.emitter, before, EXCHANGE)
        row = lifecycle.transition_for(rules_in_force(known.directory).transitions, event.data, role, before)
    if row is None:
        return known
    after = _new_referral(event, at) if before is None else _transitioned(before, row, event, at)
    referrals = {**known.case.referrals, after.id: with_open_steps(after, known.directory)}
    if isinstance(event.data, r.ReferralRedirected) and event.data.next in referrals:
        referrals[event.data.next] = replace(referrals[event.data.next], hop=after.hop + 1)
    return Situation(known.directory, replace(known.case, referrals=referrals), known.escalations)


def _new_referral(event: AnyEvent, at: datetime) -> Referral:
    request = event.data
    return Referral(
        id=request.referral,
        source=event.emitter,
        target=request.target,
        service=request.service,
        urgency=request.urgency,
        basis=request.basis.basis,
        basis_expires_at=request.basis.expires_at,
        due_at=request.due_at,
        state=State.REQUESTED,
        since=at,
        requested_at=at,
    )


def _transitioned(before: Referral, row: Transition, event: AnyEvent, at: datetime) -> Referral:
    # All changes in one copy: a referral has thirty fields, and each event about one is applied here.
    changes: Changes = {"seen": before.seen + 1}
    if row.once:
        changes["facts"] = (*before.facts, Fact(row.event.name(), row.by))
    if not row.is_fact:
        changes |= _in_state(before, row, event, at)
    details_of = _DETAILS.get(type(event.data))
    if details_of is not None:
        changes |= details_of(event, at)
    return replace(before, **changes)


def _in_state(before: Referral, row: Transition, event: AnyEvent, at: datetime) -> Changes:
    state = (before.paused_from or State.ACCEPTED) if row.end is Change.BACK else State(row.end)
    code = getattr(event.data, "code", None) or getattr(event.data, "outcome", None) or before.code
    changes: Changes = {"state": state, "since": at, "seen_at_transition": before.seen + 1, "code": code}
    if before.state is State.ON_HOLD and before.pauses:
        *earlier, lasting = before.pauses
        changes |= {"pauses": (*earlier, replace(lasting, until=at)), "paused_from": None}
    if state is State.ON_HOLD:
        changes |= {"pauses": (*before.pauses, HoldPeriod(event.data.code, at)), "paused_from": before.state}
    if state in lifecycle.ENDED:
        changes |= {"closed_at": before.closed_at or at, "ending": before.ending or Ending(state, code)}
        changes |= {"cancellation_asked_at": None, "ending_reported_at": None, "disclosure_open": False}
    return changes


def _place(event: AnyEvent, at: datetime) -> Changes:
    return {"place_held_until": event.data.place_held_until, "place_agreed_at": at}


Details = Callable[[AnyEvent, datetime], Changes]
_DETAILS: Mapping[type[ReferralBody], Details] = {
    r.ReferralDelivered: lambda _event, at: {"delivered_at": at},
    r.ReferralOpened: lambda _event, at: {"opened_at": at},
    r.ReferralAccepted: lambda event, at: {"answered_at": at, **_place(event, at)},
    r.ReferralRejected: lambda _event, at: {"answered_at": at},
    r.ReferralStarted: lambda _event, at: {"started_at": at},
    r.PlaceHoldExtended: _place,
    r.CancellationRequested: lambda _event, at: {"cancellation_asked_at": at},
    r.CancellationDeclined: lambda _event, _at: {"cancellation_asked_at": None},
    r.ReferralRevoked: lambda event, _at: {"revoked_for": event.data.reason},
    r.ReferralVoided: lambda _event, _at: {"revoked_for": None},
    r.OnwardRefused: lambda _event, at: {"onward_refused_at": at},
    r.EndingReported: lambda _event, at: {"ending_reported_at": at},
    r.ServiceContinued: lambda _event, _at: {"ending_reported_at": None},
    r.DisclosureClosed: lambda _event, _at: {"disclosure_open": False},
    r.ReferralRedirected: lambda event, _at: {"next": event.data.next},
}
"""Event about a referral → the fields, other than the state, that it changes."""


# Cases


def _case(known: Situation, **changes: Any) -> Situation:
    if known.case is None:
        return known
    return Situation(known.directory, replace(known.case, **changes), known.escalations)


def _opened(known: Situation, event: AnyEvent, at: datetime) -> Situation:
    return _case(known, opener=event.emitter, opened_at=at)


def _linked(known: Situation, event: AnyEvent, _at: datetime) -> Situation:
    return _case(known, links=(*known.case.links, event.data.other_case)) if known.case is not None else known


def _basis_recorded(known: Situation, event: AnyEvent, at: datetime) -> Situation:
    body = event.data
    due = body.approval_due_at
    basis = Basis(
        id=body.basis,
        owner=event.emitter,
        kind=body.kind,
        purpose=body.purpose,
        recipient=body.recipient,
        recipient_class=body.recipient_class,
        expires_at=body.expires_at,
        recorded_at=at,
        approved=due is None,
        steps=(Step(DeadlineStep.BASIS_APPROVED, at, due),) if due is not None else (),
    )
    return _with_basis(known, basis)


def _with_basis(known: Situation, basis: Basis) -> Situation:
    return _case(known, bases={**known.case.bases, basis.id: basis}) if known.case is not None else known


def _change_basis(known: Situation, basis_id: UUID, **changes: Any) -> Situation:
    basis = known.case.bases.get(basis_id) if known.case is not None else None
    return _with_basis(known, replace(basis, **changes)) if basis is not None else known


def _basis_approved(known: Situation, event: AnyEvent, _at: datetime) -> Situation:
    return _change_basis(known, event.data.basis, approved=True, steps=())


def _basis_ended(known: Situation, event: AnyEvent, _at: datetime) -> Situation:
    return _change_basis(known, event.data.basis, ended=event.data.reason, end_recorded=True, steps=())


def is_in_scope(ending: c.Scope, purpose: str, recipient: str | None) -> bool:
    """Return whether a withdrawal or an ending covers this purpose and recipient."""
    if ending.scope is EndScope.PURPOSE:
        return purpose == ending.purpose
    return ending.scope is EndScope.ALL or recipient == ending.recipient


def _withdrawn(known: Situation, event: AnyEvent, _at: datetime) -> Situation:
    if known.case is None:
        return known
    bases = {key: _end_if_covered(basis, event.data) for key, basis in known.case.bases.items()}
    return _case(known, bases=bases)


def _end_if_covered(basis: Basis, withdrawal: c.ReleaseWithdrawn) -> Basis:
    if not basis.kind.is_release or basis.ended is not None:
        return basis
    if is_in_scope(withdrawal, basis.purpose, basis.recipient):
        return replace(basis, ended=BasisEndReason.RELEASE_WITHDRAWN, steps=())
    # A release to a class stays valid for the other members of the class, which may still help her.
    member = withdrawal.recipient
    if member is not None and basis.recipient_class is not None and member not in basis.withdrawn_for:
        return replace(basis, withdrawn_for=(*basis.withdrawn_for, member))
    return basis


# Deadlines


def _deadline_missed(known: Situation, event: AnyEvent, at: datetime) -> Situation:
    reference = escalation_reference(event.id)

    def missed(steps: tuple[Step, ...], service: CaseService | None, urgency: Urgency | None) -> tuple[Step, ...]:
        acknowledgement = acknowledgement_step(known.directory, service, urgency, reference, at)
        return mark_missed(steps, event.data, reference, acknowledgement)

    return _with_steps(known, event, missed)


def _deadline_acknowledged(known: Situation, event: AnyEvent, _at: datetime) -> Situation:
    return _with_steps(known, event, lambda steps, *_: mark_acknowledged(steps, event.data.step, event.data.since))


ChangeSteps = Callable[[tuple[Step, ...], CaseService | None, Urgency | None], tuple[Step, ...]]


def _with_steps(known: Situation, event: AnyEvent, change: ChangeSteps) -> Situation:
    """Return the state with the steps changed of the referral or basis that a deadline event names."""
    body = event.data
    if known.case is None:
        return known
    if body.basis is not None:
        basis = known.case.bases.get(body.basis)
        return _change_basis(known, body.basis, steps=change(basis.steps, None, None) if basis is not None else ())
    referral = known.case.referrals.get(body.referral) if body.referral is not None else None
    if referral is None:
        return known
    steps = change(referral.steps, referral.service, referral.urgency)
    changed = replace(referral, seen=referral.seen + 1, steps=steps)
    return _case(known, referrals={**known.case.referrals, changed.id: changed})


def _escalations_changed(known: Situation, event: AnyEvent, at: datetime) -> Situation:
    escalations = {**known.escalations, **changed_escalations(event, at)}
    is_open = {reference: found for reference, found in escalations.items() if found is not None}
    return Situation(known.directory, known.case, is_open)


# The jurisdiction


def _directory(known: Situation, **changes: Any) -> Situation:
    return Situation(replace(known.directory, **changes), known.case, known.escalations)


def _founded(known: Situation, event: AnyEvent, _at: datetime) -> Situation:
    body = event.data
    coordinator = Member(body.coordinator, MemberKind.COORDINATION, (), ())
    keys = (_key(body.coordinator, body.coordinator_key), _key(EXCHANGE, body.exchange_key))
    return _directory(
        known,
        founded=True,
        coordinator=body.coordinator,
        rules=body.rules,
        deadlines=body.deadlines,
        ending_age_seconds=body.ending_age_seconds,
        members={coordinator.id: coordinator},
        keys={key.id: key for key in keys},
    )


def _key(owner: str, public_key: str, use: KeyUse = KeyUse.SIGNING) -> Key:
    return Key(signing.key_id(bytes.fromhex(public_key)), owner, use, public_key)


def _admitted(known: Situation, event: AnyEvent, _at: datetime) -> Situation:
    body = event.data
    before = known.directory.members.get(body.member)
    reads = before.reads if before is not None else ()
    member = Member(body.member, body.kind, body.services, body.classes, reads=reads)
    return _directory(known, members={**known.directory.members, member.id: member})


def _change_member(known: Situation, member: str, **changes: Any) -> Situation:
    before = known.directory.members.get(member)
    if before is None:
        return known
    return _directory(known, members={**known.directory.members, member: replace(before, **changes)})


def _key_registered(known: Situation, event: AnyEvent, at: datetime) -> Situation:
    key = _key(event.data.member, event.data.public_key, event.data.use)
    key = replace(key, self_registered=event.emitter == key.owner, registered_at=at)
    return _directory(known, keys={**known.directory.keys, key.id: key})


def _key_revoked(known: Situation, event: AnyEvent, _at: datetime) -> Situation:
    revoked = known.directory.keys.get(event.data.key)
    if revoked is None:
        return known

    def is_ended(key: Key) -> bool:
        # A stolen signing key may have registered encryption keys, for which others would encrypt.
        depends = key.self_registered and key.owner == revoked.owner and key.use is not KeyUse.SIGNING
        return key.id == revoked.id or (depends and revoked.use is KeyUse.SIGNING)

    keys = {key.id: replace(key, revoked=True) if is_ended(key) else key for key in known.directory.keys.values()}
    return _directory(known, keys=keys)


def _key_retired(known: Situation, event: AnyEvent, at: datetime) -> Situation:
    retired = known.directory.keys.get(event.data.key)
    if retired is None:
        return known
    return _directory(known, keys={**known.directory.keys, retired.id: replace(retired, retired_at=at)})


def _calendars(event: AnyEvent) -> d.Calendars:
    return d.Calendars(**{name: getattr(event.data, name) for name in d.Calendars.model_fields})


def _capacity(known: Situation, event: AnyEvent, _at: datetime) -> Situation:
    body = d.Capacity(**{name: getattr(event.data, name) for name in d.Capacity.model_fields})
    of_member = {**known.directory.capacity.get(event.emitter, {}), body.service: body}
    return _directory(known, capacity={**known.directory.capacity, event.emitter: of_member})


Fold = Callable[[Situation, AnyEvent, datetime], Situation]
_FOLDS: Mapping[type[Body], Fold] = {
    d.JurisdictionFounded: _founded,
    d.AgencyAdmitted: _admitted,
    d.AgencySuspended: lambda known, event, _at: _change_member(known, event.data.member, suspended=True),
    d.DeadlinesPublished: lambda known, event, _at: _directory(
        known, deadlines=event.data.deadlines, ending_age_seconds=event.data.ending_age_seconds
    ),
    d.CalendarsPublished: lambda known, event, _at: _directory(
        known, calendars=(*known.directory.calendars, _calendars(event))
    ),
    d.RulesActivated: lambda known, event, _at: _directory(known, rules=event.data.version),
    d.KeyRegistered: _key_registered,
    d.KeyRevoked: _key_revoked,
    d.KeyRetired: _key_retired,
    d.CapabilitiesPublished: lambda known, event, _at: _change_member(known, event.emitter, reads=event.data.reads),
    d.CapacityPublished: _capacity,
    c.CaseOpened: _opened,
    c.CasesLinked: _linked,
    c.BasisRecorded: _basis_recorded,
    c.BasisApproved: _basis_approved,
    c.BasisEnded: _basis_ended,
    c.ReleaseWithdrawn: _withdrawn,
    dl.DeadlineMissed: _deadline_missed,
    dl.DeadlineEscalated: _escalations_changed,
    dl.DeadlineAcknowledged: _deadline_acknowledged,
    dl.EscalationAcknowledged: _escalations_changed,
    dl.EscalationEnded: _escalations_changed,
}
"""Event type that is not about a referral → its fold. An event of any other type changes nothing."""
