"""Binary encoding of a record's headers, as the record hash covers them: order, repetitions and nulls are kept.

Source: docs/proof.md, *Record hash, entry, leaf*: u32 n, then lp(name) ‖ lp(value) for each.
"""

import struct
from collections.abc import Iterator
from typing import Final

Headers = tuple[tuple[str, bytes | None], ...]

_NULL: Final = 0xFFFFFFFF
_LENGTH: Final = struct.Struct(">I").pack


class NotHeaders(Exception):
    """Bytes that are not packed headers: do not trust their container."""


def pack_headers(headers: Headers) -> bytes:
    """Encode ``headers``."""
    parts = [_LENGTH(len(headers))]
    for name, value in headers:
        encoded = name.encode()
        parts += (_LENGTH(len(encoded)), encoded)
        parts += (_LENGTH(_NULL),) if value is None else (_LENGTH(len(value)), value)
    return b"".join(parts)


def unpack_headers(packed: bytes) -> Headers:
    """Decode packed headers. Raises ``NotHeaders``."""
    fields = tuple(_fields(packed))
    names, values = fields[::2], fields[1::2]
    if len(packed) < 4 or len(names) != len(values) or len(names) != int.from_bytes(packed[:4]):
        raise NotHeaders("the number of headers differs from the count in front of them")
    try:
        return tuple((_present(name).decode(), value) for name, value in zip(names, values, strict=True))
    except UnicodeDecodeError as error:
        raise NotHeaders("a header's name is not UTF-8") from error


def _fields(packed: bytes) -> Iterator[bytes | None]:
    at = 4
    while at < len(packed):
        length, at = int.from_bytes(packed[at : at + 4]), at + 4
        if length == _NULL:
            yield None
            continue
        if at + length > len(packed):
            raise NotHeaders("a field is longer than the remaining bytes")
        yield packed[at : at + length]
        at += length


def _present(name: bytes | None) -> bytes:
    if name is None:
        raise NotHeaders("a header has no name")
    return name


def prefixed(field: bytes | None) -> bytes:
    """Encode lp(field): u32 length ‖ bytes, or 0xFFFFFFFF for null."""
    return _NULL.to_bytes(4) if field is None else len(field).to_bytes(4) + field
