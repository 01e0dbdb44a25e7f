"""What stands on the record in place of a value that was taken out after an incident: its hash, and why.

A stub is known by its form alone, because the headers beside it are covered by the record hash and stay as they
were. It is no event: intake refuses it like any other bytes that are none.
"""

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

_BEGINNING: Final = b'{"redacted":'
_FORM: Final = re.compile(rb'\{"redacted":\{"value_sha256":"([0-9a-f]{64})","reason":"([a-z_]{1,40})"\}\}')


class RedactionReason(StrEnum):
    """Why a value was taken out."""

    PERSONAL_DATA = "personal_data"
    COURT_ORDER = "court_order"


@dataclass(frozen=True, slots=True)
class Redaction:
    """A value that was taken out: the SHA-256 of its bytes (hex), and the reason's code."""

    value_sha256: str
    reason: RedactionReason

    @classmethod
    def of(cls, value: bytes, reason: RedactionReason) -> Self:
        """What stays of ``value``; where it was taken out before, that stays."""
        return cls.found(value) or cls(hashlib.sha256(value).hexdigest(), reason)

    @classmethod
    def found(cls, value: bytes | None) -> Self | None:
        """The redaction that ``value`` is the stub of; None for all other bytes."""
        if value is None or not value.startswith(_BEGINNING):
            return None
        match = _FORM.fullmatch(value)
        if match is None or match[2].decode() not in set(RedactionReason):
            return None
        return cls(match[1].decode(), RedactionReason(match[2].decode()))

    @property
    def stub(self) -> bytes:
        """The bytes that stand in the value's place: there is no second way of writing them."""
        return f'{{"redacted":{{"value_sha256":"{self.value_sha256}","reason":"{self.reason}"}}}}'.encode()


def said_hash(value: bytes | None) -> bytes:
    """The SHA-256 of a value as it was said, whether or not it was taken out since; none counts as an empty one."""
    redaction = Redaction.found(value)
    return bytes.fromhex(redaction.value_sha256) if redaction is not None else hashlib.sha256(value or b"").digest()
