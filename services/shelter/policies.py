"""Policies of a shelter's node."""

from collections.abc import Iterator
from datetime import timedelta

from handoff.domain.case import Basis, Referral, Situation
from handoff.domain.policies import (
    CONFIRM_DELIVERY,
    Cause,
    Policy,
    Reaction,
    derived_id,
    live_basis,
    referrals,
    request,
)
from handoff.record.codes import CaseService, ReleasePurpose, ServiceOutcome, State, Urgency

FOLLOW_UP_DAYS = (30, 90, 180)
_FOLLOWED_UP = frozenset({ServiceOutcome.DISCHARGE_PLANNED, ServiceOutcome.DISCHARGE_MOVED_ON})


def _stays(known: Situation, me: str, state: State) -> Iterator[Referral]:
    for referral in referrals(known):
        if referral.target == me and referral.service is CaseService.SHELTER and referral.state is state:
            yield referral


def _request_benefit_continuity(known: Situation, me: str) -> Iterator[Reaction]:
    basis = live_basis(known, me, ReleasePurpose.BENEFIT_CONTINUITY)
    if basis is None or basis.recipient is None or _has_requested(known, me, CaseService.BENEFIT_CONTINUITY):
        return
    for stay in _stays(known, me, State.IN_PROGRESS):
        cause = Cause(stay.id, max(stay.since, basis.recorded_at))
        new = derived_id(REQUEST_BENEFIT_CONTINUITY.number, cause)
        yield Reaction(cause, request(new, basis, basis.recipient, CaseService.BENEFIT_CONTINUITY, Urgency.HIGH))
        return


def _has_requested(known: Situation, me: str, service: CaseService) -> bool:
    return any(referral.source == me and referral.service is service for referral in referrals(known))


def _schedule_follow_ups(known: Situation, me: str) -> Iterator[Reaction]:
    basis = live_basis(known, me, ReleasePurpose.FOLLOW_UP_CONTACT)
    if basis is None or basis.recipient is None or _has_requested(known, me, CaseService.FOLLOW_UP):
        return
    for stay in _stays(known, me, State.COMPLETED):
        if stay.code in _FOLLOWED_UP:
            yield from _follow_up_requests(stay, basis, basis.recipient)
            return


def _follow_up_requests(stay: Referral, basis: Basis, target: str) -> Iterator[Reaction]:
    for hop, days in enumerate(FOLLOW_UP_DAYS):
        cause = Cause(stay.id, max(stay.since, basis.recorded_at), hop)
        new = derived_id(SCHEDULE_FOLLOW_UPS.number, cause)
        asked = request(new, basis, target, CaseService.FOLLOW_UP, Urgency.LOW)
        yield Reaction(cause, asked.model_copy(update={"due_at": stay.since + timedelta(days=days)}))


REQUEST_BENEFIT_CONTINUITY = Policy(
    30,
    "She lives here now: once she has released it, ask the Center for Social Work to keep her social assistance.",
    _request_benefit_continuity,
)
SCHEDULE_FOLLOW_UPS = Policy(
    31,
    "After a discharge, once she has released it: follow-ups at 30, 90 and 180 days, as dated referrals.",
    _schedule_follow_ups,
)

POLICIES = (CONFIRM_DELIVERY, REQUEST_BENEFIT_CONTINUITY, SCHEDULE_FOLLOW_UPS)
