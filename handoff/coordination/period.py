"""Periods of the board: a calendar quarter in the time zone of the pages, and a past day."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo

_QUARTER = re.compile(r"^(2[0-9]{3})-?Q([1-4])$")


@dataclass(frozen=True, slots=True)
class Quarter:
    """A calendar quarter."""

    year: int
    number: int

    @classmethod
    def of(cls, day: date) -> Self:
        """Return the quarter of a day."""
        return cls(day.year, (day.month + 2) // 3)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the quarter that ``text`` names, such as 2026-Q1; None if it names none."""
        found = _QUARTER.match(text)
        return cls(int(found[1]), int(found[2])) if found else None

    @property
    def name(self) -> str:
        """Its name, such as 2026-Q1."""
        return f"{self.year}-Q{self.number}"

    @property
    def next(self) -> "Quarter":
        """The following quarter."""
        return Quarter(self.year + self.number // 4, self.number % 4 + 1)

    @property
    def previous(self) -> "Quarter":
        """The quarter before."""
        return Quarter(self.year - (self.number == 1), (self.number + 2) % 4 + 1)

    def start(self, zone: ZoneInfo) -> datetime:
        """Return its first moment."""
        return datetime(self.year, 3 * self.number - 2, 1, tzinfo=zone)


def end_of(day: date, zone: ZoneInfo) -> datetime:
    """Return the end of a day."""
    return datetime.combine(day + timedelta(days=1), time(), zone)
