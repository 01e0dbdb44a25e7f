"""Corrections and gaps of a case as an auditor sees them: voided, late, contradictory or refused events."""

from dataclasses import replace
from datetime import datetime, timedelta

from handoff.domain.record_fold import JudgedRecord
from handoff.record.codes import DeadlineStep, RefusalCode, VoidCode
from handoff.record.delivery import DUPLICATE, EFFECTIVE, invalid, to_ms
from handoff.record.events import Body
from handoff.record.events import case as c
from handoff.record.events import directory as d
from handoff.record.events import referral as r
from handoff.record.kafka_record import KafkaRecord, parse
from handoff.record.message import Message
from handoff.views.replay.checkpoint_status import CheckpointStatus
from handoff.views.replay.completeness import Why, completeness
from handoff.views.replay.corrections import Correction, CorrectionRow, corrections
from handoff.views.replay.gaps import Gap, gaps
from handoff.views.replay.history import DecodedEntry, decode_entry, history
from tests.support.dsl import spec
from tests.support.dsl.builders import OTHER_CASE, event, signed
from tests.support.dsl.spec import (
    CASE,
    EXCHANGE,
    HOUR,
    MINUTE,
    POLICE,
    REFERRAL,
    SECOND,
    SHELTER,
    T0,
    Record,
    Sent,
    given,
)
from tests.support.parts.replayed import replay_entries, replayed

CLAIMED = Sent(POLICE, r.AcceptanceClaimed(referral=REFERRAL, via="phone"))


def reported_at(record: Record, emitter: str, body: Body, claimed: datetime) -> Record:
    """``body`` emitted now, with a time that its emitter claims."""
    record.append(event(body, emitter=emitter, time=claimed))
    return record


def corrected(record: Record) -> tuple[CorrectionRow, ...]:
    return corrections(replayed(record), record.now).rows


def test_a_phone_answer_is_notable_until_the_target_confirms_it() -> None:
    record = given(spec.requested(), CLAIMED).record
    (before,) = corrected(record)
    record.send(Sent(SHELTER, r.ReferralAccepted(referral=REFERRAL), MINUTE))
    (after,) = corrected(record)
    assert (before.correction, before.code, before.confirmed_at, before.notable) == (
        Correction.CLAIMED_BY_PHONE,
        "phone",
        None,
        True,
    )
    assert (after.confirmed_at, after.seconds, after.notable) == (record.now, 60, False)


def test_an_error_mark_is_shown_with_its_code() -> None:
    record = given(
        spec.requested(), Sent(POLICE, r.ReferralVoided(referral=REFERRAL, code=VoidCode.WRONG_TARGET))
    ).record
    assert [(row.correction, row.code) for row in corrected(record)] == [(Correction.VOIDED, "wrong_target")]


def test_a_time_far_from_the_record_s_is_shown_and_a_relay_s_delay_is_not() -> None:
    """An hour back is dated back, a minute ahead is a wrong clock, two seconds late is nothing."""
    record = given(spec.requested()).record
    reported_at(record, SHELTER, r.ReferralDelivered(referral=REFERRAL), record.now - 2 * SECOND)
    reported_at(record, SHELTER, r.ReferralOpened(referral=REFERRAL), record.now + MINUTE)
    reported_at(record, SHELTER, r.ReferralAccepted(referral=REFERRAL), record.now - HOUR)
    assert [(row.correction, row.type, row.seconds) for row in corrected(record)] == [
        (Correction.CLOCK_AHEAD, "referral.opened.v1", 60),
        (Correction.DATED_BACK, "referral.accepted.v1", 3600),
    ]


def test_an_event_dated_by_its_cause_is_not_flagged_as_backdated() -> None:
    """A deadline that is reported an hour late has the time when it was due."""
    record = given(spec.requested()).record
    record.miss(DeadlineStep.DELIVERED, late=HOUR)
    assert corrected(record) == ()


def test_a_broker_s_clock_that_stepped_back_is_shown() -> None:
    entries = replay_entries(given(spec.requested()).record)
    stepped = replace(entries[-1], appended_at=entries[-1].record_time - MINUTE)
    (row,) = corrections(history(CASE, (*entries[:-1], stepped)), T0 + HOUR).rows
    assert (row.correction, row.seconds) == (Correction.RECORD_CLOCK_BACK, 60)


def noise() -> tuple[DecodedEntry, ...]:
    """After a request: it again, it with other bytes, and bytes that hold no event."""
    entries = replay_entries(given(spec.requested()).record)
    last = entries[-1]
    return (
        *entries,
        replace(last, position=last.position + 1, verdict=DUPLICATE),
        replace(last, position=last.position + 2, verdict=invalid(RefusalCode.EQUIVOCATION)),
        DecodedEntry(last.position + 3, last.record_time, last.record_time, invalid(RefusalCode.MALFORMED), None),
    )


def test_gaps_distinguish_repetition_equivocation_and_noise() -> None:
    """A repetition is harmless; what contradicts or cannot be read deserves a look."""
    rows = gaps(history(CASE, noise()), T0 + HOUR).rows
    assert [(row.gap, row.code, row.notable) for row in rows] == [
        (Gap.DUPLICATE, None, False),
        (Gap.EQUIVOCATION, "equivocation", True),
        (Gap.INVALID, "malformed", True),
    ]


def test_noise_changes_no_state_and_its_content_stays_unproven() -> None:
    replayed_case = history(CASE, noise(), CheckpointStatus("example", 100, T0, is_witnessed=True))
    assert replayed_case.case == given(spec.requested()).record.case()
    answer = completeness(replayed_case, T0 + HOUR)
    assert ([row.why for row in answer.rows], answer.proven) == ([Why.UNREADABLE], True)


def test_gaps_name_linked_cases_and_no_refused_submission() -> None:
    """A refused submission names no case: it would mark every case of its member."""
    record = given(spec.requested(), Sent(POLICE, c.CasesLinked(other_case=OTHER_CASE))).record
    for member in (SHELTER, spec.VTC):
        refused = d.SubmissionRefused(member=member, code=RefusalCode.SCHEMA, value_hashes=("0" * 64,))
        record.send(Sent(EXCHANGE, refused))
    rows = gaps(replayed(record), record.now).rows
    assert [(row.gap, row.emitter, row.code, row.other_case) for row in rows] == [
        (Gap.LINKED_CASE, POLICE, None, OTHER_CASE),
    ]


def test_a_judged_entry_has_both_its_times_and_any_bytes_are_one() -> None:
    """An entry that cannot be decoded keeps its position and its verdict."""
    linked, at = event(c.CasesLinked(other_case=OTHER_CASE)), T0 + timedelta(milliseconds=5)
    record = parse(KafkaRecord(7, to_ms(at), signed(linked)))
    good = decode_entry(JudgedRecord(record, to_ms(at), at, EFFECTIVE), to_ms(T0), is_of_case=True)
    assert good == DecodedEntry(7, at, T0, EFFECTIVE, linked)
    unreadable = JudgedRecord(
        parse(KafkaRecord(7, to_ms(at), Message(None, b"?"))), to_ms(at), at, invalid("malformed")
    )
    assert decode_entry(unreadable, to_ms(T0), is_of_case=True).event is None
