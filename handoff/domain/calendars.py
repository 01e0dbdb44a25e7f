"""Counted time: all hours, working hours, or working days of a published calendar.

Arithmetic only. Holidays and changes of the local clock are data of the calendar, so every reader of the record gets
the same due time, whatever its time zone database.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Protocol

from handoff.domain.case import Allowance, HoldPeriod
from handoff.domain.directory import Directory
from handoff.record.codes import DeadlineUnit
from handoff.record.events.directory import Calendars, WorkingHours

_DAY = timedelta(days=1)
_NOTHING = timedelta()
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


class Counting(Protocol):
    """Rule for the time that counts towards a deadline."""

    def counted(self, start: datetime, end: datetime) -> timedelta:
        """Return the time that counts from ``start`` to ``end``."""
        ...

    def advance(self, start: datetime, amount: timedelta) -> datetime:
        """Return the first moment from ``start`` on at which ``amount`` has counted."""
        ...

    def counts_at(self, moment: datetime) -> bool:
        """Return whether time counts at ``moment``."""
        ...

    def is_estimated(self, start: datetime, end: datetime) -> bool:
        """Return whether a holiday from ``start`` to ``end`` is an estimate."""
        ...


class AllHours:
    """Every hour counts."""

    def counted(self, start: datetime, end: datetime) -> timedelta:
        """Return the elapsed time."""
        return end - start

    def advance(self, start: datetime, amount: timedelta) -> datetime:
        """Return the moment ``amount`` later."""
        return start + amount

    def counts_at(self, _moment: datetime) -> bool:
        """Return True: every moment counts."""
        return True

    def is_estimated(self, _start: datetime, _end: datetime) -> bool:
        """Return False: no holiday matters."""
        return False


@dataclass(frozen=True, slots=True)
class LocalClock:
    """Periods of one offset from UTC, in order and without gaps."""

    periods: tuple[tuple[datetime, datetime, timedelta], ...]

    def periods_from(self, start: datetime) -> Iterator[tuple[datetime, datetime, timedelta]]:
        """Yield the periods that end after ``start``, the first one cut off at ``start``."""
        for begin, end, offset in self.periods:
            if end > start:
                yield max(begin, start), end, offset

    def local(self, moment: datetime) -> datetime:
        """Return the local time of ``moment``, without a zone."""
        _, _, offset = next(self.periods_from(moment))
        return (moment + offset).replace(tzinfo=None)

    def first_at(self, local: datetime, start: datetime) -> datetime:
        """Return the first moment from ``start`` on at which the local clock shows ``local`` or later."""
        for begin, end, offset in self.periods_from(start):
            found = max(local.replace(tzinfo=UTC) - offset, begin)
            if found < end:
                return found
        raise OverflowError(f"{local} is out of range")


@dataclass(frozen=True, slots=True)
class MemberCalendar:
    """Working hours of one member: shifts by weekday, in minutes of local time, and days without them."""

    clock: LocalClock
    shifts: Mapping[int, tuple[tuple[timedelta, timedelta], ...]]
    holidays: frozenset[date] = frozenset()
    estimated: frozenset[date] = frozenset()

    def shifts_on(self, day: date) -> tuple[tuple[timedelta, timedelta], ...]:
        """Return the shifts of a day, as times since its local midnight."""
        return () if day in self.holidays else self.shifts.get(day.weekday(), ())

    def is_estimated(self, start: datetime, end: datetime) -> bool:
        """Return whether a holiday from ``start`` to ``end`` is an estimate."""
        first, last = self.clock.local(start).date(), self.clock.local(end).date()
        return any(first <= day <= last for day in self.estimated)


@dataclass(frozen=True, slots=True)
class WorkingTime:
    """Elapsed time within working hours counts. An hour that the clock repeats counts twice."""

    calendar: MemberCalendar

    def counted(self, start: datetime, end: datetime) -> timedelta:
        """Return the working time from ``start`` to ``end``."""
        return sum((min(until, end) - since for since, until in self._open(start, end)), _NOTHING)

    def advance(self, start: datetime, amount: timedelta) -> datetime:
        """Return the first moment at which ``amount`` has been worked since ``start``."""
        if amount <= _NOTHING:
            return start
        for since, until in self._open(start, _LAST):
            if amount <= until - since:
                return since + amount
            amount -= until - since
        raise OverflowError("a calendar without working hours")

    def first_from(self, start: datetime) -> datetime:
        """Return the first moment from ``start`` on within working hours."""
        return next(since for since, _ in self._open(start, _LAST))

    def counts_at(self, moment: datetime) -> bool:
        """Return whether ``moment`` is within working hours."""
        return self.counted(moment, moment + timedelta(microseconds=1)) > _NOTHING

    def is_estimated(self, start: datetime, end: datetime) -> bool:
        """Return whether a holiday from ``start`` to ``end`` is an estimate."""
        return self.calendar.is_estimated(start, end)

    def _open(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield the working hours that begin before ``end`` and end after ``start``, the first cut off there."""
        for begin, change, offset in self.calendar.clock.periods_from(start):
            day = (begin + offset).date()
            while (midnight := datetime(day.year, day.month, day.day, tzinfo=UTC) - offset) < min(change, end):
                for opens, closes in self.calendar.shifts_on(day):
                    since, until = max(midnight + opens, begin), min(midnight + closes, change)
                    if since < min(until, end):
                        yield since, until
                day += _DAY


@dataclass(frozen=True, slots=True)
class WorkingDays:
    """Local time on working days counts: a working day later, the local clock shows the same time.

    A working day is a day with working hours; all 24 hours of it count, and none of another day.
    """

    calendar: MemberCalendar

    def counted(self, start: datetime, end: datetime) -> timedelta:
        """Return the local time on working days from ``start`` to ``end``."""
        (first, before), (last, after) = self._place(start), self._place(end)
        days = sum(1 for day in _days(first, last) if self._is_working(day))
        return days * _DAY + after - before

    def advance(self, start: datetime, amount: timedelta) -> datetime:
        """Return the first moment at which ``amount`` has counted since ``start``."""
        if amount <= _NOTHING:
            return start
        day, passed = self._place(start)
        left = passed + amount
        while not self._is_working(day) or left > _DAY:
            left -= _DAY if self._is_working(day) else _NOTHING
            day += _DAY
        return self.calendar.clock.first_at(datetime.combine(day, time()) + left, start)

    def counts_at(self, moment: datetime) -> bool:
        """Return whether ``moment`` is on a working day."""
        return self._is_working(self.calendar.clock.local(moment).date())

    def is_estimated(self, start: datetime, end: datetime) -> bool:
        """Return whether a holiday from ``start`` to ``end`` is an estimate."""
        return self.calendar.is_estimated(start, end)

    def _is_working(self, day: date) -> bool:
        return bool(self.calendar.shifts_on(day))

    def _place(self, moment: datetime) -> tuple[date, timedelta]:
        """Return the local date of ``moment``, and the time of that day that counts."""
        local = self.calendar.clock.local(moment)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        return local.date(), local - midnight if self._is_working(local.date()) else _NOTHING


def _days(first: date, last: date) -> Iterator[date]:
    while first < last:
        yield first
        first += _DAY


# Published calendars

ALL_HOURS = AllHours()
_OFFICE_DAYS = dict.fromkeys(range(5), ((_NOTHING, _DAY),))
_UNPUBLISHED = MemberCalendar(LocalClock(((_FIRST, _LAST, _NOTHING),)), _OFFICE_DAYS)
"""MemberCalendar before the first publication: Monday to Friday in UTC."""


@lru_cache(maxsize=256)
def calendar_of(published: Calendars, member: str) -> MemberCalendar:
    """Return the calendar of ``member`` in a publication."""
    hours = next((row for row in published.hours if member in row.members), None) or _for_all_others(published)
    shifts: dict[int, list[tuple[timedelta, timedelta]]] = {}
    for shift in sorted(hours.shifts, key=lambda shift: (shift.weekday, shift.from_minute)):
        opens, closes = (timedelta(minutes=minute) for minute in (shift.from_minute, shift.to_minute))
        shifts.setdefault(shift.weekday, []).append((opens, closes))
    holidays = () if hours.on_holidays else published.holidays
    return MemberCalendar(
        clock=_local_clock(published),
        shifts={weekday: tuple(found) for weekday, found in shifts.items()},
        holidays=frozenset(holiday.as_date for holiday in holidays),
        estimated=frozenset(holiday.as_date for holiday in holidays if holiday.estimated),
    )


def _for_all_others(published: Calendars) -> WorkingHours:
    return next(row for row in published.hours if not row.members)


def _local_clock(published: Calendars) -> LocalClock:
    changes = [(_FIRST, published.offset_minutes)]
    changes += [(change.at.astimezone(UTC), change.offset_minutes) for change in published.offset_changes]
    ends = [*(at for at, _ in changes[1:]), _LAST]
    return LocalClock(
        tuple((at, end, timedelta(minutes=minutes)) for (at, minutes), end in zip(changes, ends, strict=True))
    )


def first_working_hour(member: str, directory: Directory, at: datetime) -> datetime:
    """Return the first moment from ``at`` on within the working hours of ``member`` in the newest calendars."""
    return WorkingTime(calendar_of(directory.calendars[-1], member)).first_from(at)


def counting(allowance: Allowance, member: str, directory: Directory) -> Counting:
    """Return the rule by which the time of a step of ``member`` counts."""
    if allowance.calendar is None:
        return ALL_HOURS
    published = directory.calendars[allowance.calendar] if allowance.calendar >= 0 else None
    calendar = calendar_of(published, member) if published is not None else _UNPUBLISHED
    return WorkingDays(calendar) if allowance.unit is DeadlineUnit.WORKING_DAYS else WorkingTime(calendar)


# Pauses


@dataclass(frozen=True, slots=True)
class Due:
    """Due time of a step. ``suspended``: a hold stops its clock, and it is due then if the hold ends when it began."""

    at: datetime
    suspended: bool


def due(clock: Counting, since: datetime, amount: timedelta, pauses: Iterable[HoldPeriod]) -> Due:
    """Return the due time of a step that began at ``since`` and has ``amount`` of counted time outside ``pauses``."""
    left = amount
    for pause in pauses:
        begins = max(pause.since, since)
        used = clock.counted(since, begins)
        if used >= left:
            break
        if pause.until is None:
            return Due(clock.advance(begins, left - used), suspended=True)
        if pause.until > since:
            left, since = left - used, pause.until
    return Due(clock.advance(since, left), suspended=False)


def spent(clock: Counting, since: datetime, now: datetime, pauses: Iterable[HoldPeriod]) -> timedelta:
    """Return the counted time from ``since`` to ``now`` outside ``pauses``."""
    total = clock.counted(since, max(now, since))
    for pause in pauses:
        begins, ends = max(pause.since, since), min(pause.until or now, now)
        if begins < ends:
            total -= clock.counted(begins, ends)
    return total
