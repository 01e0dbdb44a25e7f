"""Signatures on events: DSSE's pre-authentication encoding over the exact bytes, Ed25519 by PyNaCl.

The payload type and the key's type byte determine the algorithm; nothing is negotiated. All verification uses one
library, because implementations disagree on edge cases of Ed25519. Source: docs/proof.md, DSSE v1.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Self

from nacl.bindings import crypto_core_ed25519_is_valid_point
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey as _NaclSigningKey
from nacl.signing import VerifyKey

from handoff.record import formats

_ED25519 = b"\x01"


def pre_authentication_encoding(payload_type: bytes, body: bytes) -> bytes:
    """Return the bytes that are signed for ``body``. They bind its type, so no signature is valid for another type."""
    return b"DSSEv1 %d %b %d %b" % (len(payload_type), payload_type, len(body), body)


def key_id(public_key: bytes) -> str:
    """Return the SHA-256 of the key's type byte and its 32 bytes, hexadecimal."""
    return hashlib.sha256(_ED25519 + public_key).hexdigest()


def is_valid_public_key(public_key: bytes) -> bool:
    """Return whether ``public_key`` is a point on the curve, as the directory requires."""
    return len(public_key) == 32 and bool(crypto_core_ed25519_is_valid_point(public_key))


def verifies(public_key: bytes, body: bytes, signature: bytes, payload_type: bytes = formats.EVENT_PAYLOAD) -> bool:
    """Return whether ``signature`` (64 bytes) is a signature by ``public_key`` over ``body``."""
    try:
        VerifyKey(public_key).verify(pre_authentication_encoding(payload_type, body), signature)
    except (BadSignatureError, ValueError):
        return False
    return True


@dataclass(frozen=True, slots=True, repr=False)
class SigningKey:
    """A private key; ``seed`` is its 32 secret bytes."""

    seed: bytes
    # Cached, because the expansion of the seed costs as much as a signature.
    _expanded: _NaclSigningKey = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_expanded", _NaclSigningKey(self.seed))

    @classmethod
    def from_hex(cls, text: str) -> Self:
        """Return the key with this seed of 64 hexadecimal digits. Raises ``ValueError``."""
        seed = bytes.fromhex(text.strip())
        if len(seed) != 32:
            raise ValueError("not a signing key: expected 32 bytes in hexadecimal")
        return cls(seed)

    @property
    def public_key(self) -> bytes:
        """Public key, 32 bytes."""
        return bytes(self._expanded.verify_key)

    @property
    def id(self) -> str:
        """Id of the key: see ``key_id``."""
        return key_id(self.public_key)

    def sign(self, body: bytes, payload_type: bytes = formats.EVENT_PAYLOAD) -> bytes:
        """Return the 64-byte signature over ``body`` in DSSE form."""
        return self.sign_itself(pre_authentication_encoding(payload_type, body))

    def sign_itself(self, message: bytes) -> bytes:
        """Return the 64-byte Ed25519 signature over ``message`` itself, for formats with a type mark of their own."""
        return self._expanded.sign(message).signature


def possession_statement(jurisdiction: str, member: str, public_key: bytes) -> bytes:
    """Return the statement that a key signs to prove that the member holds it."""
    return f"{jurisdiction}\n{member}\n{public_key.hex()}\n".encode()


def sha256(value: bytes) -> str:
    """Return the hash of an event's bytes, hexadecimal."""
    return hashlib.sha256(value).hexdigest()
