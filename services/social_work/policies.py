"""Policies of the Center for Social Work's node."""

from collections.abc import Iterator, Mapping

from handoff.domain.case import Referral, Situation
from handoff.domain.lifecycle import ACTIVE
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
from handoff.record.codes import CaseService, ReleasePurpose, ServiceOutcome, StartKind, State, Urgency
from handoff.record.events.referral import OnwardRefused, ReferralAccepted, ReferralCompleted, ReferralStarted

_PLANNED_SERVICES: Mapping[ReleasePurpose, CaseService] = {
    ReleasePurpose.TRAINING: CaseService.VOCATIONAL_TRAINING,
    ReleasePurpose.JOB_PLACEMENT: CaseService.EMPLOYMENT,
    ReleasePurpose.HOUSING: CaseService.HOUSING,
}


_WITHOUT_DECISION = frozenset({State.REJECTED, State.FAILED, State.CANCELLED, State.REVOKED})
"""States in which the office decides nothing any more."""


def _requests_to(known: Situation, me: str, service: CaseService) -> Iterator[Referral]:
    for referral in referrals(known):
        if referral.target == me and referral.service is service:
            yield referral


def _request_benefit_on_own_behalf(known: Situation, me: str) -> Iterator[Reaction]:
    basis = live_basis(known, me, ReleasePurpose.BENEFIT_CONTINUITY)
    if basis is None or basis.recipient is None:
        return
    for asked in _requests_to(known, me, CaseService.BENEFIT_CONTINUITY):
        if asked.state is not State.REQUESTED:
            continue
        cause = Cause(asked.id, max(asked.requested_at, basis.recorded_at))
        new = derived_id(REQUEST_BENEFIT_ON_OWN_BEHALF.number, cause)
        yield Reaction(cause, request(new, basis, basis.recipient, CaseService.BENEFIT_CONTINUITY, Urgency.HIGH))
        yield Reaction(cause, ReferralAccepted(referral=asked.id, seen=1))
        yield Reaction(cause, ReferralStarted(referral=asked.id, kind=StartKind.WORK_BEGUN, seen=2))


def _relay_benefit_decision(known: Situation, me: str) -> Iterator[Reaction]:
    if known.case is None:
        return
    for asked in _requests_to(known, me, CaseService.BENEFIT_CONTINUITY):
        ours = known.case.referrals.get(
            derived_id(REQUEST_BENEFIT_ON_OWN_BEHALF.number, Cause(asked.id, asked.requested_at))
        )
        if asked.state is not State.IN_PROGRESS or ours is None or ours.state is not State.COMPLETED:
            continue
        decided = ReferralCompleted(
            referral=asked.id, outcome=ServiceOutcome(str(ours.code)), seen=asked.seen_at_transition
        )
        yield Reaction(Cause(asked.id, ours.since), decided)


def _report_onward_refusal(known: Situation, me: str) -> Iterator[Reaction]:
    if known.case is None:
        return
    for asked in _requests_to(known, me, CaseService.BENEFIT_CONTINUITY):
        ours = known.case.referrals.get(
            derived_id(REQUEST_BENEFIT_ON_OWN_BEHALF.number, Cause(asked.id, asked.requested_at))
        )
        if asked.state in ACTIVE and ours is not None and ours.state in _WITHOUT_DECISION:
            yield Reaction(Cause(asked.id, ours.since), OnwardRefused(referral=asked.id, seen=asked.seen_at_transition))


def _refer_on_from_plan(known: Situation, me: str) -> Iterator[Reaction]:
    plan = next((p for p in _requests_to(known, me, CaseService.REINTEGRATION_PLAN) if p.state in ACTIVE), None)
    if plan is None:
        return
    for purpose, service in _PLANNED_SERVICES.items():
        basis = live_basis(known, me, purpose)
        if basis is None or basis.recipient is None or _has_referral_on(known, basis.id):
            continue
        cause = Cause(basis.id, max(plan.answered_at or plan.since, basis.recorded_at))
        new = derived_id(REFER_ON_FROM_PLAN.number, cause)
        yield Reaction(cause, request(new, basis, basis.recipient, service, Urgency.NORMAL))


def _has_referral_on(known: Situation, basis: object) -> bool:
    return any(referral.basis == basis for referral in referrals(known))


REQUEST_BENEFIT_ON_OWN_BEHALF = Policy(
    20,
    "Asked to keep her social assistance: once she has released it to us too, ask the benefits office ourselves, "
    "so that it never learns of a shelter.",
    _request_benefit_on_own_behalf,
)
RELAY_BENEFIT_DECISION = Policy(
    21, "The benefits office has decided: answer who asked us with the same code.", _relay_benefit_decision
)
REPORT_ONWARD_REFUSAL = Policy(
    23,
    "The benefits office has refused or failed: open a task for a person here, who answers the institution that asked. "
    "No refusal is made for a person.",
    _report_onward_refusal,
)
REFER_ON_FROM_PLAN = Policy(
    22,
    "A reintegration plan is under way: each release for training, work or housing leads to a request.",
    _refer_on_from_plan,
)

POLICIES = (
    CONFIRM_DELIVERY,
    REQUEST_BENEFIT_ON_OWN_BEHALF,
    RELAY_BENEFIT_DECISION,
    REPORT_ONWARD_REFUSAL,
    REFER_ON_FROM_PLAN,
)
