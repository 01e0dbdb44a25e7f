"""Digest of verdicts, by which two readers compare their judgement without the entries.

It is a hash chain, so that a reader can store it at a position of the record and continue from there.
"""

import hashlib
import struct

from handoff.record import formats
from handoff.record.delivery import Verdict
from handoff.record.header_codec import prefixed


class VerdictDigest:
    """Running digest over offsets, rules versions and verdicts, in the record's order.

    Each verdict counts with the version of the rules by which it was judged.
    """

    def __init__(self, head: bytes | None = None) -> None:
        self._head = hashlib.sha256(formats.VERDICTS).digest() if head is None else head

    def add(self, offset: int, rules: int, verdict: Verdict) -> None:
        """Add the verdict on the entry at ``offset`` by a version of the rules."""
        reason = None if verdict.reason is None else verdict.reason.encode()
        added = struct.pack(">QI", offset, rules) + prefixed(verdict.kind.encode()) + prefixed(reason)
        self._head = hashlib.sha256(self._head + added).digest()

    @property
    def head(self) -> bytes:
        """Digest of everything added so far, from which another one can continue."""
        return self._head
