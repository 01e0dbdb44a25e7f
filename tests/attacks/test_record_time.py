"""Record time is bounded by the exchange's own clock: one entry with a false time of the broker cannot move it far."""

from datetime import datetime, timedelta

import pytest

from handoff.domain.deadlines import open_steps
from handoff.record.codec import AnyEvent
from handoff.record.codes import DeadlineStep
from handoff.record.delivery import to_ms
from tests.support.dsl.builders import CASE, OTHER_CASE, event, nth_id, signed
from tests.support.dsl.judged import READERS, Appended, record_times, routed, story_of
from tests.support.dsl.spec import DAY, HOUR, MINUTE, POLICE, given, opened, release, released, request

_FROZEN = "issue 11: one entry that is stamped far ahead moves record time permanently, and nothing reports it"


def _with_a_jump(ahead: timedelta, next_one: AnyEvent) -> tuple[list[Appended], datetime]:
    """A record with one entry appended ``ahead`` of its time, and ``next_one`` a minute after it."""
    record = given(opened(), released()).record
    other = event(opened().body, emitter=POLICE, subject=OTHER_CASE)
    now = record.now + MINUTE
    jumped: list[Appended] = [(signed(other), record.now + ahead), (signed(next_one), now)]
    return [*story_of(record), *jumped], now


def _another_release() -> AnyEvent:
    return event(release(basis=nth_id(1)), emitter=POLICE)


@pytest.mark.parametrize("reader", sorted(READERS))
@pytest.mark.xfail(strict=True, raises=AssertionError, reason=_FROZEN)
def test_a_release_does_not_expire_by_one_false_time(reader: str) -> None:
    """A release for 30 days is effective when it is recorded after an entry that is stamped 400 days ahead."""
    record, _ = _with_a_jump(400 * DAY, _another_release())
    assert READERS[reader](record)[-1] == "effective"


@pytest.mark.parametrize("ahead", [DAY, 400 * DAY], ids=["a day", "400 days"])
@pytest.mark.xfail(strict=True, raises=AssertionError, reason=_FROZEN)
def test_record_time_stays_near_the_clock_after_a_jump(ahead: timedelta) -> None:
    """The entry after the jump has a record time within an hour of its own append time, so no deadline moves."""
    record, now = _with_a_jump(ahead, _another_release())
    assert record_times(record)[-1] <= to_ms(now + HOUR)


@pytest.mark.xfail(strict=True, raises=AssertionError, reason=_FROZEN)
def test_a_jump_is_alarmed() -> None:
    """The exchange reports the entry whose time is implausible."""
    record, _ = _with_a_jump(400 * DAY, _another_release())
    assert len(record) - 2 in {judged.record.offset for judged in routed(record).judged if judged.is_alarming}


@pytest.mark.xfail(strict=True, raises=AssertionError, reason=_FROZEN)
def test_an_emergency_after_a_clock_jump_is_due_as_soon_as_before() -> None:
    """The clock was a day ahead for one entry; two minutes for a delivery are counted from the true time."""
    record, now = _with_a_jump(DAY, event(request(), emitter=POLICE))
    [due] = (step.due_at for _, step in open_steps(routed(record).cases[CASE]) if step.step is DeadlineStep.DELIVERED)
    assert due <= now + HOUR
