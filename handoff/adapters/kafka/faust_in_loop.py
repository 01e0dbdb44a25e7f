"""Faust's consumer in the event loop of its process.

Faust runs aiokafka in a thread with a loop of its own, so that a blocked main loop does not end the membership in the
group. Each entry then crosses between two threads twice and waits for the interpreter's lock in between, for up to
5 ms beside a busy thread. The main loop of a node never blocks for the length of a session, so it can do both.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer
from mode.threads import ServiceThread, WorkerThread
from mode.utils.futures import maybe_async


class _LoopTask(WorkerThread):  # type: ignore[misc]  # mode and Faust have no types
    """The worker that mode asks for, as a task of the loop that starts it."""

    def __init__(self, service: ServiceThread) -> None:
        super().__init__(service)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the service. Its end is awaited by the service itself."""
        self._task = self.service.parent_loop.create_task(self.service._serve())  # noqa: SLF001 - as mode's own worker

    def stop(self) -> None:
        """Wait for nothing: there is no thread."""


class _InLoop(AIOKafkaConsumerThread):  # type: ignore[misc]  # as above
    """The consumer that Faust calls as if it were in another thread."""

    Worker = _LoopTask

    async def call_thread(self, fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await maybe_async(fun(*args, **kwargs))

    async def _keepalive2(self) -> None:
        """Do nothing: mode would wake the thread's loop up each second."""

    async def _gather_remaining_tasks(self) -> None:
        """Leave the other tasks alone: mode would cancel all tasks of the loop, as if it were the thread's own."""


class InLoopConsumer(Consumer):  # type: ignore[misc]  # as above
    """Consumer for ``Transport.Consumer``."""

    def _new_consumer_thread(self) -> AIOKafkaConsumerThread:
        return _InLoop(self, loop=self.loop, thread_loop=self.loop, beacon=self.beacon)
