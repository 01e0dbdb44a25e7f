"""Offsets of a node's consumer group: the database's position is committed before Faust starts."""

from dataclasses import dataclass

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, KafkaError

from handoff.adapters.kafka.client import security
from handoff.backoff import Backoff, retry
from handoff.config import KafkaSettings

log = structlog.get_logger(__name__)
PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 3.0


@dataclass(frozen=True)
class GroupOffsets:
    """The offsets of a member's inbox topic and consumer group."""

    settings: KafkaSettings
    topic: str
    group: str

    async def commit_position(self, next_offset: int) -> int:
        """Commit ``next_offset`` for the group and return the topic's end. Retries until the brokers are available.

        While a killed process of the same instance id is still a group member, the broker refuses the commit. A stored
        offset that is not ahead is sufficient then, because repeated entries are skipped by their sequence.
        """
        return await retry(
            lambda: self._commit_and_find_end(next_offset),
            lambda error: log.warning("inbox.retry_scheduled", error=type(error).__name__),
            transient=(KafkaError, OSError, TimeoutError),
            backoff=Backoff(PAUSE_SECONDS, LONGEST_PAUSE_SECONDS),
        )

    async def _commit_and_find_end(self, next_offset: int) -> int:
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
