"""Calendar quarters in local time."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_QUARTER = re.compile(r"([0-9]{4})-Q([1-4])")
_NIGHT_COUNT_AT = time(6)


@dataclass(frozen=True, slots=True)
class Quarter:
    """A quarter of a year in a time zone, from ``since`` up to and without ``until``."""

    year: int
    number: int
    zone: ZoneInfo

    @classmethod
    def parse(cls, text: str, zone: ZoneInfo) -> "Quarter":
        """Parse a quarter such as 2026-Q3. Raises ``ValueError``."""
        found = _QUARTER.fullmatch(text)
        if found is None or found[1] == "0000":
            raise ValueError("is not a quarter; write it as 2026-Q3")
        return cls(int(found[1]), int(found[2]), zone)

    def __str__(self) -> str:
        return f"{self.year:04}-Q{self.number}"

    @property
    def since(self) -> datetime:
        """First moment, in UTC."""
        return self._midnight(self._first_day)

    @property
    def until(self) -> datetime:
        """First moment after it, in UTC."""
        return self._midnight(self._day_after)

    def __contains__(self, moment: datetime) -> bool:
        return self.since <= moment < self.until

    def nights(self, last: datetime) -> tuple[datetime, ...]:
        """Moments at which nights are counted, 06:00 local time, up to ``last``."""
        days = (self._day_after - self._first_day).days
        counted = (self._local(self._first_day + timedelta(days=n), _NIGHT_COUNT_AT) for n in range(days))
        return tuple(moment for moment in counted if moment <= last)

    @property
    def _first_day(self) -> date:
        return date(self.year, 3 * self.number - 2, 1)

    @property
    def _day_after(self) -> date:
        return date(self.year + self.number // 4, 3 * self.number % 12 + 1, 1)

    def _midnight(self, day: date) -> datetime:
        return self._local(day, time())

    def _local(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, self.zone).astimezone(UTC)
