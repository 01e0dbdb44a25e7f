"""Inclusion of many entries in one pass: roots of full tiles that together give the root of a tree.

A proof for each entry reads log₂(n) hashes. Here the roots of all full tiles are checked against the tree's
root, and then an entry is in the tree if the 256 leaves of its tile give the root of that tile.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from handoff.proof.log.checkpoint import EMPTY_TREE_HEAD, TreeHead
from handoff.proof.log.frontier import Frontier
from handoff.proof.log.tiles import TILE_WIDTH


@dataclass(slots=True)
class VerifiedTiles:
    """Roots of the full tiles under ``head``, and the leaves after them. All of them together give the root."""

    head: TreeHead = EMPTY_TREE_HEAD
    roots: list[bytes] = field(default_factory=list)
    tail: tuple[bytes, ...] = ()
    _upper: Frontier = field(default_factory=Frontier)

    def extend(self, head: TreeHead, roots: Sequence[bytes], tail: Sequence[bytes]) -> bool:
        """Move on to ``head`` with the roots of further full tiles and a new tail, if they give its root.

        Return False if they do not; then nothing changed.
        """
        upper, _ = self._upper.extended(roots)
        lower, _ = Frontier().extended(tail)
        if (upper.size, lower.size) != divmod(head.size, TILE_WIDTH):
            return False
        if Frontier(head.size, upper.hashes + lower.hashes).root != head.root:
            return False
        self.head, self.tail, self._upper = head, tuple(tail), upper
        self.roots += roots
        return True

    def holds(self, tile: int, leaves: Sequence[bytes]) -> bool:
        """Return whether ``leaves`` are the first ones of the tile with this number, and in the tree."""
        if tile >= len(self.roots):
            return tile == len(self.roots) and tuple(leaves[: len(self.tail)]) == self.tail
        return len(leaves) == TILE_WIDTH and Frontier().extended(leaves)[0].root == self.roots[tile]
