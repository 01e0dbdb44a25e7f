"""Responses that wait: the wait ends early if the client disconnects or the server shuts down."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

from handoff.web.context import ApiContext

T = TypeVar("T")

WAIT_LIMIT_SECONDS = 30
"""The longest time that a response may wait: shorter than the timeouts of common proxies."""


async def waited(request: Request, context: ApiContext, work: Coroutine[Any, Any, T]) -> T | None:
    """Return the result of ``work``; None if it was cancelled because the response has to end."""
    working = asyncio.create_task(work)
    ends: list[asyncio.Task[Any]] = [
        asyncio.create_task(_disconnected(request)),
        asyncio.create_task(context.shutdown.wait()),
    ]
    try:
        await asyncio.wait([working, *ends], return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in (working, *ends):
            task.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
