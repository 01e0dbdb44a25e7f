"""Second copy of the design's tables: transitions of a referral, recipients of each event, codes of each service."""

from typing import NamedTuple

_OPEN = "requested accepted in-progress on-hold"
_ACTIVE = "accepted in-progress on-hold"
_ANY_STATE = f"{_OPEN} rejected revoked completed failed cancelled entered-in-error"
OPEN_STATES = frozenset(_OPEN.split())
ENDED_STATES = frozenset(_ANY_STATE.split()) - OPEN_STATES

UNCHANGED, BEFORE_PAUSE = "unchanged", "before pause"


class Transition(NamedTuple):
    """Event that a role may emit in some states; of a ``once`` transition only the first event is effective."""

    event: str
    role: str
    from_states: frozenset[str]
    to_state: str
    conditions: tuple[str, ...] = ()
    codes: frozenset[str] | None = None
    once: bool = False


def _row(event: str, role: str, from_states: str, to_state: str, *conditions: str, codes: str = "") -> Transition:
    return Transition(
        f"{event}.v1", role, frozenset(from_states.split()), to_state, conditions, frozenset(codes.split()) or None
    )


def _fact(event: str, role: str, from_states: str, *conditions: str) -> Transition:
    return Transition(f"{event}.v1", role, frozenset(from_states.split()), UNCHANGED, conditions, once=True)


TRANSITIONS = (
    _row(
        "referral.requested",
        "source",
        "absent",
        "requested",
        "target accepts the service",
        "basis is live and fits",
        "referrals are few",
    ),
    _row(
        "referral.imported",
        "source",
        "absent",
        "requested",
        "target accepts the service",
        "basis is live and fits",
        "referrals are few",
    ),
    _row("referral.accepted", "target", "requested", "accepted", "basis is live"),
    _row("referral.rejected", "target", "requested", "rejected", "refusal code is allowed"),
    _row("referral.revoked", "exchange", "requested", "revoked", "an expiry is due"),
    _row("referral.started", "target", "accepted", "in-progress", "start kind is allowed"),
    _row("referral.paused", "target", "accepted in-progress", "on-hold"),
    _row("referral.resumed", "target", "on-hold", BEFORE_PAUSE),
    _row(
        "referral.completed",
        "target",
        "in-progress",
        "completed",
        "outcome is allowed",
        "plan is settled before a planned discharge",
    ),
    _row("referral.failed", "target", _ACTIVE, "failed"),
    _row("referral.failed", "source", _ACTIVE, "failed", codes="no_arrival survivor_ended deceased"),
    _row("referral.failed", "exchange", _OPEN, "failed", codes="survivor_ended"),
    _row("referral.cancelled", "source", "requested", "cancelled"),
    _row("referral.cancelled", "target", _ACTIVE, "cancelled", "cancellation is requested"),
    _row("referral.voided", "source", _ANY_STATE.replace(" entered-in-error", ""), "entered-in-error"),
    _row("referral.voided", "target", "requested accepted", "entered-in-error", codes="misdirected"),
    _fact("referral.delivered", "target", _OPEN),
    _fact("referral.opened", "target", _OPEN),
    _fact("acceptance.claimed", "source", "requested"),
    _fact("place-hold.extended", "target", "accepted"),
    _row("cancellation.requested", "source", _ACTIVE, UNCHANGED, "cancellation is not requested"),
    _row("cancellation.declined", "target", _ACTIVE, UNCHANGED, "cancellation is requested"),
    _fact("onward.refused", "target", _ACTIVE),
    _row("ending.reported", "exchange", _OPEN, UNCHANGED, "no ending is reported"),
    _row("service.continued", "target", _OPEN, UNCHANGED, "an ending is reported"),
    _fact("referral.redirected", "source", "rejected failed cancelled", "next referral was requested"),
    _fact("dossier.disclosed", "source", _ACTIVE, "disclosure is open"),
    _fact("dossier.delivered", "target", _ANY_STATE, "dossier was disclosed"),
    _fact("dossier.destroyed", "source", _ANY_STATE),
    _fact("dossier.destroyed", "target", _ANY_STATE),
    _fact("disclosure.closed", "exchange", _ACTIVE),
)
REFERRAL_EVENTS = frozenset(row.event for row in TRANSITIONS)
BEGINNINGS = frozenset({"referral.requested.v1", "referral.imported.v1"})

# Recipients of an event, in addition to its emitter.
_RECIPIENTS = {
    "none": "case.opened cases.linked basis.recorded basis.approved release.withdrawn survivor.ended case.read"
    " erasure.completed escalation.acknowledged board.read referral.redirected",
    "basis owner": "basis.ended",
    "target": "referral.requested referral.imported acceptance.claimed dossier.disclosed cancellation.requested",
    "source": "referral.delivered referral.opened referral.accepted referral.rejected place-hold.extended"
    " referral.started referral.paused referral.resumed referral.completed dossier.delivered cancellation.declined"
    " service.continued onward.refused",
    "other side": "referral.cancelled dossier.destroyed referral.voided",
    "both sides": "referral.failed referral.revoked disclosure.closed ending.reported",
    "sides of the step": "deadline.missed deadline.acknowledged",
    "coordinator": "deadline.escalated escalation.ended",
    "named member": "submission.refused",
    "all members": "jurisdiction.founded agency.admitted agency.suspended deadlines.published calendars.published"
    " rules.activated key.registered key.revoked key.retired capabilities.published capacity.published value.redacted",
}
RECIPIENTS = {f"{event}.v1": who for who, events in _RECIPIENTS.items() for event in events.split()} | {
    "deadline.escalated.v2": "coordinator"
}

PURPOSES_OF_SERVICE = {
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
"""Service → purposes that a release for it may have."""

_NO_CAPACITY = "no_capacity.units_full no_capacity.no_staff no_capacity.closed_unfunded"
FORBIDDEN_REFUSALS = {
    "legal_aid": f"{_NO_CAPACITY} cannot_meet_need",
    "case_management": _NO_CAPACITY,
    "child_protection": _NO_CAPACITY,
}
"""Service → codes with which it may not be refused."""

OUTCOMES_OF_SERVICE = {
    "shelter": "discharge.planned discharge.own_wish discharge.moved_on",
    "legal_aid": "represented service_given",
    "protection_order": "order_granted order_refused",
    "benefit_continuity": "continued continued_separate_payee reinstated suspended not_recipient survivor_declined",
    "vocational_training": "training_completed",
    "employment": "placed_in_job",
    "reintegration_plan": "plan_agreed plan_refused",
    "follow_up": "reached unsafe_to_contact",
}
STARTS_OF_SERVICE = {"shelter": "arrival", "housing": "arrival work_begun"}
"""Defaults of both tables: outcome service_given, start first_contact or work_begun."""

NO_PLACE_CODES = frozenset(f"{_NO_CAPACITY} cannot_meet_need".split())
