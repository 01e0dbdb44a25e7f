"""Rate at the end of a leg: a long run is measured at each size without repeating it."""

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

import psutil

WINDOW: Final = 10_000
"""Entries before the end of a leg over which the rate is taken, at most half of the leg."""
_MIB: Final = 1024 * 1024


@dataclass
class Leg:
    """Progress of a process from its start to the position ``end``; it began at ``begin``."""

    begin: int
    end: int
    _seen: deque[tuple[float, int]] = field(default_factory=deque)
    _started_at: float | None = None

    @property
    def window(self) -> int:
        """Entries over which the rate is taken."""
        return min(WINDOW, (self.end - self.begin) // 2)

    def reached(self, position: int) -> None:
        """Note the position."""
        if position > self.begin and self._started_at is None:
            self._started_at = time.time()
        self._seen.append((time.perf_counter(), position))
        while len(self._seen) > 1 and self._seen[1][1] <= position - self.window:
            self._seen.popleft()

    def notes(self) -> dict[str, Any]:
        """Return the rate over the last entries, the seconds from the start to the first progress, and the memory."""
        (since, low), (until, high) = self._seen[0], self._seen[-1]
        own = psutil.Process()
        return {
            "window_rate": (high - low) / (until - since),
            "start_seconds": (self._started_at or time.time()) - own.create_time(),
            "mib": sum(one.memory_info().rss for one in (own, *own.children(recursive=True))) / _MIB,
        }
