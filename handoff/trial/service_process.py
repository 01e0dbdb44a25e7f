"""A service's process, forked from one that has already imported what all services need.

Eleven interpreters that each import the same libraries would take most of a trial's start. What is forked is a process
like any other: it has its own id, can be killed, and ends when its parent does.
"""

import multiprocessing
import os
import runpy
import signal
import sys
import threading
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.forkserver import ensure_running
from pathlib import Path

from handoff.config import CONFIG_VARIABLE
from handoff.trial.child_process import Watched

_PRELOADED = [
    "handoff.bootstrap",
    "handoff.exchange.runtime",
    "handoff.projection.runtime",
    "handoff.monitor.runtime",
]


@cache
def _nursery() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


def prepare() -> None:
    """Lets the imports begin, so that they are done by the time the first service is wanted."""
    _nursery()
    ensure_running()


@dataclass
class ServiceProcess(Watched):
    """One service: the module that runs it and its configuration."""

    name: str
    module: str
    config: Path
    log: Path
    _process: ForkServerProcess | None = field(default=None, init=False, repr=False)

    @property
    def pid(self) -> int | None:
        """Its process id, once it was started."""
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.is_alive()

    @property
    def exit_code(self) -> int | None:
        return self._process.exitcode if self._process else None

    def start(self) -> None:
        """Starts the process, appending what it says to its log."""
        if self.running:
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        arguments = (self.module, self.config, self.log)
        process = _nursery().Process(target=_become, args=arguments, name=self.name)
        process.start()
        # Not before: an interruption while it starts leaves nothing here that could be stopped, and its leash ends it.
        self._process = process

    def terminate(self, timeout: float = 10) -> int | None:
        """Asks the process to stop, insists after ``timeout`` seconds; gives its exit code."""
        if self._process is None:
            return None
        self._process.terminate()
        self._process.join(timeout)
        return self.kill() if self._process.is_alive() else self._process.exitcode

    def kill(self) -> int | None:
        """Ends the process by SIGKILL, as a crash would."""
        if self._process is None:
            return None
        self._process.kill()
        self._process.join()
        return self._process.exitcode


def _become(module: str, config: Path, log: Path) -> None:
    """Turns a forked process into the service: its own session, its log, its configuration, its main module."""
    threading.Thread(target=_end_with_the_trial, name="leash", daemon=True).start()
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(output, stream.fileno())
    os.environ[CONFIG_VARIABLE] = str(config)
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__")


def _end_with_the_trial() -> None:
    """Ends this process when the one that asked for it is gone, however that went."""
    trial = multiprocessing.parent_process()
    if trial is not None:
        trial.join()
    os.kill(os.getpid(), signal.SIGKILL)
