"""Names that are derived by HMAC: stable for the holder of the secret, unpredictable for others.

The secret is in a file beside the database, never in it: a stolen copy of the tables does not confirm a guessed key.
"""

import hmac
from collections.abc import Callable
from uuid import UUID

DeriveId = Callable[[str], UUID]
HashKey = Callable[[str], str]
_ID_PURPOSE = "handoff id v1"
_KEY_PURPOSE = "handoff idempotency key v1"


def id_derivation(secret: bytes) -> DeriveId:
    """Return a function from a name to its id under ``secret``."""

    def derive(name: str) -> UUID:
        return UUID(bytes=hmac.digest(secret, f"{_ID_PURPOSE}\n{name}".encode(), "sha256")[:16], version=4)

    return derive


def key_hashing(secret: bytes, member: str) -> HashKey:
    """Return a function from a caller's idempotency key to the hash under which ``member`` stores it."""

    def hash_key(key: str) -> str:
        return hmac.digest(secret, f"{_KEY_PURPOSE}\n{member}\n{key}".encode(), "sha256").hex()

    return hash_key
