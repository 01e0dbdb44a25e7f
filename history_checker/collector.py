"""Collect a snapshot: topics with the operator's credentials, each database with the credentials of its process."""

import asyncio
import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from history_checker.parsing import time_from_ms
from history_checker.snapshot import (
    ExchangeSnapshot,
    Headers,
    Json,
    NodeSnapshot,
    ObservedCommand,
    ObservedInboxEntry,
    ObservedOutboxRow,
    ObservedTimelineRow,
    ProjectionSnapshot,
    RecordEntry,
    ReferralKey,
    Snapshot,
)

_EXCHANGE, _PROJECTION, _MONITOR = "exchange", "projection", "monitor"
_STATEMENT_HEADERS = ("inbox-sequence", "record-time", "verdict", "verdict-reason")
# The proof is binary, and an entry that is sent again has another one.
_EXCHANGE_HEADERS = (*_STATEMENT_HEADERS, "delivery-proof")
_READ_TIMEOUT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class CheckedInstallation:
    """State directory of an installation, with the configuration of each process."""

    directory: Path
    settings: Mapping[str, Mapping[str, Any]]

    @classmethod
    def load(cls, directory: Path) -> "CheckedInstallation":
        """Read the configurations in ``directory``. Active process and standby share a database, so one is enough."""
        found = [
            tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted((directory / "config").glob("*.toml"))
        ]
        return cls(directory, {settings["member"]: settings for settings in found})

    @property
    def general(self) -> Mapping[str, Any]:
        """Settings of any process, for the values that all processes share."""
        return self.settings[_EXCHANGE]

    @property
    def nodes(self) -> tuple[str, ...]:
        """Members that run a node."""
        return tuple(name for name in self.settings if name not in (_EXCHANGE, _PROJECTION, _MONITOR))

    def consumer(self) -> AIOKafkaConsumer:
        """Return a consumer with the operator's rights. It fails on a missing offset instead of skipping entries."""
        secrets = json.loads((self.directory / "stack" / "stack.json").read_text(encoding="utf-8"))
        return AIOKafkaConsumer(
            bootstrap_servers=self.general["kafka"]["bootstrap_servers"],
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="SCRAM-SHA-512",
            sasl_plain_username="operator",
            sasl_plain_password=secrets["kafka_operator_password"],
            enable_auto_commit=False,
            auto_offset_reset="none",
        )


async def collect_snapshot(directory: Path, answered: Iterable[ObservedCommand] = ()) -> Snapshot:
    """Read the topics and databases of the installation in ``directory``."""
    installation = CheckedInstallation.load(directory)
    name = installation.general["jurisdiction"]
    topics = await _read_topics(installation, name)
    nodes = await asyncio.gather(
        *(_read_node(installation.settings[member]["postgres"]) for member in installation.nodes)
    )
    inboxes = {
        topic.rpartition(".")[2]: entries for topic, entries in topics.items() if topic.startswith(f"{name}.in.")
    }
    return Snapshot(
        jurisdiction=name,
        generation=installation.general["generation"],
        genesis=installation.general["genesis_sha256"],
        record=tuple(map(_record_entry, topics[f"{name}.record"])),
        inboxes={member: tuple(map(_inbox_entry, entries)) for member, entries in inboxes.items()},
        nodes=dict(zip(installation.nodes, nodes, strict=True)),
        exchange=await _read_exchange(installation.settings[_EXCHANGE]["postgres"]),
        projection=await _read_projection(installation.settings[_PROJECTION]["postgres"]),
        answered=tuple(answered),
    )


# Broker


async def _read_topics(installation: CheckedInstallation, name: str) -> dict[str, list[ConsumerRecord]]:
    """Read every entry of the record and of each inbox."""
    consumer = installation.consumer()
    await consumer.start()
    try:
        wanted = sorted(t for t in await consumer.topics() if t == f"{name}.record" or t.startswith(f"{name}.in."))
        async with asyncio.timeout(_READ_TIMEOUT_SECONDS):
            return {topic: await _read_partition(consumer, TopicPartition(topic, 0)) for topic in wanted}
    finally:
        await consumer.stop()


async def _read_partition(consumer: AIOKafkaConsumer, partition: TopicPartition) -> list[ConsumerRecord]:
    consumer.assign([partition])
    consumer.seek(partition, 0)
    end = (await consumer.end_offsets([partition]))[partition]
    records: list[ConsumerRecord] = []
    while len(records) < end:
        fetched = await consumer.getmany(partition, timeout_ms=500)
        records += fetched.get(partition, ())
    return records


def _headers(record: ConsumerRecord) -> tuple[tuple[str, bytes], ...]:
    return tuple((name, bytes(value)) for name, value in record.headers)


def _record_entry(record: ConsumerRecord) -> RecordEntry:
    return RecordEntry(record.offset, record.timestamp, record.key, record.value, _headers(record))


def _inbox_entry(record: ConsumerRecord) -> ObservedInboxEntry:
    added = {name: value.decode() for name, value in _headers(record) if name in _STATEMENT_HEADERS}
    return ObservedInboxEntry(
        sequence=int(added["inbox-sequence"]),
        record_ms=int(added["record-time"]),
        outcome=added["verdict"],
        reason=added.get("verdict-reason"),
        key=record.key,
        value=record.value,
        headers=tuple(pair for pair in _headers(record) if pair[0] not in _EXCHANGE_HEADERS),
    )


# Databases


async def _connect(settings: Mapping[str, Any]) -> "asyncpg.Connection[asyncpg.Record]":
    keys = ("host", "port", "database", "user", "password")
    return await asyncpg.connect(**{key: settings[key] for key in keys})


async def _read_node(settings: Mapping[str, Any]) -> NodeSnapshot:
    connection = await _connect(settings)
    try:
        outbox = await connection.fetch(_OUTBOX)
        inbox = await connection.fetch("SELECT * FROM inbox ORDER BY sequence")
        cases = await connection.fetch("SELECT id AS case_id, state FROM cases")
        work_list = await connection.fetch("SELECT * FROM referrals")
        return NodeSnapshot(
            outbox=tuple(ObservedOutboxRow(str(row["id"]), *tuple(row)[1:]) for row in outbox),
            inbox=tuple(map(_stored_inbox_entry, inbox)),
            states=_referrals(cases),
            work_list={ReferralKey(str(row["case_id"]), str(row["id"])): _plain(row) for row in work_list},
            sequence=await connection.fetchval("SELECT sequence FROM position"),
            pending=_plain(await connection.fetchrow(_NODE_PENDING)),
        )
    finally:
        await connection.close()


# Once a receipt is stored, the outbox row has no value: the bytes are in the inbox only.
_OUTBOX = """
    SELECT o.id, o.position, o.subject, coalesce(o.value, i.value), o.outcome, o.reason
      FROM outbox AS o LEFT JOIN inbox AS i ON i.sequence = o.echo_sequence AND o.receipt IS NOT NULL
"""

_NODE_PENDING = """
    SELECT (SELECT count(*) FROM parked) AS "referrals parked",
           (SELECT count(*) FROM quarantine) AS "entries in quarantine",
           (SELECT count(*) FROM cases WHERE needs_reaction) AS "cases without a reaction"
"""


def _stored_inbox_entry(row: asyncpg.Record) -> ObservedInboxEntry:
    headers: Headers = tuple(_unpacked(row["headers"]))
    record_ms = round(row["record_time"].timestamp() * 1000)
    return ObservedInboxEntry(
        row["sequence"], record_ms, row["outcome"], row["reason"], row["key"], row["value"], headers
    )


def _unpacked(packed: bytes) -> Iterator[tuple[str, bytes]]:
    """Decode stored headers: a count of four bytes, then each name and value after its length in four bytes."""
    at, fields = 4, list[bytes]()
    while at < len(packed):
        end = at + 4 + int.from_bytes(packed[at : at + 4])
        fields.append(packed[at + 4 : end])
        at = end
    for name, value in zip(fields[::2], fields[1::2], strict=True):
        yield name.decode(), value


async def _read_exchange(settings: Mapping[str, Any]) -> ExchangeSnapshot:
    connection = await _connect(settings)
    try:
        return ExchangeSnapshot(
            next_offset=await connection.fetchval("SELECT next_offset FROM position"),
            states=_referrals(await connection.fetch("SELECT case_id, state FROM cases")),
            routed={row["member"]: row["last_sequence"] for row in await connection.fetch("SELECT * FROM inboxes")},
            pending=_plain(await connection.fetchrow(_EXCHANGE_PENDING)),
        )
    finally:
        await connection.close()


_EXCHANGE_PENDING = """
    SELECT (SELECT count(*) FROM routed) AS "entries not sent",
           (SELECT count(*) FROM own_outbox) AS "own events without an echo",
           (SELECT count(*) FROM inboxes WHERE sent < last_sequence) AS "inboxes not sent to their end",
           (SELECT count(*) FROM timers WHERE state = 'queued') AS "timer events without an echo"
"""


_TIMELINE_ROWS = """
    SELECT record_offset, appended_ms, key, value, verdict, reason FROM timeline.entries ORDER BY record_offset
"""


async def _read_projection(settings: Mapping[str, Any]) -> ProjectionSnapshot:
    connection = await _connect(settings)
    try:
        rows = await connection.fetch(_TIMELINE_ROWS)
        handoffs = await connection.fetch("SELECT * FROM timeline.handoffs")
        return ProjectionSnapshot(
            next_offset=await connection.fetchval("SELECT next_offset FROM timeline.position"),
            entries=tuple(ObservedTimelineRow(*row) for row in rows),
            states=_referrals(await connection.fetch("SELECT case_id, state FROM timeline.cases")),
            handoffs={ReferralKey(str(row["case_id"]), str(row["referral"])): _handoff(row) for row in handoffs},
        )
    finally:
        await connection.close()


def _handoff(row: asyncpg.Record) -> Json:
    columns = {name: row[name] for name in ("source", "target", "service", "urgency", "state")}
    return {**columns, "requested_at": time_from_ms(row["requested_ms"]).isoformat()}


def _referrals(cases: Iterable[asyncpg.Record]) -> dict[ReferralKey, Json]:
    return {
        ReferralKey(str(row["case_id"]), referral_id): state
        for row in cases
        for referral_id, state in json.loads(row["state"])["referrals"].items()
    }


def _plain(row: asyncpg.Record | None) -> dict[str, Any]:
    fields = dict(row) if row is not None else {}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in fields.items()}
