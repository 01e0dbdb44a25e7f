"""Rules for transitions of a referral: the design's table and its conditions."""

from datetime import datetime

from history_checker import lifecycle_tables
from history_checker.lifecycle_tables import TRANSITIONS, Transition
from history_checker.parsing import Event, parse_time
from history_checker.snapshot import Json
from history_checker.state import Basis, Case, JurisdictionState, Referral
from history_checker.statement_rules import EXCHANGE, Rule, broken_rule

_NO_ROLE = "none"


def ineffective_reason(state: JurisdictionState, event: Event, at: datetime) -> str | None:
    """Return the reason why ``event`` is ineffective at ``at``; None if it is effective."""
    case = state.cases.get(event.subject, Case())
    if event.type not in lifecycle_tables.REFERRAL_EVENTS:
        return broken_rule(state, case, event, at)
    referral = case.referrals.get(event.referral or "")
    transition = find_transition(state, referral, event)
    if transition is None:
        return _why_not_allowed(referral, event)
    failed = (_CONDITIONS[name](state, case, event, at) for name in transition.conditions)
    return next((reason for reason in failed if reason), None)


def find_transition(state: JurisdictionState, referral: Referral | None, event: Event) -> Transition | None:
    """Return the transition that allows ``event`` now, before its conditions."""
    role = _role(event.emitter, referral)
    current, code = (referral.state if referral else "absent"), event.data.get("code")
    if referral is None and event.emitter not in state.members:
        return None
    facts = referral.facts if referral is not None else frozenset[str]()
    for row in TRANSITIONS:
        applies = (row.event, row.role) == (event.type, role) and current in row.from_states
        if applies and (row.codes is None or code in row.codes) and not (row.once and fact_name(row) in facts):
            return row
    return None


def fact_name(transition: Transition) -> str:
    """Return the name of the fact that a ``once`` transition leaves on the referral."""
    return f"{transition.event}/{transition.role}"


def _role(member: str, referral: Referral | None) -> str:
    """Return the role of ``member`` in a referral. The emitter of an event about an unknown one is its source."""
    if member == EXCHANGE:
        return EXCHANGE
    if referral is None or member == referral.source:
        return "source"
    return "target" if member == referral.target else _NO_ROLE


def _why_not_allowed(referral: Referral | None, event: Event) -> str:
    if referral is None or (role := _role(event.emitter, referral)) == _NO_ROLE:
        return "absent"
    of_role = [row for row in TRANSITIONS if (row.event, row.role) == (event.type, role)]
    if not of_role:
        return "wrong_emitter"
    if event.type in lifecycle_tables.BEGINNINGS:
        return "already"
    in_state = [row for row in of_role if referral.state in row.from_states]
    if not in_state:
        return referral.revoked_for or referral.state
    repeats = any(row.once and fact_name(row) in referral.facts for row in in_state)
    return "already" if repeats else "code_not_allowed"


# Conditions

_MAX_OPEN_REFERRALS = 100
_MAX_REFERRALS = 400


def _target_accepts_the_service(state: JurisdictionState, _case: Case, event: Event, _at: datetime) -> str | None:
    target = state.members.get(event.data["target"])
    if target is None:
        return "unknown_target"
    if event.data["target"] == event.emitter:
        return "own_target"
    if target.kind != "agency":
        return "target_not_agency"
    if event.data["service"] not in target.services:
        return "service_not_offered"
    return "suspended" if target.suspended else None


def _basis_is_live_and_fits(state: JurisdictionState, case: Case, event: Event, at: datetime) -> str | None:
    target, snapshot = event.data["target"], event.data["basis"]
    basis = case.bases.get(snapshot["basis"])
    if basis is None or basis.owner != event.emitter:
        return "basis_missing"
    if not _is_snapshot_of(basis, snapshot):
        return "basis_differs"
    if basis.terms["purpose"] not in lifecycle_tables.PURPOSES_OF_SERVICE[event.data["service"]].split():
        return "purpose_not_covered"
    if not _covers(state, basis, target):
        return "recipient_not_covered"
    return basis.ended_for(target) or ("basis_expired" if at >= basis.expires else None)


def _referrals_are_few(_state: JurisdictionState, case: Case, event: Event, _at: datetime) -> str | None:
    if event.data["urgency"] == "emergency":
        return None
    own = [r for r in case.referrals.values() if r.source == event.emitter]
    if sum(r.state in lifecycle_tables.OPEN_STATES for r in own) >= _MAX_OPEN_REFERRALS:
        return "too_many_open_referrals"
    return "too_many_referrals" if len(own) >= _MAX_REFERRALS else None


def _is_snapshot_of(basis: Basis, snapshot: Json) -> bool:
    names = ("kind", "purpose", "recipient", "recipient_class")
    same = all(snapshot.get(name) == basis.terms.get(name) for name in names)
    return same and parse_time(snapshot["expires_at"]) == basis.expires


def _covers(state: JurisdictionState, basis: Basis, target: str) -> bool:
    recipient = basis.terms.get("recipient")
    if recipient is not None:
        return bool(recipient == target)
    return target in state.members and basis.terms.get("recipient_class") in state.members[target].classes


def _basis_is_live(_state: JurisdictionState, case: Case, event: Event, at: datetime) -> str | None:
    referral = case.referrals[event.data["referral"]]
    basis = case.bases.get(referral.basis)
    ended = basis.ended_for(referral.target) if basis is not None else None
    return ended or ("basis_expired" if at >= referral.basis_expires else None)


def _expiry_is_due(_state: JurisdictionState, case: Case, event: Event, at: datetime) -> str | None:
    expires = case.referrals[event.data["referral"]].basis_expires
    return "too_early" if event.data["reason"] == "basis_expired" and at < expires else None


def _disclosure_is_open(state: JurisdictionState, case: Case, event: Event, at: datetime) -> str | None:
    if not case.referrals[event.data["referral"]].disclosure_open:
        return "release_withdrawn"
    return _basis_is_live(state, case, event, at)


def _refusal_code_is_allowed(_state: JurisdictionState, case: Case, event: Event, _at: datetime) -> str | None:
    service = case.referrals[event.data["referral"]].service
    forbidden = lifecycle_tables.FORBIDDEN_REFUSALS.get(service, "").split()
    return "code_not_allowed" if event.data["code"] in forbidden else None


def _start_kind_is_allowed(_state: JurisdictionState, case: Case, event: Event, _at: datetime) -> str | None:
    service = case.referrals[event.data["referral"]].service
    allowed = lifecycle_tables.STARTS_OF_SERVICE.get(service, "first_contact work_begun").split()
    return None if event.data["kind"] in allowed else "code_not_allowed"


def _outcome_is_allowed(_state: JurisdictionState, case: Case, event: Event, _at: datetime) -> str | None:
    service = case.referrals[event.data["referral"]].service
    allowed = lifecycle_tables.OUTCOMES_OF_SERVICE.get(service, "service_given").split()
    return None if event.data["outcome"] in allowed else "code_not_allowed"


def _plan_is_settled(_state: JurisdictionState, case: Case, event: Event, _at: datetime) -> str | None:
    if event.data["outcome"] != "discharge.planned":
        return None
    own = (r for r in case.referrals.values() if r.source == event.emitter and r.service == "reintegration_plan")
    settled = any(r.state == "completed" and r.code in ("plan_agreed", "plan_refused") for r in own)
    return None if settled else "plan_missing"


def _cancellation_is_requested(_state: JurisdictionState, case: Case, event: Event, _at: datetime) -> str | None:
    referral = case.referrals[event.data["referral"]]
    return None if referral.cancellation_asked_at is not None else "cancellation_not_requested"


def _cancellation_is_not_requested(_state: JurisdictionState, case: Case, event: Event, _at: datetime) -> str | None:
    referral = case.referrals[event.data["referral"]]
    return None if referral.cancellation_asked_at is None else "already"


def _ending_is_reported(_state: JurisdictionState, case: Case, event: Event, _at: datetime) -> str | None:
    is_reported = case.referrals[event.data["referral"]].ending_reported_at is not None
    return None if is_reported else "ending_not_reported"


def _no_ending_is_reported(_state: JurisdictionState, case: Case, event: Event, _at: datetime) -> str | None:
    return None if case.referrals[event.data["referral"]].ending_reported_at is None else "already"


def _next_referral_was_requested(_state: JurisdictionState, case: Case, event: Event, _at: datetime) -> str | None:
    following = case.referrals.get(event.data["next"])
    if following is None or following.source != event.emitter:
        return "next_referral_missing"
    while following is not None:
        if following.id == event.data["referral"]:
            return "redirect_cycle"
        following = case.referrals.get(following.next or "")
    return None


def _dossier_was_disclosed(_state: JurisdictionState, case: Case, event: Event, _at: datetime) -> str | None:
    referral = case.referrals[event.data["referral"]]
    return None if "dossier.disclosed.v1/source" in referral.facts else "dossier_not_disclosed"


_CONDITIONS: dict[str, Rule] = {
    "target accepts the service": _target_accepts_the_service,
    "basis is live and fits": _basis_is_live_and_fits,
    "referrals are few": _referrals_are_few,
    "basis is live": _basis_is_live,
    "an expiry is due": _expiry_is_due,
    "disclosure is open": _disclosure_is_open,
    "refusal code is allowed": _refusal_code_is_allowed,
    "start kind is allowed": _start_kind_is_allowed,
    "outcome is allowed": _outcome_is_allowed,
    "plan is settled before a planned discharge": _plan_is_settled,
    "cancellation is requested": _cancellation_is_requested,
    "cancellation is not requested": _cancellation_is_not_requested,
    "an ending is reported": _ending_is_reported,
    "no ending is reported": _no_ending_is_reported,
    "next referral was requested": _next_referral_was_requested,
    "dossier was disclosed": _dossier_was_disclosed,
}
