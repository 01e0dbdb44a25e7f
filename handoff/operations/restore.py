"""Restore of a record that lost entries at its end, from the copies that its readers stored.

Entries on the timeline are restored byte for byte, at their offsets and times. Entries that the exchange had routed and
the projection had not yet processed are restored from the inboxes, in their order. Entries that no process had read
have no echo: their senders publish them again.
"""

import heapq
from bisect import bisect_left
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

import asyncpg

from handoff.adapters.postgres.directory_cache import DirectoryCache
from handoff.adapters.postgres.exchange_transaction import message_in
from handoff.adapters.postgres.named_statements import statements
from handoff.adapters.postgres.node_transaction import PostgresTransaction
from handoff.config import ProcessSettings
from handoff.operations.errors import OperationError
from handoff.operations.session import MaintenanceSession, NotReadyForMaintenance
from handoff.operations.topic_copy import append, read_topic
from handoff.proof.log.entry import content_hash
from handoff.record.delivery import Delivery, to_ms
from handoff.record.header_codec import unpack_headers
from handoff.record.kafka_record import KafkaRecord
from handoff.record.message import Message
from handoff.record.topics import in_topic

_SQL = statements("restore.sql", __package__)
_BATCH = 1000


class NotRestorable(OperationError):
    """The stored copies are not sufficient or contradict each other: a person has to examine them."""


@dataclass(frozen=True, slots=True)
class RecordLosses:
    """Entries that the record lost.

    ``size`` is the current size of the record, ``largest_head`` that of the largest signed checkpoint, and ``routed``
    the position of the exchange. Record and timeline are equal before the offset ``agrees_up_to``. ``appended_since``
    are the record's entries from there on, ``only_on_timeline`` those of the timeline, ``only_in_inboxes`` those that
    only inboxes have, in order. ``tails`` has, for each inbox topic, the entries that it lost and its node had stored.
    """

    size: int
    largest_head: int
    routed: int
    agrees_up_to: int
    appended_since: tuple[KafkaRecord, ...]
    only_on_timeline: tuple[KafkaRecord, ...]
    only_in_inboxes: tuple[KafkaRecord, ...]
    tails: Mapping[str, tuple[KafkaRecord, ...]] = field(default_factory=dict)
    last_agreed: bytes = b""
    """Record hash of the last entry on which record and timeline agree."""

    @property
    def is_whole(self) -> bool:
        """Return whether the record has every entry that was read or signed."""
        is_long_enough = self.size >= max(self.largest_head, self.routed)
        return is_long_enough and not self.only_on_timeline and not self.only_in_inboxes and not self.tails

    @property
    def end(self) -> tuple[KafkaRecord, ...]:
        """Content of the restored record from ``agrees_up_to`` on: lost entries first, then those appended since."""
        entries = (*self.only_on_timeline, *self.only_in_inboxes, *self.appended_since)
        return tuple(replace(entry, offset=offset) for offset, entry in enumerate(entries, self.agrees_up_to))

    @property
    def routed_at_most(self) -> int:
        """Largest position for the exchange in the restored record. It routes the entries after it again."""
        return self.agrees_up_to + len(self.only_on_timeline) + len(self.only_in_inboxes)

    def hash_before(self, offset: int) -> bytes | None:
        """Return the record hash of the entry before ``offset`` in the restored record; None if it is unchanged."""
        if offset < self.agrees_up_to or offset == 0:
            return None
        if offset == self.agrees_up_to:
            return self.last_agreed
        return _hash(self.end[offset - 1 - self.agrees_up_to])


async def losses(session: MaintenanceSession) -> RecordLosses:
    """Compare the record with the timeline, the signed checkpoints and the inboxes.

    It reads only. Raises NotReadyForMaintenance, also if the replacement of a topic was interrupted.
    """
    await session.check()
    if session.interrupted:
        named = ", ".join(topic.name for topic in session.interrupted)
        raise NotReadyForMaintenance(
            f"the replacement of {named} was interrupted: repeat the interrupted command, "
            "`handoff record redact` or `handoff record restore`"
        )
    comparison = _Comparison()
    async with session.database(session.projection) as timeline, timeline.transaction(readonly=True):
        rows = timeline.cursor(_SQL["timeline_entries"], prefetch=_BATCH)
        await comparison.run(_record(session), (_timeline_entry(row) async for row in rows))
        largest: int = await timeline.fetchval(_SQL["largest_head"])
    async with session.database(session.exchange) as connection:
        routed: int = await connection.fetchval(_SQL["routed_up_to"])
    inboxes = [inbox async for inbox in _inboxes(session)]
    known = frozenset(comparison.known)
    return RecordLosses(
        size=comparison.size,
        largest_head=largest,
        routed=routed,
        agrees_up_to=comparison.agrees_up_to,
        appended_since=tuple(comparison.appended_since),
        only_on_timeline=tuple(comparison.only_on_timeline),
        only_in_inboxes=tuple(merge_in_order(inbox.unknown(known) for inbox in inboxes)),
        last_agreed=comparison.last_agreed,
        tails={inbox.topic: inbox.tail for inbox in inboxes if inbox.tail},
    )


async def restore(session: MaintenanceSession) -> RecordLosses:
    """Restore the record, and set the exchange's position back if necessary. Return the losses.

    Idempotent. Raises NotReadyForMaintenance, NotRestorable and TopicCopyMismatch.
    """
    await session.resume()
    lost = await losses(session)
    if lost.is_whole:
        return lost
    if lost.routed_at_most < lost.largest_head:
        raise NotRestorable(
            f"the log signed {lost.largest_head} entries, and only {lost.routed_at_most} are stored"
            ": change nothing; a person has to examine this"
        )
    for topic, tail in lost.tails.items():
        await append(session.kafka, topic, tail)
    # The exchange first: it may process an entry twice, but must not skip one.
    await _set_back(session, lost)
    if lost.only_on_timeline or lost.only_in_inboxes:
        await session.replace_content(session.record, _restored(session, lost))
    return lost


@dataclass(frozen=True, slots=True)
class _Inbox:
    """A member's inbox: entries of its topic, later ones that only its node stored, and those not sent yet."""

    topic: str
    on_topic: tuple[KafkaRecord, ...]
    tail: tuple[KafkaRecord, ...]
    unsent: tuple[Message, ...]

    def unknown(self, known: frozenset[bytes]) -> tuple[KafkaRecord, ...]:
        """Entries of the record in this inbox that are not ``known``, in order, without repetitions."""
        messages = (*(entry.message for entry in (*self.on_topic, *self.tail)), *self.unsent)
        once = {_hash(entry): entry for entry in map(_delivered, messages)}
        return tuple(entry for value, entry in once.items() if value not in known)


class _Comparison:
    """Comparison of record and timeline in one pass."""

    def __init__(self) -> None:
        self.agrees_up_to = 0
        self.last_agreed = b""
        self.size = 0
        self.appended_since: list[KafkaRecord] = []
        self.only_on_timeline: list[KafkaRecord] = []
        self.known: set[bytes] = set()

    async def run(self, record: AsyncIterator[KafkaRecord], timeline: AsyncIterator[KafkaRecord]) -> None:
        async for entry in record:
            self._compare(entry, await anext(timeline, None))
        self.only_on_timeline += [entry async for entry in timeline]
        self.known.update(map(_hash, (*self.appended_since, *self.only_on_timeline)))

    def _compare(self, entry: KafkaRecord, on_timeline: KafkaRecord | None) -> None:
        self.size += 1
        # By hash: after an interrupted redaction the record has a stub where the timeline still has the value.
        is_known = on_timeline is not None and _coordinates(entry) == _coordinates(on_timeline)
        if is_known and not self.appended_since:
            self.agrees_up_to += 1
            self.last_agreed = _hash(entry)
            self.known.add(_hash(entry))
            return
        self.appended_since.append(entry)
        self.only_on_timeline += [on_timeline] if on_timeline is not None else []


def merge_in_order(strands: Iterable[Sequence[KafkaRecord]]) -> Iterator[KafkaRecord]:
    """Merge ``strands`` without repetitions. Each strand keeps its order; otherwise the time decides.

    Raises NotRestorable if two strands contradict each other.
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
        raise NotRestorable(
            "two inboxes have the same entries in different orders: a person has to examine them"
        ) from error
    ready: list[tuple[int, bytes]] = []
    while order.is_active():
        for value in order.get_ready():
            heapq.heappush(ready, (entries[value].appended_ms, value))
        _, value = heapq.heappop(ready)
        yield entries[value]
        order.done(value)


async def _inboxes(session: MaintenanceSession) -> AsyncIterator[_Inbox]:
    unsent: dict[str, list[Message]] = {member: [] for member in session.members}
    async with session.database(session.exchange) as connection:
        for row in await connection.fetch(_SQL["unsent"]):
            unsent[row["member"]].append(message_in(row))
    for member in session.members:
        topic = in_topic(session.jurisdiction, member)
        on_topic = tuple([entry async for entry in read_topic(session.kafka, topic)])
        node = session.processes.get(member)
        tail = await _tail(session, node, on_topic[-1].offset + 1 if on_topic else 0) if node is not None else ()
        yield _Inbox(topic, on_topic, tail, tuple(unsent[member]))


async def _tail(session: MaintenanceSession, node: ProcessSettings, end: int) -> tuple[KafkaRecord, ...]:
    """Entries that a node stored from its inbox after the topic's ``end``, at their offsets."""
    async with session.database(node) as connection, connection.transaction(readonly=True):
        next_offset: int = await connection.fetchval(_SQL["node_position"])
        inbox = PostgresTransaction(connection, DirectoryCache()).inbox()
        rows = {row.offset: row.delivery.to_message() async for batch in inbox for row in batch if row.offset >= end}
    if next_offset > end and not rows:
        raise NotRestorable(
            f"{node.member} has read its inbox up to {next_offset}, the topic ends at {end}, "
            "and its node stored no entry after that"
        )
    # A node stores a repeated entry once. Fill the offset of a repetition with the next stored entry: nodes skip it.
    places = sorted(rows)
    beyond = range(end, next_offset)
    return tuple(KafkaRecord(at, 0, rows[places[min(bisect_left(places, at), len(places) - 1)]]) for at in beyond)


async def _set_back(session: MaintenanceSession, lost: RecordLosses) -> None:
    at = lost.routed_at_most
    places = {entry.message.value: entry.offset for entry in lost.end}
    async with session.database(session.exchange) as connection, connection.transaction():
        await connection.execute(_SQL["set_position_back"], at, lost.hash_before(min(lost.routed, at)))
        await connection.execute(_SQL["set_directory_back"], at)
        for row in await connection.fetch(_SQL["announced_after"], lost.agrees_up_to):
            await connection.execute(_SQL["move_announcement"], row["record_offset"], places[row["value"]])
        await connection.execute(_SQL["finish_moves"])


async def _restored(session: MaintenanceSession, lost: RecordLosses) -> AsyncIterator[KafkaRecord]:
    async for entry in _record(session):
        if entry.offset < lost.agrees_up_to:
            yield entry
    for entry in lost.end:
        yield entry


def _timeline_entry(row: asyncpg.Record) -> KafkaRecord:
    message = Message(row["key"], row["value"], unpack_headers(row["headers"]))
    entry = KafkaRecord(row["record_offset"], row["appended_ms"], message)
    if _hash(entry) != row["record_hash"]:
        raise NotRestorable(
            f"the timeline's entry {entry.offset} does not match its hash: it was changed. A person has to examine it"
        )
    return entry


def _delivered(message: Message) -> KafkaRecord:
    delivery = Delivery.from_message(message)
    return KafkaRecord(-1, to_ms(delivery.record_time), delivery.message)


def _coordinates(entry: KafkaRecord) -> tuple[int, int, bytes]:
    return entry.offset, entry.counted_ms, _hash(entry)


def _hash(entry: KafkaRecord) -> bytes:
    return content_hash(entry.message)


def _record(session: MaintenanceSession) -> AsyncIterator[KafkaRecord]:
    return read_topic(session.kafka, session.record.name)
