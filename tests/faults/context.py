"""Context in which a fault is injected, and its impact."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from handoff.trial.trial import Trial
from tests.faults.disk import LimitedDisk
from tests.faults.load import Load
from tests.faults.processes import ProcessGroup


@dataclass(frozen=True, slots=True)
class FaultContext:
    """Running jurisdiction under load; ``disk`` holds the database's files, ``is_long`` marks a run of hundreds."""

    trial: Trial
    processes: ProcessGroup
    load: Load
    disk: LimitedDisk
    is_long: bool = False


@dataclass(frozen=True, slots=True)
class Impact:
    """Target of a fault, and for how many seconds it was down: until it ran again, or its standby was active."""

    target: str
    down_seconds: float


Injector = Callable[[FaultContext, int], Awaitable[Impact]]
"""Injects a fault and repairs it; the round number selects the target."""
