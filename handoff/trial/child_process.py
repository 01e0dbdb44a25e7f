"""Child processes of the trial: start, readiness, stop, and a guaranteed end with their parent."""

import os
import pwd
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import BinaryIO

from handoff.adapters.files.private_file import private_directory
from handoff.trial.end_reason import end_reason
from handoff.trial.errors import TrialError
from handoff.trial.os_user import PRIVATE_UMASK

_POLL_SECONDS = 0.05
_LOG_LINE = 2_000
_LOG_TAIL_BYTES = 64_000


@cache
def _spawner() -> ThreadPoolExecutor:
    """Thread that starts all child processes.

    The kernel sends the death signal when the *thread* that forked ends. Therefore that thread must not end before this
    process does.
    """
    return ThreadPoolExecutor(1, thread_name_prefix="spawn")


def _private_opener(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class SupervisedProcess(ABC):
    """A process with a log file, and a wait for its readiness."""

    name: str
    log: Path
    _log_size_at_start: int = 0

    @abstractmethod
    def start(self) -> None:
        """Start the process unless it runs. Its output is appended to its log."""

    @property
    @abstractmethod
    def running(self) -> bool:
        """Return whether the process was started and has not ended."""

    @property
    @abstractmethod
    def exit_code(self) -> int | None:
        """Exit code, once the process has ended."""

    def wait_ready(self, ready: Callable[[], bool], timeout: float = 30) -> None:
        """Wait until `ready()` returns true.

        Raises TrialError with the end of the log if the process ends, and after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while not ready():
            if not self.running:
                raise TrialError(f"{self.name} ended with exit code {self.exit_code}.\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise TrialError(f"{self.name} was not ready after {timeout:.0f} s.\n{self.log_tail()}")
            time.sleep(_POLL_SECONDS)

    def end_reason(self) -> str:
        """Return how the process ended, with the problem that its log names."""
        return end_reason(self.exit_code, self._log_of_run().splitlines())

    def _open_log(self) -> None:
        """Create the directory of the log, and note where the log of this run begins."""
        private_directory(self.log.parent)
        self._log_size_at_start = self.log.stat().st_size if self.log.exists() else 0

    def _log_of_run(self) -> str:
        if not self.log.exists():
            return ""
        size = self.log.stat().st_size
        # A log that is shorter than at the start was rotated since then.
        began = self._log_size_at_start if self._log_size_at_start <= size else 0
        with self.log.open("rb") as log:
            log.seek(max(began, size - _LOG_TAIL_BYTES))
            return log.read().decode(errors="replace")

    def log_tail(self, lines: int = 30) -> str:
        """Last lines of the log."""
        if not self.log.exists():
            return f"(no log at {self.log})"
        end = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
        return "\n".join((f"--- the last lines of {self.log}", *(line[:_LOG_LINE] for line in end)))


@dataclass
class ChildProcess(SupervisedProcess):
    """A process that the kernel ends when its parent ends for any reason."""

    name: str
    argv: tuple[str, ...]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    @property
    def pid(self) -> int | None:
        """Process id, once the process was started."""
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        return self._process.returncode if self._process else None

    def start(self) -> None:
        if self.running:
            return
        self._open_log()
        with open(self.log, "ab", opener=_private_opener) as output:
            self._process = _spawner().submit(self._spawn, output).result()

    def _spawn(self, output: BinaryIO) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                (*self._setpriv(), *self.argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.env},
                cwd=self.cwd,
                # Ctrl-C at the terminal must reach only the parent, which stops its children in order.
                start_new_session=True,
                umask=PRIVATE_UMASK,
            )
        except OSError as error:
            raise TrialError(f"{self.name} could not be started: {error}") from error

    def _setpriv(self) -> tuple[str, ...]:
        identity: tuple[str, ...] = ()
        if self.user is not None:
            group = str(pwd.getpwnam(self.user).pw_gid)
            identity = ("--reuid", self.user, "--regid", group, "--clear-groups")
        return ("setpriv", *identity, "--pdeathsig", self.death_signal.name.removeprefix("SIG"), "--")

    def terminate(self, timeout: float = 10) -> int | None:
        """Stop the process; kill it after `timeout` seconds. Return its exit code."""
        if self._process is None:
            return None
        if self.running:
            self._process.send_signal(self.stop_signal)
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int | None:
        """Kill the process with SIGKILL, as a crash would."""
        if self._process is None:
            return None
        self._process.kill()
        return self._process.wait()
