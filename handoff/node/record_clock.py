"""The node's own clock against record time, as its echoes measure it. Pure.

An event is stored at a time of the own clock, appended at a record time, and folded at a later time of the own clock. A
clock that agrees with the record's gives these three in this order, however long the event waited. A wrong order shows
by how much the own clock is off at least.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

TOLERANCE: Final = timedelta(seconds=10)
"""Difference up to which two clocks count as equal: more than synchronised clocks ever differ by."""


@dataclass(frozen=True, slots=True)
class RecordClock:
    """The last measurement; ``record_time`` is that of the echo.

    ``offset`` is the least amount by which the own clock is ahead; negative if it is behind.
    """

    offset: timedelta = timedelta(0)
    record_time: datetime | None = None

    @property
    def is_off(self) -> bool:
        """Return whether the own clock is known to be wrong, or the record's."""
        return abs(self.offset) > TOLERANCE

    def now(self, own: datetime) -> datetime:
        """Return the best estimate of record time at ``own``, a time of the own clock."""
        return own - self.offset if self.is_off else own

    def judging_time(self, own: datetime) -> datetime:
        """Return the time at which an event stored at ``own`` is judged before it is on the record.

        If the clock is known to be ahead, that is the last record time seen. Record time never goes back, so what has
        expired by then has also expired when the event is appended. What may still be valid is left to the record.
        """
        if self.is_off and self.offset > timedelta(0) and self.record_time is not None:
            return min(own, self.record_time)
        return self.now(own)


AGREEING: Final = RecordClock()
"""A clock without a known difference."""


def measure(echoes: Iterable[tuple[datetime, datetime]], now: datetime) -> RecordClock | None:
    """Return what the last echo shows; None without an echo.

    Each echo is the time at which the event was stored, by the own clock, and its record time. ``now`` is the time of
    the fold, by the own clock.
    """
    measured = None
    for stored_at, record_time in echoes:
        ahead, behind = stored_at - record_time, record_time - now
        zero = timedelta(0)
        measured = RecordClock(max(ahead, zero) - max(behind, zero), record_time)
    return measured
