"""Handoff latency: each wait is split into segments by who has to act, so that broker delay never counts as staff time.

An open segment counts with its age, as a censored observation, and is never dropped. A withdrawal, a cancellation or
any other end that is not the segment's own censors it at that moment.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from handoff.record.codes import CaseService, FailureCode, State, Urgency
from handoff.views.handoffs import Handoff
from handoff.views.survival import Wait, quantile


class Segment(StrEnum):
    """Segment of a handoff, named for the activity that is waited for."""

    TRANSPORT = "transport"
    UNSEEN = "unseen"
    DECIDING = "deciding"
    ACTING = "acting"
    CLOSING = "closing"


@dataclass(frozen=True, slots=True)
class Span:
    """One segment of one handoff: its start, its end or censoring, and its duration without pauses."""

    segment: Segment
    since: datetime
    until: datetime
    wait: Wait


def spans(handoff: Handoff, now: datetime) -> tuple[Span, ...]:
    """Return the begun segments in order; none if the referral was entered in error before delivery."""
    if _was_never_there(handoff):
        return ()
    measured = (_CLOCKS[segment](handoff, now) for segment in Segment)
    return tuple(span for span in measured if span is not None)


def span(handoff: Handoff, segment: Segment, now: datetime) -> Span | None:
    """Return one segment of ``handoff``, or None if it has not begun."""
    return next((found for found in spans(handoff, now) if found.segment is segment), None)


def _was_never_there(handoff: Handoff) -> bool:
    return handoff.state is State.ENTERED_IN_ERROR and _arrived_at(handoff) is None


# The moments between the segments


def _arrived_at(handoff: Handoff) -> datetime | None:
    """Return when the target had it. An answer or an opening proves it, even without a receipt."""
    known = (handoff.delivered_at, handoff.opened_at, handoff.answered_at)
    return min((moment for moment in known if moment is not None), default=None)


def _seen_at(handoff: Handoff) -> datetime | None:
    """Return when a person saw it. A referral answered without being opened counts as seen on arrival.

    The whole wait is then *deciding* and *unseen* is zero, because the time of the first look is unknown.
    """
    opened, answered = handoff.opened_at, handoff.answered_at
    if answered is not None and (opened is None or opened > answered):
        return _arrived_at(handoff)
    return opened


def _accepted_at(handoff: Handoff) -> datetime | None:
    rejected = handoff.ending is not None and handoff.ending.state is State.REJECTED
    return None if rejected else handoff.answered_at


def _to_act_at(handoff: Handoff) -> datetime | None:
    """Return when the wait for the service begins: a follow-up's own date, else the acceptance."""
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
    """Return the censoring time of a segment without an end of its own."""
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
    """Build the span from ``since`` to its own end ``until`` or, censored, to ``otherwise``."""
    if since is None:
        return None
    ended = until is not None
    last = until or otherwise
    # A follow-up that began before its date, or a lagging clock, would give a negative wait.
    lasted = max(last - since - paused, timedelta())
    return Span(segment, since, max(since, last), Wait(lasted / timedelta(seconds=1), ended))


# Figures


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
    """Figures of one service and urgency. Durations in seconds; None if too few have ended.

    The figures beside ``segments`` cover the wait from request to answer; ``open`` counts the unanswered
    handoffs.
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
    """Return the figures of each service and urgency with handoffs, in code order."""
    groups: dict[tuple[CaseService, Urgency], list[Handoff]] = {}
    for handoff in handoffs:
        if not _was_never_there(handoff):
            groups.setdefault((handoff.service, handoff.urgency), []).append(handoff)
    in_order = ((service, urgency) for service in CaseService for urgency in Urgency if (service, urgency) in groups)
    return tuple(_figures(*group, groups[group], now) for group in in_order)


def until_answered(handoff: Handoff, now: datetime) -> Wait:
    """Return the wait from request to answer; any other end censors it."""
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
