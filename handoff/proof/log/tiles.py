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
"""Tile level, tile number → concatenated hashes. Level 0 holds leaves, level 1 the roots of full tiles."""


class NotATile(Exception):
    """Bytes that are not an entry bundle of this record: do not trust their container."""


def entries_path(number: int, width: int = TILE_WIDTH) -> str:
    """Path of entry bundle ``number`` with ``width`` entries."""
    return f"tile/entries/{_path(number, width)}"


def hashes_path(level: int, number: int, width: int = TILE_WIDTH) -> str:
    """Path of a tile of hashes."""
    return f"tile/{level}/{_path(number, width)}"


def _path(number: int, width: int) -> str:
    digits = str(number)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    partial = "" if width == TILE_WIDTH else f".p/{width}"
    return "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]]) + partial


def pack_entries(entries: Iterable[bytes]) -> bytes:
    """Encode an entry bundle: each packed entry after its length as u16."""
    return b"".join(_PREFIX + entry for entry in entries)


def unpack_entries(bundle: bytes) -> tuple[bytes, ...]:
    """Decode an entry bundle of 1 to 256 entries. Raises ``NotATile``."""
    if not 0 < len(bundle) <= TILE_WIDTH * _STEP or len(bundle) % _STEP:
        raise NotATile(f"{len(bundle)} bytes are not a bundle of entries of {ENTRY_BYTES} bytes each")
    starts = range(0, len(bundle), _STEP)
    if any(bundle[at : at + 2] != _PREFIX for at in starts):
        raise NotATile(f"the length prefix of an entry is not {ENTRY_BYTES}")
    return tuple(bundle[at + 2 : at + _STEP] for at in starts)


def tiles_of(coordinates: Iterable[Coordinate]) -> frozenset[Coordinate]:
    """Return the tiles (level, number) that hold these nodes or the hashes they are computed from."""
    return frozenset(_tile_of(level, index) for level, index in coordinates)


def node_reader(read_tile: ReadTile) -> Callable[[int, int], bytes]:
    """Return a reader of nodes from tiles. Nodes between two tile levels are computed from the tile below."""

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
