"""CommandBatcher: what is asked while a transaction is under way is answered together, in the next one."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from handoff.node.commands.results import StoreUnavailable

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")
Sit = Callable[[Sequence[Asked]], Awaitable[Sequence[Answer | Exception]]]
"""Answers a few in one transaction, in order. An error that it gives is one's own; one that it raises undid all."""

# One that waits for somebody else's lock does not hold the others up.
AT_ONCE = 2
MOST_TOGETHER = 100


class CommandBatcher(Generic[Asked, Answer]):
    """Whoever comes waits for the sitting that begins next; the first who comes begins it."""

    def __init__(self, sit: Sit[Asked, Answer]) -> None:
        self._sit = sit
        self._waiting: deque[tuple[Asked, asyncio.Future[Answer]]] = deque()
        self._under_way: set[asyncio.Task[None]] = set()

    async def ask(self, asked: Asked) -> Answer:
        """The answer to ``asked``, once it stands; it is found even if nobody waits for it any more."""
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
            # At once, not when the task is told to be over: whoever comes between would wait for nobody.
            self._under_way.discard(asyncio.current_task())

    async def _answer(self, some: Sequence[tuple[Asked, "asyncio.Future[Answer]"]]) -> None:
        try:
            found = await self._sit([asked for asked, _ in some])
        except StoreUnavailable as error:
            # What was committed is not known: only those who asked may ask again, under their keys.
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
