"""A node's folded state, made again from the inbox that it kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from handoff.domain.directory import Directory
from handoff.node.fold import Fold
from handoff.node.intake import save
from handoff.node.ports import Store, Transaction
from handoff.node.reading import Reading
from handoff.record.envelope import Source


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """What a rebuild folded, and each folded table's digest before and after.

    ``unpublished`` are own events that no echo has confirmed: they stand in this node's outbox alone, and would be
    lost with it.
    """

    entries: int
    cases: int
    before: Mapping[str, str]
    after: Mapping[str, str]
    unpublished: tuple[UUID, ...]

    @property
    def identical(self) -> bool:
        """Whether every table is the same as before, to the byte."""
        return self.before == self.after


async def rebuild(store: Store, me: Source, genesis_hash: str) -> RebuildReport:
    """Folds the kept inbox again, in one transaction, for which a running node waits.

    What was parked for an upgrade is folded where this release can. Every case is marked for the policies, which
    look at it when the node starts the next time.
    """
    async with store.transaction() as tx:
        await tx.position(None)
        before = await tx.digests()
        await tx.forget_folded()
        fold, entries = await _folded(tx, me, genesis_hash)
        await save(tx, fold)
        await tx.mark_unreacted(fold.cases)
        return RebuildReport(entries, len(fold.cases), before, await tx.digests(), tuple(await tx.unpublished()))


async def _folded(tx: Transaction, me: Source, genesis_hash: str) -> tuple[Fold, int]:
    fold = Fold(me.member, genesis_hash, Directory(me.jurisdiction, me.generation), {}, {})
    entries = 0
    async for row in tx.inbox():
        fold.take(Reading.again(row.offset, row.delivery))
        entries += 1
    return fold, entries
