"""Procedures of each institution, on a record that every side folds for itself."""

from datetime import timedelta

import pytest

from handoff.domain.case import Referral
from handoff.domain.policies import CONFIRM_DELIVERY, Policy, reactions
from handoff.record import codec
from handoff.record.codes import (
    BasisKind,
    CaseService,
    EndScope,
    RecipientClass,
    RejectionCode,
    ReleasePurpose,
    ServiceOutcome,
    StartKind,
    Urgency,
)
from handoff.record.events import case as c
from handoff.record.events import referral as r
from handoff.record.events.directory import AgencyAdmitted
from services.coordination.policies import POLICIES as COORDINATION_POLICIES
from services.legal_aid.policies import POLICIES as LEGAL_AID_POLICIES
from services.partner.policies import POLICIES as PARTNER_POLICIES
from services.police_intake.policies import POLICIES as POLICE_POLICIES
from services.shelter.policies import POLICIES as SHELTER_POLICIES
from services.social_work.policies import POLICIES as CSW_POLICIES
from tests.support.dsl.spec import (
    COORDINATION,
    CSW,
    DAY,
    POLICE,
    REFERRAL,
    SHELTER,
    SHELTER_B,
    VTC,
    Record,
    Sent,
    given,
    nth_id,
    opened,
    release,
    released,
    requested,
    side,
    source,
    started,
)

OFFICE = "benefits_office"
Policies = tuple[Policy, ...]
FULL = r.ReferralRejected(referral=REFERRAL, code=RejectionCode.UNITS_FULL)
ALL_POLICIES = (
    POLICE_POLICIES,
    CSW_POLICIES,
    LEGAL_AID_POLICIES,
    SHELTER_POLICIES,
    PARTNER_POLICIES,
    COORDINATION_POLICIES,
)


def react(record: Record, member: str, policies: Policies) -> list[str]:
    """Let a member's node react to what it knows; the types of what became effective."""
    decisions, _ = reactions(policies, side(member, record).known, source(member))
    new = [event for event in decisions if event.identity not in record.hashes]
    entries = [record.append(event) for event in new]
    record.settle()
    return [entry.event.type for entry in entries if entry.verdict.is_effective]


def find(record: Record, **wanted: object) -> Referral:
    """The one referral of the case whose fields are ``wanted``."""
    (found,) = (x for x in record.case().referrals.values() if all(getattr(x, k) == v for k, v in wanted.items()))
    return found


def released_to(member: str, number: int = 8) -> c.BasisRecorded:
    """Her release to keep her benefit, under the basis ``nth_id(number)``."""
    return release(ReleasePurpose.BENEFIT_CONTINUITY, basis=nth_id(number), to=member)


def test_every_policy_has_a_number_of_its_own() -> None:
    """A policy's number makes its reactions' ids, so no two share one."""
    policies = {policy.number: policy for service in ALL_POLICIES for policy in service}
    assert len(policies) == len({policy.name for service in ALL_POLICIES for policy in service})


def test_a_request_is_confirmed_by_the_machine_that_has_it() -> None:
    """The target's node emits referral.delivered once, and the source's node never does."""
    record = given(*requested()).record
    assert react(record, POLICE, POLICE_POLICIES) == []
    assert react(record, SHELTER, (CONFIRM_DELIVERY,)) == ["referral.delivered.v1"]
    assert react(record, SHELTER, (CONFIRM_DELIVERY,)) == []


def test_a_full_shelter_leads_to_the_next_of_the_class() -> None:
    """Police ask the next licensed shelter in the directory's order, and the redirect has no recipient."""
    record = given(*requested(), Sent(SHELTER, FULL)).record
    assert react(record, POLICE, POLICE_POLICIES) == ["referral.requested.v1", "referral.redirected.v1"]
    assert find(record, target=SHELTER_B).urgency is Urgency.EMERGENCY
    assert record.entries[-1].recipients == {POLICE}
    assert record.entries[-2].recipients == {POLICE, SHELTER_B}


def test_each_shelter_is_asked_once() -> None:
    """When the last agency of the class has refused too, no referral is requested."""
    record = given(*requested(), Sent(SHELTER, FULL)).record
    react(record, POLICE, POLICE_POLICIES)
    asked = find(record, target=SHELTER_B)
    record.send(Sent(SHELTER_B, FULL.model_copy(update={"referral": asked.id})))
    assert react(record, POLICE, POLICE_POLICIES) == []


@pytest.mark.parametrize(
    ("decisions", "why"),
    [
        (Sent(POLICE, c.ReleaseWithdrawn(scope=EndScope.ALL)), "the release is gone"),
        (Sent(SHELTER, r.ReferralOpened(referral=REFERRAL)), "a late receipt changes nothing"),
    ],
)
def test_no_referral_is_requested_without_her_release(decisions: Sent, why: str) -> None:
    """A refusal leads on only while her release to the class lives."""
    record = given(*requested(), Sent(SHELTER, FULL)).record
    record.send(decisions)
    expected = [] if why == "the release is gone" else ["referral.requested.v1", "referral.redirected.v1"]
    assert react(record, POLICE, POLICE_POLICIES) == expected


def test_the_shelter_that_she_ruled_out_is_passed_over() -> None:
    """Her withdrawal for one shelter of the class leaves the others to be asked."""
    record = given(*requested(), Sent(SHELTER, FULL)).record
    third = AgencyAdmitted(
        member="shelter_peja", services=(CaseService.SHELTER,), classes=(RecipientClass.LICENSED_SHELTER,)
    )
    record.send(
        Sent(COORDINATION, third), Sent(POLICE, c.ReleaseWithdrawn(scope=EndScope.RECIPIENT, recipient=SHELTER_B))
    )
    assert react(record, POLICE, POLICE_POLICIES) == ["referral.requested.v1", "referral.redirected.v1"]
    assert find(record, target="shelter_peja").source == POLICE


def test_a_release_to_one_shelter_leads_to_no_other() -> None:
    """A release that names one recipient is no consent to ask another."""
    basis = release(to=SHELTER)
    asked = r.ReferralRequested(
        referral=REFERRAL,
        target=SHELTER,
        service=CaseService.SHELTER,
        urgency=Urgency.HIGH,
        basis=r.BasisSnapshot(**{name: getattr(basis, name) for name in r.BasisSnapshot.model_fields}),
    )
    record = given(opened(), released(basis), Sent(POLICE, asked), Sent(SHELTER, FULL)).record
    assert react(record, POLICE, POLICE_POLICIES) == []


def test_a_reaction_has_the_same_bytes_after_further_events() -> None:
    """A repeat, even by a node that was rebuilt and knows more by now, is the same bytes."""
    record = given(*requested(), Sent(SHELTER, FULL)).record
    first, _ = reactions(POLICE_POLICIES, side(POLICE, record).known, source(POLICE))
    record.send(Sent(POLICE, release(ReleasePurpose.LEGAL_REPRESENTATION, basis=nth_id(9), to="legal_aid")))
    again, _ = reactions(POLICE_POLICIES, side(POLICE, record).known, source(POLICE))
    assert [codec.encode(event) for event in first] == [codec.encode(event) for event in again]


def test_a_policy_does_not_contradict_an_earlier_decision_of_a_person() -> None:
    """While a person's own redirect waits for its echo, the policy requests nothing, although the record allows it."""
    record = given(*requested(), Sent(SHELTER, FULL)).record
    known = side(POLICE, record).known
    by_hand, expected = reactions(POLICE_POLICIES, known, source(POLICE))
    assert len(by_hand) == 2
    assert reactions(POLICE_POLICIES, known, source(POLICE), expected=expected)[0] == ()


def test_her_benefit_is_asked_for_once_she_lives_there_and_has_released_it() -> None:
    """The shelter asks the Center for Social Work only after both, and once."""
    record = given(*started()).record
    assert react(record, SHELTER, SHELTER_POLICIES) == []
    record.send(Sent(SHELTER, released_to(CSW)))
    assert react(record, SHELTER, SHELTER_POLICIES) == ["referral.requested.v1"]
    assert find(record, source=SHELTER, target=CSW).service is CaseService.BENEFIT_CONTINUITY
    assert react(record, SHELTER, SHELTER_POLICIES) == []


def test_the_benefits_office_is_asked_in_the_centre_s_own_name_and_its_code_comes_back() -> None:
    """The office receives a referral of the Center alone; the shelter is answered with the office's own code."""
    record = given(*started()).record
    record.send(Sent(SHELTER, released_to(CSW)))
    react(record, SHELTER, SHELTER_POLICIES)
    assert react(record, CSW, CSW_POLICIES) == ["referral.delivered.v1"]
    office = AgencyAdmitted(member=OFFICE, services=(CaseService.BENEFIT_CONTINUITY,))
    record.send(Sent(COORDINATION, office), Sent(CSW, released_to(OFFICE, 7)))
    assert react(record, CSW, CSW_POLICIES) == [
        "referral.requested.v1",
        "referral.accepted.v1",
        "referral.started.v1",
    ]
    ours = find(record, source=CSW, target=OFFICE)
    assert record.entries[-3].recipients == {CSW, OFFICE}
    record.send(
        Sent(OFFICE, r.ReferralAccepted(referral=ours.id)),
        Sent(OFFICE, r.ReferralStarted(referral=ours.id, kind=StartKind.WORK_BEGUN)),
        Sent(OFFICE, r.ReferralCompleted(referral=ours.id, outcome=ServiceOutcome.REINSTATED)),
    )
    assert react(record, CSW, CSW_POLICIES) == ["referral.completed.v1"]
    assert find(record, source=SHELTER, target=CSW).code == ServiceOutcome.REINSTATED


def test_the_centre_takes_on_nothing_that_it_cannot_pass_on() -> None:
    """If the request to the office would be ineffective, the Center does not accept automatically either."""
    record = given(*started()).record
    record.send(Sent(SHELTER, released_to(CSW)))
    react(record, SHELTER, SHELTER_POLICIES)
    record.send(Sent(CSW, released_to(VTC, 7)))
    assert react(record, CSW, CSW_POLICIES) == ["referral.delivered.v1"]


def test_a_plan_leads_on_to_training_once_she_has_released_it() -> None:
    """While the plan is under way, each release for training or work becomes one request by the Center."""
    plan_basis = release(ReleasePurpose.CASE_MANAGEMENT, basis=nth_id(6), to=CSW)
    record = given(*started(), Sent(SHELTER, plan_basis)).record
    plan = r.ReferralRequested(
        referral=nth_id(5),
        target=CSW,
        service=CaseService.REINTEGRATION_PLAN,
        urgency=Urgency.NORMAL,
        basis=r.BasisSnapshot(**{name: getattr(plan_basis, name) for name in r.BasisSnapshot.model_fields}),
    )
    training = release(ReleasePurpose.TRAINING, basis=nth_id(4), to=VTC, kind=BasisKind.WRITTEN)
    record.send(Sent(SHELTER, plan), Sent(CSW, r.ReferralAccepted(referral=plan.referral)), Sent(CSW, training))
    assert react(record, CSW, CSW_POLICIES) == ["referral.requested.v1"]
    assert find(record, source=CSW, target=VTC).service is CaseService.VOCATIONAL_TRAINING
    assert react(record, CSW, CSW_POLICIES) == []


@pytest.mark.parametrize("outcome", [ServiceOutcome.DISCHARGE_MOVED_ON, ServiceOutcome.DISCHARGE_OWN_WISH])
def test_follow_ups_are_dated_referrals_after_a_discharge(outcome: ServiceOutcome) -> None:
    """Three follow-ups, at 30, 90 and 180 days, with her release; none where she left by her own wish."""
    basis = release(ReleasePurpose.FOLLOW_UP_CONTACT, basis=nth_id(8), to=CSW, lasting=365 * DAY)
    record = given(*started(StartKind.ARRIVAL), Sent(SHELTER, basis)).record
    record.send(Sent(SHELTER, r.ReferralCompleted(referral=REFERRAL, outcome=outcome)))
    react(record, SHELTER, SHELTER_POLICIES)
    follow_ups = [x for x in record.case().referrals.values() if x.service is CaseService.FOLLOW_UP]
    discharged = record.referral().since
    days = sorted((x.due_at - discharged) // timedelta(days=1) for x in follow_ups if x.due_at is not None)
    assert days == ([30, 90, 180] if outcome is ServiceOutcome.DISCHARGE_MOVED_ON else [])
