"""Processes of services, forked from a server process that has already imported the libraries of all services.

Eleven interpreters that each import the same libraries would take most of a trial's start. A forked process is a normal
process: it has its own id, can be killed, and ends with its parent.
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

from handoff.config import CONFIG_VARIABLE, ConfigurationError, LogSettings, process_settings
from handoff.trial.child_process import SupervisedProcess
from handoff.trial.log_rotation import LogFile
from handoff.trial.os_user import PRIVATE_UMASK

_PRELOADED = [
    "handoff.bootstrap.node",
    "handoff.bootstrap.exchange",
    "handoff.bootstrap.projection",
    "handoff.bootstrap.monitor",
]


@cache
def _fork_server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


def prepare() -> None:
    """Start the imports early, so that they are complete before the first service starts."""
    _fork_server()
    ensure_running()


@dataclass
class ServiceProcess(SupervisedProcess):
    """Process of one service, with its module and its configuration."""

    name: str
    module: str
    config: Path
    log: Path
    _process: ForkServerProcess | None = field(default=None, init=False, repr=False)

    @property
    def pid(self) -> int | None:
        """Process id, once the process was started."""
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.is_alive()

    @property
    def exit_code(self) -> int | None:
        return self._process.exitcode if self._process else None

    def start(self) -> None:
        if self.running:
            return
        self._open_log()
        arguments = (self.module, self.config, self.log)
        process = _fork_server().Process(target=_run_service, args=arguments, name=self.name)
        process.start()
        # Set it only now: a process that is interrupted during its start cannot be joined. Its own thread ends it.
        self._process = process

    def terminate(self, timeout: float = 10) -> int | None:
        """Stop the process; kill it after ``timeout`` seconds. Return its exit code."""
        if self._process is None:
            return None
        self._process.terminate()
        self._process.join(timeout)
        return self.kill() if self._process.is_alive() else self._process.exitcode

    def kill(self) -> int | None:
        """Kill the process with SIGKILL, as a crash would."""
        if self._process is None:
            return None
        self._process.kill()
        self._process.join()
        return self._process.exitcode


def _run_service(module: str, config: Path, log: Path) -> None:
    """Run the service in a forked process: set session, log and configuration, then run its main module."""
    threading.Thread(target=_end_with_parent, name="end-with-parent", daemon=True).start()
    os.setsid()
    os.umask(PRIVATE_UMASK)
    os.environ[CONFIG_VARIABLE] = str(config)
    outputs, log_file = [stream.fileno() for stream in (sys.stdout, sys.stderr)], LogFile(log, _log_limits())
    log_file.redirect(*outputs)
    log_file.keep_rotating(*outputs)
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__")


def _log_limits() -> LogSettings:
    try:
        return process_settings().log
    except ConfigurationError:
        # The service reports it, to its log.
        return LogSettings()


def _end_with_parent() -> None:
    """End this process when its parent has ended for any reason."""
    trial = multiprocessing.parent_process()
    if trial is not None:
        trial.join()
    os.kill(os.getpid(), signal.SIGKILL)
