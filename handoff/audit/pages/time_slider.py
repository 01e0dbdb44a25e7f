"""Time slider: one step for each record time of a case, and a last one for the present."""

from dataclasses import dataclass
from datetime import datetime

from handoff.audit.as_of_parameter import parse_as_of
from handoff.views.replay.history import History


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


def record_times(history: History) -> tuple[datetime, ...]:
    """Return the distinct record times of a case, in order."""
    return tuple(dict.fromkeys(entry.at for entry in history.own))


def slider_position(history: History, now: datetime, step: int | None, as_of: str | None) -> SliderPosition:
    """Return the position for a ``step`` or else an ``as_of``; the present if the request has neither.

    Raises the problem of an invalid ``as_of``.
    """
    times = record_times(history)
    now = max(now, *times[-1:])
    last = len(times) + 1
    if step is not None and 1 <= step < last:
        return SliderPosition(times[step - 1], step, last)
    if step is None and as_of:
        at = parse_as_of(as_of, now)
        return SliderPosition(at, last if at == now else sum(time <= at for time in times), last)
    return SliderPosition(now, last, last)
