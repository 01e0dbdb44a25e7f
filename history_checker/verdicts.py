"""Why an event changes nothing at its position of the record, by the design's table and its conditions."""

from datetime import datetime

from history_checker import table
from history_checker.evidence import Json
from history_checker.reading import Event, moment
from history_checker.sayings import EXCHANGE, Rule, objection_to
from history_checker.table import LIFE, Row
from history_checker.world import Basis, Case, Referral, World


def objection(world: World, event: Event, at: datetime) -> str | None:
    """Why ``event`` changes nothing at ``at``; None if it does."""
    case = world.cases.get(event.subject, Case())
    if event.type not in table.ABOUT_A_REFERRAL:
        return objection_to(world, case, event, at)
    referral = case.referrals.get(event.referral or "")
    row = row_for(world, referral, event)
    if row is None:
        return _as_the_state_stands(referral, event)
    return next((found for name in row.conditions if (found := _CONDITIONS[name](world, case, event, at))), None)


def row_for(world: World, referral: Referral | None, event: Event) -> Row | None:
    """The row of the table that allows ``event`` now, before its conditions."""
    role = role_of(event.emitter, referral)
    state, code = (referral.state if referral else "absent"), event.data.get("code")
    if referral is None and event.emitter not in world.members:
        return None
    facts = referral.facts if referral is not None else frozenset[str]()
    for row in LIFE:
        fits = (row.event, row.by) == (event.type, role) and state in row.start
        if fits and (row.codes is None or code in row.codes) and not (row.once and fact_name(row) in facts):
            return row
    return None


def role_of(member: str, referral: Referral | None) -> str:
    """What ``member`` is to a referral; whoever speaks of one that does not exist is its source."""
    if member == EXCHANGE:
        return EXCHANGE
    if referral is None or member == referral.source:
        return "source"
    return "target" if member == referral.target else "nobody"


def fact_name(row: Row) -> str:
    return f"{row.event}/{row.by}"


def _as_the_state_stands(referral: Referral | None, event: Event) -> str:
    if referral is None or role_of(event.emitter, referral) == "nobody":
        return "absent"
    return "release_withdrawn" if referral.state == "revoked" else referral.state


# Conditions of the table


def _target_takes_it(world: World, _case: Case, event: Event, _at: datetime) -> str | None:
    target = world.members.get(event.data["target"])
    if target is None or target.kind != "agency" or event.data["target"] == event.emitter:
        return "unknown_target"
    if event.data["service"] not in target.services:
        return "unknown_target"
    return "suspended" if target.suspended else None


def _rests_on_a_live_basis(world: World, case: Case, event: Event, at: datetime) -> str | None:
    asked, told = event.data, event.data["basis"]
    basis = case.bases.get(told["basis"])
    if basis is None or basis.owner != event.emitter or not _is_snapshot(told, basis):
        return "basis_missing"
    fits = basis.said["purpose"] in table.PURPOSES[asked["service"]].split()
    if not fits or not _covers(world, basis, asked["target"]):
        return "basis_missing"
    return basis.ended_for(asked["target"]) or ("basis_expired" if at >= basis.expires else None)


def _is_snapshot(told: Json, basis: Basis) -> bool:
    same = all(told.get(name) == basis.said.get(name) for name in ("kind", "purpose", "recipient", "recipient_class"))
    return same and moment(told["expires_at"]) == basis.expires


def _covers(world: World, basis: Basis, target: str) -> bool:
    named = basis.said.get("recipient")
    if named is not None:
        return bool(named == target)
    return target in world.members and basis.said.get("recipient_class") in world.members[target].classes


def _basis_lives(_world: World, case: Case, event: Event, at: datetime) -> str | None:
    referral = case.referrals[event.data["referral"]]
    basis = case.bases.get(referral.basis)
    ended = basis.ended_for(referral.target) if basis is not None else None
    return ended or ("basis_expired" if at >= referral.basis_expires else None)


def _disclosure_open(world: World, case: Case, event: Event, at: datetime) -> str | None:
    if not case.referrals[event.data["referral"]].disclosure_open:
        return "release_withdrawn"
    return _basis_lives(world, case, event, at)


def _refusal_fits(_world: World, case: Case, event: Event, _at: datetime) -> str | None:
    service = case.referrals[event.data["referral"]].service
    return _allowed(event.data["code"] not in table.NEVER_REFUSED_WITH.get(service, "").split())


def _start_fits(_world: World, case: Case, event: Event, _at: datetime) -> str | None:
    service = case.referrals[event.data["referral"]].service
    return _allowed(event.data["kind"] in table.STARTS.get(service, "first_contact work_begun").split())


def _outcome_fits(_world: World, case: Case, event: Event, _at: datetime) -> str | None:
    service = case.referrals[event.data["referral"]].service
    return _allowed(event.data["outcome"] in table.OUTCOMES.get(service, "service_given").split())


def _allowed(fits: bool) -> str | None:  # noqa: FBT001 - it reads as a sentence
    return None if fits else "code_not_allowed"


def _plan_comes_first(_world: World, case: Case, event: Event, _at: datetime) -> str | None:
    if event.data["outcome"] != "discharge.planned":
        return None
    own = (r for r in case.referrals.values() if r.source == event.emitter and r.service == "reintegration_plan")
    settled = any(r.state == "completed" and r.code in ("plan_agreed", "plan_refused") for r in own)
    return None if settled else "plan_missing"


def _cancellation_asked(_world: World, case: Case, event: Event, _at: datetime) -> str | None:
    referral = case.referrals[event.data["referral"]]
    return None if referral.cancellation_asked_at is not None else referral.state


def _cancellation_not_asked(_world: World, case: Case, event: Event, _at: datetime) -> str | None:
    referral = case.referrals[event.data["referral"]]
    return None if referral.cancellation_asked_at is None else referral.state


def _next_one_was_asked(_world: World, case: Case, event: Event, _at: datetime) -> str | None:
    following = case.referrals.get(event.data["next"])
    if following is None or following.source != event.emitter:
        return "absent"
    while following is not None:
        if following.id == event.data["referral"]:
            return "absent"
        following = case.referrals.get(following.next or "")
    return None


def _was_disclosed(_world: World, case: Case, event: Event, _at: datetime) -> str | None:
    referral = case.referrals[event.data["referral"]]
    return None if "dossier.disclosed.v1/source" in referral.facts else referral.state


_CONDITIONS: dict[str, Rule] = {
    "target takes it": _target_takes_it,
    "rests on a live basis": _rests_on_a_live_basis,
    "basis lives": _basis_lives,
    "disclosure open": _disclosure_open,
    "refusal fits": _refusal_fits,
    "start fits": _start_fits,
    "outcome fits": _outcome_fits,
    "plan comes first": _plan_comes_first,
    "cancellation asked": _cancellation_asked,
    "cancellation not asked": _cancellation_not_asked,
    "next one was asked": _next_one_was_asked,
    "was disclosed": _was_disclosed,
}
