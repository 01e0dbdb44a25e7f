"""Codes that each service allows. Professionals of the field decide about these tables."""

from collections.abc import Mapping

from handoff.record.codes import (
    CaseService,
    FailureCode,
    HoldCode,
    RejectionCode,
    ReleasePurpose,
    ServiceOutcome,
    StartKind,
)

S, P, O = CaseService, ReleasePurpose, ServiceOutcome  # noqa: E741 - three columns of one table

PURPOSES: Mapping[CaseService, frozenset[ReleasePurpose]] = {
    S.SHELTER: frozenset({P.ARRANGE_SHELTER}),
    S.CASE_MANAGEMENT: frozenset({P.CASE_MANAGEMENT}),
    S.CHILD_PROTECTION: frozenset({P.CHILD_PROTECTION}),
    S.PSYCHOSOCIAL: frozenset({P.HEALTH_CARE, P.CASE_MANAGEMENT}),
    S.MEDICAL: frozenset({P.HEALTH_CARE}),
    S.POLICE_PROTECTION: frozenset({P.PROTECTION_ORDER_SUPPORT}),
    S.LEGAL_AID: frozenset({P.LEGAL_REPRESENTATION}),
    S.PROTECTION_ORDER: frozenset({P.PROTECTION_ORDER_SUPPORT, P.LEGAL_REPRESENTATION}),
    S.VICTIM_ADVOCACY: frozenset({P.LEGAL_REPRESENTATION, P.PROTECTION_ORDER_SUPPORT}),
    S.BENEFIT_CONTINUITY: frozenset({P.BENEFIT_CONTINUITY}),
    S.HOUSING: frozenset({P.HOUSING}),
    S.VOCATIONAL_TRAINING: frozenset({P.TRAINING}),
    S.EMPLOYMENT: frozenset({P.JOB_PLACEMENT}),
    S.REINTEGRATION_PLAN: frozenset({P.CASE_MANAGEMENT}),
    S.FOLLOW_UP: frozenset({P.FOLLOW_UP_CONTACT}),
}
"""Service → release purposes that permit it."""

_NO_CAPACITY = frozenset({RejectionCode.UNITS_FULL, RejectionCode.NO_STAFF, RejectionCode.CLOSED_UNFUNDED})

REJECTIONS: Mapping[CaseService, frozenset[RejectionCode]] = {
    service: frozenset(RejectionCode) for service in CaseService
} | {
    # Every survivor has a right to free legal aid: no_capacity and cannot_meet_need are not allowed.
    S.LEGAL_AID: frozenset(RejectionCode) - _NO_CAPACITY - {RejectionCode.CANNOT_MEET_NEED},
    # A statutory body cannot reject for lack of capacity: overload is a state that escalates.
    S.CASE_MANAGEMENT: frozenset(RejectionCode) - _NO_CAPACITY,
    S.CHILD_PROTECTION: frozenset(RejectionCode) - _NO_CAPACITY,
}
"""Service → rejection codes that it allows."""

_DISCHARGES = frozenset({O.DISCHARGE_PLANNED, O.DISCHARGE_OWN_WISH, O.DISCHARGE_MOVED_ON})
_BENEFIT_DECISIONS = frozenset(
    {O.CONTINUED, O.CONTINUED_SEPARATE_PAYEE, O.REINSTATED, O.SUSPENDED, O.NOT_RECIPIENT, O.SURVIVOR_DECLINED}
)

OUTCOMES: Mapping[CaseService, frozenset[ServiceOutcome]] = {
    service: frozenset({O.SERVICE_GIVEN}) for service in CaseService
} | {
    S.SHELTER: _DISCHARGES,
    S.LEGAL_AID: frozenset({O.REPRESENTED, O.SERVICE_GIVEN}),
    S.PROTECTION_ORDER: frozenset({O.ORDER_GRANTED, O.ORDER_REFUSED}),
    S.BENEFIT_CONTINUITY: _BENEFIT_DECISIONS,
    S.VOCATIONAL_TRAINING: frozenset({O.TRAINING_COMPLETED}),
    S.EMPLOYMENT: frozenset({O.PLACED_IN_JOB}),
    S.REINTEGRATION_PLAN: frozenset({O.PLAN_AGREED, O.PLAN_REFUSED}),
    S.FOLLOW_UP: frozenset({O.REACHED, O.UNSAFE_TO_CONTACT}),
}
"""Service → outcomes that it allows."""

STARTS: Mapping[CaseService, frozenset[StartKind]] = {
    service: frozenset({StartKind.FIRST_CONTACT, StartKind.WORK_BEGUN}) for service in CaseService
} | {
    S.SHELTER: frozenset({StartKind.ARRIVAL}),
    S.HOUSING: frozenset({StartKind.ARRIVAL, StartKind.WORK_BEGUN}),
}
"""Service → signs that it has begun."""

HOLDS: Mapping[CaseService, frozenset[HoldCode]] = {service: frozenset(HoldCode) for service in CaseService}
"""Service → reasons for a pause that it allows."""

PLAN_OUTCOMES = frozenset({O.PLAN_AGREED, O.PLAN_REFUSED})
SOURCE_MAY_FAIL = frozenset({FailureCode.NO_ARRIVAL, FailureCode.SURVIVOR_ENDED, FailureCode.DECEASED})
"""Failures that the source may learn first: no arrival, ended by the survivor, deceased."""
