"""Handoff latency: figures over the segments of many handoffs, so that broker delay never counts as staff time.

The clock of ``handoff.domain.handoff_clock`` measures each segment. An open segment counts with its age, as a censored
observation, and is never dropped. Any other end than its own censors it at that moment. A duration that no later moment
changes is stored with its handoff, and the database aggregates the stored ones: it needs no clock.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from handoff.domain.handoff_clock import CLOCK_VERSION, Segment, segments, was_never_there
from handoff.record.codes import CaseService, Urgency
from handoff.views.handoffs import Handoff
from handoff.views.survival import Wait

_SECOND = timedelta(seconds=1)
_CODES = [code.value for code in (*CaseService, *Urgency)]

UNTIL_ANSWERED: Final = "until_answered"
MEASURES: Final = (UNTIL_ANSWERED, *(segment.value for segment in Segment))
"""The measured waits of a handoff, in the order in which they are stored: until the answer, then the segments."""


class Grouping(StrEnum):
    """Handoffs whose waits are summarised together."""

    SERVICE = "service"
    INSTITUTION = "institution"
    ROUTE = "route"

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields of a handoff that are equal in a group."""
        return _FIELDS[self]


_FIELDS = {
    Grouping.SERVICE: ("service", "urgency"),
    Grouping.INSTITUTION: ("target",),
    Grouping.ROUTE: ("source", "target"),
}


@dataclass(frozen=True, slots=True)
class MeasuredWait:
    """A measured wait of a handoff; ``ended`` is False for a censored observation."""

    measure: str
    lasted: timedelta
    ended: bool


def settled_waits(handoff: Handoff) -> Iterator[MeasuredWait]:
    """Yield the waits that no later moment changes: those that ended, and all of a closed handoff."""
    moment = handoff.closed_at or handoff.requested_at
    return (wait for wait in _waits(handoff, moment) if wait.ended or not handoff.is_open)


def lasting_waits(handoff: Handoff, now: datetime) -> Iterator[MeasuredWait]:
    """Yield the waits that last at ``now``, each with its age."""
    return (wait for wait in _waits(handoff, now) if not wait.ended and handoff.is_open)


def _waits(handoff: Handoff, now: datetime) -> Iterator[MeasuredWait]:
    if was_never_there(handoff):
        return
    yield MeasuredWait(UNTIL_ANSWERED, _answer_time(handoff, now), handoff.answered_at is not None)
    for span in segments(handoff, now):
        yield MeasuredWait(span.segment.value, span.lasted, span.ended)


def until_answered(handoff: Handoff, now: datetime) -> Wait:
    """Return the wait from request to answer; any other end censors it."""
    return Wait(_answer_time(handoff, now) / _SECOND, handoff.answered_at is not None)


def _answer_time(handoff: Handoff, now: datetime) -> timedelta:
    last = handoff.answered_at or handoff.closed_at or now
    return max(last - handoff.requested_at, timedelta())


@dataclass(frozen=True, slots=True)
class SegmentFigures:
    """Figures of one segment over many handoffs. Durations in seconds; None if too few have ended."""

    segment: Segment
    count: int
    open: int
    p50: float | None
    p90: float | None
    oldest_open: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of one group of handoffs. Durations in seconds; None if too few have ended.

    ``group`` has the values of the grouping's fields. The figures beside ``segments`` cover the wait from request to
    answer; ``open`` counts the unanswered handoffs. ``clock`` is the version of the rules of the clock.
    """

    clock: int
    group: tuple[str, ...]
    count: int
    open: int
    p50: float | None
    p90: float | None
    oldest_open: float | None
    segments: tuple[SegmentFigures, ...]


@dataclass(frozen=True, slots=True)
class WaitFigures:
    """Figures of one measure of one group of handoffs, in seconds."""

    group: tuple[str, ...]
    measure: str
    count: int
    open: int
    p50: float | None
    p90: float | None
    oldest_open: float | None


def figures_of(grouping: Grouping, rows: Iterable[WaitFigures]) -> tuple[Figures, ...]:
    """Return the figures of each group: services and urgencies in the order of the codes, members in that of their ids.

    A measure that no handoff of a group has begun has no row.
    """
    groups: dict[tuple[str, ...], dict[str, WaitFigures]] = {}
    for row in rows:
        groups.setdefault(row.group, {})[row.measure] = row

    def order(group: tuple[str, ...]) -> tuple[object, ...]:
        return tuple(map(_CODES.index, group)) if grouping is Grouping.SERVICE else group

    return tuple(_figures(groups[group]) for group in sorted(groups, key=order))


def _figures(by_measure: Mapping[str, WaitFigures]) -> Figures:
    answer = by_measure[UNTIL_ANSWERED]
    of_segments = []
    for segment in Segment:
        found = by_measure.get(segment.value, WaitFigures(answer.group, segment.value, 0, 0, None, None, None))
        of_segments.append(SegmentFigures(segment, found.count, found.open, found.p50, found.p90, found.oldest_open))
    return Figures(
        clock=CLOCK_VERSION,
        group=answer.group,
        count=answer.count,
        open=answer.open,
        p50=answer.p50,
        p90=answer.p90,
        oldest_open=answer.oldest_open,
        segments=tuple(of_segments),
    )
