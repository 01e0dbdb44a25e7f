"""CPU-bound work of intake and router: results cached by their input bytes, large batches on a thread."""

import asyncio
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from handoff.record import kafka_record, signing

T = TypeVar("T")

# More than intake is ahead of the router while they work off a backlog. An entry takes 4 KiB, 16 KiB at most.
_CACHE_SIZE = 4096
# Below this, handing a batch to a thread costs more than it saves.
_THREAD_THRESHOLD = 20

# Intake fills these caches and the router, which checks for itself, reads the same bytes back from the record. The key
# is the input itself, so a hit does not rely on intake's judgement.
parse_value = lru_cache(_CACHE_SIZE)(kafka_record.parse_value)
verifies = lru_cache(_CACHE_SIZE)(signing.verifies)


async def run_off_loop(size: int, work: Callable[[], T]) -> T:
    """Run ``work`` over ``size`` entries: on a thread if it would block the event loop for long."""
    return await asyncio.to_thread(work) if size > _THREAD_THRESHOLD else work()
