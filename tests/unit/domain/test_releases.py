"""Releases and legal bases: what may rest on them, and what their end does and does not end."""

from typing import Any

import pytest

from handoff.domain import lifecycle
from handoff.domain.allowances import OUTCOMES, PURPOSES, REJECTIONS, STARTS
from handoff.domain.case import Referral
from handoff.record.codes import (
    ApproverRole,
    BasisEndReason,
    BasisKind,
    CaseService,
    DeadlineStep,
    EndScope,
    HoldCode,
    LegalRule,
    MemberKind,
    ReadPurpose,
    RecipientClass,
    RejectionCode,
    ReleasePurpose,
    ServiceOutcome,
    State,
    SurvivorInformed,
)
from handoff.record.events import case as c
from handoff.record.events import directory as d
from handoff.record.events import referral as r
from tests.support.dsl import spec
from tests.support.dsl.builders import OTHER_CASE
from tests.support.dsl.spec import (
    BASIS,
    COORDINATION,
    CSW,
    DAY,
    EXCHANGE,
    HOUR,
    LAWYER,
    POLICE,
    REFERRAL,
    SHELTER,
    SHELTER_B,
    T0,
    VTC,
    Sent,
    given,
    nth_id,
)

SECOND_REFERRAL = nth_id(3)
accept = r.ReferralAccepted(referral=REFERRAL)
disclose = r.DossierDisclosed(
    referral=REFERRAL, dossier=r.Commitment(commitment="0" * 64, sealed="1" * 64), seal_key="2" * 64
)
withdraw_all = c.ReleaseWithdrawn(scope=EndScope.ALL)
end_all = c.SurvivorEnded(scope=EndScope.ALL)
elsewhere = Sent(POLICE, spec.request(target=SHELTER_B, referral=SECOND_REFERRAL))
to_lawyer = spec.another(CaseService.LEGAL_AID, LAWYER, ReleasePurpose.LEGAL_REPRESENTATION)


def withdrawn_for(member: str) -> c.ReleaseWithdrawn:
    return c.ReleaseWithdrawn(scope=EndScope.RECIPIENT, recipient=member)


def legal(**terms: Any) -> c.BasisRecorded:
    """A statutory basis that was not approved yet."""
    at_night: dict[str, Any] = {
        "rule": LegalRule.DOMESTIC_VIOLENCE_LAW,
        "approver_role": ApproverRole.UNIT_HEAD,
        "survivor_informed": SurvivorInformed.YES,
        "approval_due_at": T0 + 12 * HOUR,
    }
    return spec.release(
        ReleasePurpose.CASE_MANAGEMENT, to=CSW, kind=BasisKind.STATUTORY_NOTIFICATION, **{**at_night, **terms}
    )


# Bases of a request


ANOTHER_SHELTER = spec.release(to=SHELTER_B)
LEGAL_AIDS = spec.release(to=RecipientClass.LEGAL_AID)
REQUESTS: dict[str, tuple[c.BasisRecorded, r.ReferralRequested, str | None]] = {
    "a class": (spec.release(), spec.request(), None),
    "a written one": (spec.release(kind=BasisKind.WRITTEN), spec.request(spec.release(kind=BasisKind.WRITTEN)), None),
    "one recipient": (spec.release(to=SHELTER), spec.request(spec.release(to=SHELTER)), None),
    "another recipient": (
        spec.release(to=SHELTER_B),
        spec.request(spec.release(to=SHELTER_B)),
        "recipient_not_covered",
    ),
    "another class": (LEGAL_AIDS, spec.request(LEGAL_AIDS), "recipient_not_covered"),
    "a longer one than she gave": (spec.release(), spec.request(spec.release(lasting=99 * DAY)), "basis_differs"),
    "another kind": (spec.release(), spec.request(spec.release(kind=BasisKind.WRITTEN)), "basis_differs"),
    "one never recorded": (spec.release(), spec.request(spec.release(basis=nth_id(99))), "basis_missing"),
    "another purpose": (spec.release(), spec.request(service=CaseService.PSYCHOSOCIAL), "purpose_not_covered"),
    "a service not offered": (spec.release(), spec.request(service=CaseService.LEGAL_AID), "service_not_offered"),
    "nobody": (spec.release(), spec.request(target="nobody_here"), "unknown_target"),
    "oneself": (spec.release(), spec.request(target=POLICE), "own_target"),
    "no agency": (spec.release(), spec.request(target=COORDINATION), "target_not_agency"),
}


@pytest.mark.parametrize(("basis", "asked", "reason"), REQUESTS.values(), ids=REQUESTS)
def test_a_request_rests_on_a_release_that_fits_service_purpose_and_recipient(
    basis: c.BasisRecorded, asked: r.ReferralRequested, reason: str | None
) -> None:
    result = given(spec.opened(), spec.released(basis)).when(POLICE, asked)
    if reason is None:
        result.then(r.ReferralRequested, leaving=State.REQUESTED)
    else:
        result.then_ineffective(reason)


def test_a_request_rests_only_on_a_basis_that_its_own_source_recorded() -> None:
    mine = spec.release(ReleasePurpose.LEGAL_REPRESENTATION, to=LAWYER, basis=nth_id(8))
    history = (*spec.requested(), spec.released(mine))
    borrowed = spec.request(mine, target=LAWYER, service=CaseService.LEGAL_AID, referral=SECOND_REFERRAL)
    given(history).when(SHELTER, borrowed).then_ineffective("basis_missing")


def test_a_release_that_has_expired_carries_no_request_and_no_acceptance() -> None:
    given(spec.opened(), spec.released()).when(POLICE, spec.request(), after=31 * DAY).then_ineffective("basis_expired")
    given(spec.requested()).when(SHELTER, accept, after=31 * DAY).then_ineffective("basis_expired")
    given(spec.opened()).when(POLICE, spec.release(), after=31 * DAY).then_ineffective("basis_expired")


def test_an_expiry_to_the_second_is_already_too_late() -> None:
    record = given(spec.requested()).record
    late = spec.Given(record).when(SHELTER, accept, after=T0 + 30 * DAY - record.now)
    late.then_ineffective("basis_expired")


def test_a_suspended_institution_takes_no_new_request_and_keeps_what_it_has() -> None:
    suspended = Sent(COORDINATION, d.AgencySuspended(member=SHELTER))
    given(spec.opened(), spec.released(), suspended).when(POLICE, spec.request()).then_ineffective("suspended")
    given(spec.requested(), suspended).when(SHELTER, accept).then(r.ReferralAccepted, leaving=State.ACCEPTED)


def test_only_a_party_to_the_case_records_a_basis_in_it() -> None:
    given(spec.opened()).when(VTC, spec.release()).then_ineffective("absent")
    given(spec.requested()).when(SHELTER, spec.release(basis=nth_id(8))).then(c.BasisRecorded)
    given(spec.requested()).when(POLICE, spec.release()).then_ineffective("already")
    given(spec.opened()).when(POLICE, spec.release(to="nobody_here")).then_ineffective("unknown_member")


def test_a_case_is_opened_once_by_an_agency() -> None:
    given().when(COORDINATION, spec.opened().body).then_ineffective("wrong_emitter")
    given(spec.opened()).when(CSW, spec.opened().body).then_ineffective("already")


def test_only_a_party_of_a_case_links_it() -> None:
    link = c.CasesLinked(other_case=OTHER_CASE)
    linked = given(spec.opened()).when(POLICE, link).then(c.CasesLinked)
    assert linked.record.case().links == (OTHER_CASE,)
    given(spec.opened()).when(LAWYER, link).then_ineffective("absent")


# Withdrawal


def test_a_withdrawal_beats_an_acceptance_that_arrives_before_its_consequence() -> None:
    record = given(spec.requested()).record
    record.now += HOUR
    record.append(record.envelope(Sent(POLICE, withdraw_all)))
    late = record.append(record.envelope(Sent(SHELTER, accept)))
    assert late.verdict.reason == "release_withdrawn"
    assert late.recipients == {POLICE, SHELTER}
    record.settle()
    assert record.referral().state is State.REVOKED


def test_a_withdrawal_beats_an_acceptance_that_arrives_after_its_consequence() -> None:
    given(spec.requested(), Sent(POLICE, withdraw_all)).when(SHELTER, accept).then_ineffective("release_withdrawn")


@pytest.mark.parametrize("by", [POLICE, LAWYER, SHELTER])
def test_she_may_withdraw_at_any_institution_that_has_a_part_in_her_case(by: str) -> None:
    of_shelters = c.ReleaseWithdrawn(scope=EndScope.PURPOSE, purpose=ReleasePurpose.ARRANGE_SHELTER)
    result = given(spec.requested(), to_lawyer).when(by, of_shelters)
    result.then(c.ReleaseWithdrawn, c.BasisEnded, r.ReferralRevoked, leaving=State.REVOKED)
    assert result.record.referral(SECOND_REFERRAL).state is State.REQUESTED


def test_a_withdrawal_can_always_be_recorded_also_when_nothing_is_left_to_end() -> None:
    given(spec.requested(), Sent(POLICE, withdraw_all)).when(SHELTER, withdraw_all).then(c.ReleaseWithdrawn)


def test_after_acceptance_disclosure_is_closed_and_the_service_continues_to_its_end() -> None:
    closed = given(spec.started(), Sent(POLICE, disclose)).when(SHELTER, withdraw_all)
    closed.then(c.ReleaseWithdrawn, c.BasisEnded, r.DisclosureClosed, leaving=State.IN_PROGRESS)
    record = closed.record
    assert not record.referral().disclosure_open
    spec.Given(record).when(POLICE, disclose).then_ineffective("already")
    for body in (
        r.ReferralPaused(referral=REFERRAL, code=HoldCode.WAITING_INTAKE),
        r.ReferralResumed(referral=REFERRAL),
        r.ReferralCompleted(referral=REFERRAL, outcome=ServiceOutcome.DISCHARGE_MOVED_ON),
    ):
        spec.Given(record).when(SHELTER, body).then(type(body))


def test_nothing_is_disclosed_between_a_withdrawal_and_its_consequence() -> None:
    record = given(spec.accepted()).record
    record.append(record.envelope(Sent(SHELTER, withdraw_all)))
    crossing = record.append(record.envelope(Sent(POLICE, disclose)))
    assert crossing.verdict.reason == "release_withdrawn"
    record.settle()
    spec.Given(record).when(POLICE, disclose).then_ineffective("release_withdrawn")


def test_a_withdrawal_for_one_recipient_leaves_the_others_of_its_class() -> None:
    result = given(spec.requested(), elsewhere).when(POLICE, withdrawn_for(SHELTER))
    result.then(c.ReleaseWithdrawn, r.ReferralRevoked, leaving=State.REVOKED)
    assert result.record.referral(SECOND_REFERRAL).state is State.REQUESTED
    again = spec.request(referral=nth_id(77))
    spec.Given(result.record).when(POLICE, again).then_ineffective("release_withdrawn")
    other = r.ReferralAccepted(referral=SECOND_REFERRAL)
    spec.Given(result.record).when(SHELTER_B, other).then(r.ReferralAccepted)


def test_a_withdrawal_for_one_recipient_of_a_class_closes_disclosure_to_it() -> None:
    result = given(spec.accepted()).when(LAWYER, withdrawn_for(SHELTER))
    result.then_ineffective("absent")
    result = given(spec.accepted(), to_lawyer).when(LAWYER, withdrawn_for(SHELTER))
    result.then(c.ReleaseWithdrawn, r.DisclosureClosed, leaving=State.ACCEPTED)
    spec.Given(result.record).when(POLICE, disclose).then_ineffective("release_withdrawn")


def test_a_withdrawal_ends_no_legal_basis() -> None:
    request = spec.request(legal(), target=CSW, service=CaseService.CASE_MANAGEMENT)
    history = (spec.opened(), spec.released(legal()), Sent(POLICE, request))
    given(history).when(POLICE, withdraw_all).then(c.ReleaseWithdrawn, leaving=State.REQUESTED)


def test_a_new_release_allows_a_new_request() -> None:
    new_basis = spec.release(basis=nth_id(8))
    history = (*spec.requested(), Sent(POLICE, withdraw_all), spec.released(new_basis))
    given(history).when(POLICE, spec.request(new_basis, referral=SECOND_REFERRAL)).then(r.ReferralRequested)


@pytest.mark.parametrize("body", [c.BasisEnded(basis=BASIS, reason=BasisEndReason.RELEASE_WITHDRAWN)])
def test_only_the_exchange_ends_a_basis_and_once(body: c.BasisEnded) -> None:
    given(spec.requested()).when(POLICE, body).then_ineffective("wrong_emitter")
    given(spec.requested(), Sent(POLICE, withdraw_all)).when(EXCHANGE, body).then_ineffective("already")


# Withdrawals


def test_an_ending_fails_each_open_referral_in_its_scope_and_no_other() -> None:
    rejected = Sent(SHELTER_B, r.ReferralRejected(referral=nth_id(5), code=RejectionCode.UNITS_FULL))
    asked_and_refused = Sent(POLICE, spec.request(target=SHELTER_B, referral=nth_id(5)))
    history = (*spec.started(), elsewhere, asked_and_refused, rejected, *to_lawyer_too())
    result = given(history).when(
        LAWYER, c.SurvivorEnded(scope=EndScope.PURPOSE, purpose=ReleasePurpose.ARRANGE_SHELTER)
    )
    # To the shelter that serves her an ending is reported; the other shelter has only a request.
    result.then(c.SurvivorEnded, r.EndingReported, r.ReferralFailed, leaving=State.IN_PROGRESS)
    states = {referral.id: referral.state for referral in result.record.case().referrals.values()}
    assert states == {
        REFERRAL: State.IN_PROGRESS,
        SECOND_REFERRAL: State.FAILED,
        nth_id(5): State.REJECTED,
        nth_id(7): State.REQUESTED,
    }


def to_lawyer_too() -> tuple[Sent, Sent]:
    return spec.another(CaseService.LEGAL_AID, LAWYER, ReleasePurpose.LEGAL_REPRESENTATION, number=3)


def test_an_ending_at_one_recipient_leaves_the_others_open() -> None:
    result = given(spec.started(), elsewhere).when(
        POLICE, c.SurvivorEnded(scope=EndScope.RECIPIENT, recipient=SHELTER_B)
    )
    result.then(c.SurvivorEnded, r.ReferralFailed, leaving=State.IN_PROGRESS)
    assert result.record.referral(SECOND_REFERRAL).state is State.FAILED


def test_an_ending_ends_referrals_on_a_legal_basis_too() -> None:
    request = spec.request(legal(), target=CSW, service=CaseService.CASE_MANAGEMENT)
    result = given(spec.opened(), spec.released(legal()), Sent(POLICE, request)).when(CSW, end_all)
    result.then(c.SurvivorEnded, r.ReferralFailed, leaving=State.FAILED)


def test_an_outsider_can_neither_withdraw_nor_end() -> None:
    for body in (withdraw_all, end_all):
        given(spec.requested()).when(VTC, body).then_ineffective("absent")


# Legal bases


def test_a_legal_basis_carries_requests_while_its_approval_is_pending() -> None:
    request = spec.request(legal(), target=CSW, service=CaseService.CASE_MANAGEMENT)
    record = given(spec.opened(), spec.released(legal()), Sent(POLICE, request)).record
    assert record.steps()[DeadlineStep.BASIS_APPROVED] == 12 * HOUR - 2 * spec.SECOND
    approve = c.BasisApproved(basis=BASIS, approver_role=ApproverRole.UNIT_HEAD)
    spec.Given(record).when(CSW, approve).then_ineffective("basis_missing")
    spec.Given(record).when(POLICE, approve).then(c.BasisApproved)
    assert DeadlineStep.BASIS_APPROVED not in record.steps()
    spec.Given(record).when(POLICE, approve).then_ineffective("already")


def test_a_legal_basis_approved_by_day_waits_for_nothing() -> None:
    by_day = legal(approval_due_at=None, approved_at=T0)
    assert given(spec.opened(), spec.released(by_day)).record.steps() == {}


def test_a_missing_approval_is_routed_to_the_basis_owner_alone() -> None:
    record = given(spec.opened(), spec.released(legal())).record
    missed = record.miss(DeadlineStep.BASIS_APPROVED)
    assert missed.verdict.is_effective
    assert missed.recipients == {POLICE}
    escalated = record.entries[-1].event.data
    assert (escalated.member, escalated.service) == (POLICE, None)


# Codes of each service


NO_CAPACITY = {RejectionCode.UNITS_FULL, RejectionCode.NO_STAFF, RejectionCode.CLOSED_UNFUNDED}


@pytest.mark.parametrize(
    ("service", "forbidden"),
    [
        (CaseService.LEGAL_AID, NO_CAPACITY | {RejectionCode.CANNOT_MEET_NEED}),
        (CaseService.CASE_MANAGEMENT, NO_CAPACITY),
        (CaseService.CHILD_PROTECTION, NO_CAPACITY),
        (CaseService.SHELTER, set()),
        (CaseService.VOCATIONAL_TRAINING, set()),
    ],
)
def test_statutory_bodies_and_free_legal_aid_cannot_answer_that_they_are_full(
    service: CaseService, forbidden: set[RejectionCode]
) -> None:
    assert set(RejectionCode) - REJECTIONS[service] == forbidden


@pytest.mark.parametrize("code", RejectionCode)
def test_a_refusal_that_the_service_does_not_allow_changes_nothing(code: RejectionCode) -> None:
    result = given(spec.opened(), to_lawyer).when(LAWYER, r.ReferralRejected(referral=SECOND_REFERRAL, code=code))
    if code in NO_CAPACITY | {RejectionCode.CANNOT_MEET_NEED}:
        result.then_ineffective("code_not_allowed")
    else:
        result.then(r.ReferralRejected, leaving=State.REJECTED, referral=SECOND_REFERRAL)


@pytest.mark.parametrize("service", CaseService)
def test_every_service_has_a_purpose_a_start_and_an_outcome(service: CaseService) -> None:
    assert PURPOSES[service]
    assert STARTS[service]
    assert OUTCOMES[service]


def test_every_purpose_and_every_outcome_belongs_to_some_service() -> None:
    assert set().union(*PURPOSES.values()) == set(ReleasePurpose)
    assert set().union(*OUTCOMES.values()) == set(ServiceOutcome)


# Reading and erasing


def test_a_read_is_recorded_for_any_member_and_an_erasure_for_a_party() -> None:
    erased = c.ErasureCompleted(referral=REFERRAL, backups_clear_at=T0 + 35 * DAY)
    read = c.CaseRead(reader=nth_id(40), purpose=ReadPurpose.AUDIT)
    assert spec.DIRECTORY.members[spec.AUDIT].kind is MemberKind.AUDIT
    given(spec.requested()).when(spec.AUDIT, read).then(c.CaseRead)
    given(spec.requested()).when(SHELTER, erased).then(c.ErasureCompleted)
    given(spec.requested()).when(LAWYER, erased).then_ineffective("absent")


def test_the_six_ends_are_ends() -> None:
    assert len(lifecycle.ENDED) == 6
    assert lifecycle.ENDED.isdisjoint(lifecycle.OPEN)
    assert isinstance(given(spec.requested()).record.referral(), Referral)
