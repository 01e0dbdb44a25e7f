"""Proof state in a node's database: the largest proven checkpoint, and receipts of the node's own events."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from handoff.adapters.postgres.named_statements import statements
from handoff.adapters.postgres.node_store import store_errors
from handoff.adapters.postgres.node_transaction import stored_message
from handoff.node.attestation.quorum import ProvenCheckpoint
from handoff.node.attestation.receipts import UnreceiptedEvent
from handoff.record import codec

_SQL = statements("proof_store.sql")


class ProofStore:
    """``ProvenCheckpointStore`` and ``ReceiptStore`` on a pool of connections to PostgreSQL."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def proven(self) -> ProvenCheckpoint:
        (row,) = await self._fetch("proven")
        return ProvenCheckpoint(row["size"], row["note"], row["topic_offset"])

    async def prove(self, proven: ProvenCheckpoint) -> None:
        await self._fetch("prove", proven.size, proven.note, proven.offset)

    async def without_receipt(self, after: int, limit: int) -> Sequence[UnreceiptedEvent]:
        rows = await self._fetch("without_receipt", after, limit)
        return [
            UnreceiptedEvent(row["position"], codec.decode(row["value"]).identity, stored_message(row)) for row in rows
        ]

    async def store_receipts(self, receipts: Mapping[UUID, bytes]) -> None:
        if receipts:
            await self._fetch("store_receipts", list(receipts), list(receipts.values()))

    async def missed(self, before: datetime, at: datetime) -> Sequence[UUID]:
        return [row["id"] for row in await self._fetch("missed", before, at)]

    async def _fetch(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        with store_errors():
            return await self._pool.fetch(_SQL[name], *arguments)
