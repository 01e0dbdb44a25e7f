"""The right edge of a growing tree: all that is needed to append to it and to know its root."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Final, Self

from handoff.proof.log.merkle import EMPTY_ROOT, HASH_BYTES, node_hash

_TILE_HEIGHT: Final = 8


class NotAFrontier(Exception):
    """Bytes that are no packed frontier: whatever holds them is not to be trusted."""


@dataclass(frozen=True, slots=True)
class Node:
    """The hash of a full subtree of 2**level leaves, the ``index``-th of its level."""

    level: int
    index: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Frontier:
    """A tree of ``size`` leaves as the hashes of its full subtrees, the largest first: one for each bit of ``size``."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    @property
    def root(self) -> bytes:
        """The tree's root."""
        if not self.hashes:
            return EMPTY_ROOT
        return reduce(lambda right, left: node_hash(left, right), reversed(self.hashes))

    def extended(self, leaves: Iterable[bytes]) -> tuple[Self, tuple[Node, ...]]:
        """The tree with ``leaves`` (hashes) appended, and the nodes that a tile above the leaves now holds."""
        size, hashes, finished = self.size, list(self.hashes), list[Node]()
        for leaf in leaves:
            hashes.append(leaf)
            size += 1
            level, rest = 0, size
            while not rest & 1:
                right = hashes.pop()
                hashes[-1] = node_hash(hashes[-1], right)
                level, rest = level + 1, rest >> 1
                if not level % _TILE_HEIGHT:
                    finished.append(Node(level, rest - 1, hashes[-1]))
        return type(self)(size, tuple(hashes)), tuple(finished)

    def pack(self) -> bytes:
        """u64 size ‖ the hashes."""
        return self.size.to_bytes(8) + b"".join(self.hashes)

    @classmethod
    def unpack(cls, packed: bytes) -> Self:
        """The frontier in ``packed``; raises ``NotAFrontier``."""
        size, hashes = int.from_bytes(packed[:8]), packed[8:]
        if len(packed) != 8 + size.bit_count() * HASH_BYTES:
            raise NotAFrontier(f"{len(packed)} bytes are no frontier of {size} leaves")
        return cls(size, tuple(hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)))
