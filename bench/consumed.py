"""A topic read from its beginning, for when each event came to stand in it."""

import asyncio
import json
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition

from handoff.admin.kafka_operator import Operator


@dataclass(frozen=True)
class Standing:
    """Where an event stands in a topic, and since when (seconds since 1970, to the millisecond)."""

    offset: int
    at: float


def append_times(kafka: Operator, topic: str) -> dict[str, Standing]:
    """Event id → where and since when; the first counts."""
    return asyncio.run(_append_times(kafka, TopicPartition(topic, 0)))


async def _append_times(kafka: Operator, partition: TopicPartition) -> dict[str, Standing]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers,
        security_protocol=kafka.security_protocol,
        sasl_mechanism="SCRAM-SHA-512",
        sasl_plain_username=kafka.username,
        sasl_plain_password=kafka.password,
        enable_auto_commit=False,
    )
    found: dict[str, Standing] = {}
    await consumer.start()
    try:
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        end = (await consumer.end_offsets([partition]))[partition]
        while await consumer.position(partition) < end:
            for entry in (await consumer.getmany(partition, timeout_ms=500)).get(partition, ()):
                found.setdefault(json.loads(entry.value)["id"], Standing(entry.offset, entry.timestamp / 1000))
    finally:
        await consumer.stop()
    return found
