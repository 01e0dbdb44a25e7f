"""Where a node's consumer group goes on: the database's position, told to the broker before Faust starts."""

import asyncio
from dataclasses import dataclass

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, KafkaError

from handoff.adapters.kafka.client import security
from handoff.config import KafkaSettings

log = structlog.get_logger(__name__)
PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 3.0


@dataclass(frozen=True)
class InboxSeat:
    """A member's inbox topic and its consumer group."""

    settings: KafkaSettings
    topic: str
    group: str

    async def take(self, next_offset: int) -> int:
        """Lets the group go on at ``next_offset`` and gives the topic's end; waits for the brokers as long as it takes.

        While a killed process of the same name still counts as a member, the broker refuses to be told. Then it is
        enough that what it remembers is not ahead: what comes again is skipped by its sequence.
        """
        pause = PAUSE_SECONDS
        while True:
            try:
                return await self._take(next_offset)
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("inbox.waits", error=type(error).__name__, seconds=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _take(self, next_offset: int) -> int:
        partition = TopicPartition(self.topic, 0)
        consumer = AIOKafkaConsumer(**security(self.settings), group_id=self.group, enable_auto_commit=False)
        try:
            await consumer.start()
            consumer.assign([partition])
            await self._commit(consumer, partition, next_offset)
            ends = await consumer.end_offsets([partition])
            return int(ends[partition])
        finally:
            await consumer.stop()

    async def _commit(self, consumer: AIOKafkaConsumer, partition: TopicPartition, next_offset: int) -> None:
        remembered = await consumer.committed(partition)
        if remembered == next_offset:
            return
        try:
            await consumer.commit({partition: next_offset})
        except CommitFailedError:
            if remembered is None or remembered > next_offset:
                raise
