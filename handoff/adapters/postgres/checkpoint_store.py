"""Store of the log's checkpoints, their cosignatures, and receipts; written by the leader of the current epoch.

A checkpoint is stored before it is published. After a crash or a failover the same bytes are published again.
Two projections never sign two roots of one size: both fold the same record, a leaf contains Kafka's facts alone, and
only one of them owns the epoch.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from handoff.adapters.postgres.named_statements import statements
from handoff.adapters.postgres.timeline_store import SCHEMA, connect
from handoff.adapters.postgres.tree_reader import Tree
from handoff.config import PostgresSettings
from handoff.leadership import LeadershipLost
from handoff.proof.log.checkpoint import EMPTY_TREE_HEAD, TreeHead
from handoff.proof.log.cosignatures import PublishedCheckpoint
from handoff.proof.log.frontier import Frontier
from handoff.proof.log.merkle import NotProven, Proof, verify_consistency
from handoff.proof.log.signer import LogSigner, ReceiptEntry
from handoff.proof.log.witness import AddCheckpoint
from handoff.record.delivery import Verdict, VerdictKind

_SQL = statements("checkpoint_store.sql")


class HeadForked(Exception):
    """The stored tree does not extend a head signed by the log's key: stop, raise an alarm and sign nothing more."""


@dataclass(frozen=True, slots=True)
class LogCheckpoint:
    """A stored checkpoint: number, due time (ms since 1970-01-01 UTC), tree head, and the request to cosign it."""

    number: int
    due_ms: int
    head: TreeHead
    request: AddCheckpoint


NO_CHECKPOINT = LogCheckpoint(0, 0, EMPTY_TREE_HEAD, AddCheckpoint(0, (), b""))


@dataclass(frozen=True, slots=True)
class DueReceipts:
    """Receipts to sign: entries that the checkpoint of ``size`` covers."""

    first: int
    next: int
    size: int
    entries: tuple[ReceiptEntry, ...]


class CheckpointStore:
    """The log's tables under one ``epoch``, on one connection. Not safe for concurrent tasks."""

    def __init__(self, connection: asyncpg.Connection, log: LogSigner, epoch: int) -> None:
        self._connection = connection
        self._tree = Tree(connection)
        self._log = log
        self._epoch = epoch

    async def tree_head(self) -> TreeHead:
        """Return the head of the stored tree. Raises ``LeadershipLost``."""
        row = await self._connection.fetchrow(_SQL["tree_head"], self._epoch)
        if row is None:
            raise LeadershipLost
        tree = Frontier.unpack(row["frontier"])
        if tree.size != row["next_offset"]:
            raise HeadForked(
                f"the stored tree has {tree.size} leaves, but the timeline has {row['next_offset']} entries"
            )
        return TreeHead(tree.size, tree.root)

    async def newest(self) -> LogCheckpoint:
        """Return the newest checkpoint."""
        row = await self._connection.fetchrow(_SQL["newest"])
        return _checkpoint(row) if row is not None else NO_CHECKPOINT

    async def root(self, size: int) -> bytes:
        """Return the root of the stored tree at ``size``. Raises ``HeadForked`` if nodes are missing."""
        known: bytes | None = await self._connection.fetchval(_SQL["root"], size)
        if known is not None:
            return known
        try:
            return await self._tree.root(size)
        except LookupError as error:
            raise HeadForked(f"the stored tree has no root of size {size}: {error}") from error

    async def store_due(self, due_ms: int) -> LogCheckpoint | None:
        """Store the due checkpoint of the whole stored tree. None if the tree is empty or that checkpoint exists.

        Raises ``LeadershipLost``, and ``HeadForked`` if the tree does not extend the last signed head.
        """
        last, head = await self.newest(), await self.tree_head()
        if head.size == 0 or last.due_ms >= due_ms:
            return None
        note = str(self._log.state(head)).encode()
        request = AddCheckpoint(last.head.size, await self._growth(last.head, head), note)
        return await self._store(LogCheckpoint(last.number + 1, due_ms, head, request))

    async def restore(self, collected: PublishedCheckpoint) -> None:
        """Store a published checkpoint that this database lost in a restore."""
        last = await self.newest()
        if collected.head.size > last.head.size:
            lost = LogCheckpoint(last.number + 1, last.due_ms, collected.head, collected.request)
            await self.mark_published(await self._store(lost))

    async def unpublished(self) -> tuple[LogCheckpoint, ...]:
        """Return the checkpoints without a confirmed publication, in order."""
        return tuple(_checkpoint(row) for row in await self._connection.fetch(_SQL["unpublished"]))

    async def mark_published(self, checkpoint: LogCheckpoint) -> None:
        """Mark a checkpoint as published: the broker acknowledged it."""
        await self._connection.execute(_SQL["mark_published"], checkpoint.number)

    async def reset_publication(self) -> None:
        """Reset the publication state after the topic lost its content."""
        await self._connection.execute(_SQL["reset_publication"])

    async def next_offset(self) -> int:
        """Return the next offset to read on the checkpoints topic."""
        found: int = await self._connection.fetchval(_SQL["next_offset"])
        return found

    async def store_cosignatures(self, collected: Sequence[PublishedCheckpoint], next_offset: int) -> None:
        """Store cosignatures and the next offset in one transaction. Raises ``LeadershipLost``."""
        rows = [(c.head.size, s.cosigner, s.at, s.line) for c in collected for s in c.cosignatures]
        async with self._connection.transaction():
            await self._connection.executemany(_SQL["store_cosignature"], rows)
            await self._connection.execute(_SQL["advance_offset"], next_offset)
            await self._check_epoch()

    async def cosigners(self, size: int) -> frozenset[str]:
        """Return the cosigners of the head of ``size``."""
        return frozenset(row["cosigner"] for row in await self._connection.fetch(_SQL["cosigners"], size))

    async def due_receipts(self, most: int) -> DueReceipts | None:
        """Return receipts to sign, for at most ``most`` entries under a published checkpoint; None if none is due."""
        row: Any = await self._connection.fetchrow(_SQL["receipt_progress"])
        first, size = row["next_receipt"], row["size"]
        if first >= size:
            return None
        end = min(first + most, size)
        rows = await self._connection.fetch(_SQL["due_receipts"], first, end)
        return DueReceipts(first, end, size, tuple(map(_receipt_entry, rows)))

    async def store_receipts(self, due: DueReceipts, notes: Sequence[str]) -> None:
        """Store the signed receipts. Raises ``LeadershipLost``."""
        rows = [
            (entry.offset, entry.record_hash, due.size, note) for entry, note in zip(due.entries, notes, strict=True)
        ]
        async with self._connection.transaction():
            if await self._connection.fetchval(_SQL["advance_receipts"], due.first, due.next) is None:
                raise LeadershipLost
            await self._connection.copy_records_to_table("receipts", schema_name="proof", records=rows)
            await self._check_epoch()

    async def _growth(self, old: TreeHead, new: TreeHead) -> Proof:
        """Build and verify the consistency proof from ``old`` to ``new``: a manipulated tree must not be signed."""
        if old.size == 0:
            return ()
        try:
            proof = await self._tree.consistency(old.size, new.size)
            verify_consistency(old.size, new.size, old.root, proof, new.root)
        except (NotProven, LookupError) as error:
            raise HeadForked(
                f"the tree of size {new.size} does not extend the signed head of size {old.size}"
            ) from error
        return proof

    async def _store(self, checkpoint: LogCheckpoint) -> LogCheckpoint:
        head, request = checkpoint.head, checkpoint.request.encode()
        row = (checkpoint.number, checkpoint.due_ms, head.size, head.root, request)
        if await self._connection.fetchval(_SQL["store_checkpoint"], self._epoch, *row) is None:
            raise LeadershipLost
        return checkpoint

    async def _check_epoch(self) -> None:
        """Check the epoch, last in its transaction: the row lock delays the timeline's next page until the commit."""
        if await self._connection.fetchrow(_SQL["check_epoch"], self._epoch) is None:
            raise LeadershipLost


@asynccontextmanager
async def checkpoint_connection(settings: PostgresSettings) -> AsyncIterator[asyncpg.Connection]:
    """Open a connection beside the timeline writer's. On exit it is terminated, which rolls back open work."""
    connection = await connect(settings, schema=SCHEMA)
    try:
        yield connection
    finally:
        connection.terminate()


def _receipt_entry(row: Any) -> ReceiptEntry:
    verdict = Verdict(VerdictKind(row["verdict"]), row["reason"])
    event = (row["subject"], row["emitter"], row["event_id"])
    return ReceiptEntry(row["record_offset"], row["record_hash"], *event, row["rules"], verdict)


def _checkpoint(row: Any) -> LogCheckpoint:
    head = TreeHead(row["size"], row["root"])
    return LogCheckpoint(row["number"], row["due_ms"], head, AddCheckpoint.parse(row["request"]))
