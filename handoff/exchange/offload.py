"""CPU-bound work on a thread, if it is long enough to block the event loop."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Below this size, the hand-over to a thread costs more than it saves.
_WORTH_A_THREAD = 20


async def off_the_loop(size: int, work: Callable[[], T]) -> T:
    """Run ``work`` over ``size`` entries, on a thread if the size warrants it, and return its result."""
    return await asyncio.to_thread(work) if size > _WORTH_A_THREAD else work()
