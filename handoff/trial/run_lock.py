"""Lock on a state directory, held by the one process that runs its stack."""

import fcntl
import os
from pathlib import Path

from handoff.adapters.files.private_file import private_directory
from handoff.trial.errors import TrialError

_FILE = "running.lock"


class RunLock:
    """Lock of a running stack. The kernel releases it when the process ends for any reason."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def acquire(cls, directory: Path) -> "RunLock":
        """Lock a directory, which is created if it is missing. Raises TrialError if another process runs its stack."""
        private_directory(directory)
        descriptor = os.open(directory / _FILE, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise TrialError(
                f"the trial in {directory.parent} is already running, and a second one cannot use the same directory. "
                "The running one restarts what ends, and `handoff doctor` examines it. "
                "Stop it (Ctrl-C) before you start another"
            ) from None
        return cls(descriptor)

    def release(self) -> None:
        """Let another process run the stack."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
