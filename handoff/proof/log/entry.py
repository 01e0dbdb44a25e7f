"""Log entries: the 141 bytes that stand for one offset of the record, and the hashes that bind them.

An entry holds Kafka's facts alone. Every reader of the record computes the same entry, whatever its release of the
rules.
Source: docs/proof.md, *Record hash, entry, leaf*; leaves as in RFC 6962.
"""

import hashlib
import struct
from typing import Final, Self

from msgspec import Struct

from handoff.record import formats
from handoff.record.header_codec import Headers, pack_headers, prefixed
from handoff.record.message import Message
from handoff.record.redaction import original_hash

ENTRY_BYTES: Final = 141
PARTITION: Final = 0
"""The record has one partition: one tree, one total order."""

NO_PREVIOUS: Final = bytes(32)
"""Previous leaf hash of a case tag's first entry."""

_LAYOUT: Final = struct.Struct(">17sIQQ32s32sQ32s")


class MalformedEntry(Exception):
    """Bytes that are not an entry of this format: do not trust their container."""


class LogEntry(Struct, frozen=True, gc=False):
    """One offset of the record: position, append time, content hash, case tag and the tag's hash chain.

    ``appended_ms`` is Kafka's append time in milliseconds since 1970-01-01 UTC, as it counts for record time.
    ``sequence`` counts the entries of ``case_tag`` from 1, and ``previous_leaf`` is the leaf hash of the one before
    (``NO_PREVIOUS`` for the first).
    """

    partition: int
    offset: int
    appended_ms: int
    record_hash: bytes
    case_tag: bytes
    sequence: int
    previous_leaf: bytes

    def pack(self) -> bytes:
        """Encode as 141 bytes."""
        return _LAYOUT.pack(
            formats.ENTRY,
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
        """Decode 141 bytes. Raises ``MalformedEntry``."""
        if len(packed) != ENTRY_BYTES:
            raise MalformedEntry(f"an entry has {ENTRY_BYTES} bytes, not {len(packed)}")
        mark, *fields = _LAYOUT.unpack(packed)
        if mark != formats.ENTRY:
            raise MalformedEntry("the version mark of an entry is missing")
        return cls(*fields)

    def leaf_hash(self) -> bytes:
        """Leaf hash of this entry in the record's tree."""
        return leaf_hash(self.pack())


def leaf_hash(packed: bytes) -> bytes:
    """Leaf hash of a packed entry (RFC 6962)."""
    return hashlib.sha256(b"\x00" + packed).digest()


def case_tag(key: bytes | None, salt: bytes) -> bytes:
    """Tag shared by all entries of one record key. A missing key counts as an empty one.

    ``salt`` is the SHA-256 of the value of the key's first entry. Only a holder of that event can compute the tag, so a
    case id alone finds nothing in the log entries. No secret exists, and a rebuild gives the same tags.
    """
    return hashlib.sha256(formats.TAG + _hash(salt) + (key or b"")).digest()


def content_hash(message: Message) -> bytes:
    """Return the record hash of ``message``."""
    return record_hash(message.key, message.value, message.headers)


def record_hash(key: bytes | None, value: bytes | None, headers: Headers) -> bytes:
    """Hash of a record's key, value and headers. A missing value counts as an empty one.

    The hash is nested, so that a redaction can replace a value by its hash: the stub has the
    record hash of the redacted value.
    """
    return record_hash_of(key, original_hash(value), pack_headers(headers))


def record_hash_of(key: bytes | None, value_hash: bytes, packed_headers: bytes) -> bytes:
    """Return the record hash of a record whose value hash and packed headers are known already."""
    headers_hash = hashlib.sha256(packed_headers).digest()
    return hashlib.sha256(formats.RECORD_HASH + prefixed(key) + value_hash + headers_hash).digest()


def _hash(digest: bytes) -> bytes:
    # struct truncates or pads without an error.
    if len(digest) != 32:
        raise ValueError(f"a hash has 32 bytes, not {len(digest)}")
    return digest
