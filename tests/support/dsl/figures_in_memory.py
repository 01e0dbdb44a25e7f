"""Figures of handoffs computed in memory, one handoff after the other, to compare those of the database with."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from handoff.domain.handoff_clock import CLOCK_VERSION, Segment, segments, was_never_there
from handoff.record.codes import CaseService, Urgency
from handoff.views.handoffs import Handoff
from handoff.views.latency import Figures, Grouping, SegmentFigures
from handoff.views.survival import Wait, quantile

_SECOND = timedelta(seconds=1)
_CODES = [code.value for code in (*CaseService, *Urgency)]


def summary(handoffs: Iterable[Handoff], now: datetime, grouping: Grouping = Grouping.SERVICE) -> tuple[Figures, ...]:
    """Return the figures of each group with handoffs: services and urgencies in the order of the codes."""
    groups: dict[tuple[str, ...], list[Handoff]] = {}
    for handoff in handoffs:
        if not was_never_there(handoff):
            key = tuple(str(getattr(handoff, field)) for field in grouping.fields)
            groups.setdefault(key, []).append(handoff)

    def order(group: tuple[str, ...]) -> tuple[object, ...]:
        return tuple(map(_CODES.index, group)) if grouping is Grouping.SERVICE else group

    return tuple(_figures(group, groups[group], now) for group in sorted(groups, key=order))


def _until_answered(handoff: Handoff, now: datetime) -> Wait:
    last = handoff.answered_at or handoff.closed_at or now
    return Wait(max(last - handoff.requested_at, timedelta()) / _SECOND, handoff.answered_at is not None)


def _figures(group: tuple[str, ...], handoffs: Sequence[Handoff], now: datetime) -> Figures:
    waits = [_until_answered(handoff, now) for handoff in handoffs]
    ages = [wait.seconds for handoff, wait in zip(handoffs, waits, strict=True) if handoff.is_open and not wait.ended]
    return Figures(
        clock=CLOCK_VERSION,
        group=group,
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
