"""Rebuild of a node's folded state: from the stored inbox, then from later entries of the topic."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, Protocol
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

MOST_CASES: Final = 5_000
"""Cases in memory during a rebuild. A folded case takes some 3 KB."""


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


async def rebuild(
    store: Store, me: Source, genesis_hash: str, topic: InboxTopic | None = None, *, most_cases: int = MOST_CASES
) -> InboxRebuildReport:
    """Fold the stored inbox again, then later entries of ``topic``, in one transaction.

    A running node waits for it. Parked entries are folded if this release can decode them. Own events that
    the outbox lost are restored, settled, from their echoes. Every case is marked for the policies, which process it
    at the node's next start. At most ``most_cases`` cases, and those of one batch, are in memory. Raises
    ``BrokenDelivery`` for an entry that the exchange did not sign as it is stored.
    """
    async with store.transaction() as tx:
        position = await tx.position(None)
        before = await tx.digests()
        await tx.delete_folded()
        chain = InboxChain(me.member, genesis_hash)
        empty = Directory(me.jurisdiction, me.generation)
        fold = _BoundedFold(tx, InboxFold(me.member, genesis_hash, empty, {}, {}), most_cases)
        entries = await _fold_stored(tx, fold, chain)
        await fold.save()
        after = await tx.digests()
        caught_up = await _catch_up(tx, fold, chain, position, topic) if topic is not None else 0
        cases = await tx.mark_all_unreacted()
        return InboxRebuildReport(entries, caught_up, cases, before, after, tuple(await tx.unpublished()))


async def refold_parked(store: Store, me: Source, genesis_hash: str, clock: Clock) -> None:
    """Fold the inbox again if referrals are parked: this release may read what an older one could not."""
    backlog = await store.backlog(clock())
    if backlog.parked:
        report = await rebuild(store, me, genesis_hash)
        log.info("node.refolded", entries=report.entries, parked_before=backlog.parked)


@dataclass
class _BoundedFold:
    """Fold that saves and forgets its cases when they are too many, and loads them again when an entry needs them."""

    tx: Transaction
    fold: InboxFold
    most_cases: int
    _has_forgotten: bool = False

    async def load(self, entries: Sequence[InboxEntry]) -> None:
        """Load the cases of the next entries."""
        cases = {entry.event.case_id for entry in entries if entry.event is not None} - {None}
        missing = [str(case) for case in cases if case not in self.fold.cases]
        if self._has_forgotten and missing:
            self.fold.cases.update((await self.tx.known(missing)).cases)

    async def save(self) -> None:
        """Store what changed since the last time, and forget the cases if they are too many."""
        await save(self.tx, self.fold)
        if len(self.fold.cases) > self.most_cases:
            self.fold.cases.clear()
            self._has_forgotten = True
        kept = self.fold
        self.fold = InboxFold(kept.me, kept.genesis_hash, kept.directory, kept.cases, kept.parked)


async def _fold_stored(tx: Transaction, bounded: _BoundedFold, chain: InboxChain) -> int:
    """Fold the stored inbox. Return the number of its entries."""
    count = 0
    async for rows in tx.inbox():
        entries = [InboxEntry.from_delivery(row.offset, row.delivery) for row in rows]
        await bounded.load(entries)
        for entry in entries:
            chain.append(entry, bounded.fold.directory)
            bounded.fold.apply(entry)
        count += len(entries)
        # The outbox has the results of stored entries.
        bounded.fold.discard_results()
        if max(len(bounded.fold.cases), len(bounded.fold.escalations)) > bounded.most_cases:
            await bounded.save()
    return count


async def _catch_up(
    tx: Transaction, bounded: _BoundedFold, chain: InboxChain, position: InboxPosition, topic: InboxTopic
) -> int:
    """Fold later entries of the topic. Return the number of new entries."""
    offset, sequence = position.next_offset, position.sequence
    async with aclosing(topic.since(offset)) as batches:
        async for records in batches:
            arrivals = order_arrivals(records, sequence)
            stored = await tx.inbox_rows(arrivals.repeated)
            await bounded.load(arrivals.entries)
            apply_arrivals(bounded.fold, chain, arrivals, stored)
            if arrivals.fault is not None:
                raise arrivals.fault
            fresh = [stored[entry.delivery.sequence] for entry in arrivals.fresh]
            offset, sequence = records[-1].offset + 1, sequence + len(fresh)
            await tx.store_inbox(fresh, InboxPosition(offset, sequence, chain.head))
            await settle(tx, bounded.fold)
            await bounded.save()
    return sequence - position.sequence
