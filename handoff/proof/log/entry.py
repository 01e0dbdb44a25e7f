"""The entry that the timeline keeps for each offset of the record, and the hashes that bind it.

An entry holds Kafka's facts alone, so anyone with the record makes the same one, whatever the release of the
rules.
Source: proof.md, *Record hash, entry, leaf*; leaves as in RFC 6962.
"""

import hashlib
import struct
from dataclasses import dataclass
from typing import Final, Self

from handoff.proof.log.header_codec import Headers, pack_headers, prefixed
from handoff.record.redaction import said_hash

ENTRY_BYTES: Final = 141
NO_PREVIOUS: Final = bytes(32)
"""What the first entry of a case tag carries in place of its predecessor's leaf hash."""

_LAYOUT: Final = struct.Struct(">17sIQQ32s32sQ32s")
_ENTRY_MARK: Final = b"handoff/entry/v1\n"
_RECORD_MARK: Final = b"handoff/record/v1\n"
_CASE_MARK: Final = b"handoff/case/v1\n"


class NotAnEntry(Exception):
    """Bytes that are no entry of this format: whatever holds them is not to be trusted."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One offset of the record: where and when, which content, which case, and that case's chain so far.

    ``appended_ms`` is Kafka's append time in milliseconds since 1970-01-01 UTC; ``sequence`` counts the entries
    of ``case_tag`` from 1, and ``previous_leaf`` is the leaf hash of the one before (``NO_PREVIOUS`` for the
    first).
    """

    partition: int
    offset: int
    appended_ms: int
    record_hash: bytes
    case_tag: bytes
    sequence: int
    previous_leaf: bytes

    def pack(self) -> bytes:
        """The 141 bytes."""
        return _LAYOUT.pack(
            _ENTRY_MARK,
            self.partition,
            self.offset,
            self.appended_ms,
            _hash(self.record_hash),
            _hash(self.case_tag),
            self.sequence,
            _hash(self.previous_leaf),
        )

    @classmethod
    def unpack(cls, packed: bytes) -> Self:
        """The entry in 141 bytes; raises ``NotAnEntry``."""
        if len(packed) != ENTRY_BYTES:
            raise NotAnEntry(f"{len(packed)} bytes are not {ENTRY_BYTES}")
        mark, *fields = _LAYOUT.unpack(packed)
        if mark != _ENTRY_MARK:
            raise NotAnEntry("does not begin as an entry does")
        return cls(*fields)

    def leaf_hash(self) -> bytes:
        """The hash of this entry as a leaf of the record's tree."""
        return leaf_hash(self.pack())


def leaf_hash(packed: bytes) -> bytes:
    """The leaf of the tree that stands for a packed entry."""
    return hashlib.sha256(b"\x00" + packed).digest()


def case_tag(key: bytes | None) -> bytes:
    """The tag that ties the entries of one record key together; a missing key counts as an empty one."""
    return hashlib.sha256(_CASE_MARK + (key or b"")).digest()


def record_hash(key: bytes | None, value: bytes | None, headers: Headers) -> bytes:
    """The hash of a record's key, value and headers; a missing value counts as an empty one.

    It is nested, so that a value can be taken out after an incident and its hash left in its place: a stub has the
    record hash of what it stands for.
    """
    headers_hash = hashlib.sha256(pack_headers(headers)).digest()
    return hashlib.sha256(_RECORD_MARK + prefixed(key) + said_hash(value) + headers_hash).digest()


def _hash(digest: bytes) -> bytes:
    # struct would cut or pad in silence.
    if len(digest) != 32:
        raise ValueError(f"a hash has 32 bytes, not {len(digest)}")
    return digest
