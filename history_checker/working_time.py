"""Due time of a step, computed by the checker: it walks from one change of the calendar to the next."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from history_checker.parsing import parse_time
from history_checker.snapshot import Json

_MIDNIGHTS = (0, 1440)
_NOTHING = timedelta()


@dataclass(slots=True)
class Hold:
    """Time that a referral spent on hold."""

    code: str
    begins: datetime
    ends: datetime | None = None


@dataclass(slots=True)
class TimeAllowed:
    """Amount of time that a step may take, and the way in which it is counted."""

    amount: timedelta
    kind: str
    """``elapsed``, ``hours`` (time within working hours), or ``days`` (local time on working days)."""
    calendar: Json | None = None
    member: str = ""
    stopped_by: tuple[str, ...] = ()


def due_time(since: datetime, allowed: TimeAllowed, holds: list[Hold]) -> tuple[datetime, bool]:
    """Return the due time of a step, and whether a hold that lasts has stopped its clock."""
    left, at = allowed.amount, since
    for hold in holds:
        if hold.code not in allowed.stopped_by or (hold.ends is not None and hold.ends <= at):
            continue
        found, left = _walk(at, left, allowed, until=max(hold.begins, at))
        if found is not None:
            return found, False
        if hold.ends is None:
            reached, _ = _walk(max(hold.begins, at), left, allowed, until=None)
            return _certain(reached), True
        at = hold.ends
    reached, _ = _walk(at, left, allowed, until=None)
    return _certain(reached), False


def _certain(reached: datetime | None) -> datetime:
    if reached is None:
        raise LookupError("the calendar has no working time")
    return reached


def _walk(
    at: datetime, left: timedelta, allowed: TimeAllowed, until: datetime | None
) -> tuple[datetime | None, timedelta]:
    """Return when ``left`` has counted since ``at``; or None at ``until``, with the time that is then left."""
    if allowed.kind == "elapsed":
        if until is None or at + left <= until:
            return at + left, _NOTHING
        return None, left - (until - at)
    if left <= _NOTHING:
        return at, _NOTHING
    clock = _Clock(allowed.calendar, allowed.member)
    while until is None or at < until:
        end = clock.next_change(at)
        stop = end if until is None else min(end, until)
        if clock.counts(at, allowed.kind):
            if left <= stop - at:
                return at + left, _NOTHING
            left -= stop - at
        if allowed.kind == "days" and stop == end and clock.counts(end, "days") and (until is None or end < until):
            left -= clock.jump(end)
            if left <= _NOTHING:
                return end, _NOTHING
        at = stop
    return None, left


class _Clock:
    """Local clock and working hours of one member."""

    def __init__(self, calendar: Json | None, member: str) -> None:
        published = calendar or {"offset_minutes": 0, "offset_changes": (), "holidays": (), "hours": ()}
        self._first = published["offset_minutes"]
        self._changes = [(parse_time(row["at"]), row["offset_minutes"]) for row in published["offset_changes"]]
        rows = [row for row in published["hours"] if member in row["members"]]
        rows = rows or [row for row in published["hours"] if not row["members"]]
        works_on_holidays = bool(rows) and rows[0]["on_holidays"]
        holidays = () if works_on_holidays else published["holidays"]
        self._holidays = {date(row["year"], row["month"], row["day"]) for row in holidays}
        office_days = [{"weekday": weekday, "from_minute": 0, "to_minute": 1440} for weekday in range(5)]
        self._shifts = rows[0]["shifts"] if rows else office_days

    def counts(self, at: datetime, kind: str) -> bool:
        local = at + self._offset(at)
        shifts = list(self._shifts_on(local.date()))
        if kind == "days":
            return bool(shifts)
        midnight = datetime(local.year, local.month, local.day, tzinfo=UTC)
        return any(midnight + opens <= local < midnight + closes for opens, closes in shifts)

    def next_change(self, at: datetime) -> datetime:
        offset = self._offset(at)
        local = at + offset
        midnight = datetime(local.year, local.month, local.day, tzinfo=UTC)
        edges = {timedelta(minutes=minute) for minute in _MIDNIGHTS}
        edges |= {edge for shift in self._shifts_on(local.date()) for edge in shift}
        ends = [midnight + edge - offset for edge in edges] + [change for change, _ in self._changes]
        return min(end for end in ends if end > at)

    def jump(self, at: datetime) -> timedelta:
        """Time by which the local clock is put forward at that moment; negative if it is put back."""
        return self._offset(at) - self._offset(at - timedelta(microseconds=1))

    def _offset(self, at: datetime) -> timedelta:
        passed = [minutes for change, minutes in self._changes if change <= at]
        return timedelta(minutes=passed[-1] if passed else self._first)

    def _shifts_on(self, day: date) -> Iterator[tuple[timedelta, timedelta]]:
        for shift in self._shifts:
            if shift["weekday"] == day.weekday() and day not in self._holidays:
                yield timedelta(minutes=shift["from_minute"]), timedelta(minutes=shift["to_minute"])
