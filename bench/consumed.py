"""Append times of the events of a topic, read from its beginning."""

import asyncio
import json
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition

from handoff.operations.setup.kafka_operator import KafkaOperator


@dataclass(frozen=True)
class Appended:
    """Offset and append time of an event (seconds since 1970, to the millisecond)."""

    offset: int
    at: float


def append_times(kafka: KafkaOperator, topic: str) -> dict[str, Appended]:
    """Event id → its first offset and append time."""
    return asyncio.run(_append_times(kafka, TopicPartition(topic, 0)))


async def _append_times(kafka: KafkaOperator, partition: TopicPartition) -> dict[str, Appended]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers,
        security_protocol=kafka.protocol,
        sasl_mechanism="SCRAM-SHA-512",
        sasl_plain_username=kafka.username,
        sasl_plain_password=kafka.password,
        enable_auto_commit=False,
    )
    found: dict[str, Appended] = {}
    await consumer.start()
    try:
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        end = (await consumer.end_offsets([partition]))[partition]
        while await consumer.position(partition) < end:
            for entry in (await consumer.getmany(partition, timeout_ms=500)).get(partition, ()):
                found.setdefault(json.loads(entry.value)["id"], Appended(entry.offset, entry.timestamp / 1000))
    finally:
        await consumer.stop()
    return found
