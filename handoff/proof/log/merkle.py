"""The record's Merkle tree: what its root is, and what proves that a part belongs to it.

Inclusion is the case of a part of one leaf, consistency that of a part that begins at 0; one rule covers them all.
Source: RFC 6962, section 2.1; for other parts draft-ietf-plants-merkle-tree-certs, section 4.
"""

import hashlib
from typing import Final

EMPTY_ROOT: Final = hashlib.sha256().digest()
HASH_BYTES: Final = 32

Proof = tuple[bytes, ...]
"""Hashes from the leaves upwards."""


class NotProven(Exception):
    """A proof that does not show what it is brought for: nothing follows, neither that it holds nor that it fails."""


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two siblings' parent."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def split_of(size: int) -> int:
    """How many of ``size`` leaves (two or more) lie on the left: the largest power of two that is smaller."""
    return 1 << (size - 1).bit_length() - 1


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Proof, root: bytes) -> None:
    """Checks that ``leaf`` stands at ``index`` of the tree of ``size`` leaves; raises ``NotProven``."""
    if not 0 <= index < size:
        raise NotProven(f"there is no leaf {index} among {size}")
    verify_part(range(index, index + 1), size, leaf, proof, root)


def verify_consistency(old_size: int, size: int, old_root: bytes, proof: Proof, root: bytes) -> None:
    """Checks that the tree of ``old_size`` leaves (1 or more) is how the other began; raises ``NotProven``."""
    if old_size < 1:
        raise NotProven("any tree begins as the empty one: there is nothing to prove")
    verify_part(range(old_size), size, old_root, proof, root)


def verify_part(leaves: range, size: int, part: bytes, proof: Proof, root: bytes) -> None:
    """Checks that ``leaves``, of all that the tree has, are those of hash ``part``; raises ``NotProven``."""
    start, end = leaves.start, leaves.stop
    if not (0 <= start <= end <= size) or start % _ceiling(end - start):
        raise NotProven(f"{start} to {end} is no part of a tree of {size} leaves")
    if any(len(found) != HASH_BYTES for found in (part, root, *proof)):
        raise NotProven("a hash has 32 bytes")
    if start == end:
        _check(part == EMPTY_ROOT and not proof)
        return
    left = list(proof)
    found = _climb(start, end, size, part, left)
    _check(found == (part, root) and not left)


def _climb(start: int, end: int, size: int, known: bytes | None, left: list[bytes]) -> tuple[bytes, bytes]:
    """The hash of the part and that of the tree, as ``left`` gives them; takes what it needs from its end."""
    if (start, end) == (0, size):
        whole = _take(left) if known is None else known
        return whole, whole
    split, sibling = split_of(size), _take(left)
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


def _check(holds: bool) -> None:  # noqa: FBT001 - the condition itself, as assert takes it
    if not holds:
        raise NotProven("the proof does not lead to the root")


def _ceiling(length: int) -> int:
    return 1 << max(length - 1, 0).bit_length()
