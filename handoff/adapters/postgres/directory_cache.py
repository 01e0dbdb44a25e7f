"""Decoded directory of a node, kept in memory under the digest of its stored bytes.

Every command and every fold needs the directory, and it seldom changes. So a statement sends the digest that the
process has, and receives the bytes only if the database has others.
"""

from typing import NamedTuple

from handoff.domain.directory import Directory
from handoff.domain.state_codec import load_directory


class KeptDirectory(NamedTuple):
    """A directory with the SHA-256 of its bytes; before the first read both are empty."""

    digest: bytes
    directory: Directory | None


class DirectoryCache:
    """The directory that was read last. The digest identifies its bytes, whichever process wrote them."""

    def __init__(self) -> None:
        self.kept = KeptDirectory(b"", None)

    def read(self, digest: bytes | None, state: bytes | None, asked: KeptDirectory) -> Directory | None:
        """Return the directory with the stored ``digest``; None before the founding, when there is none.

        ``asked`` is what was kept when the statement was sent. ``state`` is None if the stored digest is the same.
        """
        if digest is None:
            return None
        if state is None:
            return asked.directory
        self.kept = KeptDirectory(digest, load_directory(state))
        return self.kept.directory
