"""Time slider: one step for each record time of a case, and a last one for the present.

The reads that this reader made on this site are no steps: each visit would add one.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from handoff.audit.as_of_parameter import parse_as_of
from handoff.record.events.case import CaseRead
from handoff.views.replay.history import History, ReplayedEntry


@dataclass(frozen=True, slots=True)
class Reader:
    """The person that reads: the opaque id, and the member whose node gave it."""

    id: UUID
    member: str

    def read(self, entry: ReplayedEntry) -> bool:
        """Return whether an entry is a read by this person."""
        return entry.is_a(CaseRead) and entry.emitter == self.member and entry.body.reader == self.id


@dataclass(frozen=True, slots=True)
class SliderPosition:
    """A position of the slider: the ``step``-th record time of the case, or ``last``, which is the present."""

    at: datetime
    step: int
    last: int

    @property
    def is_now(self) -> bool:
        """Return whether the position is the present."""
        return self.step == self.last


def record_times(history: History, reader: Reader) -> tuple[datetime, ...]:
    """Return the distinct record times of a case, in order, without those of the reader's own reads."""
    return tuple(dict.fromkeys(entry.at for entry in history.own if not reader.read(entry)))


def slider_position(
    history: History, reader: Reader, now: datetime, step: int | None, as_of: str | None
) -> SliderPosition:
    """Return the position for a ``step`` or else an ``as_of``; the present if the request has neither.

    Raises the problem of an invalid ``as_of``.
    """
    times = record_times(history, reader)
    now = max([now, *(entry.at for entry in history.own[-1:])])
    last = len(times) + 1
    if step is not None and 1 <= step < last:
        return SliderPosition(times[step - 1], step, last)
    if step is None and as_of:
        at = parse_as_of(as_of, now)
        return SliderPosition(at, last if at == now else sum(time <= at for time in times), last)
    return SliderPosition(now, last, last)
