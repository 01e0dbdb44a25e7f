"""Batching of concurrent commands: those that arrive during a transaction share the next one."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from handoff.node.commands.results import StoreUnavailable

Item = TypeVar("Item")
Result = TypeVar("Result")
Process = Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]]
"""Processes a batch in one transaction and returns one result for each item, in order.

An error that it returns is that item's own; an error that it raises rolled the whole batch back.
"""

# Batches run in parallel, so that one that waits for a lock does not delay the others.
MAX_BATCHES = 2
MAX_BATCH_SIZE = 100


class CommandBatcher(Generic[Item, Result]):
    """Callers wait for the next batch. The first caller starts it."""

    def __init__(self, process: Process[Item, Result]) -> None:
        self._process = process
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._running: set[asyncio.Task[None]] = set()

    async def submit(self, item: Item) -> Result:
        """Return the result of ``item`` once it is stored. The batch completes even if its callers are cancelled."""
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, result))
        if len(self._running) < MAX_BATCHES:
            self._running.add(asyncio.create_task(self._run_batches()))
        return await result

    async def _run_batches(self) -> None:
        try:
            while self._waiting:
                size = min(len(self._waiting), MAX_BATCH_SIZE)
                await self._run_batch([self._waiting.popleft() for _ in range(size)])
        finally:
            # Before the task ends: a caller that arrives in between would otherwise wait for a batch that never starts.
            self._running.discard(asyncio.current_task())

    async def _run_batch(self, batch: Sequence[tuple[Item, "asyncio.Future[Result]"]]) -> None:
        try:
            results = await self._process([item for item, _ in batch])
        except StoreUnavailable as error:
            # The outcome of the commit is unknown: only the callers can retry, under their idempotency keys.
            results = [error] * len(batch)
        except Exception as error:  # noqa: BLE001 - processed one by one, the failing item shows
            if len(batch) > 1:
                for one in batch:
                    await self._run_batch([one])
                return
            results = [error]
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():
                # The caller was cancelled.
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
