"""Strict archive: a tar file in one canonical form.

Member headers are ustar headers with a fixed owner, mode and time. An archive that differs in a single bit from the
output of ``ArchiveWriter`` is refused, so that no part of it can be skipped or hide other content.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

_BLOCK: Final = 512
_END: Final = bytes(2 * _BLOCK)
_MOST_NAME_BYTES: Final = 100
MAX_MEMBER_BYTES: Final = 4 * 1024 * 1024
"""Above the largest record that the broker accepts, with its proof."""
_COMPRESSED: Final = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ": "xz",
    b"BZh": "bzip2",
}


class NotAnArchive(Exception):
    """Bytes that are not an archive in canonical form: refuse the whole file."""


@dataclass(frozen=True, slots=True)
class ArchiveMember:
    """Name and content of one archive member."""

    name: str
    body: bytes


class ArchiveWriter:
    """Writer of archive members, in order."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def add(self, member: ArchiveMember) -> None:
        """Append ``member``."""
        self._out.write(_header(member.name, len(member.body)) + member.body + _padding(len(member.body)))

    def close(self) -> None:
        """Write the end marker. The underlying file stays open."""
        self._out.write(_END)


def read_members(source: BinaryIO) -> Iterator[ArchiveMember]:
    """Yield the members, one in memory at a time, and check the end of the file. Raises ``NotAnArchive``."""
    start = source.read(_BLOCK)
    if (tool := next((tool for magic, tool in _COMPRESSED.items() if start.startswith(magic)), None)) is not None:
        raise NotAnArchive(f"it is compressed with {tool}, not a tar file: decompress it first")
    block = start + _read(source, _BLOCK - len(start))
    while block != bytes(_BLOCK):
        name, size = _named(block)
        body = _read(source, size)
        if _read(source, len(_padding(size))).strip(b"\0"):
            raise NotAnArchive(f"the padding of {name!r} is not zero")
        yield ArchiveMember(name, body)
        block = _read(source, _BLOCK)
    if _read(source, _BLOCK) != bytes(_BLOCK) or source.read(1):
        raise NotAnArchive("bytes follow the end marker")


def _named(block: bytes) -> tuple[str, int]:
    try:
        name, size = block[:_MOST_NAME_BYTES].rstrip(b"\0").decode("ascii"), int(block[124:135], 8)
    except ValueError as error:
        raise NotAnArchive("not a member header") from error
    if not 0 <= size <= MAX_MEMBER_BYTES or block != _header(name, size):
        raise NotAnArchive(f"the header of {name!r} is not in canonical form")
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
            raise NotAnArchive("the archive is truncated")
        parts += part
    return bytes(parts)
