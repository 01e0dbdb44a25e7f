"""Policies of the police unit's node."""

from collections.abc import Iterator

from handoff.domain.case import Referral, Situation
from handoff.domain.policies import CONFIRM_DELIVERY, Cause, Policy, Reaction, derived_id, referrals, request
from handoff.record.codes import RejectionCode, State
from handoff.record.events.referral import ReferralRedirected

_REDIRECTED_CODES = frozenset(
    {
        RejectionCode.UNITS_FULL,
        RejectionCode.NO_STAFF,
        RejectionCode.CLOSED_UNFUNDED,
        RejectionCode.CANNOT_MEET_NEED,
        RejectionCode.CONFLICT_OF_INTEREST,
    }
)


def _redirect_within_class(known: Situation, me: str) -> Iterator[Reaction]:
    for refused in referrals(known):
        if refused.source != me or refused.state is not State.REJECTED or refused.next is not None:
            continue
        if refused.code in _REDIRECTED_CODES:
            yield from _redirect(known, refused)


def _redirect(known: Situation, refused: Referral) -> Iterator[Reaction]:
    basis = known.case.bases.get(refused.basis) if known.case is not None else None
    if basis is None or basis.ended is not None or basis.recipient_class is None or refused.closed_at is None:
        return
    asked = _members_in_chain(known, refused)
    candidates = known.directory.candidates(basis.recipient_class, refused.service)
    target = next((m for m in candidates if m not in asked and basis.ended_for(m) is None), None)
    if target is None:
        return
    cause = Cause(refused.id, refused.closed_at, refused.hop)
    new = derived_id(REDIRECT_WITHIN_CLASS.number, cause)
    yield Reaction(cause, request(new, basis, target, refused.service, refused.urgency))
    yield Reaction(cause, ReferralRedirected(referral=refused.id, next=new, seen=refused.seen_at_transition))


def _members_in_chain(known: Situation, last: Referral) -> frozenset[str]:
    asked = {last.target}
    earlier = {referral.next: referral for referral in referrals(known) if referral.next is not None}
    while (previous := earlier.pop(last.id, None)) is not None:
        asked.add(previous.target)
        last = previous
    return frozenset(asked)


REDIRECT_WITHIN_CLASS = Policy(
    10,
    "A refusal for lack of a place: ask the next institution of the class she released, each at most once.",
    _redirect_within_class,
)

POLICIES = (CONFIRM_DELIVERY, REDIRECT_WITHIN_CLASS)
