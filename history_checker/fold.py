"""Apply an effective event to the checker's state."""

from collections.abc import Callable
from datetime import datetime, timedelta

from history_checker.lifecycle_tables import BEFORE_PAUSE, ENDED_STATES, UNCHANGED, Transition
from history_checker.parsing import Event, parse_time
from history_checker.referral_rules import fact_name, find_transition
from history_checker.signatures import MemberKey, key_id
from history_checker.snapshot import Json
from history_checker.state import (
    Basis,
    Case,
    JurisdictionState,
    Member,
    PendingStep,
    Referral,
    acknowledgement_step,
    update_steps,
)
from history_checker.statement_rules import EXCHANGE, missed_step, pending_steps
from history_checker.working_time import Hold


def apply_event(state: JurisdictionState, event: Event, at: datetime) -> None:
    """Change ``state`` by an event that is effective at ``at``."""
    if event.is_about_a_case:
        case = state.cases.setdefault(event.subject, Case())
        referral = case.referrals.get(event.referral or "")
        transition = find_transition(state, referral, event)
        if transition is not None:
            referral = _apply_transition(referral, transition, event, at)
            case.referrals[referral.id] = referral
            update_steps(state, referral)
    statement_fold = _STATEMENT_FOLDS.get(event.type)
    if statement_fold is not None:
        statement_fold(state, event, at)


# Referral


def _apply_transition(referral: Referral | None, transition: Transition, event: Event, at: datetime) -> Referral:
    if referral is None:
        return _request(event, at)
    if transition.once:
        referral.facts.add(fact_name(transition))
    if transition.to_state != UNCHANGED:
        _change_state(referral, transition, event, at)
    set_fields = _FIELDS.get(event.type)
    if set_fields is not None:
        set_fields(referral, event, at)
    return referral


def _request(event: Event, at: datetime) -> Referral:
    requested = event.data
    return Referral(
        id=requested["referral"],
        source=event.emitter,
        target=requested["target"],
        service=requested["service"],
        urgency=requested["urgency"],
        basis=requested["basis"]["basis"],
        basis_expires=parse_time(requested["basis"]["expires_at"]),
        follow_up_due=parse_time(requested["due_at"]) if requested["due_at"] else None,
        requested_at=at,
        since=at,
    )


def _change_state(referral: Referral, transition: Transition, event: Event, at: datetime) -> None:
    previous = referral.state
    to_state = transition.to_state
    referral.state = (referral.paused_from or "accepted") if to_state == BEFORE_PAUSE else to_state
    referral.since = at
    referral.code = event.data.get("code") or event.data.get("outcome") or referral.code
    if previous == "on-hold":
        referral.paused_at, referral.paused_from = None, ""
        referral.holds[-1].ends = at
    if referral.state == "on-hold":
        referral.paused_at, referral.paused_from = at, previous
        referral.holds.append(Hold(event.data["code"], at))
    if referral.state in ENDED_STATES:
        referral.closed_at, referral.cancellation_asked_at = referral.closed_at or at, None
        referral.disclosure_open = False
        referral.ending_reported_at = None


def _accept(referral: Referral, event: Event, at: datetime) -> None:
    referral.answered_at = at
    _set_held_until(referral, event, at)


def _set_held_until(referral: Referral, event: Event, at: datetime) -> None:
    referral.hold_agreed_at = at
    until = event.data["place_held_until"]
    referral.held_until = parse_time(until) if until is not None else None


def _set_time(name: str) -> Callable[[Referral, Event, datetime], None]:
    return lambda referral, _event, at: setattr(referral, name, at)


_FIELDS: dict[str, Callable[[Referral, Event, datetime], None]] = {
    "referral.delivered.v1": _set_time("delivered_at"),
    "referral.opened.v1": _set_time("opened_at"),
    "referral.accepted.v1": _accept,
    "referral.rejected.v1": _set_time("answered_at"),
    "referral.started.v1": _set_time("started_at"),
    "place-hold.extended.v1": _set_held_until,
    "cancellation.requested.v1": _set_time("cancellation_asked_at"),
    "cancellation.declined.v1": lambda referral, _event, _at: setattr(referral, "cancellation_asked_at", None),
    "referral.revoked.v1": lambda referral, event, _at: setattr(referral, "revoked_for", event.data["reason"]),
    "referral.voided.v1": lambda referral, _event, _at: setattr(referral, "revoked_for", None),
    "onward.refused.v1": _set_time("onward_refused_at"),
    "ending.reported.v1": _set_time("ending_reported_at"),
    "service.continued.v1": lambda referral, _event, _at: setattr(referral, "ending_reported_at", None),
    "disclosure.closed.v1": lambda referral, _event, _at: setattr(referral, "disclosure_open", False),
    "referral.redirected.v1": lambda referral, event, _at: setattr(referral, "next", event.data["next"]),
}


# Case


def _open_case(state: JurisdictionState, event: Event, _at: datetime) -> None:
    state.cases[event.subject].opener = event.emitter


def _link_case(state: JurisdictionState, event: Event, _at: datetime) -> None:
    state.cases[event.subject].links.add(event.data["other_case"])


def _record_basis(state: JurisdictionState, event: Event, at: datetime) -> None:
    terms, due = event.data, event.data["approval_due_at"]
    steps = [PendingStep("basis_approved", at, parse_time(due))] if due is not None else []
    basis = Basis(event.emitter, terms, parse_time(terms["expires_at"]), approved=due is None, steps=steps)
    state.cases[event.subject].bases[terms["basis"]] = basis


def _approve_basis(state: JurisdictionState, event: Event, _at: datetime) -> None:
    basis = state.cases[event.subject].bases[event.data["basis"]]
    basis.approved, basis.steps = True, []


def _end_basis(state: JurisdictionState, event: Event, _at: datetime) -> None:
    basis = state.cases[event.subject].bases[event.data["basis"]]
    basis.ended, basis.end_is_on_record, basis.steps = event.data["reason"], True, []


def _withdraw_releases(state: JurisdictionState, event: Event, _at: datetime) -> None:
    withdrawal = event.data
    for basis in state.cases[event.subject].bases.values():
        if not basis.terms["kind"].startswith("release.") or basis.ended is not None:
            continue
        if _is_withdrawn(basis, withdrawal):
            basis.ended, basis.steps = "release_withdrawn", []
        elif withdrawal["recipient"] is not None and basis.terms["recipient_class"] is not None:
            basis.withdrawn_for.add(withdrawal["recipient"])


def _is_withdrawn(basis: Basis, withdrawal: Json) -> bool:
    if withdrawal["scope"] == "purpose":
        return bool(basis.terms["purpose"] == withdrawal["purpose"])
    return bool(withdrawal["scope"] == "all" or basis.terms["recipient"] == withdrawal["recipient"])


def _mark_missed(state: JurisdictionState, event: Event, at: datetime) -> None:
    case = state.cases[event.subject]
    step, steps = missed_step(case, event), pending_steps(case, event)
    if step is None or steps is None:
        return
    step.missed, step.unanswered_miss = True, event.id
    if step.name == "acknowledged":
        return
    referral = case.referrals.get(event.referral) if event.referral is not None else None
    answer = acknowledgement_step(state, referral, event.id, at)
    if answer is not None:
        while any((other.name, other.since) == ("acknowledged", answer.since) for other in steps):
            answer.since += timedelta(milliseconds=1)
        steps.append(answer)


def _mark_acknowledged(state: JurisdictionState, event: Event, _at: datetime) -> None:
    steps = pending_steps(state.cases[event.subject], event) or []
    named = (event.data["step"], parse_time(event.data["since"]))
    for step in [step for step in steps if (step.name, step.since) == named and step.unanswered_miss is not None]:
        steps[:] = [other for other in steps if other.answers != step.unanswered_miss]
        step.unanswered_miss = None


# Jurisdiction


def _found(state: JurisdictionState, event: Event, _at: datetime) -> None:
    charter = event.data
    state.founded, state.coordinator, state.deadlines = True, charter["coordinator"], tuple(charter["deadlines"])
    state.members = {charter["coordinator"]: Member("coordination", (), ())}
    for owner, public in ((charter["coordinator"], charter["coordinator_key"]), (EXCHANGE, charter["exchange_key"])):
        state.keys[key_id(bytes.fromhex(public))] = MemberKey(owner, bytes.fromhex(public))


def _admit(state: JurisdictionState, event: Event, _at: datetime) -> None:
    admission = event.data
    state.members[admission["member"]] = Member(
        admission["kind"], tuple(admission["services"]), tuple(admission["classes"])
    )


def _suspend(state: JurisdictionState, event: Event, _at: datetime) -> None:
    state.members[event.data["member"]].suspended = True


def _publish_deadlines(state: JurisdictionState, event: Event, _at: datetime) -> None:
    state.deadlines = tuple(event.data["deadlines"])


def _publish_calendars(state: JurisdictionState, event: Event, _at: datetime) -> None:
    state.calendar = event.data


def _register_key(state: JurisdictionState, event: Event, at: datetime) -> None:
    public = bytes.fromhex(event.data["public_key"])
    owner = event.data["member"]
    state.keys[key_id(public)] = MemberKey(
        owner, public, event.data["use"], self_registered=event.emitter == owner, registered_at=at
    )


def _revoke_key(state: JurisdictionState, event: Event, _at: datetime) -> None:
    revoked = state.keys[event.data["key"]]
    revoked.revoked = True
    if revoked.use != "signing":
        return
    for key in state.keys.values():
        if key.owner == revoked.owner and key.self_registered and key.use != "signing":
            key.revoked = True


def _retire_key(state: JurisdictionState, event: Event, at: datetime) -> None:
    state.keys[event.data["key"]].retired_at = at


def _open_escalation(state: JurisdictionState, event: Event, _at: datetime) -> None:
    state.escalations.add(event.data["reference"])


def _close_escalation(state: JurisdictionState, event: Event, _at: datetime) -> None:
    state.escalations.discard(event.data["reference"])


_STATEMENT_FOLDS: dict[str, Callable[[JurisdictionState, Event, datetime], None]] = {
    "jurisdiction.founded.v1": _found,
    "agency.admitted.v1": _admit,
    "agency.suspended.v1": _suspend,
    "deadlines.published.v1": _publish_deadlines,
    "calendars.published.v1": _publish_calendars,
    "key.registered.v1": _register_key,
    "key.revoked.v1": _revoke_key,
    "key.retired.v1": _retire_key,
    "deadline.escalated.v1": _open_escalation,
    "deadline.escalated.v2": _open_escalation,
    "escalation.acknowledged.v1": _close_escalation,
    "escalation.ended.v1": _close_escalation,
    "deadline.acknowledged.v1": _mark_acknowledged,
    "case.opened.v1": _open_case,
    "cases.linked.v1": _link_case,
    "basis.recorded.v1": _record_basis,
    "basis.approved.v1": _approve_basis,
    "basis.ended.v1": _end_basis,
    "release.withdrawn.v1": _withdraw_releases,
    "deadline.missed.v1": _mark_missed,
}
