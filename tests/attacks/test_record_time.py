"""Record time is bounded by the exchange's own clock: one entry with a false time of the broker cannot move it far."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import accumulate

import pytest

from handoff.domain.deadlines import open_steps
from handoff.record.codec import AnyEvent
from handoff.record.codes import DeadlineStep
from handoff.record.delivery import to_ms
from handoff.record.message import Headers, Message
from handoff.record.record_time import BOUND_MS, STAMP_HEADER, counted_ms, stamped
from tests.support.dsl.builders import CASE, OTHER_CASE, event, nth_id, signed
from tests.support.dsl.judged import READERS, Appended, projected, record_times, routed, story_of
from tests.support.dsl.spec import DAY, HOUR, MINUTE, POLICE, given, opened, release, released, request


def _stamped(event: AnyEvent, now: datetime) -> Message:
    """An event as the exchange appends it, with its own time."""
    message = signed(event)
    return replace(message, headers=stamped(message.headers, to_ms(now)))


def _with_a_jump(ahead: timedelta, next_one: AnyEvent) -> tuple[list[Appended], datetime]:
    """A record with one entry appended ``ahead`` of its time, and ``next_one`` a minute after it."""
    record = given(opened(), released()).record
    other = event(opened().body, emitter=POLICE, subject=OTHER_CASE)
    now = record.now + MINUTE
    jumped: list[Appended] = [(_stamped(other, now), record.now + ahead), (_stamped(next_one, now), now)]
    return [*story_of(record), *jumped], now


def _another_release() -> AnyEvent:
    return event(release(basis=nth_id(1)), emitter=POLICE)


@pytest.mark.parametrize("reader", sorted(READERS))
def test_a_release_does_not_expire_by_one_false_time(reader: str) -> None:
    """A release for 30 days is effective when it is recorded after an entry that is stamped 400 days ahead."""
    record, _ = _with_a_jump(400 * DAY, _another_release())
    assert READERS[reader](record)[-1] == "effective"


@pytest.mark.parametrize("ahead", [DAY, 400 * DAY], ids=["a day", "400 days"])
def test_record_time_stays_near_the_clock_after_a_jump(ahead: timedelta) -> None:
    """The entry after the jump has a record time within an hour of its own append time, so no deadline moves."""
    record, now = _with_a_jump(ahead, _another_release())
    assert record_times(record)[-1] <= to_ms(now + HOUR)


def test_a_jump_is_alarmed() -> None:
    """The exchange reports the entry whose time is implausible."""
    record, _ = _with_a_jump(400 * DAY, _another_release())
    assert len(record) - 2 in {judged.record.offset for judged in routed(record).judged if judged.is_alarming}


def test_an_emergency_after_a_clock_jump_is_due_as_soon_as_before() -> None:
    """The clock was a day ahead for one entry; two minutes for a delivery are counted from the true time."""
    record, now = _with_a_jump(DAY, event(request(), emitter=POLICE))
    [due] = (step.due_at for _, step in open_steps(routed(record).cases[CASE]) if step.step is DeadlineStep.DELIVERED)
    assert due <= now + HOUR


@pytest.mark.parametrize("behind", [timedelta(minutes=6), DAY], ids=["six minutes", "a day"])
def test_a_broker_that_is_behind_is_alarmed_too(behind: timedelta) -> None:
    """Record time does not go back, and the exchange reports that it lags."""
    record, now = _with_a_jump(-behind, _another_release())
    alarming = {judged.record.offset for judged in routed(record).judged if judged.alarm == "record_time"}
    assert alarming == {len(record) - 2}
    assert record_times(record)[-1] == to_ms(now)


def test_clocks_that_agree_raise_no_alarm() -> None:
    """A second of difference, in either direction, is every broker's."""
    record, _ = _with_a_jump(timedelta(seconds=61), _another_release())
    assert not [judged for judged in routed(record).judged if judged.is_alarming]


@pytest.mark.parametrize(
    ("headers", "counted"),
    [
        ((), 10**12),
        (((STAMP_HEADER, b"5"),), 5 + BOUND_MS),
        (((STAMP_HEADER, b"5"), (STAMP_HEADER, b"6")), 10**12),
        (((STAMP_HEADER, b"-5"),), 10**12),
        (((STAMP_HEADER, b"9" * 400),), 10**12),
        (((STAMP_HEADER, None),), 10**12),
    ],
    ids=["none", "a stamp", "two", "negative", "endless", "empty"],
)
def test_only_one_plain_stamp_bounds_an_append_time(headers: Headers, counted: int) -> None:
    """Any other header counts as missing: every reader takes the append time."""
    assert counted_ms(10**12, headers) == counted


def test_the_log_s_entry_has_the_time_that_counts() -> None:
    """The verifier computes the same record time from the skeleton alone, and so does the monitor from the record."""
    record, _ = _with_a_jump(400 * DAY, _another_release())
    rows = projected(record).rows
    running = accumulate((row.entry.appended_ms for row in rows), max)
    assert list(running) == [row.judged.record_ms for row in rows]
