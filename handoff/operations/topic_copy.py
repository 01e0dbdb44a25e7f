"""Replacement of a topic's content, with the offsets and times that its entries had.

Nothing is deleted before it is known that it can be written back:

1. The new content is written to a file, beside the hashes of the present content. From then on the file is sufficient.
2. It is written to a second topic, ``<topic>.copy``, and compared. A broker that refuses an entry refuses it here.
3. The topic is deleted, created again, filled from the file and compared.
4. The second topic and the file are deleted.

The next command that finds the file completes an interrupted replacement, from any point. It first compares the topic
with both contents: a topic that has changed in another way is not deleted.
"""

import asyncio
import base64
import hashlib
import json
import os
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
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

    async def write(
        self, committed: Mapping[str, int], source: AsyncIterator[KafkaRecord], entries: AsyncIterator[KafkaRecord]
    ) -> None:
        """Write the file; it appears complete or not at all.

        ``committed`` has the offset of each group, ``source`` is the content to replace, ``entries`` the new one.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        await _write_lines(self._source_path, "", (f"{e.offset} {_digest(e)}\n" async for e in source))
        await _write_lines(self.path, json.dumps(dict(committed)) + "\n", (_line(entry) async for entry in entries))

    @property
    def _source_path(self) -> Path:
        return self.path.with_name(f"{self.path.name}.source")

    @property
    def committed(self) -> dict[str, int]:
        """Committed offset of each group before the replacement."""
        with self.path.open(encoding="utf-8") as file:
            found: dict[str, int] = json.loads(file.readline())
        return found

    def entries(self) -> Iterator[KafkaRecord]:
        """New content of the topic, in order."""
        with self.path.open(encoding="utf-8") as file:
            next(file)
            yield from map(_entry, file)

    def source(self) -> Iterator[tuple[int, str]]:
        """Offset and digest of each entry that the topic had before the replacement, in order."""
        with self._source_path.open(encoding="utf-8") as file:
            for line in file:
                offset, _, digest = line.rstrip("\n").partition(" ")
                yield int(offset), digest

    def content(self) -> Iterator[tuple[int, str]]:
        """Offset and digest of each entry of the new content, after those that fill up the deleted beginning."""
        yield from ((entry.offset, _digest(entry)) for entry in self.padded())

    def padded(self) -> Iterator[KafkaRecord]:
        """New content of the topic from offset 0 on."""
        # Only appended entries increase the offset: append empty ones for the deleted beginning, then delete them.
        return chain((KafkaRecord(offset, 0, _EMPTY) for offset in range(self.start)), self.entries())

    @property
    def start(self) -> int:
        """Offset of the first entry of the new content."""
        return next((entry.offset for entry in self.entries()), 0)

    def remove(self) -> None:
        """Delete the file, once the topic has its content or has to keep its own."""
        self.path.unlink()
        self._source_path.unlink()


class _Found(Enum):
    """Content of a topic whose copy exists."""

    SOURCE_OR_PART = auto()
    """The content to replace, or a part of the new one: replace it, again if necessary."""
    REPLACED = auto()
    """The new content, perhaps with entries that were appended since."""
    GREW = auto()
    """The content to replace, with entries that were appended since: the copy is out of date."""


async def apply_copy(operator: KafkaOperator, topic: Topic, copy: TopicCopy) -> None:
    """Replace the content of ``topic`` with that of the copy, and remove the copy.

    A copy that is out of date, because the topic grew after an interruption, is removed without effect. Raises
    TopicCopyMismatch; then the topic has its old content, or the file still exists.

    Readers and writers of the topic must be stopped, except members' own clients. Consumer groups keep their offsets.
    """
    found, second = await _examine(operator, topic, copy), replace(topic, name=f"{topic.name}.copy")
    if found is _Found.SOURCE_OR_PART:
        if not await _has_content(operator, second, copy):
            await _fill(operator, second, copy)
        await _fill(operator, topic, copy)
    if found is not _Found.GREW:
        if copy.start:
            await asyncio.to_thread(broker_topics.delete_records_before, operator, topic.name, copy.start)
        await asyncio.to_thread(broker_topics.restore_timestamps, operator, topic)
        await _restore_groups(operator, topic, copy)
    await asyncio.to_thread(broker_topics.delete_topic, operator, second)
    copy.remove()


async def _examine(operator: KafkaOperator, topic: Topic, copy: TopicCopy) -> _Found:
    """Compare a topic with both contents of its copy. Raises TopicCopyMismatch if it has neither."""
    if not await asyncio.to_thread(broker_topics.topic_exists, operator, topic):
        return _Found.SOURCE_OR_PART
    new, old = _ContentCheck(copy.content()), _ContentCheck(copy.source())
    async for entry in read_topic(operator, topic.name):
        new.take(entry)
        old.take(entry)
    # A new content that is the beginning of the old one is complete in both.
    is_old = old.is_complete and not old.has_more and new.has_more
    if new.is_complete and not is_old:
        return _Found.REPLACED
    if new.is_part:
        return _Found.SOURCE_OR_PART
    if old.is_complete:
        return _Found.GREW if old.has_more else _Found.SOURCE_OR_PART
    raise TopicCopyMismatch(
        f"{topic.name}: its content is neither the one from which {copy.path} was made nor the copy. Nothing was "
        "changed; a person has to examine both"
    )


class _ContentCheck:
    """Comparison of a topic, entry by entry, with an expected content. Retention may have deleted the beginning."""

    def __init__(self, expected: Iterator[tuple[int, str]]) -> None:
        self._expected = expected
        self._next = next(expected, None)
        self._differs = False
        self._is_first = True
        self.has_more = False

    def take(self, entry: KafkaRecord) -> None:
        while self._is_first and self._next is not None and self._next[0] < entry.offset:
            self._next = next(self._expected, None)
        self._is_first = False
        if self._next is None:
            self.has_more = True
        elif self._next == (entry.offset, _digest(entry)):
            self._next = next(self._expected, None)
        else:
            self._differs = True

    @property
    def is_complete(self) -> bool:
        """Return whether the topic has the whole expected content, and perhaps more."""
        return not self._differs and self._next is None

    @property
    def is_part(self) -> bool:
        """Return whether the topic has the beginning of the expected content and nothing else."""
        return not self._differs and not self.has_more


async def _has_content(operator: KafkaOperator, topic: Topic, copy: TopicCopy) -> bool:
    if not await asyncio.to_thread(broker_topics.topic_exists, operator, topic):
        return False
    try:
        await _compare(operator, topic.name, copy)
    except TopicCopyMismatch:
        return False
    return True


async def _fill(operator: KafkaOperator, topic: Topic, copy: TopicCopy) -> None:
    """Create ``topic`` again with the content of the copy, and compare it."""
    await asyncio.to_thread(broker_topics.recreate_topic, operator, topic)
    await append(operator, topic.name, copy.padded())
    if copy.start:
        await asyncio.to_thread(broker_topics.delete_records_before, operator, topic.name, copy.start)
    await _compare(operator, topic.name, copy)


async def _restore_groups(operator: KafkaOperator, topic: Topic, copy: TopicCopy) -> None:
    """Commit the offsets that the broker deleted with the topic. A group that has read on since keeps its own."""
    committed = copy.committed
    now = await asyncio.to_thread(broker_topics.committed_offsets, operator, committed, topic.name)
    for group, offset in committed.items():
        if now.get(group, -1) > offset:
            continue
        restore = broker_topics.offer_offset if is_client_group(group) else broker_topics.commit_offset
        await asyncio.to_thread(restore, operator, group, topic.name, offset)


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
    return security(
        KafkaSettings(
            bootstrap_servers=operator.bootstrap_servers,
            username=operator.username,
            password=SecretStr(operator.password),
            security_protocol=operator.protocol,
            ca_file=operator.ca_file,
        )
    )


async def _write_lines(path: Path, first: str, lines: AsyncIterator[str]) -> None:
    partial = path.with_name(f"{path.name}.partial")
    partial.touch(mode=0o600)
    with partial.open("w", encoding="utf-8") as file:
        file.write(first)
        async for line in lines:
            file.write(line)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)


def _digest(entry: KafkaRecord) -> str:
    return hashlib.sha256(_line(entry).encode()).hexdigest()


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
