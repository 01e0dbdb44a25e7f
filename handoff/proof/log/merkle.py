"""Verification of Merkle proofs: inclusion, consistency and subtree proofs against a root.

An inclusion proof is a subtree proof for one leaf, a consistency proof one for a subtree that begins at 0: one rule
verifies them all. Source: RFC 6962, section 2.1; for other subtrees draft-ietf-plants-merkle-tree-certs, section 4.
"""

import hashlib
from typing import Final

EMPTY_ROOT: Final = hashlib.sha256().digest()
HASH_BYTES: Final = 32

Proof = tuple[bytes, ...]
"""Hashes, from the leaves upwards."""


class NotProven(Exception):
    """A proof that does not lead to the root. The claim is neither proven nor refuted."""


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an interior node (RFC 6962)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def left_subtree_size(size: int) -> int:
    """Number of leaves in the left subtree of ``size`` (two or more): the largest power of two below ``size``."""
    return 1 << (size - 1).bit_length() - 1


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Proof, root: bytes) -> None:
    """Verify that ``leaf`` is at ``index`` in the tree of ``size`` leaves. Raises ``NotProven``."""
    if not 0 <= index < size:
        raise NotProven(f"leaf {index} is outside a tree of {size} leaves")
    verify_part(range(index, index + 1), size, leaf, proof, root)


def verify_consistency(old_size: int, size: int, old_root: bytes, proof: Proof, root: bytes) -> None:
    """Verify that the tree of ``old_size`` leaves (1 or more) is a prefix of the other. Raises ``NotProven``."""
    if old_size < 1:
        raise NotProven("every tree extends the empty tree: a proof from size 0 does not exist")
    verify_part(range(old_size), size, old_root, proof, root)


def verify_part(leaves: range, size: int, part: bytes, proof: Proof, root: bytes) -> None:
    """Verify that the subtree over the range ``leaves`` has the hash ``part``. Raises ``NotProven``."""
    start, end = leaves.start, leaves.stop
    if not (0 <= start <= end <= size) or start % _ceiling(end - start):
        raise NotProven(f"leaves {start} to {end} are not a subtree of a tree of {size} leaves")
    if any(len(found) != HASH_BYTES for found in (part, root, *proof)):
        raise NotProven("a hash has 32 bytes")
    if start == end:
        _check(part == EMPTY_ROOT and not proof)
        return
    left = list(proof)
    found = _climb(start, end, size, part, left)
    _check(found == (part, root) and not left)


def _climb(start: int, end: int, size: int, known: bytes | None, left: list[bytes]) -> tuple[bytes, bytes]:
    """Compute the hashes of the subtree and of the tree, consuming the proof ``left`` from its end."""
    if (start, end) == (0, size):
        whole = _take(left) if known is None else known
        return whole, whole
    split, sibling = left_subtree_size(size), _take(left)
    if end <= split:
        part, tree = _climb(start, end, split, known, left)
        return part, node_hash(tree, sibling)
    if start >= split:
        part, tree = _climb(start - split, end - split, size - split, known, left)
        return part, node_hash(sibling, tree)
    part, tree = _climb(0, end - split, size - split, None, left)
    return node_hash(sibling, part), node_hash(sibling, tree)


def _take(left: list[bytes]) -> bytes:
    if not left:
        raise NotProven("the proof is too short")
    return left.pop()


def _check(holds: bool) -> None:  # noqa: FBT001 - a condition, as in assert
    if not holds:
        raise NotProven("the proof does not lead to the root")


def _ceiling(length: int) -> int:
    return 1 << max(length - 1, 0).bit_length()
