"""A line of the timeline: what a person is shown of an entry."""

from datetime import timedelta

from handoff.contract.examples import examples
from handoff.domain.record_fold import JudgedRecord
from handoff.record import codec
from handoff.record.codes import CaseService, EntryPoint, OfferAnswer, ReportingDelay
from handoff.record.delivery import EFFECTIVE, Verdict, from_ms, ineffective, invalid
from handoff.record.events import case as c
from handoff.record.events import referral as r
from handoff.record.kafka_record import KafkaRecord, parse
from handoff.record.message import Message
from handoff.views.replay.history import decode_entry
from handoff.views.timeline import TimelineEntry, timeline_entry
from tests.support.dsl.builders import REFERRAL, T0, event


def shown(value: bytes, verdict: Verdict = EFFECTIVE) -> TimelineEntry:
    record, at = parse(KafkaRecord(7, 1_767_652_800_000, Message(None, value))), from_ms(1_767_652_800_000)
    judged = JudgedRecord(record, 1_767_652_800_000, at, verdict)
    return timeline_entry(decode_entry(judged, judged.record_ms, is_of_case=True))


def test_a_line_has_emitter_event_time_and_verdict() -> None:
    """Position, both times, emitter, type, referral and verdict stand on it."""
    accepted = event(r.ReferralAccepted(referral=REFERRAL, place_held_until=T0 + timedelta(hours=3)), emitter="shelter")
    line = shown(codec.encode(accepted), ineffective("release_withdrawn"))
    assert line == TimelineEntry(
        position=7,
        record_time=from_ms(1_767_652_800_000),
        verdict=ineffective("release_withdrawn"),
        claimed_time=T0,
        emitter="shelter",
        type="referral.accepted.v1",
        referral=REFERRAL,
        details=(("via", "system"), ("place_held_until", "2026-01-06T01:40:00Z")),
    )


def test_offers_are_listed_with_their_answers() -> None:
    """Nested codes are written out beside one another."""
    offer = c.Offer(service=CaseService.LEGAL_AID, answer=OfferAnswer.ACCEPTED)
    opened = c.CaseOpened(
        entry_point=EntryPoint.POLICE_CALL, reporting_delay=ReportingDelay.SAME_DAY, offered=(offer, offer)
    )
    assert ("offered", "legal_aid accepted, legal_aid accepted") in shown(codec.encode(event(opened))).details


def test_an_unreadable_entry_keeps_its_position_and_verdict() -> None:
    """An entry that holds no event is not left out."""
    line = shown(b"\x00", invalid("malformed"))
    assert (line.position, line.type, line.details) == (7, None, ())


def test_every_event_has_a_line_and_none_shows_a_key_or_a_hash() -> None:
    """Hexadecimal of 32 bytes and more tells a reader nothing."""
    for example in examples().values():
        line = shown(codec.encode(example))
        assert line.type == example.type
        assert not [value for _, value in line.details if len(value) >= 64 and value.isalnum()]
