"""A signed event as a Kafka record: key, value bytes, and headers with the signature."""

from collections.abc import Iterable
from dataclasses import dataclass

from handoff.record import signing
from handoff.record.envelope import CONTENT_TYPE

Headers = tuple[tuple[str, bytes | None], ...]

CONTENT_TYPE_HEADER = "content-type"
SIGNATURE_HEADER = "signature"
KEY_ID_HEADER = "key-id"


@dataclass(frozen=True, slots=True)
class Message:
    """Key, value and headers of a Kafka record."""

    key: bytes | None
    value: bytes | None
    headers: Headers = ()

    def header(self, name: str) -> bytes | None:
        """Return the header of that name; None if it is missing or occurs more than once."""
        found = [value for header, value in self.headers if header == name]
        return found[0] if len(found) == 1 else None


def sign(subject: str, value: bytes, key: signing.SigningKey) -> Message:
    """Return ``value``, signed, as a message with ``subject`` as its key."""
    return Message(
        key=subject.encode(),
        value=value,
        headers=(
            (CONTENT_TYPE_HEADER, CONTENT_TYPE.encode()),
            (SIGNATURE_HEADER, key.sign(value)),
            (KEY_ID_HEADER, key.id.encode()),
        ),
    )


def as_headers(pairs: Iterable[tuple[str, bytes | None]]) -> Headers:
    """Return a client library's headers as an immutable tuple. A Kafka header may have no value."""
    return tuple((name, bytes(value) if value is not None else None) for name, value in pairs)
