"""Deadlines: which step is awaited, when it opens and closes, and the consequences of a miss."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from handoff.domain.consequences import deadline_missed
from handoff.domain.deadlines import open_steps
from handoff.record.codec import encode
from handoff.record.codes import (
    AcknowledgementAction,
    CaseService,
    DeadlineStep,
    HoldCode,
    RejectionCode,
    ReleasePurpose,
    ServiceOutcome,
    StartKind,
    Urgency,
)
from handoff.record.events import Body
from handoff.record.events import deadline as dl
from handoff.record.events import directory as d
from handoff.record.events import referral as r
from tests.support.dsl import spec
from tests.support.dsl.spec import (
    CASE,
    COORDINATION,
    CSW,
    DAY,
    EXCHANGE,
    HOUR,
    LAWYER,
    MINUTE,
    POLICE,
    REFERRAL,
    SECOND,
    SHELTER,
    SHELTER_B,
    T0,
    Record,
    Sent,
    given,
    nth_id,
)

OTHER = nth_id(3)
deliver = r.ReferralDelivered(referral=REFERRAL)
open_it = r.ReferralOpened(referral=REFERRAL)
accept = r.ReferralAccepted(referral=REFERRAL)
full = r.ReferralRejected(referral=REFERRAL, code=RejectionCode.UNITS_FULL)
pause = r.ReferralPaused(referral=REFERRAL, code=HoldCode.WAITING_INTAKE)
resume = r.ReferralResumed(referral=REFERRAL)
ask_to_stop = r.CancellationRequested(referral=REFERRAL)
elsewhere = Sent(POLICE, spec.request(target=SHELTER_B, referral=OTHER))
redirect = Sent(POLICE, r.ReferralRedirected(referral=REFERRAL, next=OTHER))


def held(hours: int) -> Sent:
    return Sent(SHELTER, r.ReferralAccepted(referral=REFERRAL, place_held_until=T0 + hours * HOUR))


def service(kind: CaseService, at: str, purpose: ReleasePurpose, *bodies: Body) -> tuple[Sent, ...]:
    return (spec.opened(), *spec.another(kind, at, purpose), *(Sent(at, body) for body in bodies))


# When a step opens and closes

LADDER: tuple[tuple[str, tuple[Sent, ...], dict[DeadlineStep, timedelta]], ...] = (
    ("asked", spec.requested(), {DeadlineStep.DELIVERED: 2 * MINUTE}),
    (
        "delivered",
        (*spec.requested(), Sent(SHELTER, deliver)),
        {DeadlineStep.OPENED: 5 * MINUTE, DeadlineStep.ANSWERED: HOUR},
    ),
    (
        "seen by a person",
        (*spec.requested(), Sent(SHELTER, deliver), Sent(SHELTER, open_it)),
        {DeadlineStep.ANSWERED: HOUR},
    ),
    ("accepted", spec.accepted(), {DeadlineStep.ARRIVAL: 3 * HOUR}),
    ("accepted, a place held", (*spec.requested(), held(5)), {DeadlineStep.ARRIVAL: 5 * HOUR - 4 * SECOND}),
    ("arrived", spec.started(), {}),
    ("paused", (*spec.started(), Sent(SHELTER, pause)), {DeadlineStep.REVIEW: 7 * DAY}),
    ("resumed", (*spec.started(), Sent(SHELTER, pause), Sent(SHELTER, resume)), {}),
    ("asked to stop", (*spec.started(), Sent(POLICE, ask_to_stop)), {DeadlineStep.CANCELLATION_ANSWERED: DAY}),
    (
        "goes on",
        (*spec.started(), Sent(POLICE, ask_to_stop), Sent(SHELTER, r.CancellationDeclined(referral=REFERRAL))),
        {},
    ),
    (
        "stopped",
        (*spec.started(), Sent(POLICE, ask_to_stop), Sent(SHELTER, r.ReferralCancelled(referral=REFERRAL))),
        {},
    ),
    ("no place", (*spec.requested(), Sent(SHELTER, full)), {DeadlineStep.NEXT_REFERRAL: HOUR}),
    (
        "she declined",
        (*spec.requested(), Sent(SHELTER, r.ReferralRejected(referral=REFERRAL, code="survivor_declined"))),
        {},
    ),
    (
        "no place, another asked",
        (*spec.requested(), Sent(SHELTER, full), elsewhere, redirect),
        {DeadlineStep.DELIVERED: 2 * MINUTE},
    ),
    (
        "CSW accepted",
        service(CaseService.CASE_MANAGEMENT, CSW, ReleasePurpose.CASE_MANAGEMENT, r.ReferralAccepted(referral=OTHER)),
        {DeadlineStep.FIRST_CONTACT: DAY},
    ),
    (
        "benefit asked",
        service(CaseService.BENEFIT_CONTINUITY, CSW, ReleasePurpose.BENEFIT_CONTINUITY),
        {DeadlineStep.DELIVERED: HOUR, DeadlineStep.BENEFIT_DECIDED: 7 * DAY},
    ),
    (
        "benefit decided",
        service(
            CaseService.BENEFIT_CONTINUITY,
            CSW,
            ReleasePurpose.BENEFIT_CONTINUITY,
            r.ReferralAccepted(referral=OTHER),
            r.ReferralStarted(referral=OTHER, kind=StartKind.WORK_BEGUN),
            r.ReferralCompleted(referral=OTHER, outcome=ServiceOutcome.REINSTATED),
        ),
        {},
    ),
    (
        "petition for an order",
        service(
            CaseService.PROTECTION_ORDER,
            LAWYER,
            ReleasePurpose.LEGAL_REPRESENTATION,
            r.ReferralAccepted(referral=OTHER),
            r.ReferralStarted(referral=OTHER, kind=StartKind.WORK_BEGUN),
        ),
        {DeadlineStep.ORDER_DECIDED: DAY},
    ),
    (
        "follow-up in a month",
        (
            spec.opened(),
            *spec.another(CaseService.FOLLOW_UP, CSW, ReleasePurpose.FOLLOW_UP_CONTACT, due_at=T0 + 30 * DAY),
            Sent(CSW, r.ReferralAccepted(referral=OTHER)),
        ),
        {DeadlineStep.FOLLOW_UP: 30 * DAY - 3 * SECOND},
    ),
)


@pytest.mark.parametrize(("history", "awaited"), [row[1:] for row in LADDER], ids=[row[0] for row in LADDER])
def test_a_step_is_awaited_from_its_cause_to_its_answer(
    history: tuple[Sent, ...], awaited: dict[DeadlineStep, timedelta]
) -> None:
    assert given(history).record.steps() == awaited


def test_new_deadlines_hold_for_steps_that_begin_after_them() -> None:
    shorter = d.Deadline(step=DeadlineStep.ARRIVAL, amount=60, source="assumed")
    record = given(spec.accepted(), Sent(COORDINATION, d.DeadlinesPublished(deadlines=(shorter,)))).record
    assert record.steps() == {DeadlineStep.ARRIVAL: 3 * HOUR}
    given_before = given(spec.requested(), Sent(COORDINATION, d.DeadlinesPublished(deadlines=(shorter,)))).record
    spec.Given(given_before).when(SHELTER, accept)
    assert given_before.steps() == {DeadlineStep.ARRIVAL: MINUTE}


def test_a_step_without_a_deadline_is_not_awaited() -> None:
    nothing = Sent(COORDINATION, d.DeadlinesPublished(deadlines=()))
    assert given(nothing, spec.requested()).record.steps() == {}


def test_the_first_deadline_that_fits_counts() -> None:
    asked = service(CaseService.LEGAL_AID, LAWYER, ReleasePurpose.LEGAL_REPRESENTATION)
    assert given(asked).record.steps() == {DeadlineStep.DELIVERED: HOUR}
    of_legal_aid = d.Deadline(step=DeadlineStep.DELIVERED, amount=5, service=CaseService.LEGAL_AID, source="assumed")
    first = Sent(COORDINATION, d.DeadlinesPublished(deadlines=(of_legal_aid, *spec.DEADLINES)))
    assert given(first, asked).record.steps() == {DeadlineStep.DELIVERED: 5 * SECOND}
    assert given(first, spec.requested()).record.steps() == {DeadlineStep.DELIVERED: 2 * MINUTE}


# A miss


def _missed(record: Record, name: DeadlineStep) -> dl.DeadlineMissed:
    holder, step = record.step(name)
    return dl.DeadlineMissed.model_validate(deadline_missed(record.known(), holder, step, attempt=0).data)


def test_a_step_is_missed_once_by_the_exchange_and_only_when_it_is_late() -> None:
    record = given(spec.requested()).record
    reported_early = _missed(record, DeadlineStep.DELIVERED)
    spec.Given(record).when(EXCHANGE, reported_early).then_ineffective("too_early")
    spec.Given(record).when(SHELTER, reported_early, after=DAY).then_ineffective("wrong_emitter")
    spec.Given(record).when(EXCHANGE, reported_early).then(dl.DeadlineMissed, dl.DeadlineEscalated)
    spec.Given(record).when(EXCHANGE, reported_early).then_ineffective("already")
    assert DeadlineStep.DELIVERED not in record.steps()


def test_a_miss_on_the_very_second_counts() -> None:
    assert given(spec.requested()).record.miss(DeadlineStep.DELIVERED, late=timedelta()).verdict.is_effective


def test_a_step_done_in_time_is_not_missed() -> None:
    record = given(spec.requested()).record
    reported_early = _missed(record, DeadlineStep.DELIVERED)
    spec.Given(record).when(SHELTER, deliver)
    spec.Given(record).when(EXCHANGE, reported_early, after=DAY).then_ineffective("requested")
    gone = reported_early.model_copy(update={"referral": nth_id(70)})
    spec.Given(record).when(EXCHANGE, gone).then_ineffective("absent")


def test_a_step_done_late_stays_missed() -> None:
    record = given(spec.requested()).record
    record.miss(DeadlineStep.DELIVERED)
    spec.Given(record).when(SHELTER, deliver).then(r.ReferralDelivered, dl.EscalationEnded)
    assert set(record.steps()) == {DeadlineStep.OPENED, DeadlineStep.ANSWERED}


def test_a_timer_that_was_early_is_sent_again_under_another_id() -> None:
    record = given(spec.requested()).record
    holder, step = record.step(DeadlineStep.DELIVERED)
    first, second = (deadline_missed(record.known(), holder, step, attempt) for attempt in (0, 1))
    assert first.id != second.id
    assert not record.append(first).verdict.is_effective
    record.now = step.due_at
    assert record.append(second).verdict.is_effective


def test_a_place_that_is_held_longer_is_late_only_after_the_new_time_and_under_another_id() -> None:
    record = given(spec.requested(), held(3)).record
    holder, step = record.step(DeadlineStep.ARRIVAL)
    of_the_old_time = deadline_missed(record.known(), holder, step, attempt=0)
    longer = r.PlaceHoldExtended(referral=REFERRAL, place_held_until=T0 + 6 * HOUR)
    spec.Given(record).when(SHELTER, longer)
    record.now = T0 + 3 * HOUR + 2 * SECOND
    assert record.append(of_the_old_time).verdict.reason == "accepted"
    late = record.miss(DeadlineStep.ARRIVAL)
    assert late.verdict.is_effective
    assert late.at >= T0 + 6 * HOUR


def test_a_place_that_was_already_missed_is_not_missed_again_when_it_is_held_longer() -> None:
    record = given(spec.requested(), held(3)).record
    record.miss(DeadlineStep.ARRIVAL)
    longer = r.PlaceHoldExtended(referral=REFERRAL, place_held_until=T0 + 6 * HOUR)
    spec.Given(record).when(SHELTER, longer).then(r.PlaceHoldExtended)
    assert DeadlineStep.ARRIVAL not in record.steps()


def test_each_pause_has_its_own_review_and_each_question_its_own_answer() -> None:
    record = given(spec.started(), Sent(SHELTER, pause)).record
    record.miss(DeadlineStep.REVIEW)
    spec.Given(record).when(SHELTER, resume)
    spec.Given(record).when(SHELTER, pause)
    assert record.miss(DeadlineStep.REVIEW).verdict.is_effective


def test_a_timer_event_has_the_same_bytes_whenever_it_is_due() -> None:
    record = given(spec.requested()).record
    holder, step = record.step(DeadlineStep.DELIVERED)
    early = encode(deadline_missed(record.known(), holder, step, 0))
    record.now += DAY
    assert encode(deadline_missed(record.known(), holder, step, 0)) == early


# Recipients


@pytest.mark.parametrize(
    ("history", "step", "hear", "owes"),
    [
        (spec.requested(), DeadlineStep.DELIVERED, {POLICE, SHELTER}, SHELTER),
        (spec.accepted(), DeadlineStep.ARRIVAL, {POLICE, SHELTER}, POLICE),
        (
            (*spec.started(), Sent(POLICE, ask_to_stop)),
            DeadlineStep.CANCELLATION_ANSWERED,
            {POLICE, SHELTER},
            SHELTER,
        ),
        ((*spec.requested(), Sent(SHELTER, full)), DeadlineStep.NEXT_REFERRAL, {POLICE}, POLICE),
    ],
)
def test_a_missed_deadline_is_routed_to_the_waiting_and_the_owing_member(
    history: tuple[Sent, ...], step: DeadlineStep, hear: set[str], owes: str
) -> None:
    record = given(history).record
    assert record.miss(step).recipients == hear
    assert record.entries[-1].event.data.member == owes


def test_an_escalation_reaches_the_coordinator_alone_and_names_no_case() -> None:
    record = given(spec.requested()).record
    missed = record.miss(DeadlineStep.DELIVERED, late=10 * SECOND)
    escalated = record.entries[-1]
    assert escalated.recipients == {COORDINATION}
    assert escalated.event.subject == f"{spec.JURISDICTION}/status"
    body = escalated.event.data
    assert (body.member, body.service, body.step, body.age_seconds) == (SHELTER, CaseService.SHELTER, "delivered", 130)
    wire = encode(escalated.event).decode()
    for secret in (CASE, REFERRAL, missed.event.id, spec.BASIS):
        assert str(secret) not in wire


def test_the_coordinators_answer_comes_back_into_the_case_and_its_action_with_it() -> None:
    record = given(spec.requested()).record
    missed = record.miss(DeadlineStep.DELIVERED)
    reference = record.entries[-1].event.data.reference
    answer = dl.EscalationAcknowledged(reference=reference, action=AcknowledgementAction.CALLED_AGENCY)
    spec.Given(record).when(SHELTER, answer).then_ineffective("wrong_emitter")
    answered = spec.Given(record).when(COORDINATION, answer)
    answered.then(dl.EscalationAcknowledged, dl.DeadlineAcknowledged)
    reported_early, acknowledged = answered.new
    assert reported_early.recipients == {COORDINATION}
    assert acknowledged.recipients == missed.recipients
    assert acknowledged.event.subject == str(CASE)
    assert acknowledged.event.data.action is AcknowledgementAction.CALLED_AGENCY
    assert record.escalations == {}
    assert record.overdue == {reference: None}
    spec.Given(record).when(COORDINATION, answer).then_ineffective("absent")


def test_two_misses_of_one_step_are_each_acknowledged() -> None:
    record = given(spec.started(), Sent(SHELTER, pause)).record
    for change in (resume, pause):
        record.miss(DeadlineStep.REVIEW) if change is resume else None
        spec.Given(record).when(SHELTER, change)
    record.miss(DeadlineStep.REVIEW)
    for reference in tuple(record.escalations):
        answer = dl.EscalationAcknowledged(reference=reference, action=AcknowledgementAction.REASSIGNED)
        spec.Given(record).when(COORDINATION, answer).then(dl.EscalationAcknowledged, dl.DeadlineAcknowledged)


def test_only_the_exchange_escalates_or_acknowledges_in_a_case() -> None:
    escalated = dl.DeadlineEscalated(reference=nth_id(50), member=SHELTER, step=DeadlineStep.ANSWERED, age_seconds=1)
    acknowledged = dl.DeadlineAcknowledged(
        step=DeadlineStep.ANSWERED, since=spec.T0, referral=REFERRAL, action=AcknowledgementAction.NO_ACTION_NEEDED
    )
    for body in (escalated, acknowledged):
        given(spec.requested()).when(POLICE, body).then_ineffective("wrong_emitter")
    given(spec.requested()).when(EXCHANGE, escalated).then(dl.DeadlineEscalated)
    given(Sent(EXCHANGE, escalated)).when(EXCHANGE, escalated).then_ineffective("already")


def test_urgency_decides_how_soon_an_answer_is_due() -> None:
    for urgency, due in ((Urgency.EMERGENCY, HOUR), (Urgency.LOW, 3 * DAY)):
        asked = Sent(POLICE, spec.request(urgency=urgency))
        record = given(spec.opened(), spec.released(), asked, Sent(SHELTER, deliver)).record
        assert record.steps()[DeadlineStep.ANSWERED] == due
        assert len(list(open_steps(record.case()))) == (2 if urgency is Urgency.EMERGENCY else 1)


def test_a_step_keeps_the_holds_of_the_deadline_under_which_it_began() -> None:
    """Later deadlines with other holds apply to later steps."""
    rule = d.Deadline(step=DeadlineStep.ARRIVAL, amount=60, paused_by=("survivor_request",), source="assumed")
    record = given(Sent(COORDINATION, d.DeadlinesPublished(deadlines=(rule,))), spec.accepted()).record
    record.send(Sent(COORDINATION, d.DeadlinesPublished(deadlines=(rule.model_copy(update={"paused_by": ()}),))))
    record.send(Sent(SHELTER, r.ReferralPaused(referral=REFERRAL, code=HoldCode.SURVIVOR_REQUEST)))
    assert record.steps().keys() == set()
    record.send(Sent(SHELTER, resume, 10 * DAY))
    assert record.step(DeadlineStep.ARRIVAL)[1].due_at - record.now == MINUTE - 2 * SECOND


@pytest.mark.parametrize(
    "terms",
    [
        {"amount": 60, "source": "law", "paused_by": ("survivor_request",)},
        {"step": "review", "amount": 60, "source": "assumed", "paused_by": ("survivor_request",)},
        {"amount": 1, "source": "assumed", "unit": "working_days", "calendar": "always"},
        {"amount": 367, "source": "assumed", "unit": "working_days"},
        {"amount": 366 * 86_400 + 1, "source": "assumed"},
    ],
    ids=[
        "a hold that stops a clock by law",
        "a hold that stops its own review",
        "working days of a calendar without holidays",
        "more than a year of working days",
        "more than a year",
    ],
)
def test_a_deadline_that_no_one_may_publish_is_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        d.Deadline(**{"step": DeadlineStep.ARRIVAL, **terms})
