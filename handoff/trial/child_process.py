"""A child process of the trial stack: started, watched, stopped, and never left behind."""

import os
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

from handoff.trial.errors import TrialError

_POLL_SECONDS = 0.05
_LOG_LINE = 2_000


@cache
def _spawner() -> ThreadPoolExecutor:
    """The one thread that starts children.

    The kernel sends the death signal when the *thread* that forked ends, so that thread has to live as long as we do.
    """
    return ThreadPoolExecutor(1, thread_name_prefix="spawn")


class Watched(ABC):
    """A process with a log that somebody waits for."""

    name: str
    log: Path

    @property
    @abstractmethod
    def running(self) -> bool:
        """Whether it was started and has not ended."""

    @property
    @abstractmethod
    def exit_code(self) -> int | None:
        """With which code it ended, if it did."""

    def wait_ready(self, ready: Callable[[], bool], timeout: float = 30) -> None:
        """Waits until `ready()` says so; a process that ends or takes too long is a TrialError with its log."""
        deadline = time.monotonic() + timeout
        while not ready():
            if not self.running:
                raise TrialError(f"{self.name} ended with exit code {self.exit_code}.\n{self.tail()}")
            if time.monotonic() > deadline:
                raise TrialError(f"{self.name} was not ready after {timeout:.0f} s.\n{self.tail()}")
            time.sleep(_POLL_SECONDS)

    def tail(self, lines: int = 30) -> str:
        """The end of the log."""
        if not self.log.exists():
            return f"(no log at {self.log})"
        end = self.log.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join((f"--- the last lines of {self.log}", *(line[:_LOG_LINE] for line in end)))


@dataclass
class ChildProcess(Watched):
    """One process with its log; when its parent dies, however that happens, the kernel ends it."""

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
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        return self._process.returncode if self._process else None

    def start(self) -> None:
        """Starts the process, appending what it says to its log."""
        if self.running:
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._process = _spawner().submit(self._spawn, output).result()

    def _spawn(self, output: BinaryIO) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                (*self._leash(), *self.argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.env},
                cwd=self.cwd,
                # Ctrl-C at the terminal is for the parent, which stops its children in order.
                start_new_session=True,
            )
        except OSError as error:
            raise TrialError(f"{self.name} could not be started: {error}") from error

    def _leash(self) -> tuple[str, ...]:
        identity = ("--reuid", self.user, "--regid", "nogroup", "--clear-groups") if self.user else ()
        return ("setpriv", *identity, "--pdeathsig", self.death_signal.name.removeprefix("SIG"), "--")

    def terminate(self, timeout: float = 10) -> int | None:
        """Asks the process to stop, insists after `timeout` seconds; gives its exit code."""
        if self._process is None:
            return None
        if self.running:
            self._process.send_signal(self.stop_signal)
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int | None:
        """Ends the process by SIGKILL, as a crash would."""
        if self._process is None:
            return None
        self._process.kill()
        return self._process.wait()
