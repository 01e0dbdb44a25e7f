"""The tree's proofs are those of RFC 6962, on every vector of transparency-dev."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from handoff.proof.log.entry import leaf_hash
from handoff.proof.log.frontier import Frontier, NotAFrontier
from handoff.proof.log.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    NotProven,
    node_hash,
    verify_consistency,
    verify_inclusion,
    verify_part,
)

VECTORS: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "merkle_transparency_dev.json").read_text(encoding="utf-8")
)


def of_kind(kind: str) -> list[Any]:
    return [pytest.param(vector, id=name) for name, vector in VECTORS.items() if name.startswith(f"{kind}/")]


def hash_of(text: str) -> bytes:
    return base64.b64decode(text)


def proof_of(vector: dict[str, Any]) -> tuple[bytes, ...]:
    return tuple(hash_of(text) for text in vector["proof"] or ())


def is_expected(vector: dict[str, Any]) -> bool:
    """Return transparency-dev's decision; it accepts any text as a root, so only hashes are compared here."""
    roots = [hash_of(vector[name]) for name in ("root", "root1", "root2") if name in vector]
    return not vector["wantErr"] and all(len(root) == HASH_BYTES for root in roots)


def holds(verify: Any, *arguments: Any) -> bool:
    try:
        verify(*arguments)
    except NotProven:
        return False
    return True


def test_every_vector_is_of_a_kind_that_is_tried() -> None:
    kinds = {name.split("/")[0] for name in VECTORS}
    assert kinds == {"inclusion", "consistency", "subtreeinclusion", "subtreeconsistency"}
    assert len(VECTORS) == 518


@pytest.mark.parametrize("vector", of_kind("inclusion"))
def test_inclusion_is_decided_as_transparency_dev_decides(vector: dict[str, Any]) -> None:
    leaf, root = hash_of(vector["leafHash"]), hash_of(vector["root"])
    verified = holds(verify_inclusion, vector["leafIdx"], vector["treeSize"], leaf, proof_of(vector), root)
    assert verified is is_expected(vector)


@pytest.mark.parametrize("vector", of_kind("consistency"))
def test_consistency_is_decided_as_transparency_dev_decides(vector: dict[str, Any]) -> None:
    root1, root2 = hash_of(vector["root1"]), hash_of(vector["root2"])
    verified = holds(verify_consistency, vector["size1"], vector["size2"], root1, proof_of(vector), root2)
    assert verified is is_expected(vector)


@pytest.mark.parametrize("vector", of_kind("subtreeinclusion"))
def test_inclusion_in_a_part_is_decided_as_transparency_dev_decides(vector: dict[str, Any]) -> None:
    """A leaf's inclusion in a part of the tree is its inclusion in the tree that this part is by itself."""
    start, end, index = vector["start"], vector["end"], vector["leafIdx"]
    aligned = 0 <= start <= end and start % (1 << max(end - start - 1, 0).bit_length()) == 0
    leaf, root = hash_of(vector["leafHash"]), hash_of(vector["root"])
    verified = aligned and holds(verify_inclusion, index - start, end - start, leaf, proof_of(vector), root)
    assert verified is is_expected(vector)


@pytest.mark.parametrize("vector", of_kind("subtreeconsistency"))
def test_a_parts_consistency_is_decided_as_transparency_dev_decides(vector: dict[str, Any]) -> None:
    part, root = hash_of(vector["root1"]), hash_of(vector["root2"])
    leaves = range(vector["start"], vector["end"])
    assert holds(verify_part, leaves, vector["size"], part, proof_of(vector), root) is is_expected(vector)


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert Frontier().root == EMPTY_ROOT


def test_a_root_is_folded_from_the_right_edge() -> None:
    """Three leaves: the pair is hashed first, then the single one."""
    a, b, c = (leaf_hash(bytes([n])) for n in range(3))
    frontier, _ = Frontier().extended([a, b, c])
    assert frontier.root == node_hash(node_hash(a, b), c)


@pytest.mark.parametrize("packed", [b"", bytes(7), bytes(9), (1).to_bytes(8), (3).to_bytes(8) + bytes(32)])
def test_bytes_that_do_not_fit_their_size_are_no_frontier(packed: bytes) -> None:
    with pytest.raises(NotAFrontier):
        Frontier.unpack(packed)
