"""How proofs are made: first which nodes they need, so that these can be fetched at once, then the hashes.

A path is the same rule as in ``merkle``, told from the other side.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import reduce

from handoff.proof.log.merkle import Proof, node_hash, split_of

Coordinate = tuple[int, int]
"""Level and index of a full subtree: leaves are level 0."""
Path = tuple[tuple[Coordinate, ...], ...]
"""For each hash of a proof, the full subtrees that it is folded from, from left to right."""
ReadNode = Callable[[int, int], bytes]
"""Level, index → the hash of that full subtree."""


def inclusion_path(index: int, size: int) -> Path:
    """What proves that a leaf stands at ``index`` among ``size``; raises ``ValueError`` where there is none."""
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} among {size}")
    return _path(index, index + 1, size)


def consistency_path(old_size: int, size: int) -> Path:
    """What proves that the tree of ``old_size`` leaves is how that of ``size`` began; raises ``ValueError``."""
    if not 0 <= old_size <= size:
        raise ValueError(f"a tree of {size} leaves never had {old_size}")
    return _path(0, old_size, size) if old_size else ()


def root_path(size: int) -> tuple[Coordinate, ...]:
    """The full subtrees of a tree of ``size`` leaves."""
    return tuple(_full_subtrees(0, size))


def prove(path: Path, read: ReadNode) -> Proof:
    """The proof along ``path``."""
    return tuple(_folded(coordinates, read) for coordinates in path)


def needed(paths: Iterable[Path]) -> frozenset[Coordinate]:
    """Every node that ``prove`` will ask for."""
    return frozenset(coordinate for path in paths for part in path for coordinate in part)


def _path(start: int, end: int, size: int) -> Path:
    ranges = _siblings(start, end, 0, size, whole=True)
    return tuple(tuple(_full_subtrees(low, high)) for low, high in ranges)


def _siblings(start: int, end: int, low: int, high: int, *, whole: bool) -> Iterator[tuple[int, int]]:
    """The ranges of leaves between ``low`` and ``high`` whose hashes are wanted, from the leaves upwards."""
    if (start, end) == (low, high):
        if not whole:
            yield low, high
        return
    middle = low + split_of(high - low)
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
