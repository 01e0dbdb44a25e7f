"""The timeline's fold without a database: verdicts, hashes, handoffs and alarms, page by page."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from handoff.domain.case import Case, Ending
from handoff.domain.directory import Directory
from handoff.domain.founding import Charter, admission_events, founding_event
from handoff.domain.handoff_clock import Segment, segments
from handoff.record import codec, signing
from handoff.record.codec import AnyEvent
from handoff.record.codes import (
    AcknowledgementAction,
    BasisEndReason,
    BasisKind,
    CaseService,
    DeadlineStep,
    EndScope,
    EntryPoint,
    FailureCode,
    HoldCode,
    RecipientClass,
    RejectionCode,
    ReleasePurpose,
    ReportingDelay,
    StartKind,
    State,
    Urgency,
    VoidCode,
)
from handoff.record.delivery import EFFECTIVE, VerdictKind
from handoff.record.envelope import COORDINATION, EXCHANGE
from handoff.record.events import case as c
from handoff.record.events import referral as r
from handoff.record.events.deadline import DeadlineEscalated, EscalationAcknowledged
from handoff.record.events.directory import Admission
from handoff.record.header_codec import NotHeaders, pack_headers, unpack_headers
from handoff.record.kafka_record import CheckedSignature, KafkaRecord, ParsedRecord, parse
from handoff.record.message import Message
from handoff.views.handoffs import Handoff
from handoff.views.replay.history import decode_entry
from handoff.views.timeline import timeline_entry
from handoff.views.timeline_fold import TimelineBatch, TimelineFold
from tests.support.dsl.builders import BASIS, CASE, GENERATION, JURISDICTION, T0, event, key_of, nth_id, signed

MINUTE_MS = 60_000
START_MS = 1_767_652_800_000
SECOND = nth_id(1)
RELEASE: dict[str, Any] = {
    "kind": BasisKind.ORAL_WITNESSED,
    "purpose": ReleasePurpose.ARRANGE_SHELTER,
    "recipient_class": RecipientClass.LICENSED_SHELTER,
    "expires_at": T0 + timedelta(days=30),
}


def founding() -> list[AnyEvent]:
    charter = Charter(JURISDICTION, GENERATION, COORDINATION, ())
    shelter = {"services": (CaseService.SHELTER,), "classes": (RecipientClass.LICENSED_SHELTER,)}
    members = [
        (Admission(member="police"), key_of("police")),
        (Admission(member="shelter", **shelter), key_of("shelter")),
        (Admission(member="shelter_gjakova", **shelter), key_of("shelter_gjakova")),
    ]
    genesis = founding_event(charter, key_of(COORDINATION), key_of(EXCHANGE), T0)
    return [genesis, *admission_events(charter, members, T0)]


def blank() -> TimelineFold:
    anchor = signing.sha256(codec.encode(founding()[0]))
    return TimelineFold.at(anchor, Directory(JURISDICTION, GENERATION))


def parsed(messages: list[Message], first: int = 0) -> list[ParsedRecord]:
    """Messages on the record, a minute apart."""
    return [parse(KafkaRecord(n, START_MS + n * MINUTE_MS, m)) for n, m in enumerate(messages, first)]


def request(referral: UUID, target: str = "shelter") -> AnyEvent:
    return event(
        r.ReferralRequested(
            referral=referral,
            target=target,
            service=CaseService.SHELTER,
            urgency=Urgency.EMERGENCY,
            basis=r.BasisSnapshot(basis=BASIS, **RELEASE),
        )
    )


def opening() -> list[AnyEvent]:
    return [
        *founding(),
        event(c.CaseOpened(entry_point=EntryPoint.POLICE_CALL, reporting_delay=ReportingDelay.SAME_DAY)),
        event(c.BasisRecorded(basis=BASIS, **RELEASE)),
        request(SECOND),
    ]


def by_shelter(body: Any) -> AnyEvent:
    return event(body, emitter="shelter")


def folded(*more: AnyEvent) -> TimelineBatch:
    """The page of an opened case with one request, and ``more`` about it."""
    return blank().apply(parsed([signed(e) for e in (*opening(), *more)]), {})


def handoff_of(page: TimelineBatch, referral: UUID = SECOND) -> Handoff:
    return next(handoff for handoff in page.handoffs if handoff.referral == referral)


def test_a_page_cut_anywhere_gives_the_same_timeline() -> None:
    """The stored rows do not depend on the batches in which the record is read."""
    story = [
        *opening(),
        by_shelter(r.ReferralAccepted(referral=SECOND)),
        by_shelter(r.ReferralPaused(referral=SECOND, code=HoldCode.WAITING_INTAKE)),
        by_shelter(r.ReferralResumed(referral=SECOND)),
        by_shelter(r.ReferralStarted(referral=SECOND, kind=StartKind.ARRIVAL)),
        by_shelter(r.ReferralFailed(referral=SECOND, code=FailureCode.LEFT_SERVICE)),
    ]
    entries = parsed([signed(e) for e in story])
    whole = blank().apply(entries, {})
    for cut in range(1, len(entries)):
        fold = blank()
        pages = [fold.apply(entries[:cut], {}), fold.apply(entries[cut:], {})]
        assert tuple(row for page in pages for row in page.rows) == whole.rows
        assert fold.record.cases[CASE] == whole.cases[-1]
        earlier = next((h for h in pages[0].handoffs if h.referral == SECOND), None)
        later = next((h for h in pages[1].handoffs if h.referral == SECOND), None)
        assert (later or earlier) == handoff_of(whole)


def test_a_batch_is_judged_while_the_one_before_is_not_stored() -> None:
    """Identities and escalations of an unstored batch count, although no query finds them."""
    escalated = DeadlineEscalated(reference=nth_id(50), member="shelter", step=DeadlineStep.OPENED, age_seconds=300)
    acknowledged = EscalationAcknowledged(reference=nth_id(50), action=AcknowledgementAction.CALLED_AGENCY)
    answer = by_shelter(r.ReferralAccepted(referral=SECOND))
    entries = parsed(
        [
            *(signed(each) for each in opening()),
            signed(event(escalated, emitter=EXCHANGE)),
            signed(answer),
            signed(event(acknowledged, emitter=COORDINATION)),
            signed(answer),
            signed(answer.model_copy(update={"time": T0 + timedelta(hours=1)})),
            signed(event(acknowledged, emitter=COORDINATION, time=T0 + timedelta(hours=1))),
        ]
    )
    whole = blank().apply(entries, {})
    last = [row.judged.verdict.kind for row in whole.rows[-6:]]
    effective = VerdictKind.EFFECTIVE
    assert last[:4] == [effective, effective, effective, VerdictKind.DUPLICATE]
    assert last[4:] == [VerdictKind.INVALID, VerdictKind.INEFFECTIVE]
    for cut in range(len(entries) - 6, len(entries)):
        fold = blank()
        rows = fold.apply(entries[:cut], {}).rows
        fold.cache((), {}, ())
        assert rows + fold.apply(entries[cut:], {}).rows == whole.rows


def test_record_time_never_runs_backwards() -> None:
    """A broker's clock that steps back does not undo what was due."""
    read_at = (5, 9, 7)
    records = [parse(KafkaRecord(n, ms, Message(None, b"?"))) for n, ms in enumerate(read_at)]
    assert [row.judged.record_ms for row in blank().apply(records, {}).rows] == [5, 9, 9]


def test_an_event_repeated_from_an_earlier_page_is_a_duplicate_or_an_equivocation() -> None:
    """The first with an id counts, also where only its hash is left."""
    fold = blank()
    first = fold.apply(parsed([signed(e) for e in opening()]), {})
    known = {request(SECOND).identity: first.rows[-1].judged.record.value_hash}
    again, other = signed(request(SECOND)), signed(request(SECOND).model_copy(update={"time": T0 + timedelta(1)}))
    page = fold.apply(parsed([again, other], 100), known)
    assert [row.judged.verdict.kind for row in page.rows] == [VerdictKind.DUPLICATE, VerdictKind.INVALID]
    assert [row.judged.is_alarming for row in page.rows] == [False, True]


def test_a_signature_checked_ahead_counts_only_for_the_key_that_was_expected() -> None:
    """A check under another key, however it came out, is made again under the one in force."""
    entries = parsed([signed(e) for e in opening()])
    elsewhere = CheckedSignature(key_of("stranger").public_key, is_valid=False)
    right = CheckedSignature(key_of("police").public_key, is_valid=False)
    ok = blank().apply([*entries[:-1], replace(entries[-1], checked_signature=elsewhere)], {})
    refused = blank().apply([*entries[:-1], replace(entries[-1], checked_signature=right)], {})
    assert ok.rows[-1].judged.verdict == EFFECTIVE
    assert refused.rows[-1].judged.verdict.reason == "signature"


def test_an_ineffective_event_of_the_exchange_is_an_alarm_unless_it_lost_a_race() -> None:
    """An ineffective event of the exchange is explained only by a race."""
    revoked = r.ReferralRevoked(referral=SECOND, reason=BasisEndReason.RELEASE_WITHDRAWN)
    overtaken = (
        folded(by_shelter(r.ReferralAccepted(referral=SECOND)), event(revoked, emitter=EXCHANGE)).rows[-1].judged
    )
    nothing = folded(event(revoked.model_copy(update={"referral": nth_id(9)}), emitter=EXCHANGE)).rows[-1].judged
    assert (overtaken.verdict.reason, overtaken.is_alarming) == (State.ACCEPTED, False)
    assert (nothing.verdict.reason, nothing.is_alarming) == (State.ABSENT, True)


def test_a_member_that_lost_a_race_is_no_alarm() -> None:
    """An event appended after a withdrawal is ineffective and raises no alarm."""
    line = (
        folded(event(c.ReleaseWithdrawn(scope=EndScope.ALL)), by_shelter(r.ReferralAccepted(referral=SECOND)))
        .rows[-1]
        .judged
    )
    assert line.verdict.kind is VerdictKind.INEFFECTIVE
    assert not line.is_alarming


def test_pauses_before_and_after_the_start_are_distinguished() -> None:
    """Two pauses of a minute each, one on either side of the arrival."""
    pause = r.ReferralPaused(referral=SECOND, code=HoldCode.WAITING_INTAKE)
    page = folded(
        by_shelter(r.ReferralAccepted(referral=SECOND)),
        by_shelter(pause),
        by_shelter(r.ReferralResumed(referral=SECOND)),
        by_shelter(r.ReferralStarted(referral=SECOND, kind=StartKind.ARRIVAL)),
        event(pause, emitter="shelter", time=T0 + timedelta(hours=1)),
        event(r.ReferralResumed(referral=SECOND), emitter="shelter", time=T0 + timedelta(hours=1)),
    )
    assert all(row.judged.verdict == EFFECTIVE for row in page.rows)
    found = handoff_of(page)
    spans = {span.segment: span.lasted for span in segments(found, T0 + timedelta(hours=2))}
    lasted = [pause.until - pause.since for pause in found.pauses if pause.until is not None]
    assert (len(lasted), sum(lasted, timedelta())) == (2, timedelta(milliseconds=2 * MINUTE_MS))
    assert spans[Segment.ACTING] == timedelta(milliseconds=2 * MINUTE_MS)


def test_a_correction_does_not_move_how_a_handoff_ended() -> None:
    """A rejection that is entered in error later stays the moment when the wait ended."""
    page = folded(
        by_shelter(r.ReferralRejected(referral=SECOND, code=RejectionCode.OUTSIDE_MANDATE)),
        event(r.ReferralVoided(referral=SECOND, code=VoidCode.WRONG_TARGET)),
    )
    found = handoff_of(page)
    assert found.state is State.ENTERED_IN_ERROR
    assert found.ending == Ending(State.REJECTED, RejectionCode.OUTSIDE_MANDATE)
    assert found.closed_at == found.answered_at


def test_a_redirect_leads_back_to_the_first_request_of_its_chain() -> None:
    """The chain's clock starts with the first referral, regardless of the next target."""
    next_one = nth_id(2)
    page = folded(
        by_shelter(r.ReferralRejected(referral=SECOND, code=RejectionCode.UNITS_FULL)),
        request(next_one, "shelter_gjakova"),
        event(r.ReferralRedirected(referral=SECOND, next=next_one)),
    )
    assert page.rows[-1].judged.verdict == EFFECTIVE
    assert [(handoff_of(page, one).root, handoff_of(page, one).hop) for one in (SECOND, next_one)] == [
        (SECOND, 0),
        (SECOND, 1),
    ]


def test_memory_is_bounded_and_asks_again_for_what_it_forgot() -> None:
    """A case that was forgotten is loaded again before it is judged."""
    fold = blank()
    entries = parsed([signed(e) for e in opening()])
    fold.apply(entries, {})
    assert fold.missing_cases(entries) == frozenset()
    fold.trim_cache(0)
    assert fold.missing_cases(entries) == {CASE}
    assert fold.missing_heads(entries) == {entry.message.key for entry in entries}
    fold.cache([Case(CASE)], {})
    assert fold.missing_cases(entries) == frozenset()


def test_a_full_cache_loses_what_was_not_used_for_longest() -> None:
    """It stays full: a batch loads as many cases as it brings new ones, and not all of those that are in use."""
    fold, most, first = blank(), 10, parsed([signed(event) for event in opening()])
    fold.apply(first, {})
    loaded = []
    for number in range(100, 140):
        opened = signed(opening()[-3].model_copy(update={"subject": str(nth_id(number))}))
        batch = [*first, *parsed([opened])]
        fold.trim_cache(most)
        loaded.append(len(fold.missing_cases(batch)))
        fold.apply(batch, {})
    assert loaded == [1] * 40
    assert len(fold.record.cases) <= most + 1


messages = st.builds(
    Message,
    st.none() | st.binary(max_size=40),
    st.none() | st.binary(max_size=60) | st.sampled_from([codec.encode(e) for e in opening()]),
    st.lists(st.tuples(st.text(max_size=8), st.binary(max_size=8)), max_size=3).map(tuple),
)


@given(st.lists(messages, max_size=12))
def test_no_bytes_whatever_stop_the_timeline(found: list[Message]) -> None:
    """Each entry gets a line with a verdict, and each line can be shown."""
    page = blank().apply(parsed(found), {})
    assert len(page.rows) == len(found)
    for row in page.rows:
        shown = timeline_entry(decode_entry(row.judged, row.entry.appended_ms, is_of_case=True))
        assert shown.verdict == row.judged.verdict


headers = st.lists(st.tuples(st.text(max_size=12), st.none() | st.binary(max_size=12)), max_size=5).map(tuple)


@given(headers)
def test_headers_come_back_as_they_were(given_headers: tuple[tuple[str, bytes | None], ...]) -> None:
    """Order, repetitions, empty values and nulls are kept."""
    assert unpack_headers(pack_headers(given_headers)) == given_headers


@pytest.mark.parametrize("packed", ["", "00000001", "00000000ff", "0000000100000001", "00000001ffffffff00000000"])
def test_bytes_that_are_no_headers_are_refused(packed: str) -> None:
    """A stored row that was tampered with is an error of its own type."""
    with pytest.raises(NotHeaders):
        unpack_headers(bytes.fromhex(packed))
