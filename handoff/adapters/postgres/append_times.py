"""Record time of any entry, computed from the append times on the timeline."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg

from handoff.adapters.postgres.named_statements import statements

_SQL = statements("timeline_reader.sql")
BLOCK: Final = 10_000
"""Offsets that a read examines."""


@dataclass(slots=True)
class AppendTimes:
    """Running maximum of append times over the entries read so far. It keeps the exceptions alone.

    Almost every entry is appended later than all before it, and its record time is then its own append time. The clock
    of a process reads each entry once, so later edits of append times do not move it.
    """

    next_offset: int = 0
    greatest_ms: int = 0
    behind: dict[int, int] = field(default_factory=dict)
    hidden: set[int] = field(default_factory=set)
    """Offsets that were found missing."""
    _examined: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held from the start of a snapshot to its end: an older snapshot would lack entries that the clock has read."""

    def record_ms(self, offset: int, appended_ms: int) -> int:
        """Return the record time of an entry below ``next_offset``, in milliseconds."""
        return self.behind.get(offset, appended_ms)

    async def advance(self, connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]") -> None:
        """Read the entries that were added."""
        added: Any = await connection.fetchrow(_SQL["record_clock"], self.next_offset)
        if not added["entries"]:
            return
        behind = await connection.fetch(_SQL["behind_record_time"], self.next_offset, self.greatest_ms)
        self.behind.update((row["record_offset"], row["greatest_ms"]) for row in behind)
        end = added["last_offset"] + 1
        if added["entries"] != end - self.next_offset:
            self.hidden.update(await _missing(connection, self.next_offset, end))
        self.next_offset = end
        self.greatest_ms = max(self.greatest_ms, added["greatest_ms"])

    async def missing(self, connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]") -> list[int]:
        """Return offsets below ``next_offset`` that the timeline lacks: it has every offset of the record.

        The first read of a process examines all offsets. Each further one examines a block of older ones in turn, and
        those found missing before, so that its work does not grow with the record.
        """
        low = self._examined if self._examined < self.next_offset else 0
        self._examined = min(low + BLOCK, self.next_offset)
        found: int = await connection.fetchval(_SQL["entries_between"], low, self._examined)
        if found != self._examined - low:
            self.hidden.update(await _missing(connection, low, self._examined))
        if self.hidden:
            back = await connection.fetch(_SQL["present"], list(self.hidden))
            self.hidden.difference_update(row["record_offset"] for row in back)
        return sorted(self.hidden)


async def _missing(connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]", low: int, high: int) -> list[int]:
    return [row["missing"] for row in await connection.fetch(_SQL["missing_offsets"], low, high)]
