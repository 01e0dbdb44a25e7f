"""What an effective event makes of the checker's world."""

from collections.abc import Callable
from datetime import datetime

from history_checker.evidence import Json
from history_checker.reading import Event, Key, key_id, moment
from history_checker.sayings import EXCHANGE, step_of
from history_checker.table import BACK, ENDED, STAYS, Row
from history_checker.verdicts import fact_name, row_for
from history_checker.world import Basis, Case, Member, Referral, Step, World, renew_steps


def fold(world: World, event: Event, at: datetime) -> None:
    """Changes ``world`` by an event that was found effective at ``at``."""
    if event.is_about_a_case:
        case = world.cases.setdefault(event.subject, Case())
        referral = case.referrals.get(event.referral or "")
        row = row_for(world, referral, event)
        if row is not None:
            referral = _stepped_on(referral, row, event, at)
            case.referrals[referral.id] = referral
            renew_steps(world, referral)
    _FOLDS.get(event.type, _nothing)(world, event, at)


def _nothing(_world: World, _event: Event, _at: datetime) -> None:
    pass


def _stepped_on(referral: Referral | None, row: Row, event: Event, at: datetime) -> Referral:
    if referral is None:
        return _begun(event, at)
    if row.once:
        referral.facts.add(fact_name(row))
    if row.end != STAYS:
        _move(referral, row, event, at)
    remember = _REMEMBERED.get(event.type)
    if remember is not None:
        remember(referral, event, at)
    return referral


def _begun(event: Event, at: datetime) -> Referral:
    asked = event.data
    return Referral(
        id=asked["referral"],
        source=event.emitter,
        target=asked["target"],
        service=asked["service"],
        urgency=asked["urgency"],
        basis=asked["basis"]["basis"],
        basis_expires=moment(asked["basis"]["expires_at"]),
        follow_up_due=moment(asked["due_at"]) if asked["due_at"] else None,
        requested_at=at,
        since=at,
    )


def _move(referral: Referral, row: Row, event: Event, at: datetime) -> None:
    before = referral.state
    referral.state = (referral.paused_from or "accepted") if row.end == BACK else row.end
    referral.since = at
    referral.code = event.data.get("code") or event.data.get("outcome") or referral.code
    if before == "on-hold":
        referral.paused_at, referral.paused_from = None, ""
    if referral.state == "on-hold":
        referral.paused_at, referral.paused_from = at, before
    if referral.state in ENDED:
        referral.closed_at, referral.cancellation_asked_at = referral.closed_at or at, None


def _accepted(referral: Referral, event: Event, at: datetime) -> None:
    referral.answered_at = at
    _held(referral, event, at)


def _held(referral: Referral, event: Event, _at: datetime) -> None:
    until = event.data["place_held_until"]
    referral.held_until = moment(until) if until is not None else None


def _sets(name: str) -> Callable[[Referral, Event, datetime], None]:
    return lambda referral, _event, at: setattr(referral, name, at)


_REMEMBERED: dict[str, Callable[[Referral, Event, datetime], None]] = {
    "referral.delivered.v1": _sets("delivered_at"),
    "referral.opened.v1": _sets("opened_at"),
    "referral.accepted.v1": _accepted,
    "referral.rejected.v1": _sets("answered_at"),
    "referral.started.v1": _sets("started_at"),
    "place-hold.extended.v1": _held,
    "cancellation.requested.v1": _sets("cancellation_asked_at"),
    "cancellation.declined.v1": lambda referral, _event, _at: setattr(referral, "cancellation_asked_at", None),
    "disclosure.closed.v1": lambda referral, _event, _at: setattr(referral, "disclosure_open", False),
    "referral.redirected.v1": lambda referral, event, _at: setattr(referral, "next", event.data["next"]),
}


# A case


def _opened(world: World, event: Event, _at: datetime) -> None:
    world.cases[event.subject].opener = event.emitter


def _basis_recorded(world: World, event: Event, at: datetime) -> None:
    said, due = event.data, event.data["approval_due_at"]
    steps = [Step("basis_approved", at, moment(due))] if due is not None else []
    basis = Basis(event.emitter, said, moment(said["expires_at"]), approved=due is None, steps=steps)
    world.cases[event.subject].bases[said["basis"]] = basis


def _basis_approved(world: World, event: Event, _at: datetime) -> None:
    basis = world.cases[event.subject].bases[event.data["basis"]]
    basis.approved, basis.steps = True, []


def _basis_ended(world: World, event: Event, _at: datetime) -> None:
    basis = world.cases[event.subject].bases[event.data["basis"]]
    basis.ended, basis.end_was_said, basis.steps = event.data["reason"], True, []


def _withdrawn(world: World, event: Event, _at: datetime) -> None:
    said = event.data
    for basis in world.cases[event.subject].bases.values():
        if not basis.said["kind"].startswith("release.") or basis.ended is not None:
            continue
        if _is_covered(said, basis):
            basis.ended, basis.steps = "release_withdrawn", []
        elif said["recipient"] is not None and basis.said["recipient_class"] is not None:
            basis.withdrawn_for.add(said["recipient"])


def _is_covered(said: Json, basis: Basis) -> bool:
    if said["scope"] == "purpose":
        return bool(basis.said["purpose"] == said["purpose"])
    return bool(said["scope"] == "all" or basis.said["recipient"] == said["recipient"])


def _missed(world: World, event: Event, _at: datetime) -> None:
    step = step_of(world.cases[event.subject], event)
    if step is not None:
        step.missed = True


# The jurisdiction


def _founded(world: World, event: Event, _at: datetime) -> None:
    said = event.data
    world.founded, world.coordinator, world.deadlines = True, said["coordinator"], tuple(said["deadlines"])
    world.members = {said["coordinator"]: Member("coordination", (), ())}
    for owner, public in ((said["coordinator"], said["coordinator_key"]), (EXCHANGE, said["exchange_key"])):
        world.keys[key_id(bytes.fromhex(public))] = Key(owner, bytes.fromhex(public))


def _admitted(world: World, event: Event, _at: datetime) -> None:
    said = event.data
    world.members[said["member"]] = Member(said["kind"], tuple(said["services"]), tuple(said["classes"]))


def _suspended(world: World, event: Event, _at: datetime) -> None:
    world.members[event.data["member"]].suspended = True


def _deadlines(world: World, event: Event, _at: datetime) -> None:
    world.deadlines = tuple(event.data["deadlines"])


def _key_registered(world: World, event: Event, _at: datetime) -> None:
    public = bytes.fromhex(event.data["public_key"])
    world.keys[key_id(public)] = Key(event.data["member"], public, event.data["use"])


def _key_revoked(world: World, event: Event, _at: datetime) -> None:
    world.keys[event.data["key"]].revoked = True


def _key_retired(world: World, event: Event, at: datetime) -> None:
    world.keys[event.data["key"]].retired_at = at


def _escalated(world: World, event: Event, _at: datetime) -> None:
    world.escalations.add(event.data["reference"])


def _settled(world: World, event: Event, _at: datetime) -> None:
    world.escalations.discard(event.data["reference"])


_FOLDS: dict[str, Callable[[World, Event, datetime], None]] = {
    "jurisdiction.founded.v1": _founded,
    "agency.admitted.v1": _admitted,
    "agency.suspended.v1": _suspended,
    "deadlines.published.v1": _deadlines,
    "key.registered.v1": _key_registered,
    "key.revoked.v1": _key_revoked,
    "key.retired.v1": _key_retired,
    "deadline.escalated.v1": _escalated,
    "deadline.escalated.v2": _escalated,
    "escalation.acknowledged.v1": _settled,
    "case.opened.v1": _opened,
    "basis.recorded.v1": _basis_recorded,
    "basis.approved.v1": _basis_approved,
    "basis.ended.v1": _basis_ended,
    "release.withdrawn.v1": _withdrawn,
    "deadline.missed.v1": _missed,
}
