"""Handoff latency: every wait is split by who is waiting, so that a slow broker is never blamed on staff.

One clock serves list, detail and alert. A segment that has not ended counts with its age (censored), never dropped;
a withdrawal, a cancellation or any other end that is not the segment's own censors it at that moment.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from handoff.record.codes import CaseService, FailureCode, State, Urgency
from handoff.views.handoffs import Handoff
from handoff.views.survival import Wait, quantile


class Segment(StrEnum):
    """A part of a handoff, named for what is waited for."""

    TRANSPORT = "transport"
    UNSEEN = "unseen"
    DECIDING = "deciding"
    ACTING = "acting"
    CLOSING = "closing"


@dataclass(frozen=True, slots=True)
class Span:
    """One segment of one handoff: since when, how long (pauses subtracted), and whether it ended by itself."""

    segment: Segment
    since: datetime
    wait: Wait


def spans(handoff: Handoff, now: datetime) -> tuple[Span, ...]:
    """The segments of ``handoff`` that have begun, in order; none if it was entered in error before its delivery."""
    if _was_never_there(handoff):
        return ()
    measured = (_CLOCKS[segment](handoff, now) for segment in Segment)
    return tuple(span for span in measured if span is not None)


def span(handoff: Handoff, segment: Segment, now: datetime) -> Span | None:
    """One segment of ``handoff``; None if it has not begun."""
    return next((found for found in spans(handoff, now) if found.segment is segment), None)


def _was_never_there(handoff: Handoff) -> bool:
    return handoff.state is State.ENTERED_IN_ERROR and _arrived_at(handoff) is None


# The moments between the segments


def _arrived_at(handoff: Handoff) -> datetime | None:
    """When the target had it: an answer or an opening proves that, even where the receipt came late or never."""
    known = (handoff.delivered_at, handoff.opened_at, handoff.answered_at)
    return min((moment for moment in known if moment is not None), default=None)


def _seen_at(handoff: Handoff) -> datetime | None:
    """When a person had it. What was answered without having been opened counts as seen on arrival.

    The whole wait is then *deciding* and *unseen* is zero: nobody can tell when it was looked at.
    """
    opened, answered = handoff.opened_at, handoff.answered_at
    if answered is not None and (opened is None or opened > answered):
        return _arrived_at(handoff)
    return opened


def _accepted_at(handoff: Handoff) -> datetime | None:
    rejected = handoff.ending is not None and handoff.ending.state is State.REJECTED
    return None if rejected else handoff.answered_at


def _to_act_at(handoff: Handoff) -> datetime | None:
    """From when somebody waits for the service: a follow-up's own date, else the acceptance."""
    accepted = _accepted_at(handoff)
    return max(accepted, handoff.due_at) if accepted is not None and handoff.due_at is not None else accepted


# The segments


def _transport(handoff: Handoff, now: datetime) -> Span | None:
    return _span(Segment.TRANSPORT, handoff.requested_at, _arrived_at(handoff), _cut_off(handoff, now))


def _unseen(handoff: Handoff, now: datetime) -> Span | None:
    return _span(Segment.UNSEEN, _arrived_at(handoff), _seen_at(handoff), _cut_off(handoff, now))


def _deciding(handoff: Handoff, now: datetime) -> Span | None:
    return _span(Segment.DECIDING, _seen_at(handoff), handoff.answered_at, _cut_off(handoff, now))


def _acting(handoff: Handoff, now: datetime) -> Span | None:
    since, paused = _to_act_at(handoff), timedelta(milliseconds=handoff.paused_before_start_ms or 0)
    if since is None or (handoff.started_at is None and since > _cut_off(handoff, now)):
        return None
    if handoff.started_at is None:
        paused += _lasting_pause(handoff, now)
    return _span(Segment.ACTING, since, handoff.started_at, _cut_off(handoff, now), paused)


def _closing(handoff: Handoff, now: datetime) -> Span | None:
    before_start = handoff.paused_before_start_ms or 0
    paused = timedelta(milliseconds=handoff.paused_ms - before_start) + _lasting_pause(handoff, now)
    ended = handoff.closed_at if _ended_by_itself(handoff) else None
    return _span(Segment.CLOSING, handoff.started_at, ended, _cut_off(handoff, now), paused)


_CLOCKS: Mapping[Segment, Callable[[Handoff, datetime], Span | None]] = {
    Segment.TRANSPORT: _transport,
    Segment.UNSEEN: _unseen,
    Segment.DECIDING: _deciding,
    Segment.ACTING: _acting,
    Segment.CLOSING: _closing,
}


def _lasting_pause(handoff: Handoff, now: datetime) -> timedelta:
    return max(now - handoff.paused_at, timedelta()) if handoff.paused_at is not None else timedelta()


def _cut_off(handoff: Handoff, now: datetime) -> datetime:
    """Until when a segment that has not ended by itself has lasted."""
    return handoff.closed_at or now


def _ended_by_itself(handoff: Handoff) -> bool:
    ending = handoff.ending
    if ending is None or ending.code == FailureCode.SURVIVOR_ENDED:
        return False
    return ending.state in {State.COMPLETED, State.FAILED}


def _span(
    segment: Segment,
    since: datetime | None,
    until: datetime | None,
    otherwise: datetime,
    paused: timedelta = timedelta(),
) -> Span | None:
    """The span from ``since`` to its own end ``until``, or, censored, to what stopped it ``otherwise``."""
    if since is None:
        return None
    ended = until is not None
    last = until or otherwise
    # A follow-up that began before its date, or a clock that lags the record's, waits no less than nothing.
    lasted = max(last - since - paused, timedelta())
    return Span(segment, since, Wait(lasted / timedelta(seconds=1), ended))


# Figures


@dataclass(frozen=True, slots=True)
class SegmentFigures:
    """One segment over many handoffs. Durations in seconds; None where too few have ended to say."""

    segment: Segment
    count: int
    open: int
    p50: float | None
    p90: float | None
    oldest_open: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """The handoffs of one service and urgency. Durations in seconds; None where too few have ended to say.

    The figures beside ``segments`` are of the wait from the request to the answer: ``open`` are those that nobody
    has answered yet.
    """

    service: CaseService
    urgency: Urgency
    count: int
    open: int
    p50: float | None
    p90: float | None
    oldest_open: float | None
    segments: tuple[SegmentFigures, ...]


def summary(handoffs: Iterable[Handoff], now: datetime) -> tuple[Figures, ...]:
    """The figures of each service and urgency that has handoffs, in the codes' order."""
    groups: dict[tuple[CaseService, Urgency], list[Handoff]] = {}
    for handoff in handoffs:
        if not _was_never_there(handoff):
            groups.setdefault((handoff.service, handoff.urgency), []).append(handoff)
    in_order = ((service, urgency) for service in CaseService for urgency in Urgency if (service, urgency) in groups)
    return tuple(_figures(*group, groups[group], now) for group in in_order)


def until_answered(handoff: Handoff, now: datetime) -> Wait:
    """The wait from the request to the answer; censored by any other end."""
    last = handoff.answered_at or handoff.closed_at or now
    return Wait(max(last - handoff.requested_at, timedelta()) / timedelta(seconds=1), handoff.answered_at is not None)


def _figures(service: CaseService, urgency: Urgency, handoffs: Sequence[Handoff], now: datetime) -> Figures:
    waits = [until_answered(handoff, now) for handoff in handoffs]
    ages = [wait.seconds for handoff, wait in zip(handoffs, waits, strict=True) if handoff.is_open and not wait.ended]
    return Figures(
        service=service,
        urgency=urgency,
        count=len(handoffs),
        open=len(ages),
        p50=quantile(waits, 0.5),
        p90=quantile(waits, 0.9),
        oldest_open=max(ages, default=None),
        segments=tuple(_segment_figures(segment, handoffs, now) for segment in Segment),
    )


def _segment_figures(segment: Segment, handoffs: Sequence[Handoff], now: datetime) -> SegmentFigures:
    measured = [(handoff, span(handoff, segment, now)) for handoff in handoffs]
    begun = [(handoff, found.wait) for handoff, found in measured if found is not None]
    waits = [wait for _, wait in begun]
    lasting = [wait.seconds for handoff, wait in begun if handoff.is_open and not wait.ended]
    return SegmentFigures(
        segment=segment,
        count=len(waits),
        open=len(lasting),
        p50=quantile(waits, 0.5),
        p90=quantile(waits, 0.9),
        oldest_open=max(lasting, default=None),
    )
