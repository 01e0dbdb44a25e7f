"""How the jurisdiction moves, sampled from outside: for how long nothing was routed, shown or folded."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import asyncpg

from history_checker.collector import Installation

_SAMPLE_SECONDS = 0.1
_AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, TimeoutError)
ROUTED, SHOWN, FOLDED = "routed", "on the timeline", "folded by nodes"

_QUERIES = {
    "exchange": "SELECT next_offset FROM position",
    "projection": "SELECT next_offset FROM timeline.position",
}
_OF_A_NODE = "SELECT sequence FROM position"
_UNSETTLED = "SELECT count(*) FROM outbox WHERE outcome IS NULL"
_HELD_BACK = "SELECT (SELECT count(*) FROM routed) + (SELECT count(*) FROM sayings)"


@dataclass
class Pulse:
    """Positions over time, each moment at which one of them moved."""

    directory: Path
    moved: dict[str, list[float]] = field(default_factory=lambda: {ROUTED: [], SHOWN: [], FOLDED: []})
    _connections: dict[str, Any] = field(default_factory=dict)
    _last: dict[str, int] = field(default_factory=dict)
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self._installation = Installation.load(self.directory)

    async def run(self) -> None:
        """Samples until it is cancelled; a database that is away is a sample in which nothing moved."""
        while True:
            for name in (*_QUERIES, *self._installation.nodes):
                query = _QUERIES.get(name, _OF_A_NODE)
                kind = {"exchange": ROUTED, "projection": SHOWN}.get(name, FOLDED)
                position = await self._ask(name, query)
                if position is not None and position != self._last.get(name):
                    self._last[name] = position
                    self.moved[kind].append(time.monotonic())
            await asyncio.sleep(_SAMPLE_SECONDS)

    def longest_rest(self, kind: str, start: float, end: float) -> float:
        """For how long nothing of that kind moved, at most, among the rests that touch the span."""
        rests = (pair for pair in pairwise(self.moved[kind]) if pair[0] < end and pair[1] > start)
        return max((after - before for before, after in rests), default=end - start)

    async def quiet(self, patience: float) -> bool:
        """Whether everything comes to rest: nothing unsettled, nothing held back, and nothing moves any more."""
        deadline, still = time.monotonic() + patience, 0
        seen: Mapping[str, int] = {}
        while time.monotonic() < deadline and still < 5:
            waiting = [await self._ask(name, _UNSETTLED) for name in self._installation.nodes]
            waiting.append(await self._ask("exchange", _HELD_BACK))
            still = still + 1 if not any(w != 0 for w in waiting) and seen == self._last else 0
            seen = dict(self._last)
            await asyncio.sleep(1)
        return still >= 5

    async def _ask(self, name: str, query: str) -> int | None:
        try:
            async with self._one_at_a_time, asyncio.timeout(2):
                connection = await self._connection(name)
                found: int | None = await connection.fetchval(query)
                return found
        except _AWAY:
            self._drop(name)
            return None

    def _drop(self, name: str) -> None:
        connection = self._connections.pop(name, None)
        if connection is not None:
            connection.terminate()

    def close(self) -> None:
        """Ends its connections."""
        for name in tuple(self._connections):
            self._drop(name)

    async def _connection(self, name: str) -> Any:
        if name not in self._connections:
            settings = self._installation.settings[name]["postgres"]
            keys = ("host", "port", "database", "user", "password")
            self._connections[name] = await asyncpg.connect(**{key: settings[key] for key in keys})
        return self._connections[name]
