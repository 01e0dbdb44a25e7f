"""Batching of concurrent commands: those that arrive during a transaction share the next one."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from handoff.node.commands.results import StoreUnavailable

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")
Sit = Callable[[Sequence[Asked]], Awaitable[Sequence[Answer | Exception]]]
"""Answers a few in one transaction, in order. An error that it gives is one's own; one that it raises undid all."""

# Several batches run in parallel, so that one that waits for a lock does not delay the others.
AT_ONCE = 2
MOST_TOGETHER = 100


class CommandBatcher(Generic[Asked, Answer]):
    """Callers wait for the next batch. The first caller starts it."""

    def __init__(self, sit: Sit[Asked, Answer]) -> None:
        self._sit = sit
        self._waiting: deque[tuple[Asked, asyncio.Future[Answer]]] = deque()
        self._under_way: set[asyncio.Task[None]] = set()

    async def ask(self, asked: Asked) -> Answer:
        """Return the answer to ``asked`` once it is stored. The batch completes even if its callers are cancelled."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, answer))
        if len(self._under_way) < AT_ONCE:
            self._under_way.add(asyncio.create_task(self._hold()))
        return await answer

    async def _hold(self) -> None:
        try:
            while self._waiting:
                await self._answer([self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_TOGETHER))])
        finally:
            # Before the task ends: a caller that arrives in between would otherwise wait for a batch that never starts.
            self._under_way.discard(asyncio.current_task())

    async def _answer(self, some: Sequence[tuple[Asked, "asyncio.Future[Answer]"]]) -> None:
        try:
            found = await self._sit([asked for asked, _ in some])
        except StoreUnavailable as error:
            # The outcome of the commit is unknown: only the callers can retry, under their idempotency keys.
            found = [error] * len(some)
        except Exception as error:  # noqa: BLE001 - whose error it is shows when each is answered alone
            if len(some) > 1:
                for one in some:
                    await self._answer([one])
                return
            found = [error]
        for (_, answer), what in zip(some, found, strict=True):
            _tell(answer, what)


def _tell(answer: "asyncio.Future[Answer]", found: Answer | Exception) -> None:
    if answer.done():
        return
    if isinstance(found, Exception):
        answer.set_exception(found)
    else:
        answer.set_result(found)
