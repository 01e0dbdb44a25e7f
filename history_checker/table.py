"""The design's tables, written down a second time: a referral's life, who hears what, and which codes go where."""

from typing import NamedTuple

_OPEN = "requested accepted in-progress on-hold"
_ACTIVE = "accepted in-progress on-hold"
_KNOWN = f"{_OPEN} rejected revoked completed failed cancelled entered-in-error"
OPEN, ACTIVE = frozenset(_OPEN.split()), frozenset(_ACTIVE.split())
ENDED = frozenset(_KNOWN.split()) - OPEN

STAYS, BACK = "stays", "back"


class Row(NamedTuple):
    """One allowed step; ``once`` marks a fact of which the first counts."""

    event: str
    by: str
    start: frozenset[str]
    end: str
    conditions: tuple[str, ...] = ()
    codes: frozenset[str] | None = None
    once: bool = False


def _row(event: str, by: str, start: str, end: str, *conditions: str, codes: str = "") -> Row:
    return Row(f"{event}.v1", by, frozenset(start.split()), end, conditions, frozenset(codes.split()) or None)


def _fact(event: str, by: str, start: str, *conditions: str) -> Row:
    return Row(f"{event}.v1", by, frozenset(start.split()), STAYS, conditions, once=True)


LIFE = (
    _row("referral.requested", "source", "absent", "requested", "target takes it", "rests on a live basis"),
    _row("referral.imported", "source", "absent", "requested", "target takes it", "rests on a live basis"),
    _row("referral.accepted", "target", "requested", "accepted", "basis lives"),
    _row("referral.rejected", "target", "requested", "rejected", "refusal fits"),
    _row("referral.revoked", "exchange", "requested", "revoked"),
    _row("referral.started", "target", "accepted", "in-progress", "start fits"),
    _row("referral.paused", "target", "accepted in-progress", "on-hold"),
    _row("referral.resumed", "target", "on-hold", BACK),
    _row("referral.completed", "target", "in-progress", "completed", "outcome fits", "plan comes first"),
    _row("referral.failed", "target", _ACTIVE, "failed"),
    _row("referral.failed", "source", _ACTIVE, "failed", codes="no_arrival survivor_ended deceased"),
    _row("referral.failed", "exchange", _OPEN, "failed", codes="survivor_ended"),
    _row("referral.cancelled", "source", "requested", "cancelled"),
    _row("referral.cancelled", "target", _ACTIVE, "cancelled", "cancellation asked"),
    _row("referral.voided", "source", _KNOWN.replace(" entered-in-error", ""), "entered-in-error"),
    _row("referral.voided", "target", "requested accepted", "entered-in-error", codes="misdirected"),
    _fact("referral.delivered", "target", _OPEN),
    _fact("referral.opened", "target", _OPEN),
    _fact("acceptance.claimed", "source", "requested"),
    _fact("place-hold.extended", "target", "accepted"),
    _row("cancellation.requested", "source", _ACTIVE, STAYS, "cancellation not asked"),
    _row("cancellation.declined", "target", _ACTIVE, STAYS, "cancellation asked"),
    _fact("referral.redirected", "source", "rejected failed cancelled", "next one was asked"),
    _fact("dossier.disclosed", "source", _ACTIVE, "disclosure open"),
    _fact("dossier.delivered", "target", _KNOWN, "was disclosed"),
    _fact("dossier.destroyed", "source", _KNOWN),
    _fact("dossier.destroyed", "target", _KNOWN),
    _fact("disclosure.closed", "exchange", _ACTIVE),
)
ABOUT_A_REFERRAL = frozenset(row.event for row in LIFE)

# Who hears of an event beside its emitter.
_HEARD_BY = {
    "nobody": "case.opened cases.linked basis.recorded basis.approved release.withdrawn survivor.ended case.read"
    " erasure.completed escalation.acknowledged referral.redirected",
    "basis owner": "basis.ended",
    "target": "referral.requested referral.imported acceptance.claimed dossier.disclosed cancellation.requested",
    "source": "referral.delivered referral.opened referral.accepted referral.rejected place-hold.extended"
    " referral.started referral.paused referral.resumed referral.completed dossier.delivered cancellation.declined",
    "the other": "referral.cancelled dossier.destroyed referral.voided",
    "both": "referral.failed referral.revoked disclosure.closed",
    "who waits and who owes": "deadline.missed deadline.acknowledged",
    "coordinator": "deadline.escalated",
    "named": "submission.refused",
    "all": "jurisdiction.founded agency.admitted agency.suspended deadlines.published rules.activated key.registered"
    " key.revoked key.retired capabilities.published capacity.published",
}
HEARD_BY = {f"{event}.v1": who for who, events in _HEARD_BY.items() for event in events.split()} | {
    "deadline.escalated.v2": "coordinator"
}

PURPOSES = {
    "shelter": "arrange_shelter",
    "case_management": "case_management",
    "child_protection": "child_protection",
    "psychosocial": "health_care case_management",
    "medical": "health_care",
    "police_protection": "protection_order_support",
    "legal_aid": "legal_representation",
    "protection_order": "protection_order_support legal_representation",
    "victim_advocacy": "legal_representation protection_order_support",
    "benefit_continuity": "benefit_continuity",
    "housing": "housing",
    "vocational_training": "training",
    "employment": "job_placement",
    "reintegration_plan": "case_management",
    "follow_up": "follow_up_contact",
}
"""Which purposes of a release fit a service."""

_NO_CAPACITY = "no_capacity.units_full no_capacity.no_staff no_capacity.closed_unfunded"
NEVER_REFUSED_WITH = {
    "legal_aid": f"{_NO_CAPACITY} cannot_meet_need",
    "case_management": _NO_CAPACITY,
    "child_protection": _NO_CAPACITY,
}
OUTCOMES = {
    "shelter": "discharge.planned discharge.own_wish discharge.moved_on",
    "legal_aid": "represented service_given",
    "protection_order": "order_granted order_refused",
    "benefit_continuity": "continued continued_separate_payee reinstated suspended not_recipient survivor_declined",
    "vocational_training": "training_completed",
    "employment": "placed_in_job",
    "reintegration_plan": "plan_agreed plan_refused",
    "follow_up": "reached unsafe_to_contact",
}
STARTS = {"shelter": "arrival", "housing": "arrival work_begun"}
"""Where a service is not named: outcome service_given, start first_contact or work_begun."""

NO_PLACE = frozenset(f"{_NO_CAPACITY} cannot_meet_need".split())
