"""A file of files that any tar reads, in the one form in which this writes it.

Member headers are ustar's, with fixed owner, mode and time; whatever differs from what ``ArchiveWriter`` would have
written by a single bit is refused. So there is nothing to negotiate, to skip or to hide in.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

_BLOCK: Final = 512
_END: Final = bytes(2 * _BLOCK)
_MOST_NAME_BYTES: Final = 100
MAX_MEMBER_BYTES: Final = 4 * 1024 * 1024
"""More than any record that the broker takes, with its proof."""


class NotAnArchive(Exception):
    """Bytes that are no archive of this form: refuse the whole."""


@dataclass(frozen=True, slots=True)
class Member:
    """A name and what stands under it."""

    name: str
    body: bytes


class ArchiveWriter:
    """Writes members one after the other."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def add(self, member: Member) -> None:
        """Writes ``member``."""
        self._out.write(_header(member.name, len(member.body)) + member.body + _padding(len(member.body)))

    def close(self) -> None:
        """Writes the end; the file itself stays open."""
        self._out.write(_END)


def read_members(source: BinaryIO) -> Iterator[Member]:
    """The members of an archive, one in memory at a time, to its very end; raises ``NotAnArchive``."""
    while (block := _read(source, _BLOCK)) != bytes(_BLOCK):
        name, size = _named(block)
        body = _read(source, size)
        if _read(source, len(_padding(size))).strip(b"\0"):
            raise NotAnArchive(f"{name!r} is padded with something")
        yield Member(name, body)
    if _read(source, _BLOCK) != bytes(_BLOCK) or source.read(1):
        raise NotAnArchive("something follows the end")


def _named(block: bytes) -> tuple[str, int]:
    try:
        name, size = block[:_MOST_NAME_BYTES].rstrip(b"\0").decode("ascii"), int(block[124:135], 8)
    except ValueError as error:
        raise NotAnArchive("not a member's header") from error
    if not 0 <= size <= MAX_MEMBER_BYTES or block != _header(name, size):
        raise NotAnArchive(f"the header of {name!r} is not written as here")
    return name, size


def _header(name: str, size: int) -> bytes:
    encoded = name.encode("ascii", "replace")
    if not 0 < len(encoded) <= _MOST_NAME_BYTES or size > MAX_MEMBER_BYTES:
        raise NotAnArchive(f"{name!r} with {size} bytes cannot be a member")
    front = encoded.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + b"%011o\0" % size + b"00000000000\0"
    back = b"0" + bytes(100) + b"ustar\00000" + bytes(64) + b"0000000\0" * 2 + bytes(167)
    # The checksum counts its own field as spaces.
    checksum = sum(front) + sum(back) + 8 * ord(" ")
    return front + b"%06o\0 " % checksum + back


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


def _read(source: BinaryIO, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = source.read(size - len(parts))
        if not part:
            raise NotAnArchive("it ends early")
        parts += part
    return bytes(parts)
