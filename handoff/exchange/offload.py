"""Work that would hold the event loop up, done on a thread where that is worth it."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Below it, handing a batch to a thread costs more than it saves.
_WORTH_A_THREAD = 20


async def off_the_loop(size: int, work: Callable[[], T]) -> T:
    """What ``work`` over ``size`` entries gives."""
    return await asyncio.to_thread(work) if size > _WORTH_A_THREAD else work()
