"""Waits of a case as an auditor sees them: holders, requests, late steps, and reads."""

from datetime import timedelta

import pytest

from handoff.domain.handoff_clock import Segment
from handoff.record.codes import (
    AcknowledgementAction,
    CaseService,
    DeadlineStep,
    EndScope,
    FailureCode,
    OfferAnswer,
    ReadPurpose,
    RejectionCode,
    ReleasePurpose,
    StartKind,
    State,
)
from handoff.record.events import case as c
from handoff.record.events import deadline as dl
from handoff.record.events import referral as r
from handoff.record.events.deadline import EscalationAcknowledged
from handoff.views.replay.as_of import AsOf, InstitutionThen, as_of
from handoff.views.replay.chain import chain
from handoff.views.replay.diff import diff
from handoff.views.replay.missed import MissedRow, RestsOn, missed
from handoff.views.replay.reads import reads
from handoff.views.replay.refused import QuestionRefused
from handoff.views.replay.waits import WaitRow, waits
from tests.support.dsl import spec
from tests.support.dsl.spec import (
    AUDIT,
    COORDINATION,
    HOUR,
    LAWYER,
    MINUTE,
    POLICE,
    REFERRAL,
    SECOND,
    SHELTER,
    SHELTER_B,
    Record,
    Sent,
    given,
    nth_id,
)
from tests.support.parts.replayed import replayed

NEXT = nth_id(3)
DELIVERED = Sent(SHELTER, r.ReferralDelivered(referral=REFERRAL), 10 * SECOND)
OPENED = Sent(SHELTER, r.ReferralOpened(referral=REFERRAL), 4 * MINUTE)
ACCEPTED = Sent(SHELTER, r.ReferralAccepted(referral=REFERRAL), 6 * MINUTE)
REFUSED = Sent(SHELTER, r.ReferralRejected(referral=REFERRAL, code=RejectionCode.UNITS_FULL), 6 * MINUTE)


def part(answer: AsOf, agency: str) -> InstitutionThen:
    return next(row for row in answer.rows if row.agency == agency)


def types(lines: tuple[object, ...]) -> list[str]:
    return [getattr(line, "type", "") for line in lines]


def test_as_of_distinguishes_delivery_to_a_machine_from_opening_by_a_person() -> None:
    """After the receipt and before the opening, the request is delivered and unopened."""
    record = given(spec.requested(), DELIVERED, OPENED).record
    delivered_at = record.entries[-2].at
    shelter = part(as_of(replayed(record), delivered_at), SHELTER)
    assert [(reached.referral, reached.at) for reached in shelter.delivered] == [(REFERRAL, delivered_at)]
    assert (shelter.opened, shelter.notable) == ((), True)
    assert types(shelter.recorded) == ["referral.delivered.v1"]
    assert types(shelter.routed) == ["referral.requested.v1"]
    assert [referral.state for referral in shelter.referrals] == [State.REQUESTED]
    assert not part(as_of(replayed(record), record.now), SHELTER).notable
    answered = given(spec.requested(), DELIVERED, ACCEPTED).record
    assert not part(as_of(replayed(answered), answered.now), SHELTER).notable


def test_as_of_shows_no_institution_what_went_to_another() -> None:
    """The lawyer and the shelter of one case have nothing of each other's."""
    lawyer = spec.another(CaseService.LEGAL_AID, LAWYER, ReleasePurpose.LEGAL_REPRESENTATION)
    record = given(spec.requested(), lawyer, DELIVERED).record
    answer = as_of(replayed(record), record.now)
    assert [row.agency for row in answer.rows] == [LAWYER, POLICE, SHELTER]
    assert {referral.referral for referral in part(answer, LAWYER).referrals} == {NEXT}
    assert {line.referral for line in part(answer, SHELTER).routed} == {REFERRAL}
    assert [row.agency for row in answer.of(LAWYER).rows] == [LAWYER]


def test_as_of_a_moment_before_the_case_is_empty() -> None:
    record = given(spec.requested()).record
    answer = as_of(replayed(record), spec.T0 - HOUR)
    assert (answer.position, answer.opener, answer.rows) == (None, None, ())


def test_diff_lists_entries_between_the_moments_and_changed_states() -> None:
    """The acceptance after the first moment, nothing before it."""
    record = given(spec.requested(), DELIVERED, OPENED, ACCEPTED).record
    found = diff(replayed(record), record.entries[-2].at, record.now)
    assert [(row.entry.type, row.state_before, row.state_after) for row in found.rows] == [
        ("referral.accepted.v1", State.REQUESTED, State.ACCEPTED)
    ]
    assert [(moved.referral, moved.before, moved.after) for moved in found.moved] == [
        (REFERRAL, State.REQUESTED, State.ACCEPTED)
    ]
    assert (found.of(LAWYER).rows, found.of(LAWYER).moved) == ((), ())


def test_diff_of_moments_in_the_wrong_order_is_refused() -> None:
    record = given(spec.requested()).record
    with pytest.raises(QuestionRefused) as refused:
        diff(replayed(record), record.now, record.now - HOUR)
    assert refused.value.field == "from"


def test_waits_name_the_segment_its_length_and_the_owing_member() -> None:
    """Ten seconds of machines, four minutes unseen, six of deciding; the arrival is waited for still."""
    record = given(spec.requested(), DELIVERED, OPENED, ACCEPTED).record
    answer = waits(replayed(record), record.now + HOUR)
    assert [(row.segment, row.seconds, row.waited_for, row.ended) for row in answer.rows] == [
        (Segment.TRANSPORT, 10, None, True),
        (Segment.UNSEEN, 240, SHELTER, True),
        (Segment.DECIDING, 360, SHELTER, True),
        (Segment.ACTING, 3600, POLICE, False),
    ]
    assert [row.segment for row in answer.rows if row.notable] == [Segment.ACTING]


def test_waits_that_a_withdrawal_cut_short_are_over_and_not_ended() -> None:
    withdrawn = Sent(POLICE, c.ReleaseWithdrawn(scope=EndScope.ALL), MINUTE)
    record = given(spec.requested(), DELIVERED, withdrawn).record
    row: WaitRow = waits(replayed(record), record.now + HOUR).rows[-1]
    assert (row.segment, row.seconds, row.ended, row.notable) == (Segment.UNSEEN, 60, False, False)


def test_chain_counts_the_time_without_an_open_request() -> None:
    """Refused by one shelter, forty minutes pass until the next is asked; the chain's clock never stops."""
    offered = c.Offer(service=CaseService.SHELTER, answer=OfferAnswer.ACCEPTED)
    opening = c.CaseOpened(entry_point="police_call", reporting_delay="unknown", offered=(offered,))
    asked_next = Sent(POLICE, spec.request(target=SHELTER_B, referral=NEXT), 40 * MINUTE)
    redirected = Sent(POLICE, r.ReferralRedirected(referral=REFERRAL, next=NEXT), 0 * SECOND)
    story = (Sent(POLICE, opening), *spec.requested()[1:], REFUSED, asked_next, redirected)
    record = given(story).record
    answer = chain(replayed(record), record.now)
    assert [(row.hop, row.target, row.code, row.gap_seconds, row.chain_seconds) for row in answer.rows] == [
        (0, SHELTER, RejectionCode.UNITS_FULL, None, 360),
        (1, SHELTER_B, None, 2400, 2760),
    ]
    assert {row.root for row in answer.rows} == {REFERRAL}
    assert [(offer.service, offer.seconds_until_asked) for offer in answer.offers] == [(CaseService.SHELTER, 2)]


def test_chain_notes_a_refusal_without_a_following_request() -> None:
    record = given(spec.requested(), REFUSED).record
    (row,) = chain(replayed(record), record.now + HOUR).rows
    assert (row.notable, row.idle_seconds) == (True, 3600)


def _late() -> Record:
    record = given(spec.requested(), DELIVERED).record
    record.miss(DeadlineStep.OPENED)
    return record


def _missed_opening(record: Record) -> MissedRow:
    rows = missed(replayed(record), record.now).rows
    return next(row for row in rows if row.step is DeadlineStep.OPENED)


def test_missed_follows_a_late_step_from_its_deadline_to_the_coordinator_s_answer() -> None:
    """Due after five minutes by an assumed deadline, reported two seconds later, escalated, answered, then opened."""
    record = _late()
    assert _missed_opening(record).notable
    escalated = next(entry for entry in record.entries if isinstance(entry.event.data, dl.DeadlineEscalated))
    called = AcknowledgementAction.CALLED_AGENCY
    answered = EscalationAcknowledged(reference=escalated.event.data.reference, action=called)
    record.send(Sent(COORDINATION, answered, 10 * MINUTE), OPENED)
    row = _missed_opening(record)
    assert (row.owes, row.rests_on, row.due_at - row.since) == (SHELTER, RestsOn.ASSUMED, 5 * MINUTE)
    assert (row.reported_at, row.escalated_at) == (row.due_at + 2 * SECOND, row.due_at + 2 * SECOND)
    assert (row.acknowledged_at, row.action) == (row.due_at + 10 * MINUTE + 2 * SECOND, called)
    assert row.over_at == record.now
    assert row.late_seconds == (14 * MINUTE + 2 * SECOND).total_seconds()
    assert not row.notable


def test_missed_distinguishes_an_agreed_time_from_a_published_one() -> None:
    """A place that is held until an hour from now is due then, regardless of the deadline."""
    held = r.ReferralAccepted(referral=REFERRAL, place_held_until=spec.T0 + HOUR)
    record = given(spec.requested(), Sent(SHELTER, held)).record
    record.miss(DeadlineStep.ARRIVAL)
    row = missed(replayed(record), record.now).rows[-1]
    assert (row.step, row.rests_on, row.owes) == (DeadlineStep.ARRIVAL, RestsOn.AGREED, POLICE)


def test_missed_shows_a_late_step_without_a_deadline_event() -> None:
    """A stopped exchange hides no deadline."""
    record = given(spec.requested()).record
    (row,) = missed(replayed(record), record.now + HOUR).rows
    assert (row.step, row.reported_at, row.notable) == (DeadlineStep.DELIVERED, None, True)


def test_missed_shows_a_step_done_late_without_a_deadline_event() -> None:
    """An hour and a half to deliver, and no word of the exchange in between."""
    record = given(spec.requested()).record
    record.send(Sent(SHELTER, r.ReferralDelivered(referral=REFERRAL), 90 * MINUTE))
    row = missed(replayed(record), record.now).rows[0]
    assert (row.step, row.reported_at, row.over_at) == (DeadlineStep.DELIVERED, None, record.now)
    assert (row.late_seconds, row.notable) == ((88 * MINUTE).total_seconds(), True)


def _read(by: str, purpose: ReadPurpose = ReadPurpose.ACT_ON_REFERRAL) -> Sent:
    return Sent(by, c.CaseRead(reader=nth_id(70), purpose=purpose))


def test_reads_list_reader_purpose_and_open_referrals() -> None:
    """The shelter's second read comes after its referral ended; the audit needs none."""
    left = Sent(SHELTER, r.ReferralFailed(referral=REFERRAL, code=FailureCode.LEFT_SERVICE))
    story = (*spec.started(StartKind.ARRIVAL), _read(SHELTER), left, _read(SHELTER, ReadPurpose.BREACH))
    record = given(story, _read(AUDIT, ReadPurpose.AUDIT)).record
    answer = reads(replayed(record), record.now)
    assert [(row.agency, row.purpose, row.had_open_referral, row.notable) for row in answer.rows] == [
        (SHELTER, ReadPurpose.ACT_ON_REFERRAL, True, False),
        (SHELTER, ReadPurpose.BREACH, False, True),
        (AUDIT, ReadPurpose.AUDIT, False, False),
    ]
    assert reads(replayed(record), record.now - timedelta(seconds=1)).count == 2
