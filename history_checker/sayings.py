"""Who may say what about a case or the jurisdiction, beside a referral's own life; the first objection counts."""

from collections.abc import Callable
from datetime import datetime

from history_checker.reading import Event, key_id, moment, proves_possession
from history_checker.world import Case, Step, World

EXCHANGE = "exchange"

Rule = Callable[[World, Case, Event, datetime], str | None]


def _unless(holds: object, reason: str) -> str | None:
    return None if holds else reason


def _by_exchange(_world: World, _case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(event.emitter == EXCHANGE, "absent")


def _by_coordinator(world: World, _case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(event.emitter == world.coordinator, "absent")


def _by_agency(world: World, _case: Case, event: Event, _at: datetime) -> str | None:
    member = world.members.get(event.emitter)
    return _unless(member is not None and member.kind == "agency", "absent")


def _by_member(world: World, _case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(event.emitter in world.members, "absent")


def _by_party(_world: World, case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(case.has_party(event.emitter), "absent")


def _by_side(_world: World, case: Case, event: Event, _at: datetime) -> str | None:
    referral = case.referrals.get(event.data["referral"])
    return _unless(referral is not None and event.emitter in (referral.source, referral.target), "absent")


def _founds(world: World, _case: Case, _event: Event, _at: datetime) -> str | None:
    return _unless(not world.founded, "already")


def _opens(_world: World, case: Case, _event: Event, _at: datetime) -> str | None:
    return _unless(case.opener is None, "already")


def _is_new_basis(_world: World, case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(event.data["basis"] not in case.bases, "already")


def _recipient_known(world: World, _case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(event.data["recipient"] is None or event.data["recipient"] in world.members, "unknown_target")


def _lasts(_world: World, _case: Case, event: Event, at: datetime) -> str | None:
    return _unless(at < moment(event.data["expires_at"]), "basis_expired")


def _approves(_world: World, case: Case, event: Event, _at: datetime) -> str | None:
    basis = case.bases.get(event.data["basis"])
    if basis is None or basis.owner != event.emitter:
        return "basis_missing"
    return _unless(not basis.approved, "already")


def _ends(_world: World, case: Case, event: Event, _at: datetime) -> str | None:
    basis = case.bases.get(event.data["basis"])
    return "basis_missing" if basis is None else _unless(not basis.end_was_said, "already")


def steps_of(case: Case, event: Event) -> list[Step] | None:
    """The awaited steps of what a deadline event is about."""
    if event.referral is not None:
        return case.referrals[event.referral].steps if event.referral in case.referrals else None
    basis = case.bases.get(event.data["basis"])
    return basis.steps if basis is not None else None


def step_of(case: Case, event: Event) -> Step | None:
    """The awaited step that a missed deadline names."""
    named = (event.data["step"], moment(event.data["due_at"]))
    return next((step for step in steps_of(case, event) or () if (step.name, step.due) == named), None)


def _is_late(_world: World, case: Case, event: Event, at: datetime) -> str | None:
    if steps_of(case, event) is None:
        return "absent"
    step = step_of(case, event)
    if step is None:
        return case.referrals[event.referral].state if event.referral is not None else "already"
    return "already" if step.missed else _unless(at >= step.due, "too_early")


def _concerns(_world: World, case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(steps_of(case, event) is not None, "absent")


def _names_member(world: World, _case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(event.data["member"] in world.members, "unknown_target")


def _escalates(world: World, _case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(event.data["reference"] not in world.escalations, "already")


def _settles(world: World, _case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(event.data["reference"] in world.escalations, "absent")


def _no_office(_world: World, _case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(event.data["member"] != EXCHANGE, "code_not_allowed")


def _own_or_by_coordinator(world: World, _case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(event.emitter in (event.data["member"], world.coordinator), "absent")


def _possessed(world: World, _case: Case, event: Event, _at: datetime) -> str | None:
    public, proof = (bytes.fromhex(event.data[name]) for name in ("public_key", "possession"))
    return _unless(proves_possession(world.jurisdiction, event.data["member"], public, proof), "signature")


def _new_key(world: World, _case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(key_id(bytes.fromhex(event.data["public_key"])) not in world.keys, "already")


def _known_key(world: World, _case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(event.data["key"] in world.keys, "key_not_in_force")


def _own_key(world: World, _case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(world.keys[event.data["key"]].owner == event.emitter, "key_not_owner")


def _standing_key(world: World, _case: Case, event: Event, _at: datetime) -> str | None:
    key = world.keys[event.data["key"]]
    return _unless(not key.revoked and key.retired_at is None, "already")


def _first_rules(_world: World, _case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(event.data["version"] == 1, "code_not_allowed")


def _offered(world: World, _case: Case, event: Event, _at: datetime) -> str | None:
    return _unless(event.data["service"] in world.members[event.emitter].services, "code_not_allowed")


_RULES: dict[str, tuple[Rule, ...]] = {
    "jurisdiction.founded.v1": (_founds,),
    "agency.admitted.v1": (_by_coordinator, _no_office),
    "agency.suspended.v1": (_by_coordinator, _names_member),
    "deadlines.published.v1": (_by_coordinator,),
    "rules.activated.v1": (_by_coordinator, _first_rules),
    "key.registered.v1": (_own_or_by_coordinator, _names_member, _possessed, _new_key),
    "key.revoked.v1": (_by_coordinator, _known_key),
    "key.retired.v1": (_known_key, _own_key, _standing_key),
    "capabilities.published.v1": (_by_member,),
    "capacity.published.v1": (_by_agency, _offered),
    "submission.refused.v1": (_by_exchange,),
    "case.opened.v1": (_by_agency, _opens),
    "cases.linked.v1": (_by_agency, _by_party),
    "basis.recorded.v1": (_by_agency, _by_party, _is_new_basis, _recipient_known, _lasts),
    "basis.approved.v1": (_approves,),
    "basis.ended.v1": (_by_exchange, _ends),
    "release.withdrawn.v1": (_by_agency, _by_party),
    "survivor.ended.v1": (_by_agency, _by_party),
    "case.read.v1": (_by_member,),
    "erasure.completed.v1": (_by_side,),
    "deadline.missed.v1": (_by_exchange, _is_late),
    "deadline.acknowledged.v1": (_by_exchange, _concerns),
    "deadline.escalated.v1": (_by_exchange, _names_member, _escalates),
    "deadline.escalated.v2": (_by_exchange, _names_member, _escalates),
    "escalation.acknowledged.v1": (_by_coordinator, _settles),
}


def objection_to(world: World, case: Case, event: Event, at: datetime) -> str | None:
    """Why a saying that is not about a referral's life changes nothing."""
    return next((found for rule in _RULES[event.type] if (found := rule(world, case, event, at)) is not None), None)
