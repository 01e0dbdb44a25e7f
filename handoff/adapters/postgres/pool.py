"""Connection pool of a process, and the classification of transient errors."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import asyncpg

from handoff.config import PostgresSettings

TRANSIENT: tuple[type[Exception], ...] = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    # A server that has just become a replica.
    asyncpg.ReadOnlySQLTransactionError,
)
"""The database is unavailable, starting, stopping, or rolled the transaction back: retry. Never quarantine."""

STALL_SECONDS = 30.0
# A process frozen inside a transaction would block its standby.
FROZEN_MS = 5000


class _Connection(asyncpg.Connection):
    """A connection whose session state never changes: locks and settings end with their transaction.

    asyncpg resets four things after every use. One reset is needed: a task cancelled between a statement's
    parsing and its execution leaves a transaction open with its locks, and any statement ends it. After a use whose
    last answer has arrived there is no such transaction.
    """

    _is_answered = False

    def note_answered(self) -> None:
        """Note that the server has answered everything that was sent, and no transaction is open."""
        self._is_answered = True

    def get_reset_query(self) -> str:
        is_answered, self._is_answered = self._is_answered, False
        return "" if is_answered else "SELECT"


def open_pool(settings: PostgresSettings, *, max_size: int = 4) -> asyncpg.Pool:
    """Open a pool. It connects on first use, so that a process starts while its database is unavailable.

    Enter it, or await it, before use.
    """
    return asyncpg.create_pool(
        settings.dsn,
        min_size=0,
        max_size=max_size,
        connection_class=_Connection,
        init=learn_types,
        command_timeout=STALL_SECONDS,
        # An idle connection costs little; a new one starts a process on the server.
        max_inactive_connection_lifetime=0,
        server_settings={
            "jit": "off",
            "idle_in_transaction_session_timeout": str(FROZEN_MS),
        },
    )


@asynccontextmanager
async def use(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
    """Acquire a connection for statements or a transaction. Its reset is skipped if they end without an error."""
    async with pool.acquire() as connection:
        yield connection
        if not connection.is_in_transaction():
            cast("_Connection", connection).note_answered()


async def fetch(pool: asyncpg.Pool, statement: str, *arguments: object) -> list[asyncpg.Record]:
    """Return the rows of one statement."""
    async with use(pool) as connection:
        return await connection.fetch(statement, *arguments)


# Every array type in parameters or results.
_ARRAYS = (
    "SELECT $1::uuid[], $2::bytea[], $3::timestamptz[], $4::bigint[], $5::integer[], $6::smallint[], $7::boolean[], "
    "ARRAY(SELECT ROW(1))"
)


async def learn_types(connection: asyncpg.Connection) -> None:
    """Load array types once for a new connection; a lookup for each statement takes tens of milliseconds."""
    await connection.prepare(_ARRAYS)
