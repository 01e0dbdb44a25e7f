"""Projection pipeline of three overlapping stages: read, verify on threads, judge and append.

Decoding and verification need the bytes alone, so they run ahead; libsodium releases the interpreter lock while it
verifies. Judging and appending run strictly in the record's order.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any, Self

from handoff.adapters.kafka.record_reader import BATCH, RecordBroken, RecordReader
from handoff.adapters.postgres.timeline_store import LastEntry, TimelinePosition, TimelineStore
from handoff.domain.directory import Key
from handoff.proof.log.entry import content_hash
from handoff.record import signing
from handoff.record.kafka_record import CheckedSignature, KafkaRecord, ParsedRecord, parse_value
from handoff.record.message import KEY_ID_HEADER, SIGNATURE_HEADER, Message
from handoff.views.timeline_fold import TimelineBatch, TimelineFold

Keys = Mapping[str, Key]
Batch = Sequence[ParsedRecord]

# One batch in flight behind each stage. More would only use memory.
_DEPTH = 2
# Verification ahead uses the keys known so far, so little is read ahead before the founding event.
_BATCH_BEFORE_FOUNDING = 100
_THREADS = 2
_CHUNK = 250
_READ_WAIT_SECONDS = 0.5
# Cases and heads in the cache; a case takes a few kilobytes.
_CACHE_SIZE = 20_000


async def confirm(reader: RecordReader, store: TimelineStore, position: TimelinePosition) -> None:
    """Confirm that the record still holds every entry of the timeline, from the first to the last.

    Raises ``RecordBroken`` and ``BrokerUnavailable``.
    """
    await reader.confirm_whole(position.next_offset)
    last = await store.last_entry()
    if last is None:
        return
    found = await reader.entry_at(last.offset)
    if last != LastEntry(last.offset, found.counted_ms, content_hash(found.message)):
        raise RecordBroken(f"the record's entry at offset {last.offset} differs from the timeline's")


async def run_concurrently(*parts: Coroutine[Any, Any, object]) -> None:
    """Run all concurrently. The first failure cancels the others and is raised unwrapped."""
    try:
        async with asyncio.TaskGroup() as tasks:
            for part in parts:
                tasks.create_task(part)
    except BaseExceptionGroup as group:
        raise _first(group) from group


class ParserPool:
    """Thread pool that decodes entries and verifies their signatures."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="parse")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def parse(self, records: Sequence[KafkaRecord], keys: Keys) -> Batch:
        """Parse ``records`` and check their signatures with ``keys``; a record's key may be newer than ``keys``."""
        loop = asyncio.get_running_loop()
        chunks = [records[at : at + _CHUNK] for at in range(0, len(records), _CHUNK)]
        done = await asyncio.gather(*(loop.run_in_executor(self._threads, parse_chunk, c, keys) for c in chunks))
        return tuple(chain.from_iterable(done))


class Pipeline:
    """One writer from one position. After a failure it is discarded and a new one starts."""

    def __init__(
        self, reader: RecordReader, store: TimelineStore, fold: TimelineFold, position: TimelinePosition
    ) -> None:
        self._reader = reader
        self._store = store
        self._fold = fold
        self._position = position

    async def run(
        self, parsers: ParserPool, on_stored: Callable[[TimelineBatch], None], *, until: int | None = None
    ) -> TimelinePosition:
        """Project without end, or up to the offset ``until``; ``on_stored`` is called with each stored batch.

        Raises ``LeadershipLost``, ``BrokerUnavailable``, ``RecordBroken`` and the database's errors.
        """
        fetched: asyncio.Queue[Sequence[KafkaRecord]] = asyncio.Queue(_DEPTH)
        parsed: asyncio.Queue[Batch] = asyncio.Queue(_DEPTH)
        await run_concurrently(
            self._read(fetched, until), self._parse(fetched, parsed, parsers), self._write(parsed, on_stored)
        )
        return self._position

    async def _read(self, fetched: asyncio.Queue[Sequence[KafkaRecord]], until: int | None) -> None:
        at = self._position.next_offset
        await self._reader.start(at)
        while until is None or at < until:
            largest = BATCH if self._fold.directory.founded else _BATCH_BEFORE_FOUNDING
            limit = largest if until is None else min(largest, until - at)
            records = await self._reader.read(wait=_READ_WAIT_SECONDS, limit=limit)
            if records:
                at = records[-1].offset + 1
                await fetched.put(records)
        await fetched.put(())

    async def _parse(
        self, fetched: asyncio.Queue[Sequence[KafkaRecord]], parsed: asyncio.Queue[Batch], parsers: ParserPool
    ) -> None:
        while records := await fetched.get():
            await parsed.put(await parsers.parse(records, self._fold.directory.keys))
        await parsed.put(())

    async def _write(self, parsed: asyncio.Queue[Batch], on_stored: Callable[[TimelineBatch], None]) -> None:
        while records := await parsed.get():
            self._fold.trim_cache(_CACHE_SIZE)
            first_hashes = await self._store.load_missing(self._fold, records)
            batch = self._fold.apply(records, first_hashes)
            self._position = await self._store.append(self._position, batch)
            on_stored(batch)


def parse_chunk(records: Sequence[KafkaRecord], keys: Keys) -> list[ParsedRecord]:
    """Parse ``records`` and check their signatures with ``keys``."""
    return [
        ParsedRecord(record, *parse_value(record.message.value or b""), _check_signature(record.message, keys))
        for record in records
    ]


def _check_signature(message: Message, keys: Keys) -> CheckedSignature | None:
    hint, signature = message.header(KEY_ID_HEADER), message.header(SIGNATURE_HEADER)
    if hint is None or signature is None or message.value is None:
        return None
    key = keys.get(hint.decode("ascii", "replace"))
    if key is None:
        return None
    public_key = bytes.fromhex(key.public_key)
    return CheckedSignature(public_key, signing.verifies(public_key, message.value, signature))


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error that ended the group; the other tasks were cancelled."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
