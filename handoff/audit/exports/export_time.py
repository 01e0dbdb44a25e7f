"""Text of a time in an export: one form for all times, so that a program reads them with one pattern."""

from datetime import UTC, datetime


def export_time(moment: datetime) -> str:
    """Return ``moment`` in UTC, with microseconds: the precision of a claimed time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
