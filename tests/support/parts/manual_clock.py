"""A monotonic clock that a test advances, with sleeps that end by it."""

import asyncio
from typing import Any


class ManualClock:
    """Clock that advances only when the test advances it."""

    def __init__(self) -> None:
        self._now = 0.0
        self._sleeping: dict[asyncio.Task[Any] | None, tuple[float, asyncio.Future[None]]] = {}

    def monotonic(self) -> float:
        """Return the seconds that have passed."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Return once the test has advanced the clock by ``seconds``."""
        task, woken = asyncio.current_task(), asyncio.get_running_loop().create_future()
        self._sleeping[task] = (self._now + seconds, woken)
        try:
            await woken
        finally:
            del self._sleeping[task]

    async def advance(self, seconds: float, *tasks: "asyncio.Task[Any]") -> None:
        """Let time pass. Return once each of ``tasks`` sleeps again or has ended, whatever real time that takes."""
        await self._settle(tasks)
        self._now += seconds
        for until, woken in list(self._sleeping.values()):
            if until <= self._now and not woken.done():
                woken.set_result(None)
        await asyncio.sleep(0)
        await self._settle(tasks)

    async def _settle(self, tasks: "tuple[asyncio.Task[Any], ...]") -> None:
        async with asyncio.timeout(30):
            while not all(task.done() or self._is_asleep(task) for task in tasks):  # noqa: ASYNC110 - real I/O is under way
                await asyncio.sleep(0.001)

    def _is_asleep(self, task: "asyncio.Task[Any]") -> bool:
        return task in self._sleeping and not self._sleeping[task][1].done()
