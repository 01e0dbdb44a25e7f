"""Values taken out of the record after an incident, and out of everything that was made from it.

The record, the inboxes and the outgoing topics are copied over themselves with stubs in the values' place; the timeline
is made again; what nodes and the exchange keep is mended and folded again; then the databases are written anew, so that
the old bytes are in no file. Every step may be repeated: what was interrupted is run again.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import asyncpg

from handoff.adapters.postgres.exchange_store import ExchangeStore
from handoff.adapters.postgres.named_statements import statements
from handoff.adapters.postgres.pool import open_pool
from handoff.config import ProcessSettings
from handoff.domain import state_codec
from handoff.domain.case import Case
from handoff.domain.directory import Directory
from handoff.domain.examine import read
from handoff.operations.node_recovery import rebuild_node
from handoff.operations.session import MaintenanceSession, NotReadyForMaintenance
from handoff.operations.timeline_rebuild import Progress, rebuild
from handoff.operations.topic_copy import apply_copy, read_groups, read_topic
from handoff.record.delivery import REDACTED, Delivery
from handoff.record.kafka_record import KafkaRecord
from handoff.record.message import Message
from handoff.record.redaction import Redaction, RedactionReason, original_hash
from handoff.record.topics import Topic, in_topic
from handoff.views.redaction_effects import DirectoryStays, redacted, standing_on
from handoff.views.timeline_fold import Placed

_SQL = statements("redaction.sql", __package__)
# What an exchange waits beyond a step's time where its configuration says nothing else.
_GRACE = timedelta(seconds=2)


class RedactionRefused(Exception):
    """These entries cannot be taken out like this; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Redacted:
    """What was taken out: its offsets, repetitions included, the topics that held it, and whose nodes did."""

    offsets: tuple[int, ...]
    topics: tuple[str, ...]
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Survey:
    """What is to be taken out: offsets, the hashes of the values, and the cases that they are about."""

    offsets: frozenset[int]
    hashes: frozenset[bytes]
    keys: frozenset[bytes | None]

    def holds(self, message: Message) -> bool:
        """Whether ``message`` has one of the values, still in full."""
        return original_hash(message.value) in self.hashes and Redaction.found(message.value) is None

    @property
    def cases(self) -> tuple[UUID, ...]:
        return tuple(UUID((key or b"").decode()) for key in self.keys)


async def redact(
    parts: MaintenanceSession, offsets: Sequence[int], reason: RedactionReason, progress: Progress
) -> Redacted:
    """Redact the values at ``offsets`` everywhere.

    Raises NotReadyForMaintenance, RedactionRefused and TopicCopyMismatch.
    """
    await parts.check()
    survey = await _survey(parts, frozenset(offsets))
    await _check_rest(parts)
    await _check_effect(parts, survey, reason)
    topics = tuple([topic.name for topic in parts.topics if await _rewrite(parts, topic, survey, reason)])
    await _project_again(parts, progress)
    await _mend_exchange(parts, survey)
    mended = tuple([node.member for node in parts.nodes if await _mend_node(parts, node, survey, reason)])
    await _write_anew(parts)
    return Redacted(tuple(sorted(survey.offsets)), topics, mended)


async def _survey(parts: MaintenanceSession, offsets: frozenset[int]) -> _Survey:
    hashes = {original_hash(e.message.value) async for e in _record(parts) if e.offset in offsets}
    # A repetition holds the same bytes.
    found = [(e.offset, e.message.key) async for e in _record(parts) if original_hash(e.message.value) in hashes]
    if missing := offsets - {offset for offset, _ in found}:
        raise RedactionRefused(f"the record has no offset {min(missing)}")
    keys = frozenset(key for _, key in found)
    return _Survey(frozenset(offset for offset, _ in found), frozenset(hashes), keys)


async def _check_rest(parts: MaintenanceSession) -> None:
    """Exchange and projection must have come to the record's end, for both are mended from there."""
    end = 0
    async for entry in _record(parts):
        end = entry.offset + 1
    async with parts.database(parts.exchange) as connection:
        rests: bool = await connection.fetchval(_SQL["exchange_rests"], end)
    async with parts.database(parts.projection) as connection:
        rests &= await connection.fetchval(_SQL["timeline_rests"], end)
        keeps_another: bool = await connection.fetchval(_SQL["keeps_another"])
    if not rests:
        raise NotReadyForMaintenance(
            "exchange or projection has not come to the record's end: let them finish, then stop them"
        )
    if keeps_another:
        raise NotReadyForMaintenance(
            "the schema timeline_replaced holds what an earlier rebuild replaced: look at it and drop it"
        )


async def _check_effect(parts: MaintenanceSession, survey: _Survey, reason: RedactionReason) -> None:
    settings = parts.exchange
    about = survey.keys | {settings.jurisdiction.encode()}
    strands, record_ms = list[Placed](), 0
    async for entry in _record(parts):
        record_ms = max(record_ms, entry.appended_ms)
        if entry.message.key in about:
            strands.append(Placed(entry.offset, record_ms, read(entry.message)))
    empty = Directory(settings.jurisdiction, settings.generation)
    try:
        others = standing_on(survey.offsets, strands, settings.genesis_sha256, empty, reason)
    except DirectoryStays:
        raise RedactionRefused("an entry of the directory cannot be taken out: everyone's keys stand there") from None
    if others:
        named = ", ".join(map(str, others))
        raise RedactionRefused(f"these offsets stand on it, take them out too or leave it: {named}")


async def _rewrite(parts: MaintenanceSession, topic: Topic, survey: _Survey, reason: RedactionReason) -> bool:
    """Copies a topic over itself where it holds what is to be taken out; whether it did."""
    if not any([survey.holds(entry.message) async for entry in read_topic(parts.kafka, topic.name)]):
        return False
    inboxes = {in_topic(parts.jurisdiction, member) for member in parts.members}
    without = _delivery_without if topic.name in inboxes else redacted

    async def stubbed() -> AsyncIterator[KafkaRecord]:
        async for entry in read_topic(parts.kafka, topic.name):
            yield replace(entry, message=without(entry.message, reason)) if survey.holds(entry.message) else entry

    copy = parts.copy_of(topic)
    await copy.write(await read_groups(parts.kafka, parts.jurisdiction, topic), stubbed())
    await apply_copy(parts.kafka, topic, copy)
    return True


def _delivery_without(message: Message, reason: RedactionReason) -> Message:
    delivery = Delivery.from_message(message)
    return replace(delivery, verdict=REDACTED, message=redacted(delivery.message, reason)).to_message()


async def _project_again(parts: MaintenanceSession, progress: Progress) -> None:
    report = await rebuild(parts.projection, progress)
    if report.is_identical:
        return
    async with parts.database(parts.projection) as connection:
        if moved := await connection.fetchval(_SQL["moved_leaves"]):
            raise RedactionRefused(f"{moved} leaves of the timeline were not the record's: look at timeline_replaced")
        await connection.execute(_SQL["drop_replaced"])


async def _mend_exchange(parts: MaintenanceSession, survey: _Survey) -> None:
    """What the exchange knows of the cases is what the projection folded: the same function, the same record."""
    async with parts.database(parts.projection) as timeline:
        rows = await timeline.fetch(_SQL["timeline_cases"], survey.cases)
    cases = {row["case_id"]: state_codec.load_case(row["state"]) for row in rows}
    async with parts.database(parts.exchange) as connection:
        await connection.execute(_SQL["forget_seen"], [value_hash.hex() for value_hash in survey.hashes])
        await connection.execute(_SQL["forget_case"], list(survey.cases))
        for case in survey.cases:
            await connection.execute(_SQL["forget_timers"], case, _holders(cases.get(case)))
    async with open_pool(parts.exchange.postgres, max_size=1) as pool:
        await _keep_cases(ExchangeStore(pool), cases)


async def _keep_cases(store: ExchangeStore, cases: dict[UUID, Case]) -> None:
    position = await store.take_over(0)
    if position is None:
        raise NotReadyForMaintenance("an exchange routes: stop it first")
    async with store.between(position.epoch) as batch:
        await batch.keep_cases(cases, _GRACE)
    await store.lay_down(position.epoch)


def _holders(case: Case | None) -> list[UUID]:
    return [] if case is None else [*case.referrals, *case.bases]


async def _mend_node(
    parts: MaintenanceSession, node: ProcessSettings, survey: _Survey, reason: RedactionReason
) -> bool:
    """Takes the values out of a node's inbox and outbox and folds it again; whether it had any, now or before."""
    stubs = {value_hash: Redaction(value_hash.hex(), reason).stub for value_hash in survey.hashes}
    every = [Redaction(value_hash.hex(), why).stub for value_hash in survey.hashes for why in RedactionReason]
    async with parts.database(node) as connection, connection.transaction():
        for value_hash, stub in stubs.items():
            await connection.execute(_SQL["inbox"], value_hash, stub)
            await connection.execute(_SQL["outbox"], value_hash.hex(), stub)
        held: bool = await connection.fetchval(_SQL["holds_stubs"], every)
    if held:
        await rebuild_node(node)
    return held


async def _write_anew(parts: MaintenanceSession) -> None:
    """Writes the tables, their statistics and the log of writes anew, so that no file holds the old bytes."""
    for process in (parts.exchange, parts.projection, *parts.nodes):
        async with parts.database(process) as connection:
            await connection.execute("VACUUM (FULL, ANALYZE)")
    async with parts.database(parts.exchange) as connection:
        await _let_go_of_the_log(connection)


async def _let_go_of_the_log(connection: asyncpg.Connection) -> None:
    # Segments that are kept for reuse hold what they held: each is entered once, left, and then deleted.
    await connection.execute("ALTER SYSTEM SET wal_recycle = off")
    try:
        await connection.execute("SELECT pg_reload_conf()")
        while await connection.fetchval(_SQL["segments_ahead"]):
            await connection.execute(_SQL["into_the_next_segment"])
        await connection.execute(_SQL["into_the_next_segment"])
        await connection.execute("CHECKPOINT")
    finally:
        await connection.execute("ALTER SYSTEM RESET wal_recycle")
        await connection.execute("SELECT pg_reload_conf()")


def _record(parts: MaintenanceSession) -> AsyncIterator[KafkaRecord]:
    return read_topic(parts.kafka, parts.record.name)
