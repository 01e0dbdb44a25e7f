"""Rebuild of a node's folded state: from the stored inbox, then from later entries of the topic."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import structlog

from handoff.domain.directory import Directory
from handoff.node.inbox.fold import InboxFold
from handoff.node.inbox.inbox_chain import InboxChain
from handoff.node.inbox.inbox_entry import InboxEntry
from handoff.node.inbox.intake import apply_arrivals, order_arrivals, save, settle
from handoff.node.ports import Clock, Store, Transaction
from handoff.node.rows import InboxPosition
from handoff.record.envelope import Source
from handoff.record.kafka_record import KafkaRecord

log = structlog.get_logger(__name__)


class InboxTopic(Protocol):
    """Port to the member's inbox topic."""

    def since(self, offset: int) -> AsyncGenerator[Sequence[KafkaRecord], None]:
        """Yield the records from ``offset`` up to the topic's current end, in order.

        Raises the adapter's errors for an unavailable broker or a missing offset.
        """


@dataclass(frozen=True, slots=True)
class InboxRebuildReport:
    """Report of a rebuild: each folded table's digest before and after folding the stored ``entries``.

    ``caught_up`` entries came from the topic afterwards: a lost or restored database lacked them.
    ``unpublished`` are own events without an echo: they exist in this node's outbox alone and would be
    lost with it.
    """

    entries: int
    caught_up: int
    cases: int
    before: Mapping[str, str]
    after: Mapping[str, str]
    unpublished: tuple[UUID, ...]

    @property
    def identical(self) -> bool:
        """Return whether every table is byte-identical after folding the stored inbox again."""
        return self.before == self.after


async def rebuild(store: Store, me: Source, genesis_hash: str, topic: InboxTopic | None = None) -> InboxRebuildReport:
    """Fold the stored inbox again, then later entries of ``topic``, in one transaction.

    A running node waits for it. Parked entries are folded if this release can decode them. Own events that
    the outbox lost are restored, settled, from their echoes. Every case is marked for the policies, which process it
    at the node's next start. Raises ``BrokenDelivery`` for an entry that the exchange did not sign as it is stored.
    """
    async with store.transaction() as tx:
        position = await tx.position(None)
        before = await tx.digests()
        await tx.delete_folded()
        chain = InboxChain(me.member, genesis_hash)
        fold, entries = await _folded(tx, me, chain)
        await save(tx, fold)
        after = await tx.digests()
        caught_up = await _catch_up(tx, fold, chain, position, topic) if topic is not None else 0
        await tx.mark_unreacted(fold.cases)
        return InboxRebuildReport(entries, caught_up, len(fold.cases), before, after, tuple(await tx.unpublished()))


async def refold_parked(store: Store, me: Source, genesis_hash: str, clock: Clock) -> None:
    """Fold the inbox again if referrals are parked: this release may read what an older one could not."""
    backlog = await store.backlog(clock())
    if backlog.parked:
        report = await rebuild(store, me, genesis_hash)
        log.info("node.refolded", entries=report.entries, parked_before=backlog.parked)


async def _folded(tx: Transaction, me: Source, chain: InboxChain) -> tuple[InboxFold, int]:
    fold = InboxFold(me.member, chain.genesis_hash, Directory(me.jurisdiction, me.generation), {}, {})
    entries = 0
    async for row in tx.inbox():
        entry = InboxEntry.from_delivery(row.offset, row.delivery)
        chain.append(entry, fold.directory)
        fold.apply(entry)
        entries += 1
    return fold, entries


async def _catch_up(
    tx: Transaction, kept: InboxFold, chain: InboxChain, position: InboxPosition, topic: InboxTopic
) -> int:
    """Fold later entries of the topic after ``kept``. Return the number of new entries."""
    fold = InboxFold(kept.me, kept.genesis_hash, kept.directory, kept.cases, kept.parked)
    offset, sequence = position.next_offset, position.sequence
    async with aclosing(topic.since(offset)) as batches:
        async for records in batches:
            arrivals = order_arrivals(records, sequence)
            stored = await tx.inbox_rows(arrivals.repeated)
            apply_arrivals(fold, chain, arrivals, stored)
            if arrivals.fault is not None:
                raise arrivals.fault
            fresh = [stored[entry.delivery.sequence] for entry in arrivals.fresh]
            offset, sequence = records[-1].offset + 1, sequence + len(fresh)
            await tx.store_inbox(fresh, InboxPosition(offset, sequence, chain.head))
    await settle(tx, fold)
    await save(tx, fold)
    return sequence - position.sequence
