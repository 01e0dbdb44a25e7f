"""A record that lost its end, found by comparing, and made whole from what others have read of it.

What the timeline shows comes back byte for byte, at its offsets and times. What the exchange had routed and the
timeline had not shown comes back from the inboxes, in their order. What nobody had read comes back by itself: its
senders have no echo, and send it again.
"""

import heapq
from bisect import bisect_left
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

import asyncpg

from handoff.adapters.postgres.exchange_transaction import message_in
from handoff.adapters.postgres.named_statements import statements
from handoff.adapters.postgres.node_store import PostgresStore
from handoff.adapters.postgres.pool import open_pool
from handoff.config import ProcessSettings
from handoff.operations.session import MaintenanceSession
from handoff.operations.topic_copy import append, apply_copy, read_topic
from handoff.proof.log.entry import record_hash
from handoff.proof.log.header_codec import unpack_headers
from handoff.record.delivery import Delivery, to_ms
from handoff.record.kafka_record import KafkaRecord
from handoff.record.message import Message
from handoff.record.topics import in_topic

_SQL = statements("restore.sql", __package__)
_AT_ONCE = 1000


class NotRestorable(Exception):
    """What is kept does not give the record back: a person has to look."""


@dataclass(frozen=True, slots=True)
class RecordLosses:
    """What a record lacks. ``size`` is the record's as of now, ``routed`` how far the exchange has come.

    ``agrees_up_to``: where record and timeline part, or one of them ends; ``since``: what the record holds from there
    on; ``shown``: what only the timeline holds from there on; ``heard``: what only inboxes hold, in order.
    ``tails``: what inbox topics lost and their nodes had read.
    """

    size: int
    largest_head: int
    routed: int
    agrees_up_to: int
    since: tuple[KafkaRecord, ...]
    shown: tuple[KafkaRecord, ...]
    heard: tuple[KafkaRecord, ...]
    tails: Mapping[str, tuple[KafkaRecord, ...]] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing that anybody has read or signed."""
        is_long_enough = self.size >= max(self.largest_head, self.routed)
        return is_long_enough and not self.shown and not self.heard and not self.tails

    @property
    def end(self) -> tuple[KafkaRecord, ...]:
        """What the record is to hold from ``agrees_up_to`` on: first what it had, then what came since."""
        entries = (*self.shown, *self.heard, *self.since)
        return tuple(replace(entry, offset=offset) for offset, entry in enumerate(entries, self.agrees_up_to))

    @property
    def routed_at_most(self) -> int:
        """How far an exchange can have routed the record as it will be: what came since is looked at again."""
        return self.agrees_up_to + len(self.shown) + len(self.heard)


async def losses(parts: MaintenanceSession) -> RecordLosses:
    """Compare the record with the timeline, the signed checkpoints and the inboxes.

    Raises NotReadyForMaintenance.
    """
    await parts.check()
    comparison = _Comparison()
    async with parts.database(parts.projection) as timeline, timeline.transaction():
        rows = timeline.cursor(_SQL["shown"], prefetch=_AT_ONCE)
        await comparison.run(_record(parts), (_shown(row) async for row in rows))
        largest: int = await timeline.fetchval(_SQL["largest_head"])
    async with parts.database(parts.exchange) as connection:
        routed: int = await connection.fetchval(_SQL["routed_up_to"])
    inboxes = [inbox async for inbox in _inboxes(parts)]
    known = frozenset(comparison.known)
    return RecordLosses(
        size=comparison.size,
        largest_head=largest,
        routed=routed,
        agrees_up_to=comparison.agrees_up_to,
        since=tuple(comparison.since),
        shown=tuple(comparison.shown),
        heard=tuple(merge_in_order(inbox.unknown(known) for inbox in inboxes)),
        tails={inbox.topic: inbox.tail for inbox in inboxes if inbox.tail},
    )


async def restore(parts: MaintenanceSession) -> RecordLosses:
    """Makes the record whole, and lets the exchange go on where that is right; gives what was lost.

    May be repeated. Raises NotReadyForMaintenance, NotRestorable and TopicCopyMismatch.
    """
    lost = await losses(parts)
    if lost.is_whole:
        return lost
    if lost.routed_at_most < lost.largest_head:
        raise NotRestorable(f"the log signed {lost.largest_head} entries, and only {lost.routed_at_most} are kept")
    for topic, tail in lost.tails.items():
        await append(parts.kafka, topic, tail)
    # The exchange first: it may look at an entry twice, never pass one by.
    await _set_back(parts, lost)
    if lost.shown or lost.heard:
        copy = parts.copy_of(parts.record)
        await copy.write({}, _whole(parts, lost))
        await apply_copy(parts.kafka, parts.record, copy)
    return lost


@dataclass(frozen=True, slots=True)
class _Inbox:
    """A member's inbox: what its topic holds, what only its node holds beyond that, and what waits to be sent."""

    topic: str
    held: tuple[KafkaRecord, ...]
    tail: tuple[KafkaRecord, ...]
    unsent: tuple[Message, ...]

    def unknown(self, known: frozenset[bytes]) -> tuple[KafkaRecord, ...]:
        """The entries of the record that are in this inbox and not ``known``, in order, each once."""
        messages = (*(entry.message for entry in (*self.held, *self.tail)), *self.unsent)
        once = {_hash(entry): entry for entry in map(_delivered, messages)}
        return tuple(entry for value, entry in once.items() if value not in known)


class _Comparison:
    """The record beside the timeline, in one pass over both."""

    def __init__(self) -> None:
        self.agrees_up_to = 0
        self.size = 0
        self.since: list[KafkaRecord] = []
        self.shown: list[KafkaRecord] = []
        self.known: set[bytes] = set()

    async def run(self, record: AsyncIterator[KafkaRecord], timeline: AsyncIterator[KafkaRecord]) -> None:
        async for entry in record:
            self._take(entry, await anext(timeline, None))
        self.shown += [entry async for entry in timeline]
        self.known.update(map(_hash, (*self.since, *self.shown)))

    def _take(self, entry: KafkaRecord, shown: KafkaRecord | None) -> None:
        self.size += 1
        if entry == shown and not self.since:
            self.agrees_up_to += 1
            self.known.add(_hash(entry))
            return
        self.since.append(entry)
        self.shown += [shown] if shown is not None else []


def merge_in_order(strands: Iterable[Sequence[KafkaRecord]]) -> Iterator[KafkaRecord]:
    """The entries of all ``strands``, each once, so that each strand keeps its order; by time where that is open.

    Raises NotRestorable where two strands contradict each other.
    """
    entries: dict[bytes, KafkaRecord] = {}
    order: TopologicalSorter[bytes] = TopologicalSorter()
    for strand in strands:
        hashes = [_hash(entry) for entry in strand]
        entries |= zip(hashes, strand, strict=True)
        for value in hashes:
            order.add(value)
        for earlier, later in pairwise(hashes):
            order.add(later, earlier)
    try:
        order.prepare()
    except CycleError as error:
        raise NotRestorable("two inboxes hold the same entries in another order") from error
    ready: list[tuple[int, bytes]] = []
    while order.is_active():
        for value in order.get_ready():
            heapq.heappush(ready, (entries[value].appended_ms, value))
        _, value = heapq.heappop(ready)
        yield entries[value]
        order.done(value)


async def _inboxes(parts: MaintenanceSession) -> AsyncIterator[_Inbox]:
    unsent: dict[str, list[Message]] = {member: [] for member in parts.members}
    async with parts.database(parts.exchange) as connection:
        for row in await connection.fetch(_SQL["unsent"]):
            unsent[row["member"]].append(message_in(row))
    for member in parts.members:
        topic = in_topic(parts.jurisdiction, member)
        held = tuple([entry async for entry in read_topic(parts.kafka, topic)])
        node = parts.processes.get(member)
        tail = await _tail(node, held[-1].offset + 1 if held else 0) if node is not None else ()
        yield _Inbox(topic, held, tail, tuple(unsent[member]))


async def _tail(node: ProcessSettings, end: int) -> tuple[KafkaRecord, ...]:
    """What a node keeps of its inbox beyond the topic's ``end``, at the offsets where it read it."""
    async with open_pool(node.postgres, max_size=1) as pool, PostgresStore(pool).transaction() as tx:
        position = await tx.position(None)
        rows = {row.offset: row.delivery.to_message() async for row in tx.inbox() if row.offset >= end}
    if position.next_offset > end and not rows:
        raise NotRestorable(f"{node.member} has read its inbox up to {position.next_offset}, and it ends at {end}")
    # Where an entry stood twice, the node kept it once; what comes again is skipped.
    places = sorted(rows)
    beyond = range(end, position.next_offset)
    return tuple(KafkaRecord(at, 0, rows[places[min(bisect_left(places, at), len(places) - 1)]]) for at in beyond)


async def _set_back(parts: MaintenanceSession, lost: RecordLosses) -> None:
    at = lost.routed_at_most
    places = {entry.message.value: entry.offset for entry in lost.end}
    async with parts.database(parts.exchange) as connection, connection.transaction():
        await connection.execute(_SQL["go_on_from"], at)
        await connection.execute(_SQL["directory_as_of"], at)
        for row in await connection.fetch(_SQL["announced_after"], lost.agrees_up_to):
            await connection.execute(_SQL["set_announced_aside"], row["record_offset"], places[row["value"]])
        await connection.execute(_SQL["put_announced_back"])


async def _whole(parts: MaintenanceSession, lost: RecordLosses) -> AsyncIterator[KafkaRecord]:
    async for entry in _record(parts):
        if entry.offset < lost.agrees_up_to:
            yield entry
    for entry in lost.end:
        yield entry


def _shown(row: asyncpg.Record) -> KafkaRecord:
    message = Message(row["key"], row["value"], unpack_headers(row["headers"]))
    entry = KafkaRecord(row["record_offset"], row["appended_ms"], message)
    if _hash(entry) != row["record_hash"]:
        raise NotRestorable(f"the timeline's entry {entry.offset} is not what its hash says: it was changed")
    return entry


def _delivered(message: Message) -> KafkaRecord:
    delivery = Delivery.from_message(message)
    return KafkaRecord(-1, to_ms(delivery.record_time), delivery.message)


def _hash(entry: KafkaRecord) -> bytes:
    return record_hash(entry.message.key, entry.message.value, entry.message.headers)


def _record(parts: MaintenanceSession) -> AsyncIterator[KafkaRecord]:
    return read_topic(parts.kafka, parts.record.name)
