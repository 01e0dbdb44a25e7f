"""Work of every peer for an entry: the product's own rules, called in the peer's framework.

The task of a peer is easier: it stores no case states, no directory and no position in the database, does not look up
earlier entries with the same id there, and checks no epoch.
"""

from collections.abc import Sequence
from typing import Any

import asyncpg

from bench.contest import Job
from handoff.adapters.postgres.timeline_reader import handoff_row
from handoff.adapters.postgres.timeline_store import _ENTRY_COLUMNS, _SQL, SCHEMA, connect, entry_columns
from handoff.domain.directory import Directory
from handoff.record import signing
from handoff.record.kafka_record import CheckedSignature, KafkaRecord, ParsedRecord, parse_value
from handoff.record.message import Message, as_headers
from handoff.verification.checks import Keys, check_of
from handoff.views.timeline_fold import TimelineBatch, TimelineFold

_COLUMNS = ", ".join(_ENTRY_COLUMNS)
_PLACES = ", ".join(f"${number}" for number in range(1, len(_ENTRY_COLUMNS) + 1))
_INSERT = f"INSERT INTO entries ({_COLUMNS}) VALUES ({_PLACES}) ON CONFLICT DO NOTHING"


class SameWork:
    """Decode, validate, verify, judge and chain; then insert or copy."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._fold = TimelineFold.at(job.genesis_sha256, Directory(job.jurisdiction, job.generation))

    async def connect(self) -> asyncpg.Connection:
        """A connection with the timeline's schema in the search path."""
        return await connect(self._job.database, schema=SCHEMA)

    def batch(self, records: Sequence[KafkaRecord]) -> TimelineBatch:
        """The rows that ``records`` add to the timeline."""
        keys = self._fold.directory.keys
        return self._fold.apply([_parsed(record, keys) for record in records], {})

    async def insert(self, connection: asyncpg.Connection, batch: TimelineBatch) -> None:
        """Write each entry, and each changed handoff, with one INSERT."""
        async with connection.transaction():
            for row in batch.rows:
                await connection.execute(_INSERT, *entry_columns(row))
            for handoff in batch.handoffs:
                await connection.execute(_SQL["write_handoff"], *handoff_row(handoff))

    async def copy(self, connection: asyncpg.Connection, batch: TimelineBatch) -> None:
        """Write all entries with COPY, and the changed handoffs."""
        async with connection.transaction():
            rows = [entry_columns(row) for row in batch.rows]
            await connection.copy_records_to_table("entries", records=rows, columns=_ENTRY_COLUMNS)
            if batch.handoffs:
                await connection.executemany(_SQL["write_handoff"], [handoff_row(h) for h in batch.handoffs])


def _parsed(record: KafkaRecord, keys: Keys) -> ParsedRecord:
    check = check_of(record.message, keys)
    checked = CheckedSignature(check.public_key, signing.verifies(*check)) if check is not None else None
    return ParsedRecord(record, *parse_value(record.message.value or b""), checked)


def entry(message: Any) -> KafkaRecord:
    """The record entry in a Faust message."""
    headers = as_headers(message.headers.items() if hasattr(message.headers, "items") else message.headers or ())
    return KafkaRecord(message.offset, round(message.timestamp * 1000), Message(message.key, message.value, headers))
