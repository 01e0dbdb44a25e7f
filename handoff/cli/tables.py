"""The tables that a person reads: a case's timeline, and how long the handoffs took."""

from collections.abc import Sequence
from uuid import UUID
from zoneinfo import ZoneInfo

from rich.table import Table

from handoff.config import DEFAULT_TIME_ZONE
from handoff.record.delivery import Verdict, VerdictKind
from handoff.views.latency import Figures, Segment
from handoff.views.timeline import TimelineEntry

ZONE = ZoneInfo(DEFAULT_TIME_ZONE)
_SHORT = 25
"""Longer details (ids, exact times) are left to --json."""


def timeline_table(case: UUID, entries: Sequence[TimelineEntry]) -> Table:
    """One line per entry of the record about ``case``, in the record's order."""
    table = Table(title=f"Timeline of case {case}", title_justify="left", row_styles=["", "dim"])
    for column in ("#", "recorded", "claimed", "who", "what", "referral"):
        table.add_column(column, no_wrap=True)
    for column in ("with", "verdict"):
        table.add_column(column, overflow="fold")
    for entry in entries:
        table.add_row(*_cells(entry), style=None if entry.verdict.is_effective else "yellow")
    table.caption = f"times in {ZONE.key}; claimed times are the institutions' own, the record's order is what counts"
    return table


def _cells(entry: TimelineEntry) -> tuple[str, ...]:
    recorded = entry.record_time.astimezone(ZONE)
    claimed = entry.claimed_time.astimezone(ZONE) if entry.claimed_time is not None else None
    return (
        str(entry.position),
        f"{recorded:%H:%M:%S}.{recorded.microsecond // 1000:03d}",
        f"{claimed:%Y-%m-%d %H:%M}" if claimed is not None else "",
        entry.emitter or "",
        (entry.type or "unreadable").removesuffix(".v1"),
        str(entry.referral)[:8] if entry.referral is not None else "",
        ", ".join(value for _, value in entry.details if len(value) <= _SHORT),
        verdict_words(entry.verdict),
    )


def verdict_words(verdict: Verdict) -> str:
    """A verdict as a person reads it."""
    if verdict.kind is VerdictKind.EFFECTIVE:
        return "effective"
    return f"{verdict.kind.value}: {verdict.reason}" if verdict.reason is not None else verdict.kind.value


def handoff_table(figures: Sequence[Figures]) -> Table:
    """One line per service and urgency: how many, how long until answered, and each segment's median."""
    table = Table(title="Handoffs: who waited how long", title_justify="left")
    table.add_column("service")
    table.add_column("urgency")
    for column in ("count", "open", "p50", "p90", "oldest open", *(segment.value for segment in Segment)):
        table.add_column(column, justify="right")
    for row in figures:
        table.add_row(*_figure_cells(row))
    table.caption = (
        "p50, p90: until answered, open ones included (Kaplan-Meier); segments: their medians. "
        "The operator's view: small numbers identify people, so publish none of it."
    )
    return table


def _figure_cells(row: Figures) -> tuple[str, ...]:
    by_segment = {figures.segment: figures.p50 for figures in row.segments}
    return (
        row.service.value,
        row.urgency.value,
        str(row.count),
        str(row.open),
        span_words(row.p50),
        span_words(row.p90),
        span_words(row.oldest_open),
        *(span_words(by_segment.get(segment)) for segment in Segment),
    )


def span_words(seconds: float | None) -> str:
    """A span in its two largest units; a dash where there is none."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.1f} s"
    name, size, smaller, step = next(unit for unit in _UNITS if seconds >= unit[1])
    return f"{int(seconds // size)} {name} {int(seconds % size // step)} {smaller}"


_UNITS = (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1))
