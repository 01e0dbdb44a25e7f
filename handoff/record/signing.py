"""Signatures on events: DSSE's pre-authentication encoding over the exact bytes, Ed25519 by PyNaCl.

The type string and the key's type byte pick one algorithm; nothing is negotiated. One library decides what
verifies, everywhere: implementations disagree on edge cases of Ed25519. Source: proof.md, DSSE v1.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Self

from nacl.bindings import crypto_core_ed25519_is_valid_point
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey as _NaclSigningKey
from nacl.signing import VerifyKey

PAYLOAD_TYPE = b"application/vnd.handoff.event+json; v=1"
_ED25519 = b"\x01"


def pre_authentication_encoding(payload_type: bytes, body: bytes) -> bytes:
    """What is signed in place of ``body``, so that a type can never be confused with another."""
    return b"DSSEv1 %d %b %d %b" % (len(payload_type), payload_type, len(body), body)


def key_id(public_key: bytes) -> str:
    """SHA-256 of the key's type byte and its 32 bytes, hexadecimal."""
    return hashlib.sha256(_ED25519 + public_key).hexdigest()


def is_valid_public_key(public_key: bytes) -> bool:
    """Whether these 32 bytes are a point that the directory may register."""
    return len(public_key) == 32 and bool(crypto_core_ed25519_is_valid_point(public_key))


def verifies(public_key: bytes, body: bytes, signature: bytes, payload_type: bytes = PAYLOAD_TYPE) -> bool:
    """Whether ``signature`` (64 bytes) is ``public_key``'s over ``body``."""
    try:
        VerifyKey(public_key).verify(pre_authentication_encoding(payload_type, body), signature)
    except (BadSignatureError, ValueError):
        return False
    return True


@dataclass(frozen=True, slots=True, repr=False)
class SigningKey:
    """A private key; ``seed`` is its 32 secret bytes."""

    seed: bytes
    # As the library holds it: working it out costs as much as a signature does.
    _expanded: _NaclSigningKey = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_expanded", _NaclSigningKey(self.seed))

    @classmethod
    def from_hex(cls, text: str) -> Self:
        """The key whose seed is written as 64 hexadecimal digits; raises ``ValueError``."""
        seed = bytes.fromhex(text.strip())
        if len(seed) != 32:
            raise ValueError("a signing key is 32 bytes in hexadecimal")
        return cls(seed)

    @property
    def public_key(self) -> bytes:
        """The 32 public bytes."""
        return bytes(self._expanded.verify_key)

    @property
    def id(self) -> str:
        """The key's id."""
        return key_id(self.public_key)

    def sign(self, body: bytes, payload_type: bytes = PAYLOAD_TYPE) -> bytes:
        """The 64-byte signature over ``body``."""
        return self.sign_itself(pre_authentication_encoding(payload_type, body))

    def sign_itself(self, message: bytes) -> bytes:
        """The 64 bytes of Ed25519 over ``message`` as it is: for formats that tell their types apart."""
        return self._expanded.sign(message).signature


POSSESSION_TYPE = b"application/vnd.handoff.key-possession; v=1"


def possession_statement(jurisdiction: str, member: str, public_key: bytes) -> bytes:
    """What a key signs to show that whoever registers it also holds it."""
    return f"{jurisdiction}\n{member}\n{public_key.hex()}\n".encode()


def sha256(value: bytes) -> str:
    """The hash of an event's exact bytes, hexadecimal."""
    return hashlib.sha256(value).hexdigest()
