"""Back-off: the pauses between attempts at something that fails for a time."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from handoff import clock

T = TypeVar("T")

FIRST_SECONDS = 0.05
LONGEST_SECONDS = 2.0


@dataclass
class Backoff:
    """Pauses that double from ``first`` up to ``longest`` seconds, each shortened at random by up to a half.

    The jitter spreads clients that lost the same server at the same moment: without it they all return together.
    ``fraction`` returns a random number in [0, 1).
    """

    first: float = FIRST_SECONDS
    longest: float = LONGEST_SECONDS
    fraction: Callable[[], float] = clock.random_fraction
    _next: float = field(init=False)

    def __post_init__(self) -> None:
        self._next = self.first

    def pause(self) -> float:
        """Return the seconds to wait before the next attempt. Each call doubles the pause that follows."""
        full, self._next = self._next, min(self._next * 2, self.longest)
        return full * (1 - self.fraction() / 2)

    def reset(self) -> None:
        """Start again with the first pause, after an attempt that succeeded."""
        self._next = self.first


async def retry(
    action: Callable[[], Awaitable[T]],
    on_error: Callable[[Exception], None],
    *,
    transient: tuple[type[Exception], ...],
    backoff: Backoff | None = None,
) -> T:
    """Return the result of ``action``, repeated without limit after each transient error.

    ``on_error`` is called with each of them. ``action`` has to be one whole transaction. Any other error is raised.
    """
    backoff = backoff or Backoff()
    while True:
        try:
            return await action()
        except transient as error:
            # An argument that no column can hold is not transient, but asyncpg raises an InterfaceError for it.
            if isinstance(error, ValueError):
                raise
            on_error(error)
        await asyncio.sleep(backoff.pause())
