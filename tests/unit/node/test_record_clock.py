"""Only an echo proves that the own clock is off; such a clock refuses nothing that the record would accept."""

from datetime import datetime, timedelta

import pytest

from handoff.node.record_clock import AGREEING, TOLERANCE, RecordClock, measure
from tests.support.dsl.builders import T0

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("waited", [timedelta(0), SECOND, 5 * HOUR])
def test_an_event_that_waits_does_not_make_a_clock_wrong(waited: timedelta) -> None:
    """Stored, appended after an outage, and folded later still: the clocks may agree."""
    measured = measure([(T0, T0 + waited)], T0 + 2 * waited)
    assert measured is not None
    assert not measured.is_off


def test_a_clock_that_is_ahead_shows_by_how_much_at_least() -> None:
    measured = measure([(T0 + 10 * HOUR, T0 + SECOND)], T0 + 10 * HOUR + 2 * SECOND)
    assert measured == RecordClock(10 * HOUR - SECOND, T0 + SECOND)


def test_a_clock_that_is_behind_shows_by_how_much_at_least() -> None:
    """Its event is folded, by the own clock, before it was appended."""
    measured = measure([(T0 - 10 * HOUR, T0)], T0 - 10 * HOUR + SECOND)
    assert measured == RecordClock(SECOND - 10 * HOUR, T0)


def test_the_last_echo_counts() -> None:
    """A clock that was corrected agrees again."""
    measured = measure([(T0 + HOUR, T0), (T0 + SECOND, T0 + SECOND)], T0 + 2 * SECOND)
    assert measured is not None
    assert not measured.is_off
    assert measure([], T0) is None


@pytest.mark.parametrize("offset", [timedelta(0), TOLERANCE, -TOLERANCE])
def test_a_clock_that_agrees_judges_by_itself(offset: timedelta) -> None:
    clock = RecordClock(offset, T0)
    assert clock.judging_time(T0 + HOUR) == clock.now(T0 + HOUR) == T0 + HOUR
    assert AGREEING.judging_time(T0) == T0


@pytest.mark.parametrize("own", [T0 + 10 * HOUR, T0 + 13 * HOUR])
def test_a_fast_clock_judges_by_the_last_record_time(own: datetime) -> None:
    """Record time is at least that when the event is appended, so that nothing valid is refused."""
    clock = RecordClock(10 * HOUR, T0)
    assert clock.judging_time(own) == T0
    assert clock.now(own) == own - 10 * HOUR


def test_a_slow_clock_judges_by_its_estimate() -> None:
    clock = RecordClock(-10 * HOUR, T0)
    assert clock.judging_time(T0 - 9 * HOUR) == T0 + HOUR
