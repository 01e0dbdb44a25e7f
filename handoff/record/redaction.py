"""Redaction stubs: the hash and reason that replace a value which was removed from the record after an incident.

A stub is recognised by its form alone, because the headers are covered by the record hash and do not change. A stub
is not an event: intake refuses it like any other invalid bytes.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Final, Self

from handoff.record.codes import RedactionReason

_BEGINNING: Final = b'{"redacted":'
_FORM: Final = re.compile(rb'\{"redacted":\{"value_sha256":"([0-9a-f]{64})","reason":"([a-z_]{1,40})"\}\}')


@dataclass(frozen=True, slots=True)
class Redaction:
    """A removed value: the SHA-256 of its bytes (hex) and the code of the reason."""

    value_sha256: str
    reason: RedactionReason

    @classmethod
    def of(cls, value: bytes, reason: RedactionReason) -> Self:
        """Return the redaction of ``value``. A value that is a stub already keeps its redaction."""
        return cls.found(value) or cls(hashlib.sha256(value).hexdigest(), reason)

    @classmethod
    def found(cls, value: bytes | None) -> Self | None:
        """Return the redaction whose stub ``value`` is; None for all other bytes."""
        if value is None or not value.startswith(_BEGINNING):
            return None
        match = _FORM.fullmatch(value)
        if match is None or match[2].decode() not in set(RedactionReason):
            return None
        return cls(match[1].decode(), RedactionReason(match[2].decode()))

    @property
    def stub(self) -> bytes:
        """Bytes that replace the value, in their only valid form."""
        return f'{{"redacted":{{"value_sha256":"{self.value_sha256}","reason":"{self.reason}"}}}}'.encode()


def original_hash(value: bytes | None) -> bytes:
    """Return the SHA-256 of a value as it was recorded, even if it is redacted now. No value counts as an empty one."""
    redaction = Redaction.found(value)
    return bytes.fromhex(redaction.value_sha256) if redaction is not None else hashlib.sha256(value or b"").digest()
