"""Escalations: opened by a miss, ended by the step, by an acknowledgement or by the referral's end; repeated once."""

from datetime import UTC, datetime, timedelta

import pytest

from handoff.record.codes import (
    AcknowledgementAction,
    CaseService,
    DeadlineStep,
    EscalationEnd,
    HoldCode,
    ReleasePurpose,
    Urgency,
    VoidCode,
)
from handoff.record.events import deadline as dl
from handoff.record.events import referral as r
from tests.support.dsl import spec
from tests.support.dsl.spec import (
    COORDINATION,
    CSW,
    DAY,
    HOUR,
    POLICE,
    REFERRAL,
    SHELTER,
    Record,
    Sent,
    given,
    nth_id,
    side,
)

DELIVERED, ACKNOWLEDGED = DeadlineStep.DELIVERED, DeadlineStep.ACKNOWLEDGED
deliver = r.ReferralDelivered(referral=REFERRAL)
void = r.ReferralVoided(referral=REFERRAL, code=VoidCode.WRONG_CASE)


def late() -> Record:
    """A request of urgency emergency that was not delivered in time."""
    record = given(spec.requested()).record
    record.miss(DELIVERED)
    return record


def ended(record: Record) -> list[EscalationEnd]:
    """Reasons of the ended escalations, in order."""
    bodies = (entry.event.data for entry in record.entries if entry.verdict.is_effective)
    return [body.reason for body in bodies if isinstance(body, dl.EscalationEnded)]


def acknowledge(record: Record) -> None:
    """The coordinator acknowledges the oldest escalation."""
    reference = next(iter(record.escalations))
    answer = dl.EscalationAcknowledged(reference=reference, action=AcknowledgementAction.CALLED_AGENCY)
    spec.Given(record).when(COORDINATION, answer)


def test_an_escalation_has_urgency_service_member_and_times() -> None:
    record = late()
    [escalation] = record.escalations.values()
    referral = record.referral()
    assert (escalation.urgency, escalation.service, escalation.member) == (
        Urgency.EMERGENCY,
        CaseService.SHELTER,
        SHELTER,
    )
    assert (escalation.since, escalation.due_at) == (referral.requested_at, referral.steps[0].due_at)


@pytest.mark.parametrize(
    ("event", "reason"),
    [(Sent(SHELTER, deliver), EscalationEnd.STEP_DONE), (Sent(POLICE, void), EscalationEnd.REFERRAL_ENDED)],
    ids=["the step is done late", "the referral ends"],
)
def test_an_escalation_ends_without_an_acknowledgement(event: Sent, reason: EscalationEnd) -> None:
    """The exchange records it, and the coordinator alone receives it. No second escalation follows."""
    record = late()
    record.send(event)
    assert (record.escalations, ended(record)) == ({}, [reason])
    assert record.entries[-1].recipients == {COORDINATION}
    assert ACKNOWLEDGED not in record.steps()


def test_an_acknowledged_escalation_does_not_end_again() -> None:
    record = late()
    acknowledge(record)
    record.send(Sent(SHELTER, deliver))
    assert (record.escalations, ended(record)) == ({}, [])


def test_without_an_acknowledgement_it_escalates_once_more_and_never_again() -> None:
    """The second escalation names the first one and the coordinator; no step of hers follows it."""
    record = late()
    [first] = record.escalations
    assert record.miss(ACKNOWLEDGED).verdict.is_effective
    _, second = record.escalations.values()
    assert (second.member, second.step, second.repeats) == (COORDINATION, ACKNOWLEDGED, first)
    assert ACKNOWLEDGED not in record.steps()


def test_a_late_step_that_is_done_ends_both_escalations() -> None:
    record = late()
    record.miss(ACKNOWLEDGED)
    record.send(Sent(SHELTER, deliver))
    assert (record.escalations, ended(record)) == ({}, [EscalationEnd.STEP_DONE] * 2)


def test_a_late_acknowledgement_ends_the_second_escalation() -> None:
    record = late()
    record.miss(ACKNOWLEDGED)
    acknowledge(record)
    assert (record.escalations, ended(record)) == ({}, [EscalationEnd.STEP_DONE])


@pytest.mark.parametrize("hold", [HOUR, 10 * DAY])
def test_a_missed_step_stays_missed_once_after_holds(hold: timedelta) -> None:
    """First contact is missed; two holds and resumptions later, the same miss is recorded once."""
    asked = spec.another(CaseService.CASE_MANAGEMENT, CSW, ReleasePurpose.CASE_MANAGEMENT)
    managed = nth_id(3)
    record = given(spec.opened(), *asked, Sent(CSW, r.ReferralAccepted(referral=managed))).record
    record.miss(DeadlineStep.FIRST_CONTACT)
    for _ in range(2):
        record.send(Sent(CSW, r.ReferralPaused(referral=managed, code=HoldCode.SURVIVOR_REQUEST), HOUR))
        record.send(Sent(CSW, r.ReferralResumed(referral=managed), hold))
        assert DeadlineStep.FIRST_CONTACT not in record.steps()
    misses = [e for e in record.entries if isinstance(e.event.data, dl.DeadlineMissed) and e.verdict.is_effective]
    assert [miss.event.data.step for miss in misses] == [DeadlineStep.FIRST_CONTACT]
    assert len(record.escalations) == 1


def test_both_sides_fold_the_same_steps() -> None:
    """Misses, the coordinator's step and acknowledgements reach source and target alike."""
    record = late()
    record.miss(ACKNOWLEDGED)
    acknowledge(record)
    sides = [side(member, record).referrals[REFERRAL].steps for member in (POLICE, SHELTER)]
    assert sides == [record.referral().steps] * 2


def escalated_at(moment: datetime, urgency: Urgency) -> Record:
    """A delivery that is missed at that time."""
    record = Record()
    record.now = moment - 2 * HOUR
    record.send(spec.opened(), spec.released(), Sent(POLICE, spec.request(urgency=urgency)))
    record.miss(DELIVERED, late=moment - record.step(DELIVERED)[1].due_at)
    return record


@pytest.mark.parametrize("urgency", [Urgency.EMERGENCY, Urgency.HIGH])
def test_a_page_waits_for_working_hours_unless_it_is_an_emergency(urgency: Urgency) -> None:
    """At half past nine on a Saturday evening, the coordinator is paged on Monday at eight, local time."""
    saturday, monday = datetime(2026, 1, 17, 20, 30, tzinfo=UTC), datetime(2026, 1, 19, 7, tzinfo=UTC)
    [escalation] = escalated_at(saturday, urgency).escalations.values()
    quick = urgency is Urgency.EMERGENCY
    assert escalation.notify_at == (saturday if quick else monday)
    assert escalation.acknowledge_by == (saturday if quick else monday) + 4 * HOUR
