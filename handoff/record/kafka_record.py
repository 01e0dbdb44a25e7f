"""A record as Kafka holds it."""

from dataclasses import dataclass

from handoff.record.message import Message


@dataclass(frozen=True, slots=True)
class KafkaRecord:
    """Record of a topic with one partition: offset, append time in milliseconds since 1970-01-01 UTC, message."""

    offset: int
    appended_ms: int
    message: Message
