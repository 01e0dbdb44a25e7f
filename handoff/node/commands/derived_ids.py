"""Ids derived from names by HMAC: stable for the holder of the secret, unpredictable for others."""

import hmac
from collections.abc import Callable
from uuid import UUID

DeriveId = Callable[[str], UUID]
_PURPOSE = "handoff id v1"


def id_derivation(secret: bytes) -> DeriveId:
    """Return a function from a name to its id under ``secret``."""

    def derive(name: str) -> UUID:
        return UUID(bytes=hmac.digest(secret, f"{_PURPOSE}\n{name}".encode(), "sha256")[:16], version=4)

    return derive
