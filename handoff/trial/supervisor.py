"""Supervisor of a trial's services, each of which is a process of its own."""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from handoff.operations.setup.installation import Process
from handoff.trial.restarts import Restarts
from handoff.trial.service_process import ServiceProcess

Progress = Callable[[str], None]

_READY_SECONDS = 60
_HOST = "127.0.0.1"


class Supervisor:
    """All processes of an installation by id: start, restart, stop."""

    def __init__(self, processes: Iterable[Process], logs: Path) -> None:
        self._logs = logs
        self.processes = {process.id: process for process in processes}
        self._children = {process.id: _child(process, logs) for process in self.processes.values()}
        self._restarts = Restarts()

    def start(self, progress: Progress) -> None:
        """Start all processes and wait until each is ready. Raises TrialError with the end of the log."""
        for child in self._children.values():
            child.start()
        pool = ThreadPoolExecutor(len(self._children))
        try:
            for ready in as_completed([pool.submit(self._wait_ready, name) for name in self.processes]):
                progress(ready.result())
        except BaseException:
            # The other threads see their processes end. The first failure is the one to report.
            self.stop()
            raise
        finally:
            pool.shutdown()

    def kill(self, process: str) -> None:
        """Kill one process with SIGKILL, as a crash would."""
        self._children[process].kill()

    def restart(self, process: str) -> None:
        """Start one process again and wait until it is ready."""
        self._children[process].start()
        self._wait_ready(process)

    def start_added(self, processes: Iterable[Process]) -> tuple[str, ...]:
        """Start the processes that are not supervised yet. Return their ids."""
        new = [process for process in processes if process.id not in self.processes]
        for process in new:
            self.processes[process.id] = process
            self._children[process.id] = _child(process, self._logs)
            self._children[process.id].start()
        return tuple(process.id for process in new)

    def restart_ended(self) -> Iterator[str]:
        """Start the processes that ended, each after its pause; yield a sentence for each end and each restart."""
        return self._restarts.check(self._children.values())

    def stop(self) -> None:
        """Stop all processes concurrently and wait for them."""
        with ThreadPoolExecutor(max(1, len(self._children))) as pool:
            list(pool.map(lambda child: child.terminate(), self._children.values()))

    def log_tail(self, process: str) -> str:
        """Last lines of a process's log."""
        return self._children[process].log_tail()

    def _wait_ready(self, name: str) -> str:
        process = self.processes[name]
        began = time.monotonic()
        self._children[name].wait_ready(lambda: _is_ready(process), _READY_SECONDS)
        return f"{name} is ready at {process.url} ({time.monotonic() - began:.1f} s)"


def _child(process: Process, logs: Path) -> ServiceProcess:
    return ServiceProcess(process.id, process.module, process.config, logs / f"{process.id}.log")


def _is_ready(process: Process) -> bool:
    connection = HTTPConnection(_HOST, process.health_port, timeout=2)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
