"""Tables for people: the timeline of a case, and the waiting times of handoffs."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from rich.table import Table

from handoff.config import DEFAULT_TIME_ZONE
from handoff.domain.handoff_clock import CLOCK_VERSION, Segment
from handoff.record.delivery import Verdict, VerdictKind
from handoff.views.latency import Figures, Grouping
from handoff.views.timeline import TimelineEntry

ZONE = ZoneInfo(DEFAULT_TIME_ZONE)
_SHORT = 25
"""Longest detail in a table. Longer ones (ids, exact times) are only in --json."""


def timeline_table(case: UUID, entries: Sequence[TimelineEntry]) -> Table:
    """Table with one row for each entry of the record about ``case``, in the record's order."""
    table = Table(title=f"Timeline of case {case}", title_justify="left", row_styles=["", "dim"])
    for column in ("#", "recorded", "claimed", "who", "what", "referral"):
        table.add_column(column, no_wrap=True)
    for column in ("with", "verdict"):
        table.add_column(column, overflow="fold")
    for entry in entries:
        table.add_row(*_cells(entry), style=None if entry.verdict.is_effective else "yellow")
    table.caption = f"times in {ZONE.key}; claimed times are the institutions' own; only the record's order counts"
    return table


def local_time(moment: datetime, *, milliseconds: bool = False, seconds: bool = True) -> str:
    """Text of a moment in ``ZONE``: date, time, and the offset from UTC, which differs in a repeated hour.

    ``--as-of`` and ``--diff`` take such a text.
    """
    precision = "milliseconds" if milliseconds else "seconds" if seconds else "minutes"
    return moment.astimezone(ZONE).isoformat(" ", precision)


def _cells(entry: TimelineEntry) -> tuple[str, ...]:
    return (
        str(entry.position),
        local_time(entry.record_time, milliseconds=True),
        local_time(entry.claimed_time, seconds=False) if entry.claimed_time is not None else "",
        entry.emitter or "",
        (entry.type or "unreadable").removesuffix(".v1"),
        str(entry.referral)[:8] if entry.referral is not None else "",
        ", ".join(value for _, value in entry.details if len(value) <= _SHORT),
        verdict_words(entry.verdict),
    )


def verdict_words(verdict: Verdict) -> str:
    """Text of a verdict."""
    if verdict.kind is VerdictKind.EFFECTIVE:
        return "effective"
    return f"{verdict.kind.value}: {verdict.reason}" if verdict.reason is not None else verdict.kind.value


def handoff_table(figures: Sequence[Figures], grouping: Grouping = Grouping.SERVICE) -> Table:
    """Table with one row for each group: count, time until the answer, and each segment's median."""
    table = Table(title="Waiting times of handoffs", title_justify="left")
    for field in grouping.fields:
        table.add_column(field)
    for column in ("count", "open", "p50", "p90", "oldest open", *(segment.value for segment in Segment)):
        table.add_column(column, justify="right")
    for row in figures:
        table.add_row(*_figure_cells(row))
    table.caption = (
        "p50, p90: time until the answer, open handoffs included (Kaplan-Meier); segments: their medians. "
        f"Holds are left out: rules of the clock, version {CLOCK_VERSION}. "
        "This is the operator's view. Small numbers identify people: do not publish it."
    )
    return table


def _figure_cells(row: Figures) -> tuple[str, ...]:
    by_segment = {figures.segment: figures.p50 for figures in row.segments}
    return (
        *row.group,
        str(row.count),
        str(row.open),
        span_words(row.p50),
        span_words(row.p90),
        span_words(row.oldest_open),
        *(span_words(by_segment.get(segment)) for segment in Segment),
    )


def span_words(seconds: float | None) -> str:
    """Text of a duration in its two largest units; a dash for None."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.1f} s"
    name, size, smaller, step = next(unit for unit in _UNITS if seconds >= unit[1])
    return f"{int(seconds // size)} {name} {int(seconds % size // step)} {smaller}"


_UNITS = (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1))
