"""Recipients of an event. Its type declares the audience, and the folded state resolves it to members."""

from collections.abc import Callable, Mapping
from typing import Any

from handoff.domain import conditions
from handoff.domain.case import Referral, Situation
from handoff.domain.deadlines import step_parties
from handoff.domain.record_fold import JudgedRecord
from handoff.record.delivery import Verdict, VerdictKind
from handoff.record.envelope import EXCHANGE, Event
from handoff.record.events.base import Audience
from handoff.record.events.deadline import DeadlineAcknowledged, DeadlineMissed

Members = frozenset[str]
NO_MEMBERS: Members = frozenset()
EVERY_MEMBER = "*"
"""Recipient of an entry that is delivered to every member, also to those that are admitted later."""


def recipients(event: Event[Any], verdict: Verdict, before: Situation, after: Situation) -> Members:
    """Return the members whose inboxes receive ``event``.

    The emitter always receives its own event, unless it is a duplicate. An ineffective event goes to others only if its
    emitter is a party of an existing referral: both parties see a lost race, and no outsider learns of a request that
    was never effective.
    """
    if verdict.kind is VerdictKind.DUPLICATE:
        return NO_MEMBERS
    emitter = frozenset({event.emitter}) - {EXCHANGE}
    if verdict.kind is VerdictKind.INVALID:
        return emitter
    if verdict.is_effective:
        return emitter | _AUDIENCES[event.data.audience](event, after)
    return emitter | _race_parties(event, before)


def listed_recipients(judged: JudgedRecord, before: Situation, after: Situation) -> tuple[str, ...]:
    """Return the recipients of an entry as the timeline lists them; they may request its receipt."""
    event = judged.record.event
    if not isinstance(event, Event):
        return ()
    if judged.verdict.is_effective and event.data.audience is Audience.ALL:
        return (EVERY_MEMBER,)
    return tuple(sorted(recipients(event, judged.verdict, before, after) & after.directory.members.keys()))


def _race_parties(event: Event[Any], before: Situation) -> Members:
    referral = conditions.referral_of(before, event)
    if referral is None or event.emitter not in (referral.source, referral.target):
        return NO_MEMBERS
    return _AUDIENCES[event.data.audience](event, before)


def _referral(event: Event[Any], known: Situation) -> Referral | None:
    return conditions.referral_of(known, event)


def _source(event: Event[Any], known: Situation) -> Members:
    referral = _referral(event, known)
    return frozenset({referral.source}) if referral is not None else NO_MEMBERS


def _target(event: Event[Any], known: Situation) -> Members:
    referral = _referral(event, known)
    return frozenset({referral.target}) if referral is not None else NO_MEMBERS


def _other_party(event: Event[Any], known: Situation) -> Members:
    referral = _referral(event, known)
    return frozenset({referral.other_party(event.emitter)}) if referral is not None else NO_MEMBERS


def _basis_owner(event: Event[Any], known: Situation) -> Members:
    basis = known.case.bases.get(event.data.basis) if known.case is not None else None
    return frozenset({basis.owner}) if basis is not None else NO_MEMBERS


def _who_waits_and_owes(event: Event[Any], known: Situation) -> Members:
    body: DeadlineMissed | DeadlineAcknowledged = event.data
    referral = _referral(event, known)
    return step_parties(referral, body.step) if referral is not None else _basis_owner(event, known)


_AUDIENCES: Mapping[Audience, Callable[[Event[Any], Situation], Members]] = {
    Audience.EMITTER_ONLY: lambda _event, _known: NO_MEMBERS,
    Audience.TARGET: _target,
    Audience.SOURCE: _source,
    Audience.OTHER_PARTY: _other_party,
    Audience.BOTH_PARTIES: lambda event, known: _source(event, known) | _target(event, known),
    Audience.BASIS_OWNER: _basis_owner,
    Audience.STEP_PARTIES: _who_waits_and_owes,
    Audience.COORDINATION: lambda _event, known: frozenset({known.directory.coordinator}),
    Audience.NAMED_MEMBER: lambda event, _known: frozenset({event.data.member}),
    Audience.ALL: lambda _event, known: frozenset(known.directory.members),
}
