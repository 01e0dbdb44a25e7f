"""A Faust worker of one agent on one topic, as its documentation shows it, that stops after the last entry."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from typing import Any

import faust
import uvloop

from bench.contest import Job, Outcome, Stopwatch

Agent = Callable[[Any], Awaitable[None]]


class Worker:
    """Count the entries that the agent has handled, and stop after the last one."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.watch = Stopwatch()
        self._done = 0
        self._finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def did(self, count: int) -> None:
        """Count ``count`` more stored entries."""
        self._done += count
        self.watch.reached(self._done)
        if self._done >= self.job.entries and not self._finished.done():
            self._finished.set_result(None)

    async def work(self, topics: list[str], agent: Agent) -> Outcome:
        """Run ``agent`` on ``topics`` until every entry is stored."""

        async def guarded(stream: Any) -> None:
            # Faust restarts an agent that raised, at its last commit, so a mistake in it would repeat without end.
            try:
                await agent(stream)
            except Exception as error:
                if not self._finished.done():
                    self._finished.set_exception(error)
                raise

        with tempfile.TemporaryDirectory() as directory:
            app = _app(self.job, directory)
            topic = app.topic(*topics, key_serializer="raw", value_serializer="raw", key_type=bytes, value_type=bytes)
            app.agent(topic, concurrency=1, name="peer")(guarded)
            app.finalize()
            await app.start()
            await self._finished
            outcome = self.watch.end(self._done)
            await app.stop()
        return outcome


def run_worker(job: Job, race: Callable[[Worker], Awaitable[Outcome]]) -> Outcome:
    """Run ``race`` on a new event loop."""

    async def main() -> Outcome:
        return await race(Worker(job))

    return uvloop.run(main())


def _app(job: Job, directory: str) -> Any:
    credentials = faust.SASLCredentials(mechanism="SCRAM-SHA-512", username=job.kafka_user, password=job.kafka_password)
    return faust.App(
        id=f"peer-{job.options['run']}",
        loop=asyncio.get_running_loop(),
        broker=f"kafka://{job.bootstrap_servers}",
        broker_credentials=credentials,
        consumer_auto_offset_reset="earliest",
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        autodiscover=False,
        datadir=directory,
    )
