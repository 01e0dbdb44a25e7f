"""Counted time agrees with an oracle that reads the local clock every minute."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

from handoff.domain import calendars
from handoff.domain.case import Allowance, HoldPeriod
from handoff.domain.directory import Directory
from handoff.record.codes import DeadlineSource, DeadlineUnit, HoldCode
from handoff.record.events.directory import Calendars, Holiday, OffsetChange, Shift, WorkingHours

ZONE = ZoneInfo("Europe/Belgrade")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
CASES, CHUNKS = 10_400, 8
CLOCK_CHANGES = (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC))
HOLIDAYS = tuple(date(2026, month, day) for month, day in ((1, 1), (3, 27), (3, 30), (5, 1), (10, 23), (10, 26)))
EDGES = (0, 1, 119, 120, 121, 150, 180, 181, 480, 720, 780, 1000, 1320, 1439, 1440)


def published(shifts: tuple[Shift, ...]) -> Calendars:
    """Calendars of 2026 in the zone of the plan."""
    return Calendars(
        zone="Europe/Belgrade",
        offset_minutes=60,
        offset_changes=tuple(
            OffsetChange(at=at, offset_minutes=minutes) for at, minutes in zip(CLOCK_CHANGES, (120, 60), strict=True)
        ),
        holidays=tuple(Holiday(year=day.year, month=day.month, day=day.day) for day in HOLIDAYS),
        hours=(WorkingHours(shifts=shifts),),
        source=DeadlineSource.ASSUMED,
    )


@dataclass(frozen=True)
class Example:
    """A step under one of two policies; the second is published while the step runs, and must not count for it."""

    policies: tuple[Calendars, Calendars]
    allowance: Allowance
    since: datetime
    pauses: tuple[HoldPeriod, ...]

    @property
    def amount(self) -> timedelta:
        return self.allowance.amount * (
            DAY if self.allowance.unit is DeadlineUnit.WORKING_DAYS else timedelta(seconds=1)
        )


def examples(seed: int, count: int) -> Iterator[Example]:
    """Generated steps around midnights, clock changes, holidays and ends of shifts, on hold up to three times."""
    chosen = random.Random(seed)
    for _ in range(count):
        policies = published(tuple(shifts(chosen))), published(tuple(shifts(chosen)))
        since = beginning(chosen)
        kind = chosen.choice(("elapsed", "hours", "days"))
        unit = DeadlineUnit.WORKING_DAYS if kind == "days" else DeadlineUnit.SECONDS
        amount = chosen.randint(1, 3) if kind == "days" else 60 * chosen.choice((1, 30, 60, 239, 480, 700))
        allowance = Allowance(amount, unit, None if kind == "elapsed" else 0, (), DeadlineSource.ASSUMED)
        yield Example(policies, allowance, since, tuple(pauses(chosen, since)))


def shifts(chosen: random.Random) -> Iterator[Shift]:
    """Working hours with split shifts and whole days, on weekends too."""
    for weekday in sorted(chosen.sample(range(7), chosen.randint(3, 7))):
        edges = sorted(chosen.sample(EDGES, 2 * chosen.randint(1, 2)))
        for opens, closes in zip(edges[::2], edges[1::2], strict=True):
            yield Shift(weekday=weekday, from_minute=opens, to_minute=closes)


def beginning(chosen: random.Random) -> datetime:
    """A minute near a clock change or the midnight of a holiday, or a few days before it at about the same time."""
    place = chosen.choice((*CLOCK_CHANGES, *(datetime.combine(day, datetime.min.time(), ZONE) for day in HOLIDAYS)))
    near = chosen.choice((60, 120, 4 * 1440))
    return place.astimezone(UTC) - chosen.randint(0, 3) * DAY + chosen.randint(-near, near) * MINUTE


def pauses(chosen: random.Random, since: datetime) -> Iterator[HoldPeriod]:
    """Up to three holds in order, the last of which may last."""
    for left in range(chosen.choice((0, 0, 1, 2, 3)), 0, -1):
        since += chosen.choice((0, 1, 60, 500, 1440)) * MINUTE
        until = since + chosen.choice((0, 1, 60, 700, 2000, 3 * 1440)) * MINUTE
        lasts = left == 1 and chosen.random() < 0.3
        yield HoldPeriod(HoldCode.SURVIVOR_REQUEST, since, None if lasts else until)
        since = until


# The oracle

NEW_YEAR = datetime(2025, 12, 1, tzinfo=UTC)


class Shown(NamedTuple):
    """Weekday, minute and holiday that the local clock shows, and the minutes that it moves to the next one."""

    weekday: int
    minute: int
    holiday: bool
    step: int


@cache
def shown(minute: int) -> Shown:
    """Local time by the zone database, so many minutes after the first one."""
    now, then = ((NEW_YEAR + passed * MINUTE).astimezone(ZONE).replace(tzinfo=None) for passed in (minute, minute + 1))
    return Shown(now.weekday(), now.hour * 60 + now.minute, now.date() in HOLIDAYS, (then - now) // MINUTE)


def oracle(example: Example) -> tuple[datetime, bool]:
    """Due time, and whether a hold stops the clock then: one minute after another, as the local clock shows them."""
    weeks = [[False] * 1440 for _ in range(7)]
    for shift in example.policies[0].hours[0].shifts:
        weeks[shift.weekday][shift.from_minute : shift.to_minute] = [True] * (shift.to_minute - shift.from_minute)
    working = [any(day) for day in weeks]
    elapsed, in_days = example.allowance.calendar is None, example.allowance.unit is DeadlineUnit.WORKING_DAYS
    left, at, suspended = example.amount // MINUTE, (example.since - NEW_YEAR) // MINUTE, False
    holds = [(at_minute(p.since), at_minute(p.until) if p.until is not None else None) for p in example.pauses]
    while left > 0:
        while holds and holds[0][0] <= at and holds[0][1] is not None:
            at = max(at, holds.pop(0)[1] or at)
        suspended = bool(holds) and holds[0][0] <= at
        now = shown(at)
        if elapsed:
            left -= 1
        elif not now.holiday and (working[now.weekday] if in_days else weeks[now.weekday][now.minute]):
            left -= now.step if in_days else 1
        at += 1
    return NEW_YEAR + at * MINUTE, suspended


def at_minute(moment: datetime) -> int:
    return (moment - NEW_YEAR) // MINUTE


@pytest.mark.parametrize("chunk", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, CHUNKS))])
def test_due_times_agree_with_a_clock_that_is_read_every_minute(chunk: int) -> None:
    """No difference in more than ten thousand steps, with a policy that changes while each one runs."""
    for example in examples(seed=chunk, count=CASES // CHUNKS):
        directory = Directory("prizren", 1, calendars=example.policies)
        counting = calendars.counting(example.allowance, "social_work", directory)
        due = calendars.due(counting, example.since, example.amount, example.pauses)
        assert (due.at, due.suspended) == oracle(example), example
        if not due.suspended:
            assert calendars.spent(counting, example.since, due.at, example.pauses) >= example.amount


def test_an_unpublished_calendar_is_monday_to_friday() -> None:
    """Before the first publication a working day is a weekday in UTC, so that the fold has an answer."""
    allowance = Allowance(1, DeadlineUnit.WORKING_DAYS, -1, (), DeadlineSource.ASSUMED)
    counting = calendars.counting(allowance, "social_work", Directory("prizren", 1))
    friday = datetime(2026, 1, 16, 14, 30, tzinfo=UTC)
    assert counting.advance(friday, DAY) == friday + 3 * DAY


def test_a_due_time_after_an_estimated_holiday_is_marked_as_estimated() -> None:
    """The date of a movable feast is an estimate until the coordinator confirms it."""
    office = published((Shift(weekday=0, from_minute=480, to_minute=960),))
    moved = office.model_copy(update={"holidays": (Holiday(year=2026, month=3, day=20, estimated=True),)})
    allowance = Allowance(1, DeadlineUnit.WORKING_DAYS, 0, (), DeadlineSource.ASSUMED)
    counting = calendars.counting(allowance, "social_work", Directory("prizren", 1, calendars=(moved,)))
    assert counting.is_estimated(datetime(2026, 3, 19, tzinfo=UTC), datetime(2026, 3, 23, tzinfo=UTC))
    assert not counting.is_estimated(datetime(2026, 3, 21, tzinfo=UTC), datetime(2026, 3, 23, tzinfo=UTC))
