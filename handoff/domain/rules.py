"""Rules by version, and the conditions of events about a case or the jurisdiction.

Every reader judges an entry by the version in force at its position of the record, which the directory names. Events
about a referral have the table in ``lifecycle``. For a member that is not a party, the verdict is *absent*.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from handoff.domain import lifecycle
from handoff.domain.case import Basis, Situation, Step
from handoff.domain.conditions import Condition
from handoff.domain.directory import MAX_KEYS_IN_FORCE, MAX_OWN_REGISTRATIONS, REGISTRATION_PERIOD, Directory
from handoff.record import formats, signing
from handoff.record.codes import BasisKind, IneffectiveReason, KeyUse, MemberKind, State
from handoff.record.envelope import EXCHANGE, Event
from handoff.record.events import board as b
from handoff.record.events import case as c
from handoff.record.events import deadline as dl
from handoff.record.events import directory as d
from handoff.record.events.base import Body

ABSENT = State.ABSENT.value
ALREADY, WRONG_EMITTER = IneffectiveReason.ALREADY, IneffectiveReason.WRONG_EMITTER


MAX_BASES = 200
"""Bases of one owner in one case. An emergency's ground, imminent danger, has no limit."""
MAX_LINKS = 50
"""Links of one case to others."""


def _by_exchange(_known: Situation, event: Event[Any], _at: datetime) -> str | None:
    return None if event.emitter == EXCHANGE else WRONG_EMITTER


def _by_coordinator(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    return None if event.emitter == known.directory.coordinator else WRONG_EMITTER


def _by_agency(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    member = known.directory.members.get(event.emitter)
    return None if member is not None and member.kind is MemberKind.AGENCY else WRONG_EMITTER


def _by_member(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    return None if event.emitter in known.directory.members else WRONG_EMITTER


def _by_case_party(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    return None if known.case is not None and known.case.has_party(event.emitter) else ABSENT


def _by_referral_party(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    referral = known.case.referrals.get(event.data.referral) if known.case is not None else None
    is_party = referral is not None and event.emitter in (referral.source, referral.target)
    return None if is_party else ABSENT


def _jurisdiction_is_new(known: Situation, _event: Event[Any], _at: datetime) -> str | None:
    return ALREADY if known.directory.founded else None


def _case_is_new(known: Situation, _event: Event[Any], _at: datetime) -> str | None:
    return ALREADY if known.case is not None and known.case.opener is not None else None


def _links_another_case(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    if known.case is None:
        return None
    return ALREADY if event.data.other_case in (known.case.id, *known.case.links) else None


def _links_are_few(known: Situation, _event: Event[Any], _at: datetime) -> str | None:
    linked = known.case.links if known.case is not None else ()
    return IneffectiveReason.TOO_MANY_LINKS if len(linked) >= MAX_LINKS else None


def _basis(known: Situation, event: Event[Any]) -> Basis | None:
    return known.case.bases.get(event.data.basis) if known.case is not None else None


def _basis_is_new(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    return ALREADY if _basis(known, event) is not None else None


def _recipient_is_known(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    recipient = event.data.recipient
    return None if recipient is None or recipient in known.directory.members else IneffectiveReason.UNKNOWN_MEMBER


def _bases_are_few(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    if event.data.kind is BasisKind.IMMINENT_DANGER or known.case is None:
        return None
    own = sum(1 for basis in known.case.bases.values() if basis.owner == event.emitter)
    return IneffectiveReason.TOO_MANY_BASES if own >= MAX_BASES else None


def _not_expired(_known: Situation, event: Event[Any], at: datetime) -> str | None:
    return IneffectiveReason.BASIS_EXPIRED if at >= event.data.expires_at else None


def _awaits_approval(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    basis = _basis(known, event)
    if basis is None or basis.owner != event.emitter:
        return IneffectiveReason.BASIS_MISSING
    return ALREADY if basis.approved else None


def _end_not_recorded(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    basis = _basis(known, event)
    if basis is None:
        return IneffectiveReason.BASIS_MISSING
    return ALREADY if basis.end_recorded else None


def steps_of_event(known: Situation, event: Event[Any]) -> tuple[Step, ...] | None:
    """Return the open steps of the referral or basis of a deadline event; None if it does not exist."""
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
    step = next((s for s in steps if s.is_step(event.data.step, event.data.since)), None)
    if step is None or step.suspended or step.due_at != event.data.due_at:
        referral = known.case.referrals.get(event.data.referral) if known.case is not None else None
        return referral.state.value if referral is not None else ALREADY
    if step.missed:
        return ALREADY
    if _cannot_be_done(known, event, step):
        return IneffectiveReason.BASIS_EXPIRED
    return IneffectiveReason.TOO_EARLY if at < step.due_at else None


def _cannot_be_done(known: Situation, event: Event[Any], step: Step) -> bool:
    """Return whether the basis of an unanswered request expires before the step is due: the target may not accept."""
    referral = known.case.referrals.get(event.data.referral) if known.case is not None else None
    return referral is not None and referral.state is State.REQUESTED and step.due_at >= referral.basis_expires_at


def _step_holder_exists(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    return ABSENT if steps_of_event(known, event) is None else None


def _escalation_is_new(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    return ALREADY if event.data.reference in known.escalations else None


def _escalation_is_open(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    return None if event.data.reference in known.escalations else ABSENT


def _escalation_has_not_ended(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    return None if event.data.reference in known.escalations else ALREADY


def _member_is_known(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    return None if event.data.member in known.directory.members else IneffectiveReason.UNKNOWN_MEMBER


def _key_owner_is_known(known: Situation, event: Event[Any], at: datetime) -> str | None:
    return None if event.data.member == EXCHANGE else _member_is_known(known, event, at)


def _may_register(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    # A stolen signing key must not register another one, so the coordinator registers every signing key.
    if event.emitter == known.directory.coordinator:
        return None
    is_own = event.emitter == event.data.member
    return None if is_own and event.data.use is not KeyUse.SIGNING else WRONG_EMITTER


def _keys_are_few(known: Situation, event: Event[Any], at: datetime) -> str | None:
    owner, directory = event.data.member, known.directory
    if directory.keys_in_force(owner, event.data.use, at) >= MAX_KEYS_IN_FORCE:
        return IneffectiveReason.TOO_MANY_KEYS
    # Ended keys stay in the directory. The coordinator replaces keys without this limit.
    is_own = event.emitter == owner != directory.coordinator
    is_often = is_own and directory.own_registrations(owner, at - REGISTRATION_PERIOD) >= MAX_OWN_REGISTRATIONS
    return IneffectiveReason.TOO_MANY_KEYS if is_often else None


def _possession_is_proven(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    key = bytes.fromhex(event.data.public_key)
    statement = signing.possession_statement(known.directory.jurisdiction, event.data.member, key)
    proof = bytes.fromhex(event.data.possession)
    proven = signing.is_valid_public_key(key) and signing.verifies(key, statement, proof, formats.KEY_POSSESSION)
    return None if proven else IneffectiveReason.POSSESSION_NOT_PROVEN


def _key_is_free(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    registered = known.directory.keys.get(signing.key_id(bytes.fromhex(event.data.public_key)))
    return None if registered is None else ALREADY


def _key_is_known(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    return None if event.data.key in known.directory.keys else IneffectiveReason.UNKNOWN_KEY


def _key_is_own_or_by_coordinator(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    owner = known.directory.keys[event.data.key].owner
    return None if event.emitter in (owner, known.directory.coordinator) else WRONG_EMITTER


def _key_is_active(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    # Otherwise a key could retire itself again in its grace period, and stay in force indefinitely.
    key = known.directory.keys[event.data.key]
    return ALREADY if key.revoked or key.retired_at is not None else None


def _member_is_not_the_exchange(_known: Situation, event: Event[Any], _at: datetime) -> str | None:
    # A member with the id of the exchange could register a key and emit events in its name.
    return IneffectiveReason.RESERVED_MEMBER_ID if event.data.member == EXCHANGE else None


def _first_rules_are_supported(_known: Situation, event: Event[Any], _at: datetime) -> str | None:
    return None if event.data.rules in VERSIONS else IneffectiveReason.RULES_NOT_SUPPORTED


def _members_of_calendars_are_known(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    named = {member for row in event.data.hours for member in row.members}
    return None if named <= known.directory.members.keys() else IneffectiveReason.UNKNOWN_MEMBER


def _rules_are_supported(_known: Situation, event: Event[Any], _at: datetime) -> str | None:
    return None if event.data.version in VERSIONS else IneffectiveReason.RULES_NOT_SUPPORTED


def _service_is_offered(known: Situation, event: Event[Any], _at: datetime) -> str | None:
    offered = known.directory.members[event.emitter].services
    return None if event.data.service in offered else IneffectiveReason.SERVICE_NOT_OFFERED


CONDITIONS: Mapping[type[Body], tuple[Condition, ...]] = {
    d.JurisdictionFounded: (_jurisdiction_is_new, _first_rules_are_supported),
    d.AgencyAdmitted: (_by_coordinator, _member_is_not_the_exchange),
    d.AgencySuspended: (_by_coordinator, _member_is_known),
    d.DeadlinesPublished: (_by_coordinator,),
    d.CalendarsPublished: (_by_coordinator, _members_of_calendars_are_known),
    d.RulesActivated: (_by_coordinator, _rules_are_supported),
    d.KeyRegistered: (_may_register, _key_owner_is_known, _possession_is_proven, _key_is_free, _keys_are_few),
    d.KeyRevoked: (_by_coordinator, _key_is_known),
    d.KeyRetired: (_key_is_known, _key_is_own_or_by_coordinator, _key_is_active),
    d.CapabilitiesPublished: (_by_member,),
    d.CapacityPublished: (_by_agency, _service_is_offered),
    d.ValueRedacted: (_by_coordinator,),
    d.SubmissionRefused: (_by_exchange,),
    c.CaseOpened: (_by_agency, _case_is_new),
    c.CasesLinked: (_by_agency, _by_case_party, _links_another_case, _links_are_few),
    c.BasisRecorded: (_by_agency, _by_case_party, _basis_is_new, _recipient_is_known, _not_expired, _bases_are_few),
    c.BasisApproved: (_awaits_approval,),
    c.BasisEnded: (_by_exchange, _end_not_recorded),
    c.ReleaseWithdrawn: (_by_agency, _by_case_party, _recipient_is_known),
    c.SurvivorEnded: (_by_agency, _by_case_party, _recipient_is_known),
    c.CaseRead: (_by_member,),
    c.ErasureCompleted: (_by_referral_party,),
    dl.DeadlineMissed: (_by_exchange, _step_is_overdue),
    dl.DeadlineAcknowledged: (_by_exchange, _step_holder_exists),
    dl.DeadlineEscalated: (_by_exchange, _member_is_known, _escalation_is_new),
    dl.EscalationEnded: (_by_exchange, _escalation_has_not_ended),
    dl.EscalationAcknowledged: (_by_coordinator, _escalation_is_open),
    b.BoardRead: (_by_coordinator,),
}
"""Event type that is not about a referral → its conditions. The first that fails gives the reason."""


@dataclass(frozen=True, slots=True)
class Rules:
    """One version of the rules: the transitions of referrals, and the conditions of all other events."""

    version: int
    transitions: lifecycle.Transitions
    conditions: Mapping[type[Body], tuple[Condition, ...]]


class UnsupportedRules(Exception):
    """A version of the rules is in force that this release does not have. No later entry can be judged."""

    def __init__(self, version: int) -> None:
        super().__init__(
            f"cannot judge by version {version} of the rules: the last one that this release has is "
            f"{current_version()}. Upgrade this process."
        )
        self.version = version


VERSIONS: Final[dict[int, Rules]] = {1: Rules(1, lifecycle.by_event(lifecycle.TABLE), CONDITIONS)}
"""Versions that this release can judge by, without a gap. A test can add one."""
_FIRST: Final = 1


def current_version() -> int:
    """Return the version by which a new jurisdiction starts."""
    return max(VERSIONS)


def rules_in_force(directory: Directory) -> Rules:
    """Return the rules in force. The founding event itself is judged by the first. Raises ``UnsupportedRules``."""
    version = directory.rules or _FIRST
    rules = VERSIONS.get(version)
    if rules is None:
        raise UnsupportedRules(version)
    return rules


def check_support(body: Body) -> None:
    """Raise ``UnsupportedRules`` if an effective event puts rules into force that this release does not have."""
    version = activated_version(body)
    if version is not None and version not in VERSIONS:
        raise UnsupportedRules(version)


def activated_version(body: Body) -> int | None:
    """Return the version of the rules that the event puts into force; None for any other event."""
    if isinstance(body, d.RulesActivated):
        return body.version
    return body.rules if isinstance(body, d.JurisdictionFounded) else None
