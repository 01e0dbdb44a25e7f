"""The projection's database: the timeline's tables, written page by page by whoever holds the epoch.

Everything that is written is conditional on the epoch and the offset, so that a process that was stopped and wakes
up again changes nothing; it learns so by ``Superseded``.
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
from handoff.proof.log.frontier import Frontier, TreeNode
from handoff.proof.log.header_codec import pack_headers
from handoff.record.envelope import Event
from handoff.views.timeline_fold import Chronicle, Head, Identity, Line, Page, Placed

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
)


class Superseded(Exception):
    """Another projection writes now, or has written this: drop every cache and stand by."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far the record is folded: the next offset, the record time reached (ms), its tree, and the writer's epoch."""

    epoch: int
    next_offset: int
    record_ms: int
    tree: Frontier


@dataclass(frozen=True, slots=True)
class Last:
    """The entry that the timeline ends with."""

    offset: int
    appended_ms: int
    record_hash: bytes


@dataclass(frozen=True, slots=True)
class Founding:
    """Which record this is: its jurisdiction and generation, and the SHA-256 (hex) of its first event."""

    jurisdiction: str
    generation: int
    genesis_hash: str


class Ledger:
    """The timeline's tables, on one connection. One task at a time may use it."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def position(self) -> Position:
        """The position as stored."""
        return _position(await self._connection.fetchrow(_SQL["read_position"]))

    async def take_over(self) -> Position:
        """The position under a new epoch: whoever wrote until now is superseded."""
        return _position(await self._connection.fetchrow(_SQL["take_over"]))

    async def take_over_stalled(self, seen: Position) -> Position | None:
        """The position under a new epoch, if it is still as it was ``seen``."""
        row = await self._connection.fetchrow(_SQL["take_over_stalled"], seen.epoch, seen.next_offset)
        return _position(row) if row is not None else None

    async def last_entry(self) -> Last | None:
        """The entry that the timeline ends with; None where it is empty."""
        row = await self._connection.fetchrow(_SQL["last_entry"])
        return Last(*row) if row is not None else None

    async def last_due_ms(self) -> int:
        """When the last checkpoint was due that the record's log has stated; 0 where there is none."""
        return await self._connection.fetchval(_SQL["last_due"]) or 0

    async def chronicle(self, founding: Founding, position: Position) -> Chronicle:
        """The fold as it stands at ``position``; it remembers no case yet."""
        stored = await self._connection.fetchval(_SQL["directory"])
        blank = Directory(founding.jurisdiction, founding.generation)
        directory = state_codec.load_directory(stored) if stored is not None else blank
        return Chronicle(founding.genesis_hash, directory, position.record_ms)

    async def recall(self, chronicle: Chronicle, batch: Sequence[Placed]) -> Mapping[Identity, str]:
        """Loads into ``chronicle`` what ``batch`` needs of it; gives the hashes of its events that were seen before."""
        cases, heads = chronicle.unknown_cases(batch), chronicle.unknown_tags(batch)
        chronicle.remembers(await self._cases(cases), await self._heads(heads))
        return await self._first_hashes([p.identity for p in batch if p.identity is not None])

    async def append(self, position: Position, page: Page) -> Position:
        """Stores ``page`` and moves on, in one transaction. Raises Superseded."""
        tree, nodes = position.tree.extended(line.leaf for line in page.lines)
        after = Position(position.epoch, page.next_offset, page.record_ms, tree)
        async with self._connection.transaction():
            moved = await self._connection.fetchval(
                _SQL["advance"], position.epoch, page.first_offset, after.next_offset, after.record_ms, tree.pack()
            )
            if moved is None:
                raise Superseded
            await self._write(page, nodes)
        return after

    async def _write(self, page: Page, nodes: Sequence[TreeNode]) -> None:
        connection = self._connection
        records = [_entry_row(line) for line in page.lines]
        await connection.copy_records_to_table("entries", records=records, columns=_ENTRY_COLUMNS)
        if nodes:
            await connection.copy_records_to_table("tree_nodes", records=[(n.level, n.index, n.hash) for n in nodes])
        if page.directory is not None:
            await connection.execute(_SQL["write_directory"], state_codec.dump_directory(page.directory))
        if page.cases:
            states = [state_codec.dump_case(case) for case in page.cases]
            await connection.execute(_SQL["write_cases"], [case.id for case in page.cases], states)
        if page.handoffs:
            await connection.executemany(_SQL["write_handoff"], [handoff_row(handoff) for handoff in page.handoffs])

    async def _cases(self, wanted: frozenset[UUID]) -> list[Case]:
        if not wanted:
            return []
        return [state_codec.load_case(row["state"]) for row in await self._connection.fetch(_SQL["cases"], wanted)]

    async def _heads(self, wanted: frozenset[bytes]) -> dict[bytes, Head]:
        if not wanted:
            return {}
        rows = await self._connection.fetch(_SQL["heads"], wanted)
        return {row["case_tag"]: Head(row["tag_sequence"], row["leaf"]) for row in rows}

    async def _first_hashes(self, wanted: Sequence[Identity]) -> dict[Identity, str]:
        subjects, events = [subject for subject, _ in wanted], [event for _, event in wanted]
        rows = await self._connection.fetch(_SQL["first_hashes"], subjects, events)
        return {(row["subject"], row["event_id"]): row["value_hash"].hex() for row in rows}


@asynccontextmanager
async def ledger(settings: PostgresSettings, *, schema: str = SCHEMA) -> AsyncIterator[Ledger]:
    """The ledger in ``schema``, on a connection of its own."""
    connection = await connect(settings, schema=schema)
    try:
        yield Ledger(connection)
    finally:
        # Whatever is under way is dropped with the connection: nothing half done is stored.
        connection.terminate()


async def connect(
    settings: PostgresSettings, *, schema: str = SCHEMA, patience: float | None = STALL_SECONDS
) -> asyncpg.Connection:
    """A connection that finds the timeline's tables in ``schema``; a statement may take ``patience`` seconds.

    With ``patience`` it is a writer's, who if frozen inside a transaction is cut off: another one waits for its locks.
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


def _position(row: Any) -> Position:
    return Position(row["epoch"], row["next_offset"], row["record_ms"], Frontier.unpack(row["frontier"]))


def _entry_row(line: Line) -> tuple[Any, ...]:
    placed, facts = line.placed, line.facts
    message = placed.entry.message
    return (
        placed.offset,
        placed.appended_ms,
        line.record_ms,
        message.key,
        message.value,
        pack_headers(message.headers),
        bytes.fromhex(placed.entry.value_hash),
        facts.record_hash,
        facts.case_tag,
        facts.sequence,
        facts.previous_leaf,
        line.leaf,
        line.verdict.kind.value,
        line.verdict.reason,
        *_claims(placed.entry.event),
    )


def _claims(event: object) -> tuple[Any, ...]:
    """What an entry's event says of itself; nothing where there is none."""
    if not isinstance(event, Event):
        return (None,) * 6
    referral = getattr(event.data, "referral", None)
    return event.subject, event.id, event.type, event.emitter, event.time, referral
