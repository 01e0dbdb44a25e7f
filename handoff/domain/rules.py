"""Who may say what about a case or the jurisdiction, and when it changes nothing.

Referrals have their own table (``lifecycle``). Here stand the rules for everything else: a mapping from the type
of an event to the conditions that must hold. To an outsider, what it has no part in is *absent*.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from handoff.domain.case import Basis, Situation, Step
from handoff.domain.conditions import Condition
from handoff.record import formats, signing
from handoff.record.codes import IneffectiveReason, MemberKind, RefusalCode, State
from handoff.record.envelope import EXCHANGE, Event
from handoff.record.events import case as c
from handoff.record.events import deadline as dl
from handoff.record.events import directory as d
from handoff.record.events.base import Body

SUPPORTED_RULES = frozenset({1})
"""Versions of the rules that this release can judge by."""

ABSENT = State.ABSENT.value
ALREADY = "already"
"""Why a fact that stands changes nothing when it is said again."""


def _by_exchange(_known: Situation, event: Event[Any], _at: datetime) -> str | None:
    return None if event.emitter == EXCHANGE else ABSENT


def _by_coordinator(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    return None if event.emitter == known.directory.coordinator else ABSENT


def _by_agency(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    member = known.directory.members.get(event.emitter)
    return None if member is not None and member.kind is MemberKind.AGENCY else ABSENT


def _by_member(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    return None if event.emitter in known.directory.members else ABSENT


def _by_case_party(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    return None if known.case is not None and known.case.has_party(event.emitter) else ABSENT


def _by_referral_party(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    referral = known.case.referrals.get(event.data.referral) if known.case is not None else None
    is_party = referral is not None and event.emitter in (referral.source, referral.target)
    return None if is_party else ABSENT


def _not_founded(known: Situation, _event: Event[Any], _at: datetime) -> str | None:
    return ALREADY if known.directory.founded else None


def _case_not_opened(known: Situation, _event: Event[Any], _at: datetime) -> str | None:
    return ALREADY if known.case is not None and known.case.opener is not None else None


def _basis(known: Situation, event: Event[Any]) -> Basis | None:
    return known.case.bases.get(event.data.basis) if known.case is not None else None


def _basis_is_new(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    return ALREADY if _basis(known, event) is not None else None


def _recipient_is_known(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    recipient = event.data.recipient
    return None if recipient is None or recipient in known.directory.members else IneffectiveReason.UNKNOWN_TARGET


def _not_expired(_known: Situation, event: Event[Any], at: datetime) -> str | None:
    return IneffectiveReason.BASIS_EXPIRED if at >= event.data.expires_at else None


def _awaits_approval(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    basis = _basis(known, event)
    if basis is None or basis.owner != event.emitter:
        return IneffectiveReason.BASIS_MISSING
    return ALREADY if basis.approved else None


def _end_not_said(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    basis = _basis(known, event)
    if basis is None:
        return IneffectiveReason.BASIS_MISSING
    return ALREADY if basis.end_recorded else None


def steps_of_event(known: Situation, event: Event[Any]) -> tuple[Step, ...] | None:
    """The awaited steps of the referral or basis that a deadline event is about; None if there is no such thing."""
    if known.case is None:
        return None
    if event.data.referral is not None:
        referral = known.case.referrals.get(event.data.referral)
        return referral.steps if referral is not None else None
    basis = known.case.bases.get(event.data.basis)
    return basis.steps if basis is not None else None


def _step_is_overdue(known: Situation, event: Event[Any], at: datetime) -> str | None:
    steps = steps_of_event(known, event)
    if steps is None:
        return ABSENT
    awaited = next((s for s in steps if s.is_step(event.data.step, event.data.since)), None)
    if awaited is None or awaited.due_at != event.data.due_at:
        referral = known.case.referrals.get(event.data.referral) if known.case is not None else None
        return referral.state.value if referral is not None else ALREADY
    if awaited.missed:
        return ALREADY
    return IneffectiveReason.TOO_EARLY if at < awaited.due_at else None


def _concerns_something(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    return ABSENT if steps_of_event(known, event) is None else None


def _escalation_is_new(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    return ALREADY if event.data.reference in known.directory.escalations else None


def _escalation_is_open(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    return None if event.data.reference in known.directory.escalations else ABSENT


def _names_a_member(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    return None if event.data.member in known.directory.members else IneffectiveReason.UNKNOWN_TARGET


def _own_or_by_coordinator(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    return None if event.emitter in (event.data.member, known.directory.coordinator) else ABSENT


def _possession_is_proven(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    key = bytes.fromhex(event.data.public_key)
    statement = signing.possession_statement(known.directory.jurisdiction, event.data.member, key)
    proof = bytes.fromhex(event.data.possession)
    proven = signing.is_valid_public_key(key) and signing.verifies(key, statement, proof, formats.KEY_POSSESSION)
    return None if proven else RefusalCode.SIGNATURE


def _key_is_free(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    registered = known.directory.keys.get(signing.key_id(bytes.fromhex(event.data.public_key)))
    return None if registered is None else ALREADY


def _key_is_known(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    return None if event.data.key in known.directory.keys else RefusalCode.KEY_NOT_IN_FORCE


def _key_is_own(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    key = known.directory.keys[event.data.key]
    return None if event.emitter == key.owner else RefusalCode.KEY_NOT_OWNER


def _key_stands(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    # A key in its grace could otherwise retire itself again and again, and so stay in force for ever.
    key = known.directory.keys[event.data.key]
    return ALREADY if key.revoked or key.retired_at is not None else None


def _is_no_office(_known: Situation, event: Event[Any], _at: datetime) -> str | None:
    # Whoever were admitted under the exchange's name could be given a key that speaks for it.
    return IneffectiveReason.CODE_NOT_ALLOWED if event.data.member == EXCHANGE else None


def _rules_are_supported(_known: Situation, event: Event[Any], _at: datetime) -> str | None:
    return None if event.data.version in SUPPORTED_RULES else IneffectiveReason.CODE_NOT_ALLOWED


def _service_is_offered(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    offered = known.directory.members[event.emitter].services
    return None if event.data.service in offered else IneffectiveReason.CODE_NOT_ALLOWED


RULES: Mapping[type[Body], tuple[Condition, ...]] = {
    d.JurisdictionFounded: (_not_founded,),
    d.AgencyAdmitted: (_by_coordinator, _is_no_office),
    d.AgencySuspended: (_by_coordinator, _names_a_member),
    d.DeadlinesPublished: (_by_coordinator,),
    d.RulesActivated: (_by_coordinator, _rules_are_supported),
    d.KeyRegistered: (_own_or_by_coordinator, _names_a_member, _possession_is_proven, _key_is_free),
    d.KeyRevoked: (_by_coordinator, _key_is_known),
    d.KeyRetired: (_key_is_known, _key_is_own, _key_stands),
    d.CapabilitiesPublished: (_by_member,),
    d.CapacityPublished: (_by_agency, _service_is_offered),
    d.SubmissionRefused: (_by_exchange,),
    c.CaseOpened: (_by_agency, _case_not_opened),
    c.CasesLinked: (_by_agency, _by_case_party),
    c.BasisRecorded: (_by_agency, _by_case_party, _basis_is_new, _recipient_is_known, _not_expired),
    c.BasisApproved: (_awaits_approval,),
    c.BasisEnded: (_by_exchange, _end_not_said),
    c.ReleaseWithdrawn: (_by_agency, _by_case_party),
    c.SurvivorEnded: (_by_agency, _by_case_party),
    c.CaseRead: (_by_member,),
    c.ErasureCompleted: (_by_referral_party,),
    dl.DeadlineMissed: (_by_exchange, _step_is_overdue),
    dl.DeadlineAcknowledged: (_by_exchange, _concerns_something),
    dl.DeadlineEscalated: (_by_exchange, _names_a_member, _escalation_is_new),
    dl.EscalationAcknowledged: (_by_coordinator, _escalation_is_open),
}
"""Type of an event that is not about a referral's life → what must hold, first objection first."""
