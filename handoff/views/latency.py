"""Handoff latency: figures over the segments of many handoffs, so that broker delay never counts as staff time.

The clock of ``handoff.domain.handoff_clock`` measures each segment. An open segment counts with its age, as a censored
observation, and is never dropped. Any other end than its own censors it at that moment.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from handoff.domain.handoff_clock import CLOCK_VERSION, Segment, segments, was_never_there
from handoff.record.codes import CaseService, Urgency
from handoff.views.handoffs import Handoff
from handoff.views.survival import Wait, quantile

_SECOND = timedelta(seconds=1)


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
    handoffs. ``clock`` is the version of the rules of the clock.
    """

    clock: int

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
        if not was_never_there(handoff):
            groups.setdefault((handoff.service, handoff.urgency), []).append(handoff)
    in_order = ((service, urgency) for service in CaseService for urgency in Urgency if (service, urgency) in groups)
    return tuple(_figures(*group, groups[group], now) for group in in_order)


def until_answered(handoff: Handoff, now: datetime) -> Wait:
    """Return the wait from request to answer; any other end censors it."""
    last = handoff.answered_at or handoff.closed_at or now
    return Wait(max(last - handoff.requested_at, timedelta()) / _SECOND, handoff.answered_at is not None)


def _figures(service: CaseService, urgency: Urgency, handoffs: Sequence[Handoff], now: datetime) -> Figures:
    waits = [until_answered(handoff, now) for handoff in handoffs]
    ages = [wait.seconds for handoff, wait in zip(handoffs, waits, strict=True) if handoff.is_open and not wait.ended]
    return Figures(
        clock=CLOCK_VERSION,
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
    found = ((handoff, span) for handoff in handoffs for span in segments(handoff, now) if span.segment is segment)
    begun = [(handoff, Wait(span.lasted / _SECOND, span.ended)) for handoff, span in found]
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
