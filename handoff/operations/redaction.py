"""Redaction of values on the record, and of everything that was derived from them.

The record, the inboxes and the outgoing topics are rewritten with stubs in place of the values. The timeline is
rebuilt. The rows of nodes and of the exchange are corrected and folded again. Then the databases rewrite their files,
so that no file has the old bytes. Every step is idempotent: after an interruption, run the command again.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import asyncpg

from handoff.adapters.files.trust_file import trusted
from handoff.adapters.postgres.checkpoints import newest_cosigned
from handoff.adapters.postgres.exchange_store import ExchangeStore
from handoff.adapters.postgres.leadership_store import PostgresLeadership
from handoff.adapters.postgres.named_statements import statements
from handoff.adapters.postgres.pool import open_pool
from handoff.config import ProcessSettings
from handoff.domain import state_codec
from handoff.domain.case import Case
from handoff.domain.directory import Directory
from handoff.operations.errors import OperationError
from handoff.operations.node_recovery import rebuild_node
from handoff.operations.session import MaintenanceSession, NotReadyForMaintenance
from handoff.operations.timeline_rebuild import Progress, rebuild
from handoff.operations.topic_copy import read_topic
from handoff.proof.log.checkpoint import Origin
from handoff.record import codec
from handoff.record.codes import RedactionReason
from handoff.record.delivery import Delivery
from handoff.record.events.directory import RedactionTerms, ValueRedacted
from handoff.record.kafka_record import KafkaRecord, ParsedRecord, parse
from handoff.record.message import Message
from handoff.record.record_time import STAMP_HEADER
from handoff.record.redaction import Redaction, original_hash
from handoff.record.topics import Topic, in_topic
from handoff.views.redaction_effects import DirectoryNotRedactable, dependent_offsets, redacted

_SQL = statements("redaction.sql", __package__)
# Default of the exchange's grace period after a deadline.
_GRACE = timedelta(seconds=2)


class RedactionRefused(OperationError):
    """The entries cannot be redacted. The message has the reason."""


@dataclass(frozen=True, slots=True)
class RedactionReport:
    """Redacted offsets including repetitions, rewritten topics, and members whose nodes were folded again."""

    offsets: tuple[int, ...]
    topics: tuple[str, ...]
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Targets:
    """Entries to redact: the hash of the value at each offset, and the keys of their cases."""

    by_offset: Mapping[int, bytes]
    keys: frozenset[bytes | None]

    @property
    def offsets(self) -> frozenset[int]:
        return frozenset(self.by_offset)

    @property
    def hashes(self) -> frozenset[bytes]:
        return frozenset(self.by_offset.values())

    def match(self, message: Message) -> bool:
        """Return whether ``message`` still has one of the values."""
        return original_hash(message.value) in self.hashes and Redaction.found(message.value) is None

    @property
    def cases(self) -> tuple[UUID, ...]:
        return tuple(UUID((key or b"").decode()) for key in self.keys)


async def redact(
    session: MaintenanceSession, offsets: Sequence[int], reason: RedactionReason, progress: Progress
) -> RedactionReport:
    """Redact the values at ``offsets`` everywhere.

    Each needs an order of the coordinator on the record, under a checkpoint with enough cosignatures. Whether it
    exists is checked while the services run, so that the operator knows what the coordinator has to record.

    Raises NotReadyForMaintenance, RedactionRefused and TopicCopyMismatch.
    """
    if session.interrupted:
        await session.resume()
    targets = await _targets(session, frozenset(offsets))
    await _check_effect(session, targets, reason)
    await _check_orders(session, targets, reason)
    await session.check()
    await _check_caught_up(session)
    topics = tuple([topic.name for topic in session.topics if await _rewrite(session, topic, targets, reason)])
    await _rebuild_timeline(session, progress)
    await _correct_exchange(session, targets)
    corrected = tuple([node.member for node in session.nodes if await _correct_node(session, node, targets, reason)])
    await _rewrite_files(session)
    return RedactionReport(tuple(sorted(targets.offsets)), topics, corrected)


async def _targets(session: MaintenanceSession, offsets: frozenset[int]) -> _Targets:
    hashes = {original_hash(e.message.value) async for e in _record(session) if e.offset in offsets}
    # A repetition has the same bytes.
    found = [e async for e in _record(session) if original_hash(e.message.value) in hashes]
    by_offset = {entry.offset: original_hash(entry.message.value) for entry in found}
    if missing := offsets - by_offset.keys():
        raise RedactionRefused(f"the record has no offset {min(missing)}")
    return _Targets(by_offset, frozenset(entry.message.key for entry in found))


async def _check_orders(session: MaintenanceSession, targets: _Targets, reason: RedactionReason) -> None:
    """Check that the coordinator ordered each redaction, and that a cosigned checkpoint covers the orders.

    Otherwise the verifier would report each stub as tampering.
    """
    wanted = {(offset, value_hash.hex()) for offset, value_hash in targets.by_offset.items()}
    async with session.database(session.projection) as connection, connection.transaction(readonly=True):
        last = 0
        async for row in connection.cursor(_SQL["orders"]):
            order = codec.decode(row["value"]).data
            if isinstance(order, ValueRedacted) and order.reason is reason:
                last = row["record_offset"] if (order.offset, order.value_hash) in wanted else last
                wanted.discard((order.offset, order.value_hash))
        if wanted:
            raise RedactionRefused(
                "the coordinator has to order each redaction first: POST /directory/redactions on the coordinator's "
                "node, once with each of\n"
                + "\n".join(
                    RedactionTerms(offset=offset, value_hash=value_hash, reason=reason).model_dump_json()
                    for offset, value_hash in sorted(wanted)
                )
            )
        if not await _is_covered(session, connection, last):
            raise NotReadyForMaintenance(
                "no checkpoint with enough cosignatures covers the coordinator's order yet: let the services run until "
                "the next one, then stop them"
            )


async def _is_covered(session: MaintenanceSession, connection: asyncpg.Connection, offset: int) -> bool:
    checkpoints = session.projection.checkpoints
    if checkpoints is None:
        return True
    origin = Origin(session.exchange.jurisdiction, session.exchange.generation)
    newest = await newest_cosigned(connection, origin, trusted(checkpoints, origin))
    return newest is not None and newest.is_enough and newest.opened.head.size > offset


async def _check_caught_up(session: MaintenanceSession) -> None:
    """Check that exchange and projection have processed the whole record: both are corrected from its end."""
    end = 0
    async for entry in _record(session):
        end = entry.offset + 1
    async with session.database(session.exchange) as connection:
        caught_up: bool = await connection.fetchval(_SQL["exchange_caught_up"], end)
    async with session.database(session.projection) as connection:
        caught_up &= await connection.fetchval(_SQL["timeline_caught_up"], end)
        has_replaced: bool = await connection.fetchval(_SQL["has_replaced"])
    if not caught_up:
        raise NotReadyForMaintenance(
            "exchange or projection has not processed the whole record: start them, let them finish, then stop them"
        )
    if has_replaced:
        raise NotReadyForMaintenance(
            "the schema timeline_replaced has the tables that an earlier rebuild replaced: examine them, then drop it"
        )


async def _check_effect(session: MaintenanceSession, targets: _Targets, reason: RedactionReason) -> None:
    settings = session.exchange
    about = targets.keys | {settings.jurisdiction.encode()}
    strands, record_ms = list[ParsedRecord](), 0
    async for entry in _record(session):
        record_ms = max(record_ms, entry.counted_ms)
        if entry.message.key in about:
            strands.append(parse(_at(entry, record_ms)))
    empty = Directory(settings.jurisdiction, settings.generation)
    try:
        others = dependent_offsets(targets.offsets, strands, settings.genesis_sha256, empty, reason)
    except DirectoryNotRedactable:
        raise RedactionRefused(
            "cannot redact an entry of the directory: it may have keys that all members need"
        ) from None
    if others:
        named = ", ".join(map(str, others))
        raise RedactionRefused(
            f"cannot redact: the verdicts of offsets {named} depend on it. Redact those as well, or keep it"
        )


def _at(entry: KafkaRecord, record_ms: int) -> KafkaRecord:
    """Return the entry with this record time. Without its stamp, which would bound the time again."""
    headers = tuple(pair for pair in entry.message.headers if pair[0] != STAMP_HEADER)
    return replace(entry, appended_ms=record_ms, message=replace(entry.message, headers=headers))


async def _rewrite(session: MaintenanceSession, topic: Topic, targets: _Targets, reason: RedactionReason) -> bool:
    """Rewrite a topic that has one of the values. Return whether it had one."""
    if not any([targets.match(entry.message) async for entry in read_topic(session.kafka, topic.name)]):
        return False
    inboxes = {in_topic(session.jurisdiction, member) for member in session.members}
    without = _delivery_without if topic.name in inboxes else redacted

    async def stubbed() -> AsyncIterator[KafkaRecord]:
        async for entry in read_topic(session.kafka, topic.name):
            yield replace(entry, message=without(entry.message, reason)) if targets.match(entry.message) else entry

    await session.replace_content(topic, stubbed())
    return True


def _delivery_without(message: Message, reason: RedactionReason) -> Message:
    delivery = Delivery.from_message(message)
    # Its statement stays as the exchange signed it.
    return replace(delivery, message=redacted(delivery.message, reason)).to_message()


async def _rebuild_timeline(session: MaintenanceSession, progress: Progress) -> None:
    await rebuild(session.projection, progress, keep_replaced=False)


async def _correct_exchange(session: MaintenanceSession, targets: _Targets) -> None:
    """Replace the exchange's cases with those of the projection: both fold the same record with the same function."""
    async with session.database(session.projection) as timeline:
        rows = await timeline.fetch(_SQL["timeline_cases"], targets.cases)
    cases = {row["case_id"]: state_codec.load_case(row["state"]) for row in rows}
    async with session.database(session.exchange) as connection:
        await connection.execute(_SQL["delete_seen"], [value_hash.hex() for value_hash in targets.hashes])
        await connection.execute(_SQL["delete_cases"], list(targets.cases))
        for case in targets.cases:
            await connection.execute(_SQL["delete_timers"], case, _holders(cases.get(case)))
    async with open_pool(session.exchange.postgres, max_size=1) as pool:
        await _store_cases(pool, cases)


async def _store_cases(pool: asyncpg.Pool, cases: dict[UUID, Case]) -> None:
    leadership, store = PostgresLeadership(pool), ExchangeStore(pool)
    epoch = await leadership.acquire("redaction", await leadership.leader())
    if epoch is None:
        raise NotReadyForMaintenance("an exchange is routing: stop it first")
    await store.start_routing(epoch)
    async with store.between(epoch) as batch:
        await batch.store_cases(cases, _GRACE)
    await leadership.release(epoch)


def _holders(case: Case | None) -> list[UUID]:
    return [] if case is None else [*case.referrals, *case.bases]


async def _correct_node(
    session: MaintenanceSession, node: ProcessSettings, targets: _Targets, reason: RedactionReason
) -> bool:
    """Redact a node's inbox and outbox, and fold it again. Return whether it has any of the redacted values."""
    stubs = {value_hash: Redaction(value_hash.hex(), reason).stub for value_hash in targets.hashes}
    every = [Redaction(value_hash.hex(), why).stub for value_hash in targets.hashes for why in RedactionReason]
    async with session.database(node) as connection, connection.transaction():
        for value_hash, stub in stubs.items():
            await connection.execute(_SQL["inbox"], value_hash, stub)
            await connection.execute(_SQL["outbox"], value_hash.hex(), stub)
        has_stubs: bool = await connection.fetchval(_SQL["has_stubs"], every)
    if has_stubs:
        await rebuild_node(node)
    return has_stubs


async def _rewrite_files(session: MaintenanceSession) -> None:
    """Rewrite tables, statistics and the write-ahead log, so that no file has the old bytes."""
    for process in (session.exchange, session.projection, *session.nodes):
        async with session.database(process) as connection:
            await connection.execute("VACUUM (FULL, ANALYZE)")
    async with session.database(session.exchange) as connection:
        await _discard_wal(connection)


async def _discard_wal(connection: asyncpg.Connection) -> None:
    # Recycled WAL segments still have their old content. Switch through each, so that the checkpoint deletes it.
    await connection.execute("ALTER SYSTEM SET wal_recycle = off")
    try:
        await connection.execute("SELECT pg_reload_conf()")
        while await connection.fetchval(_SQL["segments_ahead"]):
            await connection.execute(_SQL["switch_segment"])
        await connection.execute(_SQL["switch_segment"])
        await connection.execute("CHECKPOINT")
    finally:
        await connection.execute("ALTER SYSTEM RESET wal_recycle")
        await connection.execute("SELECT pg_reload_conf()")


def _record(session: MaintenanceSession) -> AsyncIterator[KafkaRecord]:
    return read_topic(session.kafka, session.record.name)
