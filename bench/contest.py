"""The protocol of a contestant: a job on its standard input, an outcome on its standard output."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bench.cpu_time import cpu_of_children, cpu_of_sessions
from bench.watchdog import Watchdog
from handoff.config import KafkaSettings, PostgresSettings


@dataclass(frozen=True)
class Job:
    """A record of ``entries`` entries, with the settings of broker and database; the same for every contestant."""

    jurisdiction: str
    generation: int
    genesis_sha256: str
    entries: int
    bootstrap_servers: str
    kafka_user: str
    kafka_password: str
    postgres: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def kafka(self) -> KafkaSettings:
        """Settings of the broker."""
        return KafkaSettings(
            bootstrap_servers=self.bootstrap_servers,
            username=self.kafka_user,
            password=SecretStr(self.kafka_password),
            security_protocol="SASL_PLAINTEXT",
        )

    @property
    def database(self) -> PostgresSettings:
        """Settings of the database."""
        return PostgresSettings.model_validate(self.postgres)


@dataclass(frozen=True)
class Outcome:
    """Number of entries and seconds, CPU seconds, the process's peak memory, and further notes.

    CPU time is that of the process itself, of its children, and of the database's sessions.
    """

    entries: int
    seconds: float
    cpu_seconds: float
    peak_mib: float
    child_seconds: float = 0.0
    database_seconds: float = 0.0
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Entries per second."""
        return self.entries / self.seconds

    @property
    def cpu_us(self) -> float:
        """CPU time of this process for an entry, in microseconds; load disturbs it less than the rate."""
        return self.cpu_seconds / self.entries * 1e6

    @property
    def child_us(self) -> float:
        """CPU time of the process's children for an entry, in microseconds."""
        return self.child_seconds / self.entries * 1e6

    @property
    def database_us(self) -> float:
        """CPU time of the database's sessions for an entry, in microseconds."""
        return self.database_seconds / self.entries * 1e6

    @property
    def whole_us(self) -> float:
        """CPU time of process, children and database for an entry, in microseconds."""
        return self.cpu_us + self.child_us + self.database_us


_watchdog: Watchdog | None = None
_database = ""


class Stopwatch:
    """Stopwatch that starts when the first entry has arrived, or before it is requested."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._cpu: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def begin(self) -> None:
        """Start the watch; further calls have no effect."""
        if self._began is None:
            self._cpu = _cpu_seconds()
            self._began = time.perf_counter()

    def reached(self, entries: int) -> None:
        """Note the position: the watchdog reports it, and ends a contestant that stays at one for minutes."""
        if _watchdog is not None:
            _watchdog.reached(entries)

    def end(self, entries: int, **notes: Any) -> Outcome:
        """The outcome since ``begin``."""
        if self._began is None:
            raise RuntimeError("the stopwatch was not started: call begin() first")
        seconds = time.perf_counter() - self._began
        own, children, database = (now - before for now, before in zip(_cpu_seconds(), self._cpu, strict=True))
        return Outcome(entries, seconds, own, peak_mib(), children, database, notes)


def _cpu_seconds() -> tuple[float, float, float]:
    """CPU time so far of this process, of its children, and of the sessions of its database."""
    own = time.process_time()
    return own, cpu_of_children(), cpu_of_sessions(_database)


def peak_mib() -> float:
    """Peak memory of this process; getrusage would include the parent's memory at the fork."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def take_part(run: Callable[[Job], Outcome]) -> None:
    """Read the job, run it, and print the outcome as the last line."""
    global _watchdog, _database  # noqa: PLW0603 - a contestant is a process of its own
    job = Job(**json.load(sys.stdin))
    _database = job.database.database
    _watchdog = Watchdog(job.entries)
    with _watchdog.watching():
        outcome = run(job)
    print(json.dumps(asdict(outcome)), flush=True)
