"""Log files of a trial: a full file is renamed, and old ones are deleted.

A service renames its own file without the loss of a line, because `handoff node rebuild` finds answered commands there.
A broker and a database server do not open their files again: those are copied and emptied.
"""

import os
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from handoff.adapters.files.log_files import renamed_log, renamed_logs
from handoff.config import LogSettings

_POLL_SECONDS = 1.0
_SECONDS_PER_DAY = 86_400


@dataclass(frozen=True, slots=True)
class LogFile:
    """The log at ``path``, its limits, and the clock in seconds since 1970 against which the files' age is judged."""

    path: Path
    limits: LogSettings
    now: Callable[[], float] = time.time

    @property
    def is_full(self) -> bool:
        """Return whether the file has reached its limit."""
        return self.path.exists() and self.path.stat().st_size >= self.limits.file_bytes

    def rotate_by_copy(self) -> None:
        """Copy a full file to ``.1`` and empty it, for a writer that keeps the file open and appends."""
        if self.is_full:
            self._shift()
            shutil.copyfile(self.path, renamed_log(self.path, 1))
            renamed_log(self.path, 1).chmod(0o600)
            os.truncate(self.path, 0)
        self.delete_old()

    def rotate_by_rename(self, *outputs: int) -> None:
        """Rename a full file to ``.1``, and let the descriptors ``outputs`` write to a new one."""
        if self.is_full:
            self._shift()
            self.path.rename(renamed_log(self.path, 1))
            self.redirect(*outputs)
        self.delete_old()

    def redirect(self, *outputs: int) -> None:
        """Let these descriptors append to the file, from one line to the next."""
        opened = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        for output in outputs:
            os.dup2(opened, output)
        os.close(opened)

    def delete_old(self) -> None:
        """Delete renamed files that are too many or too old."""
        oldest = self.now() - self.limits.days * _SECONDS_PER_DAY
        for number, path in renamed_logs(self.path).items():
            if number > self.limits.files or path.stat().st_mtime < oldest:
                path.unlink()

    def keep_rotating(self, *outputs: int) -> None:
        """Rotate the log of this process in a thread that ends with it."""

        def poll() -> None:
            while True:
                # A full disk must not end the thread: the next attempt may find space.
                with suppress(OSError):
                    self.rotate_by_rename(*outputs)
                time.sleep(_POLL_SECONDS)

        threading.Thread(target=poll, name="rotate-log", daemon=True).start()

    def _shift(self) -> None:
        for number, path in reversed(renamed_logs(self.path).items()):
            path.rename(renamed_log(self.path, number + 1))
