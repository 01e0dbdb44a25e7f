"""Periods of the board: quarters beside a quarter, and the end of a past day."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from handoff.views.figures.period import Quarter


def quarter_of(day: date, zone: ZoneInfo) -> Quarter:
    """Return the quarter of a day."""
    return Quarter(day.year, (day.month + 2) // 3, zone)


def following(quarter: Quarter) -> Quarter:
    """Return the next quarter."""
    return Quarter(quarter.year + quarter.number // 4, quarter.number % 4 + 1, quarter.zone)


def preceding(quarter: Quarter) -> Quarter:
    """Return the quarter before."""
    return Quarter(quarter.year - (quarter.number == 1), (quarter.number + 2) % 4 + 1, quarter.zone)


def end_of(day: date, zone: ZoneInfo) -> datetime:
    """Return the end of a day."""
    return datetime.combine(day + timedelta(days=1), time(), zone)
