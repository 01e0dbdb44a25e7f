"""Snapshot of the monitor's state in its database, in parts of a bounded size."""

from typing import Final

import asyncpg

from handoff.adapters.postgres.named_statements import statements
from handoff.adapters.postgres.node_store import store_errors

_SQL = statements("snapshot_store.sql")
_PART_BYTES: Final = 1024 * 1024


class SnapshotStore:
    """Stored snapshot: one value, replaced as a whole. Every method may raise ``StoreUnavailable``."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def load(self) -> bytes:
        """Return the stored value; empty without one."""
        with store_errors():
            rows = await self._pool.fetch(_SQL["load"])
        return b"".join(row["content"] for row in rows)

    async def save(self, value: bytes) -> None:
        """Replace the stored value."""
        parts = [(at // _PART_BYTES, value[at : at + _PART_BYTES]) for at in range(0, len(value), _PART_BYTES)]
        with store_errors():
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(_SQL["clear"])
                await connection.executemany(_SQL["add"], parts)
