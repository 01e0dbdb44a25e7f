"""Signed inbox delivery: the chained statements of one inbox, and one signature for each batch of a relay.

Each statement contains the hash of the previous one, so one statement fixes the whole inbox before it. The first has
the hash of the founding event in its place, which binds the chain to jurisdiction and generation. A standby that sends
an entry again signs another batch, and its statement is the same.
Source: docs/proof.md, *Inbox delivery*.
"""

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final, Self

from handoff.proof.log.merkle import HASH_BYTES, Proof, left_subtree_size, node_hash
from handoff.record import formats, signing
from handoff.record.delivery import Verdict, to_ms
from handoff.record.header_codec import prefixed

_PROOF: Final = struct.Struct(">32s64s32sII")


class MalformedProof(Exception):
    """Bytes that are not the proof of a delivery."""


def delivered_facts(record_time: datetime, verdict: Verdict, record_hash: bytes) -> bytes:
    """Return the part of a statement that is the same for every recipient of an entry."""
    reason = None if verdict.reason is None else verdict.reason.encode()
    judged = prefixed(verdict.kind.value.encode()) + prefixed(reason)
    return to_ms(record_time).to_bytes(8) + judged + record_hash


def chain_hash(member: str, sequence: int, facts: bytes, previous: bytes) -> bytes:
    """Return the hash of the statement that delivers an entry: the leaf in its batch, and the link for the next one."""
    named = _named(member)
    return hashlib.sha256(b"\x00" + named + sequence.to_bytes(8) + facts + previous).digest()


@lru_cache(1024)
def _named(member: str) -> bytes:
    return formats.DELIVERY + prefixed(member.encode())


@dataclass(frozen=True, slots=True)
class DeliveryProof:
    """Proof that a batch of the exchange contains a statement: key id, signed root and inclusion path."""

    key_id: str
    signature: bytes
    root: bytes
    index: int
    size: int
    path: Proof

    def pack(self) -> bytes:
        """Encode as key id ‖ signature ‖ root ‖ u32 index ‖ u32 size ‖ path."""
        fixed = _PROOF.pack(bytes.fromhex(self.key_id), self.signature, self.root, self.index, self.size)
        return fixed + b"".join(self.path)

    @classmethod
    def unpack(cls, packed: bytes) -> Self:
        """Decode a packed proof. Raises ``MalformedProof``."""
        path = packed[_PROOF.size :]
        # A path of 64 hashes proves more leaves than a batch can have.
        if len(packed) < _PROOF.size or len(path) % HASH_BYTES or len(path) > 64 * HASH_BYTES:
            raise MalformedProof(f"{len(packed)} bytes are not the proof of a delivery")
        key_id, signature, root, index, size = _PROOF.unpack(packed[: _PROOF.size])
        hashes = tuple(path[at : at + HASH_BYTES] for at in range(0, len(path), HASH_BYTES))
        return cls(key_id.hex(), signature, root, index, size, hashes)

    def contains(self, leaf: bytes) -> bool:
        """Return whether the batch contains the statement with this hash. The signature is checked apart."""
        # RFC 9162, section 2.1.3.2: every inbox entry is checked, and a loop takes a third of the recursion's time.
        index, last, found = self.index, self.size - 1, leaf
        if index > last:
            return False
        for sibling in self.path:
            if last == 0:
                return False
            if index & 1 or index == last:
                found = node_hash(sibling, found)
                while index and not index & 1:
                    index, last = index >> 1, last >> 1
            else:
                found = node_hash(found, sibling)
            index, last = index >> 1, last >> 1
        return last == 0 and found == self.root


def sign_batch(leaves: Sequence[bytes], key: signing.SigningKey) -> list[bytes]:
    """Sign the statements of a batch, given by their hashes, and return the packed proof of each."""
    if not leaves:
        return []
    paths: list[list[bytes]] = [[] for _ in leaves]
    root = _subtree(leaves, paths, 0, len(leaves))
    signature = key.sign(root, formats.DELIVERY_ROOT)
    signed = bytes.fromhex(key.id) + signature + root
    size = len(leaves).to_bytes(4)
    return [signed + index.to_bytes(4) + size + b"".join(path) for index, path in enumerate(paths)]


def _subtree(leaves: Sequence[bytes], paths: list[list[bytes]], low: int, high: int) -> bytes:
    """Return the hash of the subtree over a range of leaves, and append to each leaf's path the siblings within it."""
    if high - low == 1:
        return leaves[low]
    middle = low + left_subtree_size(high - low)
    left, right = _subtree(leaves, paths, low, middle), _subtree(leaves, paths, middle, high)
    for path in paths[low:middle]:
        path.append(right)
    for path in paths[middle:high]:
        path.append(left)
    return node_hash(left, right)
