"""Proof state in a node's database: the largest proven checkpoint, and the receipts of inbox entries."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from handoff.adapters.postgres.named_statements import statements
from handoff.adapters.postgres.node_store import store_errors
from handoff.adapters.postgres.node_transaction import stored_message
from handoff.adapters.postgres.pool import fetch
from handoff.node.attestation.quorum import ProvenCheckpoint
from handoff.node.attestation.receipts import UnreceiptedEvent
from handoff.record import codec
from handoff.record.delivery import Verdict, VerdictKind
from handoff.record.envelope import Identity
from handoff.record.errors import NotAnEvent

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

    async def own_without_receipt(self, after: int, limit: int) -> Sequence[UnreceiptedEvent]:
        return [_unreceipted(row) for row in await self._fetch("own_without_receipt", after, limit)]

    async def store_own_receipts(self, receipts: Mapping[int, bytes]) -> None:
        if receipts:
            await self._fetch("store_own_receipts", list(receipts), list(receipts.values()))

    async def received_without_receipt(self, after: int, limit: int) -> Sequence[UnreceiptedEvent]:
        return [_unreceipted(row) for row in await self._fetch("received_without_receipt", after, limit)]

    async def store_received_receipts(self, receipts: Mapping[int, bytes]) -> None:
        if receipts:
            await self._fetch("store_received_receipts", list(receipts), list(receipts.values()))

    async def store_contradiction(self, sequence: int, why: str, receipt: bytes, at: datetime) -> None:
        await self._fetch("store_contradiction", sequence, why, receipt, at)

    async def contradictions(self) -> int:
        (row,) = await self._fetch("contradictions")
        number: int = row["number"]
        return number

    async def missed_received(self, before: datetime, at: datetime) -> Sequence[int]:
        return [row["sequence"] for row in await self._fetch("missed_received", before, at)]

    async def missed(self, before: datetime, at: datetime) -> Sequence[UUID]:
        return [row["id"] for row in await self._fetch("missed", before, at)]

    async def _fetch(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        with store_errors():
            return await fetch(self._pool, _SQL[name], *arguments)


def _unreceipted(row: asyncpg.Record) -> UnreceiptedEvent:
    verdict = Verdict(VerdictKind(row["outcome"]), row["reason"])
    identity = _identity(row["value"])
    return UnreceiptedEvent(row["position"], row["sequence"], identity, stored_message(row), verdict, row["rules"])


def _identity(value: bytes | None) -> Identity | None:
    try:
        return codec.decode(value or b"").identity
    except NotAnEvent:
        return None
