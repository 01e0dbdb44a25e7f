"""Counter of completed calls, for tests that wait for work to be done instead of for time to pass."""

import asyncio
from collections.abc import Callable
from typing import Any


class CallCounter:
    """Wraps the async method ``name`` of ``owner`` and counts its completed calls, failed ones too."""

    def __init__(self, owner: object, name: str) -> None:
        self._method: Callable[..., Any] = getattr(owner, name)
        self.completed = 0
        self._changed = asyncio.Event()
        setattr(owner, name, self._call)

    async def _call(self, *arguments: Any, **options: Any) -> Any:
        try:
            return await self._method(*arguments, **options)
        finally:
            self.completed += 1
            self._changed.set()

    async def more(self, count: int) -> None:
        """Return when ``count`` more calls have completed. Raises TimeoutError."""
        target = self.completed + count
        async with asyncio.timeout(60):
            while self.completed < target:
                self._changed.clear()
                await self._changed.wait()
