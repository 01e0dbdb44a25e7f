"""Replacement of a topic's content, with the offsets and times that its entries had.

The new content is first written to a file. The file gets its final name when it is complete, and is from then on
sufficient: the next command that finds the file completes an interrupted replacement.
"""

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from pydantic import SecretStr

from handoff.adapters.kafka.client import MAX_BATCH_BYTES, MAX_REQUEST_BYTES, REQUEST_TIMEOUT_MS, kafka_record, security
from handoff.config import KafkaSettings
from handoff.operations.errors import OperationError
from handoff.operations.setup import broker_topics
from handoff.operations.setup.kafka_operator import KafkaOperator
from handoff.record.header_codec import pack_headers, unpack_headers
from handoff.record.kafka_record import KafkaRecord
from handoff.record.message import Message
from handoff.record.topics import Topic, groups, is_client_group

_BATCH = 500
_WAIT_MS = 500
_EMPTY = Message(None, b"")


class TopicCopyMismatch(OperationError):
    """The topic does not have the content of its copy. Run the command again: the file still exists."""


@dataclass(frozen=True, slots=True)
class TopicCopy:
    """File with the new content of a topic."""

    path: Path

    @property
    def exists(self) -> bool:
        """Return whether a replacement is pending."""
        return self.path.exists()

    async def write(self, committed: Mapping[str, int], entries: AsyncIterator[KafkaRecord]) -> None:
        """Write the file; it appears complete or not at all. ``committed`` has the offset of each group."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        partial.touch(mode=0o600)
        with partial.open("w", encoding="utf-8") as file:
            file.write(json.dumps(dict(committed)) + "\n")
            async for entry in entries:
                file.write(_line(entry))
            file.flush()
            os.fsync(file.fileno())
        partial.rename(self.path)

    @property
    def committed(self) -> dict[str, int]:
        """Committed offset of each group before the replacement."""
        with self.path.open() as file:
            found: dict[str, int] = json.loads(file.readline())
        return found

    def entries(self) -> Iterator[KafkaRecord]:
        """New content of the topic, in order."""
        with self.path.open() as file:
            next(file)
            yield from map(_entry, file)

    def remove(self) -> None:
        """Delete the file, once the topic has its content."""
        self.path.unlink()


async def apply_copy(operator: KafkaOperator, topic: Topic, copy: TopicCopy) -> None:
    """Replace the content of ``topic`` with that of the copy, and remove the copy. Raises TopicCopyMismatch.

    Readers and writers of the topic must be stopped, except members' own clients. Consumer groups keep their offsets.
    """
    start = next((entry.offset for entry in copy.entries()), 0)
    await asyncio.to_thread(broker_topics.recreate_topic, operator, topic)
    # Only appended entries increase the offset: append empty ones for those that had been deleted, then delete them.
    padding = (KafkaRecord(offset, 0, _EMPTY) for offset in range(start))
    await append(operator, topic.name, chain(padding, copy.entries()))
    if start:
        await asyncio.to_thread(broker_topics.delete_records_before, operator, topic.name, start)
    await _compare(operator, topic.name, copy)
    await asyncio.to_thread(broker_topics.apply_topics, operator, (topic,))
    for group, offset in copy.committed.items():
        restore = broker_topics.offer_offset if is_client_group(group) else broker_topics.commit_offset
        await asyncio.to_thread(restore, operator, group, topic.name, offset)
    copy.remove()


async def read_topic(operator: KafkaOperator, topic: str) -> AsyncIterator[KafkaRecord]:
    """Entries of ``topic`` up to its current end, in order."""
    consumer = AIOKafkaConsumer(**_login(operator), client_id="operator", enable_auto_commit=False)
    partition = TopicPartition(topic, 0)
    await consumer.start()
    try:
        consumer.assign([partition])
        at = (await consumer.beginning_offsets([partition]))[partition]
        end = (await consumer.end_offsets([partition]))[partition]
        consumer.seek(partition, at)
        while at < end:
            fetched = await consumer.getmany(partition, timeout_ms=_WAIT_MS)
            for found in fetched.get(partition, ()):
                record = kafka_record(found)
                if found.key is None and found.value is None:
                    # A member may publish an entry with neither key nor value. The client cannot send that.
                    record = replace(record, message=replace(record.message, value=b""))
                yield record
                at = found.offset + 1
    finally:
        await consumer.stop()


async def read_groups(operator: KafkaOperator, jurisdiction: str, topic: Topic) -> dict[str, int]:
    """Committed offsets of all groups of ``topic``'s readers. The broker deletes them with the topic."""
    names = [group for reader in topic.readers for group in groups(jurisdiction, reader)]
    return await asyncio.to_thread(broker_topics.committed_offsets, operator, names, topic.name)


async def append(operator: KafkaOperator, topic: str, entries: Iterable[KafkaRecord]) -> None:
    """Append ``entries`` to ``topic``. Raises TopicCopyMismatch where an entry gets another offset than its own."""
    producer = AIOKafkaProducer(
        **_login(operator),
        client_id="operator",
        enable_idempotence=True,
        acks="all",
        max_batch_size=MAX_BATCH_BYTES,
        max_request_size=MAX_REQUEST_BYTES,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
    )
    await producer.start()
    try:
        rest = iter(entries)
        while batch := tuple(islice(rest, _BATCH)):
            await _send_batch(producer, topic, batch)
    finally:
        await producer.stop()


async def _send_batch(producer: AIOKafkaProducer, topic: str, entries: Sequence[KafkaRecord]) -> None:
    sending = [
        await producer.send(
            topic, e.message.value, e.message.key, 0, timestamp_ms=e.appended_ms, headers=list(e.message.headers)
        )
        for e in entries
    ]
    for entry, sent in zip(entries, await asyncio.gather(*sending), strict=True):
        if sent.offset != entry.offset:
            raise TopicCopyMismatch(f"{topic}: the entry of offset {entry.offset} was appended at {sent.offset}")


async def _compare(operator: KafkaOperator, topic: str, copy: TopicCopy) -> None:
    expected = copy.entries()
    async for found in read_topic(operator, topic):
        if found != next(expected, None):
            raise TopicCopyMismatch(f"{topic}: offset {found.offset} differs from the copy")
    if (missing := next(expected, None)) is not None:
        raise TopicCopyMismatch(f"{topic}: offset {missing.offset} is missing")


def _login(operator: KafkaOperator) -> dict[str, Any]:
    tls = operator.security_protocol == "SASL_SSL"
    return security(
        KafkaSettings(
            bootstrap_servers=operator.bootstrap_servers,
            username=operator.username,
            password=SecretStr(operator.password),
            security_protocol="SASL_SSL" if tls else "SASL_PLAINTEXT",
            ca_file=operator.ca_file,
        )
    )


def _line(entry: KafkaRecord) -> str:
    message = entry.message
    parts = (message.key, message.value, pack_headers(message.headers))
    return json.dumps([entry.offset, entry.appended_ms, *map(_text, parts)]) + "\n"


def _entry(line: str) -> KafkaRecord:
    offset, appended_ms, key, value, headers = json.loads(line)
    message = Message(_raw(key), _raw(value), unpack_headers(base64.b64decode(headers)))
    return KafkaRecord(offset, appended_ms, message)


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else base64.b64encode(raw).decode()


def _raw(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
