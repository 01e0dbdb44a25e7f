"""Ids that follow from a secret: always the same to whoever holds it, random to everybody else."""

import hmac
from collections.abc import Callable
from uuid import UUID

Name = Callable[[str], UUID]
_PURPOSE = "handoff id v1"


def naming(secret: bytes) -> Name:
    """The id of whatever is named by a text, under ``secret``."""

    def name(what: str) -> UUID:
        return UUID(bytes=hmac.digest(secret, f"{_PURPOSE}\n{what}".encode(), "sha256")[:16], version=4)

    return name
