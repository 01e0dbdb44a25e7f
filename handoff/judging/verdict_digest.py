"""Digest of verdicts, by which two readers compare their judgement without the entries."""

import hashlib
import struct
from typing import Final

from handoff.record import formats
from handoff.record.delivery import Verdict
from handoff.record.header_codec import prefixed

RULES_VERSION: Final = 1
"""Version of the rules that this release judges by. Only digests of one version can be compared."""


class VerdictDigest:
    """Running SHA-256 over offsets and verdicts, in the record's order."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256(formats.VERDICTS + struct.pack(">I", RULES_VERSION))

    def add(self, offset: int, verdict: Verdict) -> None:
        """Add the verdict on the entry at ``offset``."""
        reason = None if verdict.reason is None else verdict.reason.encode()
        self._hash.update(struct.pack(">Q", offset) + prefixed(verdict.kind.encode()) + prefixed(reason))

    @property
    def value(self) -> str:
        """The digest of everything added so far, in hexadecimal."""
        return self._hash.copy().hexdigest()
