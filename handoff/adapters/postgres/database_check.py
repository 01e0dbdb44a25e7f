"""Question to a database whether it answers and is the primary, for readiness."""

import asyncpg

from handoff.config import PostgresSettings


class DatabaseIsReplica(Exception):
    """The server answers but cannot store anything: it is a replica."""


class DatabaseCheck:
    """``Dependency`` over one connection of its own.

    A pool would not do: it waits for the cancellation of a statement, which a frozen server never confirms.
    """

    def __init__(self, settings: PostgresSettings, *, only_read: bool = False) -> None:
        self._settings = settings
        self._only_read = only_read
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    async def ask(self) -> None:
        """Return once the server has answered. Raises ``DatabaseIsReplica`` if the process has to write."""
        if self._connection is None:
            self._connection = await asyncpg.connect(self._settings.dsn)
        if await self._connection.fetchval("SELECT pg_is_in_recovery()") and not self._only_read:
            raise DatabaseIsReplica

    async def close(self) -> None:
        """Drop the connection without waiting for the server."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
