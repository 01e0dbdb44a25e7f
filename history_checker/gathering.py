"""The evidence, gathered from an installation: its topics as the broker's operator, each database as its process."""

import asyncio
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from history_checker.evidence import (
    Answered,
    Decided,
    Delivered,
    Entry,
    Evidence,
    Exchange,
    Json,
    Node,
    Shown,
    Timeline,
)
from history_checker.reading import at_ms

_EXCHANGE, _PROJECTION, _MONITOR = "exchange", "projection", "monitor"
_ADDED = ("inbox-sequence", "record-time", "verdict", "verdict-reason")
_PATIENCE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Site:
    """An installation's state directory, as far as the checker reads it: one configuration for each process."""

    directory: Path
    settings: Mapping[str, Mapping[str, Any]]

    @classmethod
    def at(cls, directory: Path) -> "Site":
        """The installation in ``directory``; a standby's configuration adds nothing to its twin's."""
        found = [tomllib.loads(path.read_text()) for path in sorted((directory / "config").glob("*.toml"))]
        return cls(directory, {settings["member"]: settings for settings in found})

    @property
    def general(self) -> Mapping[str, Any]:
        """Any process's settings: what they all agree on."""
        return self.settings[_EXCHANGE]

    @property
    def nodes(self) -> tuple[str, ...]:
        return tuple(name for name in self.settings if name not in (_EXCHANGE, _PROJECTION, _MONITOR))

    def consumer(self) -> AIOKafkaConsumer:
        """A consumer with the operator's rights, which reads from the first record and skips none."""
        secrets = json.loads((self.directory / "stack" / "stack.json").read_text())
        return AIOKafkaConsumer(
            bootstrap_servers=self.general["kafka"]["bootstrap_servers"],
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="SCRAM-SHA-512",
            sasl_plain_username="operator",
            sasl_plain_password=secrets["kafka_operator_password"],
            enable_auto_commit=False,
            auto_offset_reset="none",
        )


async def gather(directory: Path, answered: Iterable[Answered] = ()) -> Evidence:
    """What an installation's parts hold now."""
    site = Site.at(directory)
    name = site.general["jurisdiction"]
    topics = await _topics(site, name)
    nodes = await asyncio.gather(*(_node(site.settings[member]["postgres"]) for member in site.nodes))
    inboxes = {topic.rpartition(".")[2]: found for topic, found in topics.items() if topic.startswith(f"{name}.in.")}
    return Evidence(
        jurisdiction=name,
        generation=site.general["generation"],
        genesis=site.general["genesis_sha256"],
        record=tuple(_entry(found) for found in topics[f"{name}.record"]),
        inboxes={member: tuple(map(_delivered, found)) for member, found in inboxes.items()},
        nodes=dict(zip(site.nodes, nodes, strict=True)),
        exchange=await _exchange(site.settings[_EXCHANGE]["postgres"]),
        timeline=await _timeline(site.settings[_PROJECTION]["postgres"]),
        answered=tuple(answered),
    )


# The broker


async def _topics(site: Site, name: str) -> dict[str, list[ConsumerRecord]]:
    """Every entry of the record and of each inbox."""
    consumer = site.consumer()
    await consumer.start()
    try:
        wanted = sorted(t for t in await consumer.topics() if t == f"{name}.record" or t.startswith(f"{name}.in."))
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return {topic: await _read(consumer, TopicPartition(topic, 0)) for topic in wanted}
    finally:
        await consumer.stop()


async def _read(consumer: AIOKafkaConsumer, partition: TopicPartition) -> list[ConsumerRecord]:
    consumer.assign([partition])
    consumer.seek(partition, 0)
    end = (await consumer.end_offsets([partition]))[partition]
    found: list[ConsumerRecord] = []
    while len(found) < end:
        fetched = await consumer.getmany(partition, timeout_ms=500)
        found += fetched.get(partition, ())
    return found


def _headers(found: ConsumerRecord) -> tuple[tuple[str, bytes], ...]:
    return tuple((name, bytes(value)) for name, value in found.headers)


def _entry(found: ConsumerRecord) -> Entry:
    return Entry(found.offset, found.timestamp, found.key, found.value, _headers(found))


def _delivered(found: ConsumerRecord) -> Delivered:
    added = {name: value.decode() for name, value in _headers(found) if name in _ADDED}
    own = tuple(pair for pair in _headers(found) if pair[0] not in _ADDED)
    told = (int(added["inbox-sequence"]), int(added["record-time"]), added["verdict"], added.get("verdict-reason"))
    return Delivered(*told, found.key, found.value, own)


# The databases


async def _connect(settings: Mapping[str, Any]) -> "asyncpg.Connection[asyncpg.Record]":
    keys = ("host", "port", "database", "user", "password")
    return await asyncpg.connect(**{key: settings[key] for key in keys})


async def _node(settings: Mapping[str, Any]) -> Node:
    connection = await _connect(settings)
    try:
        outbox = await connection.fetch(_DECIDED)
        inbox = await connection.fetch("SELECT * FROM inbox ORDER BY sequence")
        cases = await connection.fetch("SELECT state FROM cases")
        work_list = await connection.fetch("SELECT * FROM referrals")
        return Node(
            outbox=tuple(Decided(str(row["id"]), *tuple(row)[1:]) for row in outbox),
            inbox=tuple(map(_kept, inbox)),
            states=_referrals(cases),
            work_list={str(row["id"]): _plain(row) for row in work_list},
            sequence=await connection.fetchval("SELECT sequence FROM position"),
            waiting=_plain(await connection.fetchrow(_NODE_WAITS)),
        )
    finally:
        await connection.close()


# A row that has ended by its receipt left its bytes to the inbox alone.
_DECIDED = """
    SELECT o.id, o.position, o.subject, coalesce(o.value, i.value), o.outcome, o.reason
      FROM outbox AS o LEFT JOIN inbox AS i ON i.sequence = o.echo_sequence AND o.receipt IS NOT NULL
"""

_NODE_WAITS = """
    SELECT (SELECT count(*) FROM parked) AS "referrals parked",
           (SELECT count(*) FROM quarantine) AS "entries in quarantine",
           (SELECT count(*) FROM cases WHERE needs_reaction) AS "cases without a reaction"
"""


def _kept(row: asyncpg.Record) -> Delivered:
    headers = tuple((name, bytes.fromhex(value)) for name, value in json.loads(row["headers"]))
    told = (row["sequence"], _ms(row["record_time"]), row["outcome"], row["reason"])
    return Delivered(*told, row["key"], row["value"], headers)


async def _exchange(settings: Mapping[str, Any]) -> Exchange:
    connection = await _connect(settings)
    try:
        return Exchange(
            next_offset=await connection.fetchval("SELECT next_offset FROM position"),
            states=_referrals(await connection.fetch("SELECT state FROM cases")),
            given={row["member"]: row["given"] for row in await connection.fetch("SELECT member, given FROM inboxes")},
            waiting=_plain(await connection.fetchrow(_EXCHANGE_WAITS)),
        )
    finally:
        await connection.close()


_EXCHANGE_WAITS = """
    SELECT (SELECT count(*) FROM routed) AS "entries not sent", (SELECT count(*) FROM sayings) AS "sayings not heard",
           (SELECT count(*) FROM inboxes WHERE sent < given) AS "inboxes not sent to their end",
           (SELECT count(*) FROM timers WHERE state = 'said') AS "deadlines said and not heard"
"""


_ROWS = """
    SELECT record_offset, appended_ms, key, value, verdict, reason FROM timeline.entries ORDER BY record_offset
"""


async def _timeline(settings: Mapping[str, Any]) -> Timeline:
    connection = await _connect(settings)
    try:
        rows = await connection.fetch(_ROWS)
        handoffs = await connection.fetch("SELECT * FROM timeline.handoffs")
        return Timeline(
            next_offset=await connection.fetchval("SELECT next_offset FROM timeline.position"),
            entries=tuple(Shown(*row) for row in rows),
            states=_referrals(await connection.fetch("SELECT state FROM timeline.cases")),
            handoffs={str(row["referral"]): _handoff(row) for row in handoffs},
        )
    finally:
        await connection.close()


def _handoff(row: asyncpg.Record) -> Json:
    named = {name: row[name] for name in ("source", "target", "service", "urgency", "state")}
    return {**named, "requested_at": at_ms(row["requested_ms"]).isoformat()}


def _referrals(cases: Iterable[asyncpg.Record]) -> dict[str, Json]:
    return {key: state for row in cases for key, state in json.loads(row["state"])["referrals"].items()}


def _plain(row: asyncpg.Record | None) -> dict[str, Any]:
    fields = dict(row) if row is not None else {}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in fields.items()}


def _ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)
