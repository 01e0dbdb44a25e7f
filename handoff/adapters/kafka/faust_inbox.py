"""Inbox consumer of every node: Faust, in the one configuration that loses nothing.

An agent that raises, or that acknowledges itself, loses events. So the agent only hands raw events to a bounded
queue. One task drains the queue, processes a batch in one transaction, retries without limit, and then acknowledges.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import faust
import faust.app.base

# Faust imports these only when an app is created. Importing them here shortens the take-over by a standby.
import faust.assignor.partition_assignor
import faust.tables.manager
import faust.transport.drivers.aiokafka
import faust.web.drivers.aiohttp
import structlog
from mode import CrashingSupervisor

from handoff import telemetry
from handoff.adapters.kafka.client import BrokerUnavailable, ssl_context
from handoff.adapters.kafka.faust_in_loop import InLoopConsumer
from handoff.adapters.kafka.group_offsets import GroupOffsets
from handoff.adapters.kafka.record_reader import RecordBroken, RecordReader
from handoff.backoff import retry
from handoff.config import KafkaSettings
from handoff.node.commands.results import StoreUnavailable
from handoff.node.inbox.intake import InboxIntake
from handoff.record.delivery import BrokenDelivery, DeliveryFault
from handoff.record.kafka_record import KafkaRecord
from handoff.record.message import Message, as_headers

log = structlog.get_logger(__name__)

BATCH = 500
QUEUE = 1000
# A consumer group owned by another principal blocks without an error.
START_SECONDS = 60.0
STOP_SECONDS = 2.0


class InboxCrashed(Exception):
    """Faust has stopped: exit, so that the supervisor restarts the process."""


class FaustInbox:
    """Consumer that feeds an ``InboxIntake`` from the member's inbox topic."""

    def __init__(self, settings: KafkaSettings, *, topic: str, group: str, intake: InboxIntake) -> None:
        self._settings = settings
        self._topic = topic
        self._group = group
        self._intake = intake
        self._queue: asyncio.Queue[Any] = asyncio.Queue(QUEUE)
        self.running = False
        """True while events are consumed."""

    async def run(self) -> None:
        """Consume until cancelled.

        Raises ``InboxCrashed``, and the errors with which ``InboxIntake.handle`` stops.
        """
        position = await retry(self._intake.begin, _retried, transient=(StoreUnavailable,))
        await retry(
            lambda: self._confirm(position.next_offset), _retried, transient=(StoreUnavailable, BrokerUnavailable)
        )
        end = await GroupOffsets(self._settings, self._topic, self._group).commit_position(position.next_offset)
        async with self._application() as app, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._catch_up(end))
            tasks.create_task(self._drain())
            tasks.create_task(self._watch(app))

    async def _confirm(self, next_offset: int) -> None:
        """Check that the topic still has the last entry that was read from it. Raises ``BrokenDelivery``.

        A topic that was truncated and grew again has another one there, and its consumer group would not notice it.
        """
        reader = RecordReader(self._settings, "", client_id=f"{self._group}-confirming", topic=self._topic)
        try:
            await reader.start(next_offset)
            last = await self._intake.last_entry()
            if last is not None:
                self._intake.confirm(last, await reader.entry_at(last.offset))
        except RecordBroken as error:
            raise BrokenDelivery(DeliveryFault.LOST, f"the inbox topic lost entries: {error}") from error
        finally:
            await reader.close()

    @asynccontextmanager
    async def _application(self) -> AsyncIterator[Any]:
        with tempfile.TemporaryDirectory(prefix="handoff-faust-") as directory:
            app = self._configured(directory)
            app.finalize()
            try:
                async with asyncio.timeout(START_SECONDS):
                    await app.start()
                self.running = True
                log.info("inbox.started")
                yield app
            finally:
                self.running = False
                await _stop(app)

    def _configured(self, directory: str) -> Any:
        credentials = faust.SASLCredentials(
            mechanism="SCRAM-SHA-512",
            username=self._settings.username,
            password=self._settings.password.get_secret_value(),
            ssl_context=ssl_context(self._settings),
        )
        app = faust.App(
            id=self._group,
            loop=asyncio.get_running_loop(),
            broker=";".join(f"kafka://{server}" for server in self._settings.bootstrap_servers.split(",")),
            broker_credentials=credentials,
            consumer_auto_offset_reset="none",
            consumer_group_instance_id=self._group,
            agent_supervisor=CrashingSupervisor,
            stream_wait_empty=False,
            producer_request_timeout=30,
            topic_disable_leader=True,
            topic_allow_declare=False,
            web_enabled=False,
            autodiscover=False,
            datadir=directory,
        )
        app.transport.Consumer = InLoopConsumer
        inbox = app.topic(self._topic, key_serializer="raw", value_serializer="raw", key_type=bytes, value_type=bytes)
        app.agent(inbox, concurrency=1, name="inbox")(self._hand_over)
        return app

    async def _hand_over(self, stream: Any) -> None:
        async for event in stream.noack().events():
            await self._queue.put(event)

    async def _drain(self) -> None:
        while True:
            events = [await self._queue.get()]
            while len(events) < BATCH and not self._queue.empty():
                events.append(self._queue.get_nowait())
            records = [_kafka_record(event.message) for event in events]
            await self._until_kept(records)
            for event in events:
                event.ack()

    async def _until_kept(self, records: Sequence[KafkaRecord]) -> None:
        await retry(lambda: self._intake.handle(records), _retried, transient=(StoreUnavailable,))

    async def _catch_up(self, end: int) -> None:
        await retry(lambda: self._intake.reach(end), _retried, transient=(StoreUnavailable,))

    async def _watch(self, app: Any) -> None:
        await app.wait_until_stopped()
        raise InboxCrashed(str(app.crash_reason))


def _kafka_record(fetched: Any) -> KafkaRecord:
    # Faust gives timestamps in seconds.
    message = Message(fetched.key, fetched.value, as_headers(fetched.headers or ()))
    return KafkaRecord(fetched.offset, round(fetched.timestamp * 1000), message)


def _retried(error: Exception) -> None:
    if isinstance(error, BrokerUnavailable):
        log.warning("inbox.retry_scheduled", error=str(error))
    else:
        telemetry.DATABASE_RETRIES.inc()
        log.warning("database.unavailable", error=str(error))


async def _stop(app: Any) -> None:
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await app.stop()
    except TimeoutError:
        log.warning("inbox.stopped_late")
