"""Record time of any entry, computed from the append times on the timeline."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from handoff.adapters.postgres.named_statements import statements

_SQL = statements("timeline_reader.sql")


@dataclass(slots=True)
class AppendTimes:
    """Running maximum of append times over the entries read so far. It keeps the exceptions alone.

    Almost every entry is appended later than all before it, and its record time is then its own append time. The clock
    of a process reads each entry once, so later edits of append times do not move it.
    """

    next_offset: int = 0
    greatest_ms: int = 0
    behind: dict[int, int] = field(default_factory=dict)
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
        self.next_offset = added["last_offset"] + 1
        self.greatest_ms = max(self.greatest_ms, added["greatest_ms"])

    async def missing(self, connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]") -> list[int]:
        """Return the first offsets below ``next_offset`` that the timeline lacks: it has every offset of the record."""
        if await connection.fetchval(_SQL["entries_below"], self.next_offset) == self.next_offset:
            return []
        return [row["missing"] for row in await connection.fetch(_SQL["missing_offsets"], self.next_offset)]
