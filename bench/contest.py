"""What a contestant is told and what it tells: a job on its standard input, an outcome on its standard output."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from handoff.config import KafkaSettings, PostgresSettings


@dataclass(frozen=True)
class Job:
    """A record of ``entries`` entries, and how to reach it and the database. Every contestant gets the same."""

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
        """How to log in to the broker."""
        return KafkaSettings(
            bootstrap_servers=self.bootstrap_servers,
            username=self.kafka_user,
            password=SecretStr(self.kafka_password),
            security_protocol="SASL_PLAINTEXT",
        )

    @property
    def database(self) -> PostgresSettings:
        """How to log in to the database."""
        return PostgresSettings.model_validate(self.postgres)


@dataclass(frozen=True)
class Outcome:
    """How many entries in how many seconds; the process's own CPU seconds, its memory, and what else it noted."""

    entries: int
    seconds: float
    cpu_seconds: float
    peak_mib: float
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Entries a second."""
        return self.entries / self.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of this process's CPU time for an entry, which a busy machine disturbs less."""
        return self.cpu_seconds / self.entries * 1e6


class Stopwatch:
    """Begun when the first entry is there, or before it is asked for."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._cpu = 0.0

    def begin(self) -> None:
        """Starts; a second time does nothing."""
        if self._began is None:
            self._began, self._cpu = time.perf_counter(), time.process_time()

    def end(self, entries: int, **notes: Any) -> Outcome:
        """What was done since ``begin``."""
        if self._began is None:
            raise RuntimeError("nothing was begun")
        seconds, cpu = time.perf_counter() - self._began, time.process_time() - self._cpu
        return Outcome(entries, seconds, cpu, peak_mib(), notes)


def peak_mib() -> float:
    """The most memory that this process ever had; getrusage would count its parent's at the fork as well."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def take_part(run: Callable[[Job], Outcome]) -> None:
    """Reads the job, runs, and prints the outcome as the last line."""
    job = Job(**json.load(sys.stdin))
    print(json.dumps(asdict(run(job))), flush=True)
