"""Rules for statements: every event that is not a transition of a referral. The first broken rule is the reason."""

from collections.abc import Callable
from datetime import datetime, timedelta

from history_checker.parsing import Event, parse_time
from history_checker.signatures import key_id, proves_possession
from history_checker.state import Case, JurisdictionState, PendingStep

EXCHANGE = "exchange"
_MAX_KEYS_IN_FORCE = 4
_MAX_BASES = 200
_MAX_LINKS = 50
_MAX_OWN_REGISTRATIONS = 8
_REGISTRATION_PERIOD = timedelta(days=30)

Rule = Callable[[JurisdictionState, Case, Event, datetime], str | None]
"""Rule that an event has to satisfy at a time. Returns the reason why it is ineffective, or None."""


def _unless(holds: object, reason: str) -> str | None:
    return None if holds else reason


# Emitter


def _by_exchange(_state: JurisdictionState, _case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(event.emitter == EXCHANGE, "wrong_emitter")


def _by_coordinator(state: JurisdictionState, _case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(event.emitter == state.coordinator, "wrong_emitter")


def _by_agency(state: JurisdictionState, _case: Case, event: Event, _at: datetime) -> str | None:
    member = state.members.get(event.emitter)
    return _unless(member is not None and member.kind == "agency", "wrong_emitter")


def _by_member(state: JurisdictionState, _case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(event.emitter in state.members, "wrong_emitter")


def _by_party(_state: JurisdictionState, case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(case.has_party(event.emitter), "absent")


def _by_side(_state: JurisdictionState, case: Case, event: Event, _at: datetime) -> str | None:
    referral = case.referrals.get(event.data["referral"])
    return _unless(referral is not None and event.emitter in (referral.source, referral.target), "absent")


def _may_register_key(state: JurisdictionState, _case: Case, event: Event, _at: datetime) -> str | None:
    is_own_encryption_key = event.emitter == event.data["member"] and event.data["use"] != "signing"
    return _unless(event.emitter == state.coordinator or is_own_encryption_key, "wrong_emitter")


# Case


def _case_is_new(_state: JurisdictionState, case: Case, _event: Event, _at: datetime) -> str | None:
    return _unless(case.opener is None, "already")


def _basis_is_new(_state: JurisdictionState, case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(event.data["basis"] not in case.bases, "already")


def _recipient_is_member(state: JurisdictionState, _case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(event.data["recipient"] is None or event.data["recipient"] in state.members, "unknown_member")


def _basis_is_unexpired(_state: JurisdictionState, _case: Case, event: Event, at: datetime) -> str | None:
    return _unless(at < parse_time(event.data["expires_at"]), "basis_expired")


def _bases_are_few(_state: JurisdictionState, case: Case, event: Event, _at: datetime) -> str | None:
    own = [basis for basis in case.bases.values() if basis.owner == event.emitter]
    return _unless(event.data["kind"] == "imminent_danger" or len(own) < _MAX_BASES, "too_many_bases")


def _own_basis_awaits_approval(_state: JurisdictionState, case: Case, event: Event, _at: datetime) -> str | None:
    basis = case.bases.get(event.data["basis"])
    if basis is None or basis.owner != event.emitter:
        return "basis_missing"
    return _unless(not basis.approved, "already")


def _basis_end_is_new(_state: JurisdictionState, case: Case, event: Event, _at: datetime) -> str | None:
    basis = case.bases.get(event.data["basis"])
    return "basis_missing" if basis is None else _unless(not basis.end_is_on_record, "already")


def _links_another_case(_state: JurisdictionState, case: Case, event: Event, _at: datetime) -> str | None:
    other = event.data["other_case"]
    return _unless(other != event.subject and other not in case.links, "already")


def _links_are_few(_state: JurisdictionState, case: Case, _event: Event, _at: datetime) -> str | None:
    return _unless(len(case.links) < _MAX_LINKS, "too_many_links")


# Deadlines


def pending_steps(case: Case, event: Event) -> list[PendingStep] | None:
    """Return the pending steps of the referral or basis that a deadline event names; None if there is none."""
    if event.referral is not None:
        return case.referrals[event.referral].steps if event.referral in case.referrals else None
    basis = case.bases.get(event.data["basis"])
    return basis.steps if basis is not None else None


def missed_step(case: Case, event: Event) -> PendingStep | None:
    """Return the pending step that a ``deadline.missed`` event names."""
    named = (event.data["step"], parse_time(event.data["since"]), parse_time(event.data["due_at"]))
    steps = pending_steps(case, event) or ()
    return next((step for step in steps if (step.name, step.since, step.due) == named), None)


def _step_is_overdue(_state: JurisdictionState, case: Case, event: Event, at: datetime) -> str | None:
    if pending_steps(case, event) is None:
        return "absent"
    step = missed_step(case, event)
    if step is None or step.suspended:
        return case.referrals[event.referral].state if event.referral is not None else "already"
    if step.missed:
        return "already"
    referral = case.referrals.get(event.referral or "")
    if referral is not None and referral.state == "requested" and step.due >= referral.basis_expires:
        return "basis_expired"
    return _unless(at >= step.due, "too_early")


def _has_steps(_state: JurisdictionState, case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(pending_steps(case, event) is not None, "absent")


def _escalation_is_new(state: JurisdictionState, _case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(event.data["reference"] not in state.escalations, "already")


def _escalation_has_not_ended(state: JurisdictionState, _case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(event.data["reference"] in state.escalations, "already")


def _escalation_is_open(state: JurisdictionState, _case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(event.data["reference"] in state.escalations, "absent")


# Jurisdiction


def _is_first_founding(state: JurisdictionState, _case: Case, _event: Event, _at: datetime) -> str | None:
    return _unless(not state.founded, "already")


def _names_member(state: JurisdictionState, _case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(event.data["member"] in state.members, "unknown_member")


def _names_key_owner(state: JurisdictionState, case: Case, event: Event, at: datetime) -> str | None:
    return None if event.data["member"] == EXCHANGE else _names_member(state, case, event, at)


def _keys_are_few(state: JurisdictionState, _case: Case, event: Event, at: datetime) -> str | None:
    kind = (event.data["member"], event.data["use"])
    in_force = [key for key in state.keys.values() if (key.owner, key.use) == kind and key.is_in_force(at)]
    recent = [
        key
        for key in state.keys.values()
        if key.owner == event.data["member"]
        and key.self_registered
        and key.registered_at is not None
        and key.registered_at > at - _REGISTRATION_PERIOD
    ]
    is_limited = event.emitter == event.data["member"] != state.coordinator
    is_often = is_limited and len(recent) >= _MAX_OWN_REGISTRATIONS
    return _unless(len(in_force) < _MAX_KEYS_IN_FORCE and not is_often, "too_many_keys")


def _is_not_the_exchange(_state: JurisdictionState, _case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(event.data["member"] != EXCHANGE, "reserved_member_id")


def _proves_possession(state: JurisdictionState, _case: Case, event: Event, _at: datetime) -> str | None:
    public, proof = (bytes.fromhex(event.data[name]) for name in ("public_key", "possession"))
    return _unless(proves_possession(state.jurisdiction, event.data["member"], public, proof), "possession_not_proven")


def _key_is_new(state: JurisdictionState, _case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(key_id(bytes.fromhex(event.data["public_key"])) not in state.keys, "already")


def _key_is_known(state: JurisdictionState, _case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(event.data["key"] in state.keys, "unknown_key")


def _may_retire_key(state: JurisdictionState, _case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(event.emitter in (state.keys[event.data["key"]].owner, state.coordinator), "wrong_emitter")


def _key_is_in_use(state: JurisdictionState, _case: Case, event: Event, _at: datetime) -> str | None:
    key = state.keys[event.data["key"]]
    return _unless(not key.revoked and key.retired_at is None, "already")


def _calendars_name_members(state: JurisdictionState, _case: Case, event: Event, _at: datetime) -> str | None:
    named = {member for row in event.data["hours"] for member in row["members"]}
    return _unless(named <= set(state.members), "unknown_member")


def _is_version_one(_state: JurisdictionState, _case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(event.data["version"] == 1, "rules_not_supported")


def _service_is_offered(state: JurisdictionState, _case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(event.data["service"] in state.members[event.emitter].services, "service_not_offered")


RULES: dict[str, tuple[Rule, ...]] = {
    "jurisdiction.founded.v1": (_is_first_founding,),
    "agency.admitted.v1": (_by_coordinator, _is_not_the_exchange),
    "agency.suspended.v1": (_by_coordinator, _names_member),
    "deadlines.published.v1": (_by_coordinator,),
    "calendars.published.v1": (_by_coordinator, _calendars_name_members),
    "rules.activated.v1": (_by_coordinator, _is_version_one),
    "key.registered.v1": (_may_register_key, _names_key_owner, _proves_possession, _key_is_new, _keys_are_few),
    "key.revoked.v1": (_by_coordinator, _key_is_known),
    "key.retired.v1": (_key_is_known, _may_retire_key, _key_is_in_use),
    "capabilities.published.v1": (_by_member,),
    "capacity.published.v1": (_by_agency, _service_is_offered),
    "value.redacted.v1": (_by_coordinator,),
    "submission.refused.v1": (_by_exchange,),
    "case.opened.v1": (_by_agency, _case_is_new),
    "cases.linked.v1": (_by_agency, _by_party, _links_another_case, _links_are_few),
    "basis.recorded.v1": (
        _by_agency,
        _by_party,
        _basis_is_new,
        _recipient_is_member,
        _basis_is_unexpired,
        _bases_are_few,
    ),
    "basis.approved.v1": (_own_basis_awaits_approval,),
    "basis.ended.v1": (_by_exchange, _basis_end_is_new),
    "release.withdrawn.v1": (_by_agency, _by_party, _recipient_is_member),
    "survivor.ended.v1": (_by_agency, _by_party, _recipient_is_member),
    "case.read.v1": (_by_member,),
    "erasure.completed.v1": (_by_side,),
    "deadline.missed.v1": (_by_exchange, _step_is_overdue),
    "deadline.acknowledged.v1": (_by_exchange, _has_steps),
    "deadline.escalated.v1": (_by_exchange, _names_member, _escalation_is_new),
    "deadline.escalated.v2": (_by_exchange, _names_member, _escalation_is_new),
    "escalation.ended.v1": (_by_exchange, _escalation_has_not_ended),
    "escalation.acknowledged.v1": (_by_coordinator, _escalation_is_open),
    "board.read.v1": (_by_coordinator,),
}


def broken_rule(state: JurisdictionState, case: Case, event: Event, at: datetime) -> str | None:
    """Return the reason of the first rule that a statement breaks; None if it breaks none."""
    return next((reason for rule in RULES[event.type] if (reason := rule(state, case, event, at)) is not None), None)
