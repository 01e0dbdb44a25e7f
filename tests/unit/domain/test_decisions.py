"""Decisions of a node: events of a command, refusals, and events that policies add."""

from collections.abc import Iterable, Iterator
from uuid import UUID

import pytest

from handoff.domain import commands as cmd
from handoff.domain.case import Situation
from handoff.domain.decide import About, Refusal, decide
from handoff.domain.evolve import evolve
from handoff.domain.policies import CONFIRM_DELIVERY, Cause, Policy, Reaction, reactions
from handoff.record.codec import encode
from handoff.record.codes import (
    ApproverRole,
    BasisKind,
    CaseService,
    CommandRefusal,
    DeadlineStep,
    EndScope,
    LegalRule,
    ReleasePurpose,
    ServiceOutcome,
    StartKind,
    State,
    SurvivorInformed,
    Urgency,
)
from handoff.record.events import case as c
from handoff.record.events import directory as d
from handoff.record.events import referral as r
from tests.support.dsl import spec
from tests.support.dsl.builders import ids
from tests.support.dsl.spec import (
    BASIS,
    CASE,
    COORDINATION,
    CSW,
    DAY,
    HOUR,
    LAWYER,
    POLICE,
    REFERRAL,
    SHELTER,
    SHELTER_B,
    T0,
    Sent,
    given,
)

ask = cmd.RequestReferral(target=SHELTER, service=CaseService.SHELTER, urgency=Urgency.HIGH, basis=BASIS)
full = Sent(SHELTER, r.ReferralRejected(referral=REFERRAL, code="no_capacity.units_full"))


# Commands


def test_a_request_carries_a_snapshot_of_its_basis() -> None:
    made = given(spec.opened(), spec.released()).when(POLICE, ask).then(r.ReferralRequested)
    body = made.new[0].event.data
    assert body.basis == spec.snapshot_of(spec.release())
    assert body.referral not in (CASE, BASIS)


def test_a_request_on_an_unknown_basis_is_refused_before_it_is_sent() -> None:
    given(spec.opened()).when(POLICE, ask).then_refused("basis_missing")
    given(spec.opened(), spec.released()).when(POLICE, ask, after=31 * DAY).then_refused("basis_expired")
    suspended = Sent(COORDINATION, d.AgencySuspended(member=SHELTER))
    given(spec.opened(), spec.released(), suspended).when(POLICE, ask).then_refused("suspended")
    elsewhere = ask.model_copy(update={"target": LAWYER})
    given(spec.opened(), spec.released()).when(POLICE, elsewhere).then_refused("service_not_offered")


def test_a_redirecting_request_is_followed_by_its_redirect_event() -> None:
    again = ask.model_copy(update={"target": SHELTER_B, "redirects": REFERRAL})
    made = given(spec.requested(), full).when(POLICE, again).then(r.ReferralRequested, r.ReferralRedirected)
    assert made.new[1].event.data.next == made.new[0].event.data.referral
    given(spec.requested()).when(POLICE, again).then_refused("requested", State.REQUESTED)


def test_a_command_against_another_state_is_refused_with_the_state() -> None:
    given(spec.requested()).when(SHELTER, cmd.StartService(kind=StartKind.ARRIVAL)).then_refused(
        "requested", State.REQUESTED
    )
    given(spec.started()).when(SHELTER, cmd.AcceptReferral()).then_refused("in-progress", State.IN_PROGRESS)
    given(spec.started()).when(SHELTER, cmd.CompleteService(outcome=ServiceOutcome.DISCHARGE_PLANNED)).then_refused(
        "plan_missing", State.IN_PROGRESS
    )


def test_a_member_outside_a_referral_gets_the_reason_absent() -> None:
    given(spec.requested()).when(LAWYER, cmd.AcceptReferral()).then_refused("absent")
    given(spec.requested()).when(LAWYER, cmd.WithdrawRelease(scope=EndScope.ALL)).then_refused("absent")


def test_a_target_unaware_of_a_withdrawal_loses_the_race_and_gets_the_reason() -> None:
    record = given(
        spec.requested(), *spec.another(CaseService.LEGAL_AID, LAWYER, ReleasePurpose.LEGAL_REPRESENTATION)
    ).record
    decided = spec.decided_by(record, SHELTER, cmd.AcceptReferral(), REFERRAL)
    assert not isinstance(decided, Refusal)
    record.send(Sent(LAWYER, c.ReleaseWithdrawn(scope=EndScope.ALL)))
    late = record.append(decided[0])
    assert late.verdict.reason == "release_withdrawn"
    assert late.recipients == {POLICE, SHELTER}
    given_after = spec.Given(record).when(SHELTER, cmd.AcceptReferral())
    given_after.then_refused("release_withdrawn", State.REVOKED)


def test_an_event_that_its_recipient_cannot_read_is_not_sent() -> None:
    reads_little = Sent(SHELTER, d.CapabilitiesPublished(reads=("referral.requested.v1",)))
    record = given(spec.accepted(), reads_little).record
    directory = record.directory
    known = Situation(directory, spec.side(POLICE, record).known.case)
    asked = decide(
        known,
        cmd.RequestCancellation(),
        About(CASE, REFERRAL),
        me=spec.source(POLICE),
        now=record.now,
        new_id=lambda: next(ids(70)),
    )
    assert asked == Refusal(CommandRefusal.RECIPIENT_CANNOT_READ)


def test_a_decision_carries_the_folded_sequence_and_its_time() -> None:
    decided = spec.decided_by(
        given(spec.accepted()).record, SHELTER, cmd.StartService(kind="arrival", occurred_at=T0 - HOUR), REFERRAL
    )
    assert not isinstance(decided, Refusal)
    assert (decided[0].data.seen, decided[0].time) == (2, T0 - HOUR)


def test_a_pending_decision_counts_for_the_next_decision() -> None:
    record = given(spec.requested()).record
    known, new_ids = spec.side(SHELTER, record).known, ids(80)
    first = decide(
        known,
        cmd.AcceptReferral(),
        About(CASE, REFERRAL),
        me=spec.source(SHELTER),
        now=record.now,
        new_id=lambda: next(new_ids),
    )
    assert not isinstance(first, Refusal)
    pending = evolve(known, first[0], record.now)
    again = decide(
        pending,
        cmd.AcceptReferral(),
        About(CASE, REFERRAL),
        me=spec.source(SHELTER),
        now=record.now,
        new_id=lambda: next(new_ids),
    )
    assert again == Refusal("accepted", State.ACCEPTED)


@pytest.mark.parametrize(
    ("history", "by", "command", "about"),
    [
        ((), POLICE, cmd.OpenCase(entry_point="self_report", reporting_delay="unknown"), REFERRAL),
        ((spec.opened(),), POLICE, cmd.LinkCase(other_case=BASIS), REFERRAL),
        (
            (spec.opened(),),
            POLICE,
            cmd.RecordBasis(
                kind=BasisKind.STATUTORY_NOTIFICATION,
                purpose=ReleasePurpose.CASE_MANAGEMENT,
                recipient=CSW,
                expires_at=T0 + DAY,
                rule=LegalRule.DOMESTIC_VIOLENCE_LAW,
                approver_role=ApproverRole.DUTY_OFFICER,
                approval_due_at=T0 + HOUR,
                survivor_informed=SurvivorInformed.YES,
            ),
            REFERRAL,
        ),
        (spec.requested(), POLICE, cmd.EndServices(scope=EndScope.ALL), REFERRAL),
        (spec.requested(), SHELTER, cmd.RecordRead(reader=BASIS, purpose="supervise"), REFERRAL),
        (spec.requested(), SHELTER, cmd.OpenReferral(), REFERRAL),
        (spec.accepted(), SHELTER, cmd.ExtendPlaceHold(place_held_until=T0 + HOUR), REFERRAL),
        (spec.accepted(), SHELTER, cmd.PauseService(code="waiting_intake"), REFERRAL),
        (spec.accepted(), POLICE, cmd.VoidReferral(code="double_entry"), REFERRAL),
        ((), COORDINATION, cmd.AdmitAgency(member="hospital"), REFERRAL),
        ((), SHELTER, cmd.RetireKey(key=spec.key_of(SHELTER).id), REFERRAL),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, cmd.Command) else "",
)
def test_a_command_makes_its_event(history: tuple[Sent, ...], by: str, command: cmd.Command, about: UUID) -> None:
    made = given(*history).when(by, command, about)
    assert made.refusal is None
    assert isinstance(made.new[0].event.data, command.makes)
    assert made.new[0].verdict.is_effective


def test_a_basis_is_approved_and_an_escalation_answered_by_their_ids() -> None:
    basis = spec.release(
        ReleasePurpose.CASE_MANAGEMENT,
        to=CSW,
        kind=BasisKind.IMMINENT_DANGER,
        rule=LegalRule.DOMESTIC_VIOLENCE_LAW,
        approver_role=ApproverRole.DUTY_OFFICER,
        approval_due_at=T0 + HOUR,
        survivor_informed=SurvivorInformed.YES,
    )
    record = given(spec.opened(), spec.released(basis)).record
    record.miss(DeadlineStep.BASIS_APPROVED)
    (reference,) = record.escalations
    answered = spec.Given(record).when(
        COORDINATION, cmd.AcknowledgeEscalation(action="no_action_needed"), about=reference
    )
    assert [entry.verdict.is_effective for entry in answered.new] == [True, True]
    approve = cmd.ApproveBasis(approver_role=ApproverRole.UNIT_HEAD)
    spec.Given(record).when(POLICE, approve, about=BASIS).then(c.BasisApproved)


# Policies


def _reactions(policies: Iterable[Policy], known: Situation, me: str) -> list[bytes]:
    return [encode(event) for event in reactions(policies, known, spec.source(me))[0]]


def test_delivery_is_reported_once_by_the_target_alone() -> None:
    record = given(spec.requested()).record
    known = spec.side(SHELTER, record).known
    events, after = reactions((CONFIRM_DELIVERY,), known, spec.source(SHELTER))
    assert [type(event.data) for event in events] == [r.ReferralDelivered]
    assert reactions((CONFIRM_DELIVERY,), after, spec.source(SHELTER)) == ((), after)
    assert _reactions((CONFIRM_DELIVERY,), spec.side(POLICE, record).known, POLICE) == []


def test_a_reaction_is_the_same_bytes_after_a_node_was_rebuilt_later() -> None:
    record = given(spec.requested()).record
    before = _reactions((CONFIRM_DELIVERY,), spec.side(SHELTER, record).known, SHELTER)
    record.send(Sent(SHELTER, r.ReferralOpened(referral=REFERRAL), after=DAY))
    again = spec.side(SHELTER, record, redelivered=(0, 1))
    assert _reactions((CONFIRM_DELIVERY,), again.known, SHELTER) == before


def _accept_and_start(known: Situation, me: str) -> Iterator[Reaction]:
    for referral in known.case.referrals.values() if known.case is not None else ():
        cause = Cause(referral.id, referral.requested_at)
        yield Reaction(cause, r.ReferralAccepted(referral=referral.id))
        yield Reaction(cause, r.ReferralStarted(referral=referral.id, kind=StartKind.ARRIVAL))
        yield Reaction(cause, r.ReferralResumed(referral=referral.id))


def test_a_policy_builds_on_its_own_earlier_reaction_and_keeps_silent_where_nothing_would_change() -> None:
    known = spec.side(SHELTER, given(spec.requested()).record).known
    policy = Policy(900, "Accept and start in one go.", _accept_and_start)
    events, after = reactions((policy,), known, spec.source(SHELTER))
    assert [type(event.data) for event in events] == [r.ReferralAccepted, r.ReferralStarted]
    assert after.case is not None
    assert after.case.referrals[REFERRAL].state is State.IN_PROGRESS
    assert len({event.id for event in events}) == 2


def test_two_policies_never_share_an_id() -> None:
    known = spec.side(SHELTER, given(spec.requested()).record).known
    first, second = (reactions((Policy(n, "", _accept_and_start),), known, spec.source(SHELTER))[0] for n in (901, 902))
    assert {event.id for event in first}.isdisjoint({event.id for event in second})
