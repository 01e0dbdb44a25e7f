"""Inclusion of the timeline's entries in the tree under a checkpoint."""

from collections.abc import Iterable
from typing import Final

from asyncpg import Record
from asyncpg.pool import PoolConnectionProxy

from handoff.adapters.postgres.named_statements import statements
from handoff.proof.log.checkpoint import TreeHead
from handoff.proof.log.tiles import TILE_WIDTH
from handoff.proof.log.verified_tiles import VerifiedTiles

_SQL = statements("inclusion.sql")
_MOST_LEAVES: Final = 200_000
"""Leaves in the cache."""

Leaf = tuple[int, bytes]
"""Offset and leaf hash of an entry."""


class Inclusion:
    """Check of leaves against the newest checkpoint. It keeps what it has verified, outside the database.

    Not safe for concurrent tasks.
    """

    def __init__(self) -> None:
        self._tiles = VerifiedTiles()
        self._leaves: dict[int, bytes] = {}

    async def outside(
        self, connection: "PoolConnectionProxy[Record]", leaves: Iterable[Leaf], head: TreeHead
    ) -> frozenset[int]:
        """Return the offsets below the size of ``head`` whose leaves are not in the tree under it."""
        below = [(offset, leaf) for offset, leaf in leaves if offset < head.size]
        if not await self._reach(connection, head):
            return frozenset(offset for offset, _ in below)
        unknown = [(offset, leaf) for offset, leaf in below if self._leaves.get(offset) != leaf]
        if not unknown:
            return frozenset()
        wanted = sorted({offset // TILE_WIDTH for offset, _ in unknown})
        rows = await connection.fetch(_SQL["tiles"], wanted)
        held = {row["tile"]: row["leaves"] for row in rows if self._tiles.holds(row["tile"], row["leaves"] or ())}
        if len(self._leaves) > _MOST_LEAVES:
            self._leaves.clear()
        missing = set[int]()
        for offset, leaf in unknown:
            tile, place = divmod(offset, TILE_WIDTH)
            if tile in held and held[tile][place] == leaf:
                self._leaves[offset] = leaf
            else:
                missing.add(offset)
        return frozenset(missing)

    async def _reach(self, connection: "PoolConnectionProxy[Record]", head: TreeHead) -> bool:
        """Verify the tiles under ``head``. Return False if the stored ones do not give its root."""
        if head == self._tiles.head:
            return True
        if head.size < self._tiles.head.size or not await self._extend(connection, head):
            # Another tree than before: nothing that was verified counts for it.
            self._tiles = VerifiedTiles()
            self._leaves.clear()
            return await self._extend(connection, head)
        return True

    async def _extend(self, connection: "PoolConnectionProxy[Record]", head: TreeHead) -> bool:
        known, full = len(self._tiles.roots), head.size // TILE_WIDTH
        roots = await connection.fetch(_SQL["tile_roots"], known, full)
        tail = await connection.fetch(_SQL["leaves"], full * TILE_WIDTH, head.size)
        if not self._tiles.extend(head, [row["hash"] for row in roots], [row["leaf"] for row in tail]):
            return False
        # Leaves of the former tail were verified under another root.
        for offset in [offset for offset in self._leaves if offset >= known * TILE_WIDTH]:
            del self._leaves[offset]
        return True
