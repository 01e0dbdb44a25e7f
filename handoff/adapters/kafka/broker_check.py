"""Question to the brokers whether they serve one topic, for readiness."""

from aiokafka import AIOKafkaConsumer, TopicPartition

from handoff.adapters.kafka.client import security
from handoff.config import KafkaSettings


class BrokerCheck:
    """``Dependency`` that asks the leader of a topic's partition for its end.

    A broker that merely accepts connections, or that knows no leader of the topic, gives no answer.
    """

    def __init__(self, settings: KafkaSettings, topic: str, *, client_id: str) -> None:
        self._settings = settings
        self._partition = TopicPartition(topic, 0)
        self._client_id = client_id
        self._consumer: AIOKafkaConsumer | None = None

    async def ask(self) -> None:
        """Return once the leader has answered."""
        if self._consumer is None:
            # Without an assignment it fetches nothing.
            self._consumer = AIOKafkaConsumer(
                **security(self._settings), client_id=self._client_id, enable_auto_commit=False
            )
            await self._consumer.start()
        await self._consumer.end_offsets([self._partition])

    async def close(self) -> None:
        """Close the connection."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()
