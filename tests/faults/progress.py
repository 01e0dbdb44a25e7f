"""Progress of the jurisdiction, sampled from its databases: how long nothing was routed, projected or folded."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import asyncpg

from history_checker.collector import CheckedInstallation

_SAMPLE_SECONDS = 0.1
_IDLE_SAMPLES = 5
_UNAVAILABLE = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, TimeoutError)
ROUTED, PROJECTED, FOLDED = "routed", "on the timeline", "folded by nodes"

_POSITIONS = {
    "exchange": "SELECT next_offset FROM position",
    "projection": "SELECT next_offset FROM timeline.position",
}
_NODE_POSITION = "SELECT sequence FROM position"
_WITHOUT_ECHO = "SELECT count(*) FROM outbox WHERE outcome IS NULL"
_NOT_SENT = "SELECT (SELECT count(*) FROM routed) + (SELECT count(*) FROM own_outbox)"


@dataclass
class ProgressSampler:
    """Times at which a position advanced, by kind of work."""

    directory: Path
    advanced: dict[str, list[float]] = field(default_factory=lambda: {ROUTED: [], PROJECTED: [], FOLDED: []})
    _connections: dict[str, Any] = field(default_factory=dict)
    _last: dict[str, int] = field(default_factory=dict)
    _query_lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self._installation = CheckedInstallation.load(self.directory)

    async def run(self) -> None:
        """Sample until cancelled. An unavailable database counts as no progress."""
        while True:
            for name in (*_POSITIONS, *self._installation.nodes):
                query = _POSITIONS.get(name, _NODE_POSITION)
                kind = {"exchange": ROUTED, "projection": PROJECTED}.get(name, FOLDED)
                position = await self._query(name, query)
                if position is not None and position != self._last.get(name):
                    self._last[name] = position
                    self.advanced[kind].append(time.monotonic())
            await asyncio.sleep(_SAMPLE_SECONDS)

    def longest_stall(self, kind: str, start: float, end: float) -> float:
        """Return the longest time without progress among the stalls that overlap the span."""
        stalls = (pair for pair in pairwise(self.advanced[kind]) if pair[0] < end and pair[1] > start)
        return max((after - before for before, after in stalls), default=end - start)

    async def wait_until_idle(self, timeout: float) -> bool:  # noqa: ASYNC109 - returns False, does not raise
        """Return whether all queues are empty and all positions unchanged for five seconds, before the timeout."""
        deadline, idle = time.monotonic() + timeout, 0
        seen: Mapping[str, int] = {}
        while time.monotonic() < deadline and idle < _IDLE_SAMPLES:
            pending = [await self._query(name, _WITHOUT_ECHO) for name in self._installation.nodes]
            pending.append(await self._query("exchange", _NOT_SENT))
            idle = idle + 1 if not any(count != 0 for count in pending) and seen == self._last else 0
            seen = dict(self._last)
            await asyncio.sleep(1)
        return idle >= _IDLE_SAMPLES

    async def _query(self, name: str, query: str) -> int | None:
        try:
            async with self._query_lock, asyncio.timeout(2):
                connection = await self._connection(name)
                value: int | None = await connection.fetchval(query)
                return value
        except _UNAVAILABLE:
            self._disconnect(name)
            return None

    def _disconnect(self, name: str) -> None:
        connection = self._connections.pop(name, None)
        if connection is not None:
            connection.terminate()

    def close(self) -> None:
        """Close all connections."""
        for name in tuple(self._connections):
            self._disconnect(name)

    async def _connection(self, name: str) -> Any:
        if name not in self._connections:
            settings = self._installation.settings[name]["postgres"]
            keys = ("host", "port", "database", "user", "password")
            self._connections[name] = await asyncpg.connect(**{key: settings[key] for key in keys})
        return self._connections[name]
