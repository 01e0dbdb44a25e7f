"""The record's tree as stored: leaves in the entries, and interior nodes at tile boundaries."""

from collections.abc import Iterable

import asyncpg

from handoff.adapters.postgres.named_statements import statements
from handoff.proof.log import tree_proofs
from handoff.proof.log.frontier import Frontier
from handoff.proof.log.merkle import Proof
from handoff.proof.log.tiles import TILE_HEIGHT, TILE_WIDTH, node_reader, tiles_of
from handoff.proof.log.tree_proofs import Coordinate, ReadNode

_SQL = statements("tree_reader.sql")


class Tree:
    """Proofs from the stored tree. The connection or pool has the timeline's tables on its search path."""

    def __init__(self, connection: asyncpg.Connection | asyncpg.Pool) -> None:
        self._connection = connection

    async def root(self, size: int) -> bytes:
        """Return the root of the first ``size`` leaves. Raises ``LookupError`` if there are fewer."""
        path = tree_proofs.root_path(size)
        read = await self.reader(path)
        return Frontier(size, tuple(read(*coordinate) for coordinate in path)).root

    async def consistency(self, old_size: int, size: int) -> Proof:
        """Return the consistency proof from ``old_size`` to ``size`` leaves. Raises ``LookupError``."""
        path = tree_proofs.consistency_path(old_size, size)
        return tree_proofs.build_proof(path, await self.reader(tree_proofs.required_nodes([path])))

    async def reader(self, coordinates: Iterable[Coordinate]) -> ReadNode:
        """Fetch the tiles of these nodes and return a reader of them."""
        tiles = {tile: await self._tile(*tile) for tile in sorted(tiles_of(coordinates))}
        return node_reader(lambda level, number: tiles[level, number])

    async def _tile(self, level: int, number: int) -> bytes:
        first = number * TILE_WIDTH
        if level == 0:
            return await self._connection.fetchval(_SQL["leaves"], first) or b""
        return await self._connection.fetchval(_SQL["nodes"], level * TILE_HEIGHT, first) or b""
