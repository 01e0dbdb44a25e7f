"""State of a witness in its process's database: an agency's or the monitor's."""

import asyncpg

from handoff.adapters.postgres.named_statements import statements
from handoff.adapters.postgres.node_store import store_errors
from handoff.node.attestation.witness import Evidence, Standing
from handoff.proof.log.checkpoint import TreeHead

_SQL = statements("witness_memory.sql")


class WitnessMemory:
    """``Memory`` on a pool of connections to PostgreSQL."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def standing(self) -> Standing:
        (row,) = await self._fetch("standing")
        return Standing(TreeHead(row["size"], row["root"]), row["note"], row["topic_offset"])

    async def advance(self, before: TreeHead, after: Standing) -> bool:
        return bool(await self._fetch("advance", before.size, before.root, *_columns(after)))

    async def accuse(self, evidence: Evidence) -> None:
        await self._fetch("accuse", evidence.why, evidence.own, evidence.offered, evidence.at)

    async def accusation(self) -> str | None:
        rows = await self._fetch("accusation")
        return rows[0]["why"] if rows else None

    async def adopt(self, standing: Standing) -> None:
        """Replace the stored head by ``standing``: an operator's decision after a loss."""
        await self._fetch("adopt", *_columns(standing))

    async def _fetch(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        with store_errors():
            return await self._pool.fetch(_SQL[name], *arguments)


def _columns(standing: Standing) -> tuple[object, ...]:
    return standing.head.size, standing.head.root, standing.note, standing.offset
