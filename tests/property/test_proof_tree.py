"""The tree agrees with pymerkle, however it is grown, stored and asked."""

from hypothesis import given, settings
from hypothesis import strategies as st
from pymerkle import InmemoryTree  # type: ignore[import-untyped]  # it ships no types

from handoff.proof.log import tiles, tree_proofs
from handoff.proof.log.entry import leaf_hash
from handoff.proof.log.frontier import Frontier, TreeNode
from handoff.proof.log.merkle import HASH_BYTES, NotProven, verify_consistency, verify_inclusion

MOST = 700
"""More than two tiles, so that there is a level of tiles above the leaves."""

LEAVES = tuple(leaf_hash(n.to_bytes(4)) for n in range(MOST))
ORACLE = InmemoryTree.init_from_entries([n.to_bytes(4) for n in range(MOST)], algorithm="sha256")
_WHOLE, _FINISHED = Frontier().extended(LEAVES)
_UPPER = b"".join(node.hash for node in _FINISHED if node.level == 8)

sizes = st.integers(1, MOST)


def read_tile(level: int, number: int) -> bytes:
    """Tiles as a projection stores them: the leaves, and the nodes that a growing tree reports as complete."""
    row = b"".join(LEAVES) if level == 0 else _UPPER
    width = tiles.TILE_WIDTH * HASH_BYTES
    return row[number * width : (number + 1) * width]


read = tiles.node_reader(read_tile)


def proves(verify: object, *arguments: object) -> bool:
    try:
        verify(*arguments)  # type: ignore[operator]
    except NotProven:
        return False
    return True


@given(st.lists(st.integers(0, 40), max_size=20))
def test_a_tree_grown_in_any_portions_has_the_oracles_root(portions: list[int]) -> None:
    frontier = Frontier()
    for portion in portions:
        frontier, _ = frontier.extended(LEAVES[frontier.size : frontier.size + portion])
        assert frontier.root == ORACLE.get_root(frontier.size)
        assert Frontier.unpack(frontier.pack()) == frontier


@given(st.lists(st.integers(1, 300), min_size=1, max_size=6))
def test_each_full_tile_is_finished_once_and_in_order(portions: list[int]) -> None:
    frontier, finished = Frontier(), list[TreeNode]()
    for portion in portions:
        frontier, nodes = frontier.extended(LEAVES[frontier.size : frontier.size + portion])
        finished += nodes
    assert [(node.level, node.index) for node in finished] == [(8, n) for n in range(frontier.size // 256)]
    assert [node.hash for node in finished] == [read(8, n) for n in range(frontier.size // 256)]


@given(sizes, st.data())
def test_inclusion_is_proven_with_the_oracles_hashes(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    path = tree_proofs.inclusion_path(index, size)
    proof = tree_proofs.build_proof(path, read)
    assert [LEAVES[index], *proof] == ORACLE.prove_inclusion(index + 1, size).path
    verify_inclusion(index, size, LEAVES[index], proof, ORACLE.get_root(size))


@given(sizes, st.data())
def test_consistency_is_proven_from_every_size_to_every_later_one(size: int, data: st.DataObject) -> None:
    old_size = data.draw(st.integers(1, size))
    proof = tree_proofs.build_proof(tree_proofs.consistency_path(old_size, size), read)
    verify_consistency(old_size, size, ORACLE.get_root(old_size), proof, ORACLE.get_root(size))
    theirs = ORACLE.prove_consistency(old_size, size)
    theirs.verify(ORACLE.get_root(old_size), ORACLE.get_root(size))


@given(st.integers(2, MOST), st.data())
@settings(max_examples=200)
def test_a_proof_holds_for_its_own_statement_alone(size: int, data: st.DataObject) -> None:
    """One hash, one index or one size changed: nothing is proven any more."""
    index = data.draw(st.integers(0, size - 1))
    proof = tree_proofs.build_proof(tree_proofs.inclusion_path(index, size), read)
    root = ORACLE.get_root(size)
    at = data.draw(st.integers(0, len(proof) - 1))
    flipped = (*proof[:at], bytes([proof[at][0] ^ 1]) + proof[at][1:], *proof[at + 1 :])
    assert not proves(verify_inclusion, index, size, LEAVES[index], flipped, root)
    assert not proves(verify_inclusion, index, size, LEAVES[index], proof[:-1], root)
    assert not proves(verify_inclusion, index, size, LEAVES[index], (*proof, root), root)
    other = data.draw(st.integers(0, size - 1).filter(lambda n: n != index))
    assert not proves(verify_inclusion, other, size, LEAVES[index], proof, root)


@given(st.integers(2, MOST), st.data())
def test_no_proof_joins_two_histories(size: int, data: st.DataObject) -> None:
    old_size = data.draw(st.integers(1, size - 1))
    at = data.draw(st.integers(0, old_size - 1))
    forked, _ = Frontier().extended((*LEAVES[:at], leaf_hash(b"another"), *LEAVES[at + 1 : old_size]))
    proof = tree_proofs.build_proof(tree_proofs.consistency_path(old_size, size), read)
    assert not proves(verify_consistency, old_size, size, forked.root, proof, ORACLE.get_root(size))


@given(sizes, st.data())
def test_the_nodes_of_a_proof_are_known_before_it_is_made(size: int, data: st.DataObject) -> None:
    """A caller that fetches exactly the named tiles can make the proof."""
    index = data.draw(st.integers(0, size - 1))
    path = tree_proofs.inclusion_path(index, size)
    fetched = {tile: read_tile(*tile) for tile in tiles.tiles_of(tree_proofs.required_nodes([path]))}
    tree_proofs.build_proof(path, tiles.node_reader(lambda level, number: fetched[level, number]))
