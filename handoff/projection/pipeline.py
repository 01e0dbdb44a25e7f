"""Projection pipeline of overlapping stages: read, verify in another process, judge, append.

Decoding and verification need the bytes alone, so they run ahead. Judging and appending run strictly in the record's
order.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from handoff.adapters.kafka.record_reader import BATCH, RecordBroken, RecordReader
from handoff.adapters.postgres.timeline_store import LastEntry, TimelinePosition, TimelineStore
from handoff.proof.log.entry import content_hash
from handoff.record.envelope import Identity
from handoff.record.kafka_record import CheckedSignature, KafkaRecord, ParsedRecord, ParsedValue, parse_value
from handoff.verification.checks import Keys, check_of
from handoff.verification.verifier import SignatureVerifier
from handoff.views.timeline_fold import TimelineBatch, TimelineFold

Batch = Sequence[ParsedRecord]

# One batch in flight behind each stage. More would only use memory.
_DEPTH = 2
# Verification ahead uses the keys known so far, so little is read ahead before the founding event.
_BATCH_BEFORE_FOUNDING = 100
# Entries decoded between two turns of the event loop: about 4 ms.
_CHUNK = 250
# Entries judged between two turns: about 2 ms.
_TURN = 50
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
        self, verifier: SignatureVerifier, on_stored: Callable[[TimelineBatch], None], *, until: int | None = None
    ) -> TimelinePosition:
        """Project without end, or up to the offset ``until``; ``on_stored`` is called with each stored batch.

        Raises ``LeadershipLost``, ``BrokerUnavailable``, ``VerifierLost``, ``RecordBroken`` and the database's errors.
        """
        fetched: asyncio.Queue[Sequence[KafkaRecord]] = asyncio.Queue(_DEPTH)
        parsed: asyncio.Queue[Batch] = asyncio.Queue(_DEPTH)
        await run_concurrently(
            self._read(fetched, until), self._parse(fetched, parsed, verifier), self._write(parsed, on_stored)
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
        self, fetched: asyncio.Queue[Sequence[KafkaRecord]], parsed: asyncio.Queue[Batch], verifier: SignatureVerifier
    ) -> None:
        while records := await fetched.get():
            await parsed.put(await parse_batch(records, self._fold.directory.keys, verifier))
        await parsed.put(())

    async def _write(self, parsed: asyncio.Queue[Batch], on_stored: Callable[[TimelineBatch], None]) -> None:
        """Judge each batch while the one before is stored. If none follows, it is stored without delay."""
        judged: TimelineBatch | None = None
        while True:
            if judged is not None and parsed.empty():
                await self._append(judged, on_stored)
                judged = None
            records = await parsed.get()
            if not records:
                break
            self._fold.trim_cache(_CACHE_SIZE)
            # Now, because the connection stores one batch or answers one query at a time.
            first_hashes = await self._store.load_missing(self._fold, records)
            async with asyncio.TaskGroup() as tasks:
                if judged is not None:
                    tasks.create_task(self._append(judged, on_stored))
                judging = tasks.create_task(self._judge(records, first_hashes))
            judged = judging.result()
        if judged is not None:
            await self._append(judged, on_stored)

    async def _append(self, batch: TimelineBatch, on_stored: Callable[[TimelineBatch], None]) -> None:
        self._position = await self._store.append(self._position, batch)
        on_stored(batch)

    async def _judge(self, records: Batch, first_hashes: Mapping[Identity, str]) -> TimelineBatch:
        batch = self._fold.open_batch(first_hashes)
        for start in range(0, len(records), _TURN):
            batch.add(records[start : start + _TURN])
            # The loop sends statements and reads answers between the turns.
            await asyncio.sleep(0)
        return batch.close()


async def parse_batch(records: Sequence[KafkaRecord], keys: Keys, verifier: SignatureVerifier) -> Batch:
    """Parse ``records`` while ``verifier`` checks their signatures with ``keys``. A key may be newer than ``keys``.

    Raises ``VerifierLost``.
    """
    checks = [check_of(record.message, keys) for record in records]
    values, answers = await asyncio.gather(
        _parse_values(records), verifier.verify([check for check in checks if check is not None])
    )
    valid = iter(answers)
    checked = [CheckedSignature(check.public_key, next(valid)) if check is not None else None for check in checks]
    return tuple(
        ParsedRecord(record, value.event, value.value_hash, signature)
        for record, value, signature in zip(records, values, checked, strict=True)
    )


async def _parse_values(records: Sequence[KafkaRecord]) -> list[ParsedValue]:
    values: list[ParsedValue] = []
    for start in range(0, len(records), _CHUNK):
        # The loop first hands the signatures over, and later serves the database between the chunks.
        await asyncio.sleep(0)
        values += [parse_value(record.message.value or b"") for record in records[start : start + _CHUNK]]
    return values


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error that ended the group; the other tasks were cancelled."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
