"""The timeline's fold without a database: verdicts, hashes, handoffs and alarms, page by page."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.domain.case import Case
from handoff.domain.directory import Directory
from handoff.domain.examine import read
from handoff.domain.founding import Charter, admission_events, founding_event
from handoff.proof.log.header_codec import NotHeaders, pack_headers, unpack_headers
from handoff.record import codec, signing
from handoff.record.codec import AnyEvent
from handoff.record.codes import (
    BasisKind,
    CaseService,
    EndScope,
    EntryPoint,
    FailureCode,
    HoldCode,
    IneffectiveReason,
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
from handoff.record.events.directory import Admission
from handoff.record.message import Message
from handoff.views.handoffs import Ending, Handoff, merged
from handoff.views.timeline import StoredEntry, timeline_entry
from handoff.views.timeline_fold import Checked, Chronicle, Page, Placed
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


def blank() -> Chronicle:
    anchor = signing.sha256(codec.encode(founding()[0]))
    return Chronicle(anchor, Directory(JURISDICTION, GENERATION), 0)


def placed(messages: list[Message], first: int = 0) -> list[Placed]:
    """Messages on the record, a minute apart."""
    return [Placed(n, START_MS + n * MINUTE_MS, read(m)) for n, m in enumerate(messages, first)]


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


def told(*more: AnyEvent) -> Page:
    """The page of an opened case with one request, and ``more`` about it."""
    return blank().page(placed([signed(e) for e in (*opening(), *more)]), {})


def handoff_of(page: Page, referral: UUID = SECOND) -> Handoff:
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
    entries = placed([signed(e) for e in story])
    whole = blank().page(entries, {})
    for cut in range(1, len(entries)):
        chronicle = blank()
        pages = [chronicle.page(entries[:cut], {}), chronicle.page(entries[cut:], {})]
        assert tuple(line for page in pages for line in page.lines) == whole.lines
        assert chronicle.cases[CASE] == whole.cases[-1]
        earlier = next((h for h in pages[0].handoffs if h.referral == SECOND), None)
        later = next((h for h in pages[1].handoffs if h.referral == SECOND), None)
        assert (earlier if later is None else merged(earlier, later)) == handoff_of(whole)


def test_record_time_never_runs_backwards() -> None:
    """A broker's clock that steps back does not undo what was due."""
    read_at = (5, 9, 7)
    entries = [replace(p, appended_ms=ms) for p, ms in zip(placed([Message(None, b"?")] * 3), read_at, strict=True)]
    assert [line.record_ms for line in blank().page(entries, {}).lines] == [5, 9, 9]


def test_what_was_seen_on_an_earlier_page_is_a_duplicate_or_an_equivocation() -> None:
    """The first with an id counts, also where only its hash is left."""
    chronicle = blank()
    first = chronicle.page(placed([signed(e) for e in opening()]), {})
    known = {first.lines[-1].placed.identity: first.lines[-1].placed.entry.value_hash}
    again, other = signed(request(SECOND)), signed(request(SECOND).model_copy(update={"time": T0 + timedelta(1)}))
    page = chronicle.page(placed([again, other], 100), known)  # type: ignore[arg-type]
    assert [line.verdict.kind for line in page.lines] == [VerdictKind.DUPLICATE, VerdictKind.INVALID]
    assert [line.is_alarming for line in page.lines] == [False, True]


def test_a_signature_checked_ahead_counts_only_for_the_key_that_was_expected() -> None:
    """A check under another key, however it came out, is made again under the one in force."""
    entries = placed([signed(e) for e in opening()])
    elsewhere = Checked(key_of("stranger").public_key, genuine=False)
    right = Checked(key_of("police").public_key, genuine=False)
    ok = blank().page([*entries[:-1], replace(entries[-1], checked=elsewhere)], {})
    refused = blank().page([*entries[:-1], replace(entries[-1], checked=right)], {})
    assert ok.lines[-1].verdict == EFFECTIVE
    assert refused.lines[-1].verdict.reason == "signature"


def test_an_exchange_that_was_overtaken_is_no_alarm_and_one_that_speaks_of_nothing_is() -> None:
    """An ineffective event of the exchange is explained only by a race."""
    revoked = r.ReferralRevoked(referral=SECOND, reason=IneffectiveReason.RELEASE_WITHDRAWN)
    overtaken = told(by_shelter(r.ReferralAccepted(referral=SECOND)), event(revoked, emitter=EXCHANGE)).lines[-1]
    nothing = told(event(revoked.model_copy(update={"referral": nth_id(9)}), emitter=EXCHANGE)).lines[-1]
    assert (overtaken.verdict.reason, overtaken.is_alarming) == (State.ACCEPTED, False)
    assert (nothing.verdict.reason, nothing.is_alarming) == (State.ABSENT, True)


def test_a_member_that_lost_a_race_is_no_alarm() -> None:
    """An event appended after a withdrawal is ineffective and raises no alarm."""
    line = told(event(c.ReleaseWithdrawn(scope=EndScope.ALL)), by_shelter(r.ReferralAccepted(referral=SECOND))).lines[
        -1
    ]
    assert line.verdict.kind is VerdictKind.INEFFECTIVE
    assert not line.is_alarming


def test_a_pause_before_the_start_is_told_from_one_after_it() -> None:
    """Two pauses of a minute each, one on either side of the arrival."""
    pause = r.ReferralPaused(referral=SECOND, code=HoldCode.WAITING_INTAKE)
    page = told(
        by_shelter(r.ReferralAccepted(referral=SECOND)),
        by_shelter(pause),
        by_shelter(r.ReferralResumed(referral=SECOND)),
        by_shelter(r.ReferralStarted(referral=SECOND, kind=StartKind.ARRIVAL)),
        event(pause, emitter="shelter", time=T0 + timedelta(hours=1)),
        event(r.ReferralResumed(referral=SECOND), emitter="shelter", time=T0 + timedelta(hours=1)),
    )
    assert all(line.verdict == EFFECTIVE for line in page.lines)
    found = handoff_of(page)
    assert (found.paused_ms, found.paused_before_start_ms) == (2 * MINUTE_MS, MINUTE_MS)


def test_a_correction_does_not_move_how_a_handoff_ended() -> None:
    """A rejection that is entered in error later stays the moment when the wait ended."""
    page = told(
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
    page = told(
        by_shelter(r.ReferralRejected(referral=SECOND, code=RejectionCode.UNITS_FULL)),
        request(next_one, "shelter_gjakova"),
        event(r.ReferralRedirected(referral=SECOND, next=next_one)),
    )
    assert page.lines[-1].verdict == EFFECTIVE
    assert [(handoff_of(page, one).root, handoff_of(page, one).hop) for one in (SECOND, next_one)] == [
        (SECOND, 0),
        (SECOND, 1),
    ]


def test_memory_is_bounded_and_asks_again_for_what_it_forgot() -> None:
    """A case that was forgotten is loaded again before it is judged."""
    chronicle = blank()
    entries = placed([signed(e) for e in opening()])
    chronicle.page(entries, {})
    assert chronicle.unknown_cases(entries) == frozenset()
    chronicle.forgets(0)
    assert chronicle.unknown_cases(entries) == {CASE}
    assert chronicle.unknown_tags(entries) == {entry.tag for entry in entries}
    chronicle.remembers([Case(CASE)], {})
    assert chronicle.unknown_cases(entries) == frozenset()


messages = st.builds(
    Message,
    st.none() | st.binary(max_size=40),
    st.none() | st.binary(max_size=60) | st.sampled_from([codec.encode(e) for e in opening()]),
    st.lists(st.tuples(st.text(max_size=8), st.binary(max_size=8)), max_size=3).map(tuple),
)


@given(st.lists(messages, max_size=12))
def test_no_bytes_whatever_stop_the_timeline(found: list[Message]) -> None:
    """Each entry gets a line with a verdict, and each line can be shown."""
    page = blank().page(placed(found), {})
    assert len(page.lines) == len(found)
    for line in page.lines:
        value, verdict = line.placed.entry.message.value, line.verdict
        shown = timeline_entry(StoredEntry(line.placed.offset, line.record_ms, value, verdict.kind, verdict.reason))
        assert shown.verdict == verdict


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
