"""Waiting for what another process brings about."""

import asyncio
from collections.abc import Awaitable, Callable


async def eventually(holds: Callable[[], Awaitable[bool]], seconds: float = 30) -> None:
    """Poll until ``holds`` returns true. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.05)
