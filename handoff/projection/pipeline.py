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
from handoff.adapters.postgres.timeline_store import Last, Ledger, Position
from handoff.domain.directory import Key
from handoff.domain.examine import read
from handoff.proof.log.entry import record_hash
from handoff.record import signing
from handoff.record.kafka_record import KafkaRecord
from handoff.record.message import KEY_ID_HEADER, SIGNATURE_HEADER, Message
from handoff.views.timeline_fold import Checked, Chronicle, Page, Placed

Keys = Mapping[str, Key]
Batch = Sequence[Placed]

# One batch in flight behind each stage. More would only use memory.
_DEPTH = 2
# Verification ahead uses the keys known so far, so little is read ahead before the founding event.
_BEFORE_THE_FOUNDING = 100
_THREADS = 2
_CHUNK = 250
_READ_WAIT_SECONDS = 0.5
# Cases and heads in the cache; a case takes a few kilobytes.
_REMEMBERED = 20_000


async def confirm(reader: RecordReader, ledger: Ledger, position: Position) -> None:
    """Confirm that the record still holds every entry of the timeline, from the first to the last.

    Raises ``RecordBroken`` and ``BrokerUnavailable``.
    """
    await reader.confirm_whole(position.next_offset)
    last = await ledger.last_entry()
    if last is None:
        return
    await reader.start(last.offset)
    found: Sequence[KafkaRecord] = ()
    while not found:
        found = await reader.read(wait=_READ_WAIT_SECONDS, limit=1)
    message = found[0].message
    if last != Last(last.offset, found[0].appended_ms, record_hash(message.key, message.value, message.headers)):
        raise RecordBroken(f"the record's entry at offset {last.offset} differs from the timeline's")


async def together(*parts: Coroutine[Any, Any, object]) -> None:
    """Run all concurrently. The first failure cancels the others and is raised unwrapped."""
    try:
        async with asyncio.TaskGroup() as tasks:
            for part in parts:
                tasks.create_task(part)
    except BaseExceptionGroup as group:
        raise _first(group) from group


class Checker:
    """Thread pool that decodes entries and verifies their signatures."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="check")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def check(self, entries: Sequence[KafkaRecord], keys: Keys) -> Batch:
        """Decode ``entries`` and verify them with ``keys``; an entry's key may be newer than ``keys``."""
        loop = asyncio.get_running_loop()
        chunks = [entries[at : at + _CHUNK] for at in range(0, len(entries), _CHUNK)]
        done = await asyncio.gather(*(loop.run_in_executor(self._threads, _check, c, keys) for c in chunks))
        return tuple(chain.from_iterable(done))


class Projecting:
    """One writer from one position. After a failure it is discarded and a new one starts."""

    def __init__(self, reader: RecordReader, ledger: Ledger, chronicle: Chronicle, position: Position) -> None:
        self._reader = reader
        self._ledger = ledger
        self._chronicle = chronicle
        self._position = position

    async def run(self, checker: Checker, told: Callable[[Page], None], *, until: int | None = None) -> Position:
        """Project without end, or up to the offset ``until``; ``told`` is called with each stored page.

        Raises ``Superseded``, ``BrokerUnavailable``, ``RecordBroken`` and the database's errors.
        """
        fetched: asyncio.Queue[Sequence[KafkaRecord]] = asyncio.Queue(_DEPTH)
        checked: asyncio.Queue[Batch] = asyncio.Queue(_DEPTH)
        await together(self._read(fetched, until), self._check(fetched, checked, checker), self._write(checked, told))
        return self._position

    async def _read(self, fetched: asyncio.Queue[Sequence[KafkaRecord]], until: int | None) -> None:
        at = self._position.next_offset
        await self._reader.start(at)
        while until is None or at < until:
            most = BATCH if self._chronicle.directory.founded else _BEFORE_THE_FOUNDING
            limit = most if until is None else min(most, until - at)
            entries = await self._reader.read(wait=_READ_WAIT_SECONDS, limit=limit)
            if entries:
                at = entries[-1].offset + 1
                await fetched.put(entries)
        await fetched.put(())

    async def _check(
        self, fetched: asyncio.Queue[Sequence[KafkaRecord]], checked: asyncio.Queue[Batch], checker: Checker
    ) -> None:
        while entries := await fetched.get():
            await checked.put(await checker.check(entries, self._chronicle.directory.keys))
        await checked.put(())

    async def _write(self, checked: asyncio.Queue[Batch], told: Callable[[Page], None]) -> None:
        while batch := await checked.get():
            self._chronicle.forgets(_REMEMBERED)
            first_hashes = await self._ledger.recall(self._chronicle, batch)
            page = self._chronicle.page(batch, first_hashes)
            self._position = await self._ledger.append(self._position, page)
            told(page)


def _check(entries: Sequence[KafkaRecord], keys: Keys) -> list[Placed]:
    return [
        Placed(entry.offset, entry.appended_ms, read(entry.message), _checked(entry.message, keys)) for entry in entries
    ]


def _checked(message: Message, keys: Keys) -> Checked | None:
    hint, signature = message.header(KEY_ID_HEADER), message.header(SIGNATURE_HEADER)
    if hint is None or signature is None or message.value is None:
        return None
    key = keys.get(hint.decode("ascii", "replace"))
    if key is None:
        return None
    public_key = bytes.fromhex(key.public_key)
    return Checked(public_key, signing.verifies(public_key, message.value, signature))


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error that ended the group; the other tasks were cancelled."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
