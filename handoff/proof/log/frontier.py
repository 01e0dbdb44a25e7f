"""The right edge of a growing Merkle tree: enough state to append leaves and compute the root."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Final, Self

from handoff.proof.log.merkle import EMPTY_ROOT, HASH_BYTES, node_hash

_TILE_HEIGHT: Final = 8


class NotAFrontier(Exception):
    """Bytes that are not a packed frontier: do not trust their container."""


@dataclass(frozen=True, slots=True)
class TreeNode:
    """Hash of a full subtree of 2**level leaves; ``index`` counts the subtrees of that level from 0."""

    level: int
    index: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Frontier:
    """A tree of ``size`` leaves as the hashes of its full subtrees, largest first: one for each set bit of ``size``."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    @property
    def root(self) -> bytes:
        """Root hash of the tree."""
        if not self.hashes:
            return EMPTY_ROOT
        return reduce(lambda right, left: node_hash(left, right), reversed(self.hashes))

    def extended(self, leaves: Iterable[bytes]) -> tuple[Self, tuple[TreeNode, ...]]:
        """Append leaf hashes. Return the new tree and the nodes that became complete at a tile boundary."""
        size, hashes, finished = self.size, list(self.hashes), list[TreeNode]()
        for leaf in leaves:
            hashes.append(leaf)
            size += 1
            level, rest = 0, size
            while not rest & 1:
                right = hashes.pop()
                hashes[-1] = node_hash(hashes[-1], right)
                level, rest = level + 1, rest >> 1
                if not level % _TILE_HEIGHT:
                    finished.append(TreeNode(level, rest - 1, hashes[-1]))
        return type(self)(size, tuple(hashes)), tuple(finished)

    def pack(self) -> bytes:
        """Encode as u64 size ‖ hashes."""
        return self.size.to_bytes(8) + b"".join(self.hashes)

    @classmethod
    def unpack(cls, packed: bytes) -> Self:
        """Decode a packed frontier. Raises ``NotAFrontier``."""
        size, hashes = int.from_bytes(packed[:8]), packed[8:]
        if len(packed) != 8 + size.bit_count() * HASH_BYTES:
            raise NotAFrontier(f"{len(packed)} bytes are not a frontier of {size} leaves")
        return cls(size, tuple(hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)))
