"""State of a witness in its process's database: an agency's or the monitor's."""

import asyncpg

from handoff.adapters.postgres.named_statements import statements
from handoff.adapters.postgres.node_store import store_errors
from handoff.adapters.postgres.pool import fetch
from handoff.node.attestation.witness import Evidence, WitnessState
from handoff.proof.log.checkpoint import TreeHead

_SQL = statements("witness_store.sql")


class PostgresWitnessStore:
    """``WitnessStore`` on a pool of connections to PostgreSQL."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def state(self) -> WitnessState:
        (row,) = await self._fetch("state")
        return WitnessState(TreeHead(row["size"], row["root"]), row["note"], row["topic_offset"])

    async def advance(self, before: TreeHead, after: WitnessState) -> bool:
        return bool(await self._fetch("advance", before.size, before.root, *_columns(after)))

    async def store_evidence(self, evidence: Evidence) -> None:
        await self._fetch("store_evidence", evidence.why, evidence.own, evidence.offered, evidence.at)

    async def halting_evidence(self) -> str | None:
        rows = await self._fetch("halting_evidence")
        return rows[0]["why"] if rows else None

    async def adopt(self, state: WitnessState) -> None:
        """Replace the stored head by ``state``: an operator's decision after a loss."""
        await self._fetch("adopt", *_columns(state))

    async def _fetch(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        with store_errors():
            return await fetch(self._pool, _SQL[name], *arguments)


def _columns(state: WitnessState) -> tuple[object, ...]:
    return state.head.size, state.head.root, state.note, state.offset
