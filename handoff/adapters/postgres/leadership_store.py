"""The leader's epoch and heartbeat in a node's or the exchange's database."""

import asyncpg

from handoff.adapters.postgres.named_statements import statements
from handoff.adapters.postgres.pool import fetch
from handoff.leadership import Leader

_SQL = statements("leadership_store.sql")


class PostgresLeadership:
    """``LeadershipStore`` on the table ``leadership``. Raises the driver's errors."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def leader(self) -> Leader:
        (row,) = await fetch(self._pool, _SQL["leader"])
        return Leader(row["epoch"], row["instance"], row["heartbeat_at"])

    async def acquire(self, instance: str, observed: Leader) -> int | None:
        epoch: int | None = await self._pool.fetchval(_SQL["acquire"], instance, observed.epoch, observed.progress)
        return epoch

    async def renew(self, epoch: int) -> bool:
        return bool(await fetch(self._pool, _SQL["renew"], epoch))

    async def release(self, epoch: int) -> None:
        await self._pool.execute(_SQL["release"], epoch)
