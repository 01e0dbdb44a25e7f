"""Ageing chart: each open handoff by its segment and age, over the ages at which earlier ones left that segment."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import floor, log10
from uuid import UUID

from handoff.domain.handoff_clock import Segment, segments
from handoff.record.codes import Urgency
from handoff.views.board.handoff import BoardHandoff
from handoff.views.board.suppression import MEDIAN_THRESHOLD, THRESHOLD
from handoff.views.survival import Wait, quantile

PERCENTILES = (0.5, 0.7, 0.85, 0.95)
MOST_DOTS = 500
"""Above it, dots are counted by age instead."""
_BINS_PER_DECADE = 4


@dataclass(frozen=True, slots=True)
class AgeingDot:
    """An open handoff; ``seconds`` is its age since the request."""

    reference: UUID
    segment: Segment
    seconds: float
    urgency: Urgency
    owes: str


@dataclass(frozen=True, slots=True)
class AgeBin:
    """Number of open handoffs in a segment with an age from ``seconds`` to ``until``. None if it is suppressed."""

    segment: Segment
    seconds: float
    until: float
    count: int | None


@dataclass(frozen=True, slots=True)
class Band:
    """Ages at which finished handoffs left a segment, at ``PERCENTILES``. None if fewer than ten did."""

    segment: Segment
    finished: int
    seconds: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Ageing:
    """The chart at one moment: dots, or bins if there are many or if the day is past.

    ``open`` is the number of open handoffs; None if a bin is suppressed.
    """

    at: datetime
    dots: tuple[AgeingDot, ...]
    bins: tuple[AgeBin, ...]
    bands: tuple[Band, ...]
    open: int | None
    suppressed: int


def ageing(handoffs: Iterable[BoardHandoff], at: datetime, *, is_past: bool = False) -> Ageing:
    """Return the chart at ``at``. A past day is published like a figure: small counts are suppressed."""
    known = tuple(then for handoff in handoffs if (then := handoff.as_of(at)) is not None)
    dots = tuple(dot for handoff in known if handoff.is_open and (dot := _dot(handoff, at)) is not None)
    binned = is_past or len(dots) > MOST_DOTS
    bins = _bins(dots, threshold=THRESHOLD if is_past else 1) if binned else ()
    suppressed = sum(one.count is None for one in bins)
    return Ageing(
        at=at,
        dots=() if binned else dots,
        bins=bins,
        bands=tuple(_band(segment, known, at) for segment in Segment),
        open=len(dots) if suppressed == 0 else None,
        suppressed=suppressed,
    )


def _dot(handoff: BoardHandoff, at: datetime) -> AgeingDot | None:
    begun = tuple(segments(handoff, at))
    if not begun or begun[-1].ended:
        return None
    seconds = max((at - handoff.requested_at).total_seconds(), 1.0)
    return AgeingDot(handoff.reference, begun[-1].segment, seconds, handoff.urgency, handoff.target)


def _bins(dots: Sequence[AgeingDot], threshold: int) -> tuple[AgeBin, ...]:
    counts = Counter((dot.segment, floor(_BINS_PER_DECADE * log10(dot.seconds))) for dot in dots)
    # Without totals by segment nothing can be subtracted, so that a hidden bin needs a second one only in the whole.
    small = {key for key, count in counts.items() if count < threshold}
    if len(small) == 1:
        others = sorted((count, repr(key), key) for key, count in counts.items() if key not in small)
        small |= {others[0][2]} if others else set()
    return tuple(
        AgeBin(
            segment,
            10 ** (number / _BINS_PER_DECADE),
            10 ** ((number + 1) / _BINS_PER_DECADE),
            None if (segment, number) in small else count,
        )
        for (segment, number), count in sorted(counts.items(), key=_in_order)
    )


def _in_order(pair: tuple[tuple[Segment, int], int]) -> tuple[int, int]:
    (segment, number), _ = pair
    return list(Segment).index(segment), number


def _band(segment: Segment, known: Iterable[BoardHandoff], at: datetime) -> Band:
    left = [
        Wait((span.until - handoff.requested_at).total_seconds(), ended=True)
        for handoff in known
        for span in segments(handoff, at)
        if span.segment is segment and span.ended
    ]
    shown = len(left) >= MEDIAN_THRESHOLD
    return Band(segment, len(left), tuple(quantile(left, part) if shown else None for part in PERCENTILES))
