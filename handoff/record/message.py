"""An event as it travels: the key, the exact bytes, and the headers that carry its signature."""

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
    """Key, value and headers as Kafka holds them."""

    key: bytes | None
    value: bytes | None
    headers: Headers = ()

    def header(self, name: str) -> bytes | None:
        """The only header of that name; None where it is missing or there are several."""
        found = [value for header, value in self.headers if header == name]
        return found[0] if len(found) == 1 else None


def sign(subject: str, value: bytes, key: signing.SigningKey) -> Message:
    """``value`` signed for publishing under ``subject``."""
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
    """Headers as a client library gives them, frozen; Kafka knows headers without a value."""
    return tuple((name, bytes(value) if value is not None else None) for name, value in pairs)
