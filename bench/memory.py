"""Memory of the processes of a trial, which are identified by their listening ports."""

from collections.abc import Iterator

from bench.processes import KAFKA, POSTGRES, over_family, pids
from bench.race import Spread
from bench.report import Measurement
from handoff.trial.trial import Trial

_MIB = 1024 * 1024
_BUSY = ("police", "shelter", "exchange", "projection")


def memory(trial: Trial) -> Iterator[Measurement]:
    """Resident MiB of the busy processes, of the idle ones, and of Kafka and PostgreSQL."""
    running = pids(trial)
    held = {name: _resident(pid) for name, pid in running.items() if name not in (KAFKA, POSTGRES)}
    for name in _BUSY:
        yield Measurement(f"Memory: {name}", Spread.of([held[name]]), "MiB")
    idle = [mib for name, mib in held.items() if name not in _BUSY]
    yield Measurement("Memory: each other process", Spread.of(idle), "MiB")
    yield Measurement("Memory: Apache Kafka", Spread.of([_resident(running[KAFKA])]), "MiB")
    shares = over_family(running[POSTGRES], lambda one: one.memory_full_info().pss / _MIB)
    yield Measurement("Memory: PostgreSQL, all connections", Spread.of([shares]), "MiB")


def _resident(pid: int) -> float:
    """Resident MiB of a process and its children: a busy exchange or projection has a verification process."""
    return over_family(pid, lambda one: one.memory_info().rss / _MIB)
