"""A disk of its own for the database, which can run full: memory behind a mount that nobody else sees."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ROOMY = 4 * 1024**3
_REMOUNT = 32
_DETACH = 2
_OWN_MOUNTS = "HANDOFF_FAULTS_HAVE_OWN_MOUNTS"
_libc = ctypes.CDLL(None, use_errno=True)


def with_own_mounts() -> None:
    """Begins this program again where its mounts are its own and end with it, unless it is there already.

    Without root that takes a user namespace; where the machine allows neither, `unshare` says so and the program ends.
    """
    if os.environ.get(_OWN_MOUNTS):
        return
    unprivileged = () if os.geteuid() == 0 else ("--user", "--map-current-user", "--keep-caps")
    command = ("unshare", "--mount", *unprivileged, *sys.orig_argv)
    os.execvpe(command[0], command, {**os.environ, _OWN_MOUNTS: "1"})


class SmallDisk:
    """The disk on which the database's files lie."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def run_full(self) -> None:
        """Nothing more fits: it is made as small as what it holds."""
        held = os.statvfs(self._directory)
        self._mount(_REMOUNT, (held.f_blocks - held.f_bfree) * held.f_frsize)

    def make_room(self) -> None:
        """There is space again."""
        self._mount(_REMOUNT, _ROOMY)

    @contextmanager
    def mounted(self) -> Iterator["SmallDisk"]:
        """Itself, empty and roomy; what it holds goes away at the end."""
        self._mount(0, _ROOMY)
        try:
            yield self
        finally:
            _succeed(_libc.umount2(bytes(self._directory), _DETACH), "umount")

    def _mount(self, flags: int, size: int) -> None:
        options = f"size={size},mode=1777".encode()
        _succeed(_libc.mount(b"handoff", bytes(self._directory), b"tmpfs", flags, options), "mount")


def _succeed(answer: int, what: str) -> None:
    if answer != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
