"""Calendars of a plan as data for the record: working hours, holidays, and the changes of the local clock.

Here, at the founding, the time zone database and the library of holidays are read. Readers of the record need neither.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import holidays as public_holidays

from handoff.config import PlannedCalendars, PlannedHours
from handoff.record.events.directory import Calendars, Holiday, OffsetChange, Shift, WorkingHours

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ESTIMATED = "estimated"
_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)


def calendars(plan: PlannedCalendars, year: int) -> Calendars:
    """Return the calendars of ``plan`` for the years from the one before ``year`` on."""
    zone, start, end = ZoneInfo(plan.zone), *(datetime(y, 1, 1, tzinfo=UTC) for y in (year - 1, year + plan.years))
    return Calendars(
        zone=plan.zone,
        offset_minutes=_offset(start, zone),
        offset_changes=tuple(_offset_changes(zone, start, end)),
        holidays=tuple(_holidays(plan, range(year - 1, year + plan.years))),
        hours=tuple(_hours(row) for row in plan.hours),
        source=plan.source,
    )


def _offset(at: datetime, zone: ZoneInfo) -> int:
    offset = at.astimezone(zone).utcoffset()
    return 0 if offset is None else offset // _MINUTE


def _offset_changes(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[OffsetChange]:
    while start < end:
        if _offset(start, zone) != (offset := _offset(start + _DAY, zone)):
            yield OffsetChange(at=_first_minute(start, zone, offset), offset_minutes=offset)
        start += _DAY


def _first_minute(start: datetime, zone: ZoneInfo, offset: int) -> datetime:
    """Return the first minute of a day at which the zone has ``offset``."""
    minutes = (start + minute * _MINUTE for minute in range(_DAY // _MINUTE + 1))
    return next(minute for minute in minutes if _offset(minute, zone) == offset)


def _holidays(plan: PlannedCalendars, years: range) -> Iterator[Holiday]:
    """Yield the public holidays, with the dates that the coordinator confirmed instead of the estimated ones."""
    known = public_holidays.country_holidays(plan.country, years=years, language="en_US") if plan.country else {}
    confirmed = {day.year for day in plan.confirmed}
    for day, name in sorted(known.items()):
        is_estimated = _ESTIMATED in name
        if not (is_estimated and day.year in confirmed):
            yield Holiday(year=day.year, month=day.month, day=day.day, estimated=is_estimated)
    for day in plan.confirmed:
        if day not in known or _ESTIMATED in known[day]:
            yield Holiday(year=day.year, month=day.month, day=day.day)


def _hours(plan: PlannedHours) -> WorkingHours:
    shifts = tuple(
        Shift(weekday=number, from_minute=opens, to_minute=closes)
        for number, weekday in enumerate(_WEEKDAYS)
        for opens, closes in getattr(plan, weekday)
    )
    return WorkingHours(members=plan.members, shifts=shifts, on_holidays=plan.on_holidays)
