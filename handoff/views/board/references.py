"""Opaque references of handoffs: what the coordinator sees instead of case and referral.

A reference is an HMAC, so that it names the same handoff after a rebuild, and so that a person who knows the id of a
case cannot compute it. The key is the projection's alone.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Self
from uuid import UUID

_PURPOSE = b"handoff/board-reference/v1"


@dataclass(frozen=True, slots=True, repr=False)
class BoardReferences:
    """References under one secret key of 32 bytes."""

    key: bytes

    @classmethod
    def derived_from(cls, secret: bytes) -> Self:
        """Derive the key from the secret of the projection."""
        return cls(hmac.digest(secret, _PURPOSE, hashlib.sha256))

    def of(self, case: UUID, referral: UUID) -> UUID:
        """Return the reference of a handoff: a UUID of version 8, with 122 bits of the HMAC."""
        digest = bytearray(hmac.digest(self.key, case.bytes + referral.bytes, hashlib.sha256)[:16])
        digest[6] = (digest[6] & 0x0F) | 0x80
        digest[8] = (digest[8] & 0x3F) | 0x80
        return UUID(bytes=bytes(digest))
