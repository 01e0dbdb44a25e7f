"""File system of limited size for the database: a tmpfs behind a private mount."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NORMAL_SIZE = 4 * 1024**3
_MS_REMOUNT = 32
_MNT_DETACH = 2
_HAS_PRIVATE_MOUNTS = "HANDOFF_FAULTS_HAVE_OWN_MOUNTS"
_libc = ctypes.CDLL(None, use_errno=True)


def with_private_mounts() -> None:
    """Restart this program in its own mount namespace, unless it already runs in one.

    Without root this needs a user namespace. If the machine allows neither, `unshare` prints why and the program ends.
    """
    if os.environ.get(_HAS_PRIVATE_MOUNTS):
        return
    unprivileged = () if os.geteuid() == 0 else ("--user", "--map-current-user", "--keep-caps")
    command = ("unshare", "--mount", *unprivileged, *sys.orig_argv)
    os.execvpe(command[0], command, {**os.environ, _HAS_PRIVATE_MOUNTS: "1"})


class LimitedDisk:
    """File system that holds the database's files."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def fill(self) -> None:
        """Shrink the file system to the size of its content."""
        usage = os.statvfs(self._directory)
        self._mount(_MS_REMOUNT, (usage.f_blocks - usage.f_bfree) * usage.f_frsize)

    def free(self) -> None:
        """Restore the normal size."""
        self._mount(_MS_REMOUNT, _NORMAL_SIZE)

    @contextmanager
    def mounted(self) -> Iterator["LimitedDisk"]:
        """Mount the file system, empty, for the block. Its content is discarded at the end."""
        self._mount(0, _NORMAL_SIZE)
        try:
            yield self
        finally:
            _check(_libc.umount2(bytes(self._directory), _MNT_DETACH), "umount")

    def _mount(self, flags: int, size: int) -> None:
        options = f"size={size},mode=1777".encode()
        _check(_libc.mount(b"handoff", bytes(self._directory), b"tmpfs", flags, options), "mount")


def _check(return_value: int, call: str) -> None:
    if return_value != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
