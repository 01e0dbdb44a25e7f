"""Batching of concurrent commands: those that arrive during a transaction share the next one."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

from handoff.node.commands.results import StoreUnavailable

Item = TypeVar("Item")
Result = TypeVar("Result")
Process = Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]]
"""Processes a batch in one transaction and returns one result for each item, in order.

An error that it returns is that item's own; an error that it raises rolled the whole batch back.
"""

# Batches run one after the other, so that commands that arrive together share one transaction. A batch that waits for a
# lock or for the disk would delay all others: after this time another one runs beside it.
HELD_UP_SECONDS = 0.005
MAX_BATCHES = 2
MAX_BATCH_SIZE = 100


class CommandBatcher(Generic[Item, Result]):
    """Callers wait for the next batch. The first caller starts it."""

    def __init__(self, process: Process[Item, Result], *, held_up_seconds: float = HELD_UP_SECONDS) -> None:
        self._process = process
        self._held_up_seconds = held_up_seconds
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._held_up = 0
        """Number of running batches that take longer than ``held_up_seconds``."""

    async def submit(self, item: Item) -> Result:
        """Return the result of ``item`` once it is stored. The batch completes even if its callers are cancelled."""
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, result))
        self._start_batches()
        return await result

    def _start_batches(self) -> None:
        if self._waiting and len(self._running) == self._held_up < MAX_BATCHES:
            self._running.add(asyncio.create_task(self._run_batches()))

    async def _run_batches(self) -> None:
        try:
            # If a batch of this task was held up, another task has taken over the next ones.
            while self._waiting and len(self._running) - self._held_up <= 1:
                size = min(len(self._waiting), MAX_BATCH_SIZE)
                batch = [self._waiting.popleft() for _ in range(size)]
                with self._watched():
                    await self._run_batch(batch)
        finally:
            # Before the task ends: a caller that arrives in between would otherwise wait for a batch that never starts.
            self._running.discard(asyncio.current_task())

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Let another batch start if this one takes too long."""
        is_held_up = False

        def report() -> None:
            nonlocal is_held_up
            is_held_up = True
            self._held_up += 1
            self._start_batches()

        timer = asyncio.get_running_loop().call_later(self._held_up_seconds, report)
        try:
            yield
        finally:
            timer.cancel()
            self._held_up -= is_held_up

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
