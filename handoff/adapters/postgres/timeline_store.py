"""The projection's database: the timeline's tables, written in batches by the leader of the current epoch.

Every write is conditional on epoch and offset (compare-and-set). A process that was suspended and resumes changes
nothing: it gets ``LeadershipLost``.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from handoff.adapters.postgres.named_statements import statements
from handoff.adapters.postgres.pool import FROZEN_MS, STALL_SECONDS, learn_types
from handoff.adapters.postgres.timeline_reader import handoff_row
from handoff.config import PostgresSettings
from handoff.domain import state_codec
from handoff.domain.case import Case
from handoff.domain.directory import Directory
from handoff.domain.escalations import Escalation, escalation_of
from handoff.leadership import LeadershipLost
from handoff.proof.log.frontier import Frontier, TreeNode
from handoff.proof.log.tag_chains import ChainHead
from handoff.record.envelope import Event, Identity, Source
from handoff.record.kafka_record import ParsedRecord
from handoff.views.board.references import BoardReferences
from handoff.views.timeline_fold import TimelineBatch, TimelineFold, TimelineRow

SCHEMA = "timeline"

_SQL = statements("timeline_store.sql")
_ENTRY_COLUMNS = (
    "record_offset",
    "appended_ms",
    "record_ms",
    "key",
    "value",
    "headers",
    "value_hash",
    "record_hash",
    "case_tag",
    "tag_sequence",
    "previous_leaf",
    "leaf",
    "verdict",
    "reason",
    "subject",
    "event_id",
    "event_type",
    "emitter",
    "claimed_at",
    "referral",
    "rules",
    "recipients",
    "reference",
)


@dataclass(frozen=True, slots=True)
class TimelinePosition:
    """Position of the fold: next offset, record time (ms since 1970, UTC), tree frontier, and the leader's epoch."""

    epoch: int
    next_offset: int
    record_ms: int
    tree: Frontier


@dataclass(frozen=True, slots=True)
class LastEntry:
    """Last entry of the timeline."""

    offset: int
    appended_ms: int
    record_hash: bytes


@dataclass(frozen=True, slots=True)
class Founding:
    """Identity of the record: jurisdiction, generation, and the SHA-256 (hex) of its first event."""

    jurisdiction: str
    generation: int
    genesis_hash: str


class TimelineStore:
    """The timeline's tables, on one connection. Not safe for concurrent tasks.

    With ``references``, each handoff gets the reference under which the coordinator's board shows it.
    """

    def __init__(self, connection: asyncpg.Connection, references: BoardReferences | None = None) -> None:
        self._connection = connection
        self._references = references

    async def position(self) -> TimelinePosition:
        """Return the stored position."""
        return _position(await self._connection.fetchrow(_SQL["read_position"]))

    async def take_over(self) -> TimelinePosition:
        """Start a new epoch and return the position. The previous leader is fenced off."""
        return _position(await self._connection.fetchrow(_SQL["take_over"]))

    async def take_over_stalled(self, epoch: int, next_offset: int) -> int | None:
        """Start a new epoch and return it if ``epoch`` and ``next_offset`` are still the stored ones; else None."""
        started: int | None = await self._connection.fetchval(_SQL["take_over_stalled"], epoch, next_offset)
        return started

    async def last_entry(self) -> LastEntry | None:
        """Return the last entry; None if the timeline is empty."""
        row = await self._connection.fetchrow(_SQL["last_entry"])
        return LastEntry(*row) if row is not None else None

    async def last_due_ms(self) -> int:
        """Return the due time (ms) of the newest checkpoint; 0 before the first."""
        return await self._connection.fetchval(_SQL["last_due"]) or 0

    async def load_fold(self, founding: Founding, position: TimelinePosition) -> TimelineFold:
        """Return the fold at ``position``, with an empty case cache."""
        stored = await self._connection.fetchval(_SQL["directory"])
        blank = Directory(founding.jurisdiction, founding.generation)
        directory = state_codec.load_directory(stored) if stored is not None else blank
        return TimelineFold.at(founding.genesis_hash, directory, position.record_ms)

    async def load_missing(self, fold: TimelineFold, records: Sequence[ParsedRecord]) -> Mapping[Identity, str]:
        """Load into ``fold`` the state that ``records`` need. Return the value hashes of their events seen before."""
        fold.cache(
            await self._cases(fold.missing_cases(records)),
            await self._heads(fold.missing_heads(records)),
            await self._escalations(fold.named_escalations(records)),
        )
        return await self._first_hashes([r.identity for r in records if r.identity is not None])

    async def append(self, position: TimelinePosition, batch: TimelineBatch) -> TimelinePosition:
        """Store ``batch`` and the new position in one transaction. Raises ``LeadershipLost``."""
        tree, nodes = position.tree.extended(row.leaf for row in batch.rows)
        after = TimelinePosition(position.epoch, batch.next_offset, batch.record_ms, tree)
        async with self._connection.transaction():
            moved = await self._connection.fetchval(
                _SQL["advance"], position.epoch, batch.first_offset, after.next_offset, after.record_ms, tree.pack()
            )
            if moved is None:
                raise LeadershipLost
            await self._write(batch, nodes)
        return after

    async def _write(self, batch: TimelineBatch, nodes: Sequence[TreeNode]) -> None:
        connection = self._connection
        records = [entry_columns(row) for row in batch.rows]
        await connection.copy_records_to_table("entries", records=records, columns=_ENTRY_COLUMNS)
        if nodes:
            await connection.copy_records_to_table("tree_nodes", records=[(n.level, n.index, n.hash) for n in nodes])
        if batch.directory is not None:
            await connection.execute(_SQL["write_directory"], state_codec.dump_directory(batch.directory))
        if batch.cases:
            states = [state_codec.dump_case(case) for case in batch.cases]
            await connection.execute(_SQL["write_cases"], [case.id for case in batch.cases], states)
        if batch.escalations:
            rows = state_codec.rows_of(batch.escalations, state_codec.dump_escalation)
            await connection.execute(_SQL["write_escalations"], *rows)
        if batch.handoffs:
            await connection.executemany(_SQL["write_handoff"], [handoff_row(handoff) for handoff in batch.handoffs])

        if batch.handoffs and self._references is not None:
            keys = [(handoff.case, handoff.referral) for handoff in batch.handoffs]
            made = [self._references.of(*key) for key in keys]
            await connection.execute(
                _SQL["write_references"], made, [case for case, _ in keys], [referral for _, referral in keys]
            )

    async def _cases(self, wanted: frozenset[UUID]) -> list[Case]:
        if not wanted:
            return []
        return [state_codec.load_case(row["state"]) for row in await self._connection.fetch(_SQL["cases"], wanted)]

    async def _escalations(self, wanted: frozenset[UUID]) -> list[Escalation]:
        if not wanted:
            return []
        rows = await self._connection.fetch(_SQL["escalations"], wanted)
        return [state_codec.load_escalation(row["state"]) for row in rows]

    async def _heads(self, wanted: frozenset[bytes]) -> dict[bytes, ChainHead]:
        if not wanted:
            return {}
        rows = await self._connection.fetch(_SQL["heads"], wanted)
        return {row["wanted"]: ChainHead(row["case_tag"], row["tag_sequence"], row["leaf"]) for row in rows}

    async def _first_hashes(self, wanted: Sequence[Identity]) -> dict[Identity, str]:
        subjects, ids = [one.subject for one in wanted], [one.event_id for one in wanted]
        emitters = [Source.parse(one.source).member for one in wanted]
        rows = await self._connection.fetch(_SQL["first_hashes"], subjects, emitters, ids)
        return {wanted[row["place"] - 1]: row["value_hash"].hex() for row in rows}


@asynccontextmanager
async def open_timeline_store(
    settings: PostgresSettings, *, schema: str = SCHEMA, references: BoardReferences | None = None
) -> AsyncIterator[TimelineStore]:
    """Open the store in ``schema`` on a connection of its own."""
    connection = await connect(settings, schema=schema)
    try:
        yield TimelineStore(connection, references)
    finally:
        # Terminating the connection rolls back open work: nothing partial is stored.
        connection.terminate()


async def connect(
    settings: PostgresSettings, *, schema: str = SCHEMA, patience: float | None = STALL_SECONDS
) -> asyncpg.Connection:
    """Connect with ``schema`` on the search path; a statement may take ``patience`` seconds.

    ``patience`` is set for writers. A writer frozen inside a transaction is disconnected, which releases its locks.
    """
    frozen_ms = FROZEN_MS if patience is not None else 0
    connection = await asyncpg.connect(
        settings.dsn,
        command_timeout=patience,
        server_settings={
            "search_path": f"{schema}, public",
            "jit": "off",
            "idle_in_transaction_session_timeout": str(frozen_ms),
        },
    )
    await learn_types(connection)
    return connection


def _position(row: Any) -> TimelinePosition:
    return TimelinePosition(row["epoch"], row["next_offset"], row["record_ms"], Frontier.unpack(row["frontier"]))


def entry_columns(row: TimelineRow) -> tuple[Any, ...]:
    """Return the columns of a row, in the order in which they are written."""
    judged, entry = row.judged, row.entry
    message, event = judged.record.message, judged.record.event
    claims: tuple[Any, ...] = (None,) * 6
    reference: UUID | None = None
    if isinstance(event, Event):
        referral, reference = getattr(event.data, "referral", None), escalation_of(event)
        claims = (event.subject, event.id, event.type, event.emitter, event.time, referral)
    return (
        entry.offset,
        entry.appended_ms,
        judged.record_ms,
        message.key,
        message.value,
        row.headers,
        bytes.fromhex(judged.record.value_hash),
        entry.record_hash,
        entry.case_tag,
        entry.sequence,
        entry.previous_leaf,
        row.leaf,
        judged.verdict.kind.value,
        judged.verdict.reason,
        *claims,
        row.judged.rules,
        list(row.recipients),
        reference,
    )
