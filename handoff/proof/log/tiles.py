"""The tree and its entries as tiles of 256, by the paths and bytes of C2SP's tlog-tiles."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from handoff.proof.log.entry import ENTRY_BYTES
from handoff.proof.log.merkle import HASH_BYTES, node_hash
from handoff.proof.log.tree_proofs import Coordinate

TILE_WIDTH: Final = 256
TILE_HEIGHT: Final = 8
_PREFIX: Final = ENTRY_BYTES.to_bytes(2)
_STEP: Final = len(_PREFIX) + ENTRY_BYTES

ReadTile = Callable[[int, int], bytes]
"""Tile level, tile number → its hashes, one after the other: level 0 holds leaves, level 1 the roots of full tiles."""


class NotATile(Exception):
    """Bytes that are no entry bundle of this record: whatever holds them is not to be trusted."""


def entries_path(number: int, width: int = TILE_WIDTH) -> str:
    """Where the ``number``-th entry bundle stands, with ``width`` entries in it."""
    return f"tile/entries/{_path(number, width)}"


def hashes_path(level: int, number: int, width: int = TILE_WIDTH) -> str:
    """Where a tile of hashes stands."""
    return f"tile/{level}/{_path(number, width)}"


def _path(number: int, width: int) -> str:
    digits = str(number)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    partial = "" if width == TILE_WIDTH else f".p/{width}"
    return "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]]) + partial


def pack_entries(entries: Iterable[bytes]) -> bytes:
    """An entry bundle: each packed entry after its length as u16."""
    return b"".join(_PREFIX + entry for entry in entries)


def unpack_entries(bundle: bytes) -> tuple[bytes, ...]:
    """The packed entries in ``bundle``, 1 to 256; raises ``NotATile``."""
    if not 0 < len(bundle) <= TILE_WIDTH * _STEP or len(bundle) % _STEP:
        raise NotATile(f"{len(bundle)} bytes are no bundle of entries of {ENTRY_BYTES} bytes")
    starts = range(0, len(bundle), _STEP)
    if any(bundle[at : at + 2] != _PREFIX for at in starts):
        raise NotATile(f"an entry's length is not {ENTRY_BYTES}")
    return tuple(bundle[at + 2 : at + _STEP] for at in starts)


def tiles_of(coordinates: Iterable[Coordinate]) -> frozenset[Coordinate]:
    """The tiles (level, number) that hold these nodes or what they are folded from."""
    return frozenset(_tile_of(level, index) for level, index in coordinates)


def node_reader(read_tile: ReadTile) -> Callable[[int, int], bytes]:
    """Reads nodes from tiles; those between two tile levels are folded from the tile below."""

    def read(level: int, index: int) -> bytes:
        tile_level, number = _tile_of(level, index)
        width = 1 << level % TILE_HEIGHT
        first = (index * width) % TILE_WIDTH
        hashes = _hashes(read_tile(tile_level, number))[first : first + width]
        if len(hashes) != width:
            raise LookupError(f"tile {hashes_path(tile_level, number)} does not hold node {level}/{index} yet")
        return _full_root(hashes)

    return read


def _tile_of(level: int, index: int) -> Coordinate:
    tile_level, within = divmod(level, TILE_HEIGHT)
    return tile_level, (index << within) // TILE_WIDTH


def _hashes(tile: bytes) -> Sequence[bytes]:
    return [tile[at : at + HASH_BYTES] for at in range(0, len(tile), HASH_BYTES)]


def _full_root(hashes: Sequence[bytes]) -> bytes:
    while len(hashes) > 1:
        hashes = list(_pairs(hashes))
    return hashes[0]


def _pairs(hashes: Sequence[bytes]) -> Iterator[bytes]:
    return (node_hash(left, right) for left, right in zip(hashes[::2], hashes[1::2], strict=True))
