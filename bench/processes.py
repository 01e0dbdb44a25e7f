"""CPU time and wake-ups of the processes of a trial, which are identified by their listening ports."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from handoff.trial.trial import Trial

KAFKA, POSTGRES = "Apache Kafka", "PostgreSQL"


@dataclass(frozen=True)
class Used:
    """CPU seconds of one process and its children, and how often the kernel suspended them because they waited."""

    cpu_seconds: float
    waits: int

    def since(self, before: "Used") -> "Used":
        """The difference from an earlier reading."""
        return Used(self.cpu_seconds - before.cpu_seconds, self.waits - before.waits)


def listening() -> Mapping[int, int]:
    """Port → id of the process that listens on it."""
    return {c.laddr.port: c.pid for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN}


def pids(trial: Trial) -> Mapping[str, int]:
    """Name → process id of each service, of Kafka and of PostgreSQL."""
    ports = listening()
    broker = int(trial.jurisdiction.kafka.bootstrap_servers.rpartition(":")[2])
    services = {name: ports[process.port] for name, process in trial.supervisor.processes.items()}
    return {**services, KAFKA: ports[broker], POSTGRES: ports[trial.jurisdiction.postgres.port]}


def used(pid: int) -> Used:
    """CPU time and waits of a process with its children, since the start of each."""
    process = psutil.Process(pid)
    # The third and fourth number are those of children that have ended.
    ended = sum(process.cpu_times()[2:4])
    return Used(ended + over_family(pid, lambda one: sum(one.cpu_times()[:2])), int(over_family(pid, _waits)))


def over_family(pid: int, measure: Callable[[psutil.Process], float]) -> float:
    """Sum ``measure`` over a process and its children; one that has just ended adds nothing."""
    process, total = psutil.Process(pid), 0.0
    for one in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            total += measure(one)
    return total


def used_during(seconds: float, processes: Mapping[str, int]) -> Iterator[tuple[str, Used]]:
    """Yield the use of each process while this one sleeps."""
    before = {name: used(pid) for name, pid in processes.items()}
    time.sleep(seconds)
    for name, pid in processes.items():
        yield name, used(pid).since(before[name])


def _waits(process: psutil.Process) -> int:
    return sum(
        int(line.split()[1])
        for thread in process.threads()
        for line in _status(process.pid, thread.id)
        if line.startswith("voluntary_ctxt_switches")
    )


def _status(pid: int, thread: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/task/{thread}/status").read_text().splitlines()
    except OSError:
        # The thread has just ended.
        return []
