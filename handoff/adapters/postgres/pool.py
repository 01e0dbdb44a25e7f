"""A process's connections to its database, and which errors mean: the same again, later."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import asyncpg

from handoff.config import PostgresSettings

T = TypeVar("T")

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
"""The database is away, starting, stopping, or undid the transaction: repeat it. Never quarantined."""

STALL_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 2.0
# A process that is frozen inside a transaction would lock out the one that stands by for it.
FROZEN_MS = 5000


class _Connection(asyncpg.Connection):
    """A connection whose session nobody changes: transactions take their locks and settings with them.

    The library would put four things back after every use. One has to be: whoever was broken off between a statement's
    parsing and its execution left a transaction open with its locks, which any statement ends.
    """

    def get_reset_query(self) -> str:
        return "SELECT"


def open_pool(settings: PostgresSettings, *, max_size: int = 4) -> asyncpg.Pool:
    """The pool; it connects when it is first used, so that a process starts while its database is away.

    Enter it, or await it, before use.
    """
    return asyncpg.create_pool(
        settings.dsn,
        min_size=0,
        max_size=max_size,
        connection_class=_Connection,
        init=learn_types,
        command_timeout=STALL_SECONDS,
        # A connection that idles is no burden; a new one costs a process start on the server.
        max_inactive_connection_lifetime=0,
        server_settings={
            "jit": "off",
            # A plan is kept as long as its connection. One that was made while a table was small would read all of it
            # when it has grown, as an outbox does in an outage.
            "enable_seqscan": "off",
            "idle_in_transaction_session_timeout": str(FROZEN_MS),
        },
    )


# Every kind of array that a statement takes or gives.
_ARRAYS = (
    "SELECT $1::uuid[], $2::bytea[], $3::timestamptz[], $4::bigint[], $5::integer[], $6::smallint[], $7::boolean[], "
    "ARRAY(SELECT ROW(1))"
)


async def learn_types(connection: asyncpg.Connection) -> None:
    """Lets a new connection look up at once what it would look up statement by statement, tens of milliseconds each."""
    await connection.prepare(_ARRAYS)


def pauses(first: float = 0.05, longest: float = LONGEST_PAUSE_SECONDS) -> Iterator[float]:
    """Seconds to wait before each next attempt: doubling up to ``longest``."""
    pause = first
    while True:
        yield pause
        pause = min(pause * 2, longest)


async def until_it_works(
    action: Callable[[], Awaitable[T]],
    told: Callable[[Exception], None],
    *,
    transient: tuple[type[Exception], ...] = TRANSIENT,
) -> T:
    """What ``action`` gives, repeated for ever on transient errors, each of which ``told`` hears.

    ``action`` has to be one whole transaction. Any other error is the caller's.
    """
    for pause in pauses():
        try:
            return await action()
        except ValueError:
            # asyncpg's word for an argument that no column can hold is an InterfaceError too.
            raise
        except transient as error:
            told(error)
        await asyncio.sleep(pause)
    raise AssertionError("pauses never end")
