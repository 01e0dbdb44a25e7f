"""The exchange's database: how far the record is routed and by whom, and what waits to be sent.

Whoever routes holds an epoch. Everything it writes is conditional on that epoch, so that a process that was
stopped and wakes nothing: it gets ``Superseded``.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from handoff.adapters.postgres.exchange_transaction import Batch, message_in
from handoff.adapters.postgres.named_statements import statements
from handoff.domain import state_codec
from handoff.domain.directory import Directory
from handoff.record.message import Message

_SQL = statements("exchange_store.sql")


class Superseded(Exception):
    """Another exchange routes now: drop every cache and stand by."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far the record is routed: the next offset, the record time reached (ms), and the epoch of who routes."""

    epoch: int
    next_offset: int
    record_time_ms: int


@dataclass(frozen=True, slots=True)
class Saying:
    """An event of the exchange's own that is not on the record yet."""

    event_id: UUID
    subject: str
    value: bytes


class ExchangeStore:
    """What the exchange keeps. Every method is one statement or one transaction and may be repeated."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def take_over(self, silence: float) -> Position | None:
        """The position under a new epoch, if nobody has routed for ``silence`` seconds; else None."""
        row = await self._pool.fetchrow(_SQL["take_over"], silence)
        return _position(row) if row is not None else None

    async def position(self, epoch: int) -> Position:
        """The position as stored. Raises Superseded."""
        position = _position(await self._the_row(_SQL["read_position"]))
        if position.epoch != epoch:
            raise Superseded
        return position

    async def stay_alive(self, epoch: int) -> None:
        """Tells whoever stands by that this epoch goes on. Raises Superseded."""
        if await self._pool.fetchval(_SQL["stay_alive"], epoch) is None:
            raise Superseded

    async def lay_down(self, epoch: int) -> None:
        """Lets whoever stands by take over at once."""
        await self._pool.execute(_SQL["lay_down"], epoch)

    async def newer_directory(self, version: int) -> tuple[int, Directory] | None:
        """The directory with its version, if it has changed after ``version``."""
        row = await self._pool.fetchrow(_SQL["newer_directory"], version)
        return (row["version"], state_codec.load_directory(row["state"])) if row is not None else None

    @asynccontextmanager
    async def batch(self, position: Position, next_offset: int, record_time_ms: int) -> AsyncIterator[Batch]:
        """One transaction that moves the record's position and keeps what came of the entries between.

        Raises Superseded where the position is not the stored one.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            moved = await connection.fetchval(
                _SQL["advance"], position.epoch, position.next_offset, next_offset, record_time_ms
            )
            if moved is None:
                raise Superseded
            yield Batch(connection)

    @asynccontextmanager
    async def between(self, epoch: int) -> AsyncIterator[Batch]:
        """One transaction between two batches. Raises Superseded."""
        async with self._pool.acquire() as connection, connection.transaction():
            if await connection.fetchval(_SQL["hold_epoch"], epoch) is None:
                raise Superseded
            yield Batch(connection)

    async def members_given(self) -> dict[str, int]:
        """How many entries each inbox has been given."""
        return {row["member"]: row["given"] for row in await self._pool.fetch(_SQL["given"])}

    async def unsent(self, member: str, limit: int) -> tuple[tuple[int, Message], ...]:
        """What waits for a member's inbox, in sequence: (sequence, message)."""
        return tuple(
            (row["sequence"], message_in(row)) for row in await self._pool.fetch(_SQL["unsent"], member, limit)
        )

    async def sent(self, epoch: int, member: str, sequence: int) -> None:
        """Drops what is in the member's topic up to ``sequence``. Raises Superseded."""
        if await self._pool.fetchval(_SQL["sent"], member, epoch, sequence) is None:
            raise Superseded

    async def unheard(self, limit: int) -> Sequence[Saying]:
        """What the exchange has to say and has not read on the record, in order."""
        rows = await self._pool.fetch(_SQL["unheard"], limit)
        return [Saying(row["event_id"], row["subject"], row["value"]) for row in rows]

    async def backlog(self) -> tuple[int, int]:
        """How many inbox entries wait to be sent, and how many sayings to be heard."""
        row = await self._the_row(_SQL["backlog"])
        return row["routed"], row["sayings"]

    async def is_something_late(self, now: datetime) -> bool:
        """Whether a timer is ready: far cheaper to ask than to hold the epoch for it."""
        found: bool = await self._pool.fetchval(_SQL["is_something_late"], now)
        return found

    async def _the_row(self, statement: str) -> asyncpg.Record:
        row = await self._pool.fetchrow(statement)
        if row is None:
            raise LookupError("the statement always gives one row")
        return row


def _position(row: asyncpg.Record) -> Position:
    return Position(row["epoch"], row["next_offset"], row["record_time"])
