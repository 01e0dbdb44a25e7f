"""Tiles verified against a root hold exactly the leaves of that tree."""

import pytest

from handoff.proof.log.checkpoint import TreeHead
from handoff.proof.log.entry import leaf_hash
from handoff.proof.log.frontier import Frontier
from handoff.proof.log.tiles import TILE_WIDTH
from handoff.proof.log.verified_tiles import VerifiedTiles

_LEAVES = [leaf_hash(n.to_bytes(4)) for n in range(5 * TILE_WIDTH + 9)]


def _root(leaves: list[bytes]) -> bytes:
    return Frontier().extended(leaves)[0].root


def _head(size: int) -> TreeHead:
    return TreeHead(size, _root(_LEAVES[:size]))


def _tile(number: int) -> list[bytes]:
    return _LEAVES[number * TILE_WIDTH : (number + 1) * TILE_WIDTH]


def _extended(tiles: VerifiedTiles, size: int) -> bool:
    full = size // TILE_WIDTH
    roots = [_root(_tile(number)) for number in range(len(tiles.roots), full)]
    return tiles.extend(_head(size), roots, _LEAVES[full * TILE_WIDTH : size])


@pytest.mark.parametrize("size", [1, 255, 256, 257, 512, 1000, 1024, len(_LEAVES)])
def test_it_reaches_a_head_of_any_size(size: int) -> None:
    tiles = VerifiedTiles()
    assert _extended(tiles, size)
    assert all(tiles.holds(number, _tile(number)) for number in range(size // TILE_WIDTH))


def test_it_grows_from_head_to_head() -> None:
    tiles = VerifiedTiles()
    assert all(_extended(tiles, size) for size in (3, 256, 300, 1030, len(_LEAVES)))
    assert len(tiles.roots) == 5


def test_a_false_root_or_tail_changes_nothing() -> None:
    tiles = VerifiedTiles()
    assert _extended(tiles, 300)
    kept = (tiles.head, list(tiles.roots), tiles.tail)
    for roots, tail in (
        ([_root(_tile(2))], _LEAVES[512:600]),
        ([_root(_tile(1))], _LEAVES[511:599]),
        ([], _LEAVES[256:600]),
        ([_root(_tile(1))], []),
    ):
        assert not tiles.extend(_head(600), roots, tail)
        assert (tiles.head, tiles.roots, tiles.tail) == kept


def test_a_tile_with_another_leaf_is_not_held() -> None:
    tiles = VerifiedTiles()
    assert _extended(tiles, 600)
    for number in (0, 1):
        edited = [*_tile(number)[:7], bytes(32), *_tile(number)[8:]]
        assert not tiles.holds(number, edited)
        assert not tiles.holds(number, _tile(number)[:-1])
    assert tiles.holds(2, _LEAVES[512:700])
    assert not tiles.holds(2, [bytes(32), *_LEAVES[513:600]])
    assert not tiles.holds(2, _LEAVES[512:520])
    assert not tiles.holds(3, _tile(3))
