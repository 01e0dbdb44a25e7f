"""Construction of Merkle proofs in two steps: list the nodes needed, to fetch them together, then compute the hashes.

``merkle`` verifies what this module builds.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import reduce

from handoff.proof.log.merkle import Proof, left_subtree_size, node_hash

Coordinate = tuple[int, int]
"""Level and index of a full subtree: leaves are level 0."""
Path = tuple[tuple[Coordinate, ...], ...]
"""For each hash of a proof, the full subtrees it is computed from, left to right."""
ReadNode = Callable[[int, int], bytes]
"""Level, index → hash of that full subtree."""


def inclusion_path(index: int, size: int) -> Path:
    """Path of the inclusion proof for the leaf at ``index``. Raises ``ValueError`` if the index is outside the tree."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is outside a tree of {size} leaves")
    return _path(index, index + 1, size)


def consistency_path(old_size: int, size: int) -> Path:
    """Path of the consistency proof from ``old_size`` to ``size`` leaves. Raises ``ValueError``."""
    if not 0 <= old_size <= size:
        raise ValueError(f"a tree of {size} leaves cannot extend one of {old_size}")
    return _path(0, old_size, size) if old_size else ()


def root_path(size: int) -> tuple[Coordinate, ...]:
    """Full subtrees of a tree of ``size`` leaves, largest first."""
    return tuple(_full_subtrees(0, size))


def build_proof(path: Path, read: ReadNode) -> Proof:
    """Compute the proof along ``path``."""
    return tuple(_folded(coordinates, read) for coordinates in path)


def required_nodes(paths: Iterable[Path]) -> frozenset[Coordinate]:
    """Return every node that ``build_proof`` reads along these paths."""
    return frozenset(coordinate for path in paths for part in path for coordinate in part)


def _path(start: int, end: int, size: int) -> Path:
    ranges = _siblings(start, end, 0, size, whole=True)
    return tuple(tuple(_full_subtrees(low, high)) for low, high in ranges)


def _siblings(start: int, end: int, low: int, high: int, *, whole: bool) -> Iterator[tuple[int, int]]:
    """Yield the ranges of leaves between ``low`` and ``high`` whose hashes the proof contains, leaves first."""
    if (start, end) == (low, high):
        if not whole:
            yield low, high
        return
    middle = low + left_subtree_size(high - low)
    if end <= middle:
        yield from _siblings(start, end, low, middle, whole=whole)
        yield middle, high
        return
    if start >= middle:
        yield from _siblings(start, end, middle, high, whole=whole)
    else:
        yield from _siblings(middle, end, middle, high, whole=False)
    yield low, middle


def _full_subtrees(low: int, high: int) -> Iterator[Coordinate]:
    while low < high:
        level = (high - low).bit_length() - 1
        yield level, low >> level
        low += 1 << level


def _folded(coordinates: tuple[Coordinate, ...], read: ReadNode) -> bytes:
    hashes = [read(*coordinate) for coordinate in coordinates]
    return reduce(lambda right, left: node_hash(left, right), reversed(hashes))
