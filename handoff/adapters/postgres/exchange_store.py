"""The exchange's database: routing position, and the queues of the relays.

Every write is conditional on the leader's epoch (compare-and-set). A process that was suspended and
resumes changes nothing: it gets ``LeadershipLost``.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from handoff.adapters.postgres.exchange_transaction import RoutingTransaction, message_in
from handoff.adapters.postgres.named_statements import statements
from handoff.adapters.postgres.pool import use
from handoff.domain import state_codec
from handoff.domain.directory import Directory
from handoff.leadership import LeadershipLost
from handoff.record.message import Message

_SQL = statements("exchange_store.sql")


@dataclass(frozen=True, slots=True)
class RecordPosition:
    """Routing position: next offset, record time (ms since 1970-01-01 UTC), and the leader's epoch.

    ``last_hash`` is the record hash of the entry before ``next_offset``, empty before the first.
    """

    epoch: int
    next_offset: int
    record_ms: int
    last_hash: bytes = b""


@dataclass(frozen=True, slots=True)
class OwnEvent:
    """An event of the exchange that is not on the record yet."""

    event_id: UUID
    subject: str
    value: bytes


class ExchangeStore:
    """Store of the exchange. Every method is one statement or one transaction and is safe to retry."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def start_routing(self, epoch: int) -> RecordPosition:
        """Fence off earlier epochs, and return the position. Raises ``LeadershipLost`` if there is a later epoch."""
        row = await self._pool.fetchrow(_SQL["start_routing"], epoch)
        if row is None:
            raise LeadershipLost(f"epoch {epoch} is over: another exchange routes")
        return RecordPosition(row["epoch"], row["next_offset"], row["record_time"], row["last_hash"])

    async def newer_directory(self, version: int) -> tuple[int, Directory] | None:
        """Return the directory and its version if it is newer than ``version``."""
        row = await self._pool.fetchrow(_SQL["newer_directory"], version)
        return (row["version"], state_codec.load_directory(row["state"])) if row is not None else None

    @asynccontextmanager
    async def batch(self, position: RecordPosition, moved: RecordPosition) -> AsyncIterator[RoutingTransaction]:
        """Open the transaction that advances the position to ``moved`` and stores the results of a batch.

        Raises ``LeadershipLost`` if ``position`` is not the stored one.
        """
        after = (moved.next_offset, moved.record_ms, moved.last_hash)
        async with use(self._pool) as connection, connection.transaction():
            if await connection.fetchval(_SQL["advance"], position.epoch, position.next_offset, *after) is None:
                raise LeadershipLost
            yield RoutingTransaction(connection)

    @asynccontextmanager
    async def between(self, epoch: int) -> AsyncIterator[RoutingTransaction]:
        """Open a transaction between two batches. Raises ``LeadershipLost``."""
        async with use(self._pool) as connection, connection.transaction():
            if await connection.fetchval(_SQL["hold_epoch"], epoch) is None:
                raise LeadershipLost
            yield RoutingTransaction(connection)

    async def inbox_heads(self) -> dict[str, tuple[int, bytes]]:
        """Return the sequence and the chain hash of the last entry routed to each inbox."""
        rows = await self._pool.fetch(_SQL["inbox_heads"])
        return {row["member"]: (row["last_sequence"], row["chain"]) for row in rows}

    async def queued_deliveries(self, member: str, limit: int) -> tuple[tuple[int, Message, bytes], ...]:
        """Return the queue of a member's inbox as (sequence, message, chain hash), in sequence."""
        return tuple(
            (row["sequence"], message_in(row), row["chain"])
            for row in await self._pool.fetch(_SQL["queued_deliveries"], member, limit)
        )

    async def delete_sent(self, epoch: int, member: str, sequence: int) -> None:
        """Delete the sent entries of a member's queue up to ``sequence``. Raises ``LeadershipLost``."""
        if await self._pool.fetchval(_SQL["delete_sent"], member, epoch, sequence) is None:
            raise LeadershipLost

    async def unconfirmed_own_events(self, limit: int) -> Sequence[OwnEvent]:
        """Return the exchange's own events that are not confirmed on the record, in order."""
        rows = await self._pool.fetch(_SQL["unconfirmed_own_events"], limit)
        return [OwnEvent(row["event_id"], row["subject"], row["value"]) for row in rows]

    async def backlog(self) -> tuple[int, int]:
        """Return the numbers of queued inbox entries and of unconfirmed own events."""
        row = await self._the_row(_SQL["backlog"])
        return row["deliveries"], row["own_events"]

    async def has_ready_timers(self, now: datetime) -> bool:
        """Return whether a timer is due. Cheaper than opening a transaction under the epoch."""
        found: bool = await self._pool.fetchval(_SQL["has_ready_timers"], now)
        return found

    async def _the_row(self, statement: str) -> asyncpg.Record:
        row = await self._pool.fetchrow(statement)
        if row is None:
            raise LookupError("the statement always gives one row")
        return row
