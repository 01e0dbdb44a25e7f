"""Readiness of a process, part by part.

A broker or a database counts as available only while its last answer is recent: an open connection proves nothing, and
a client library may wait for a lost broker without an error.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol, Self

import structlog
from pydantic import BaseModel, ConfigDict

from handoff import telemetry
from handoff.release import RELEASE

CHECKS_WITHIN_PATIENCE = 4
"""Questions asked while one answer counts as recent, so that a single slow answer changes nothing."""
CLOSE_SECONDS = 1.0

_log = structlog.get_logger()


class PartReadiness(BaseModel):
    """A part of a process and whether it works. The process stays ready if a part fails that is not ``needed``."""

    model_config = ConfigDict(frozen=True)

    name: str
    ready: bool
    detail: str = ""
    needed: bool = True


class Readiness(BaseModel):
    """Readiness of a process to do all of its work, part by part."""

    model_config = ConfigDict(frozen=True)

    ready: bool
    release: str = RELEASE
    parts: tuple[PartReadiness, ...]

    @classmethod
    def of(cls, parts: Sequence[PartReadiness]) -> Self:
        """Return the readiness of a process with these parts."""
        return cls(ready=all(part.ready for part in parts if part.needed), parts=tuple(parts))


class Dependency(Protocol):
    """A broker or a database, asked over a connection of the check's own."""

    async def ask(self) -> None:
        """Return once it has answered. Raises an error of any type if it does not."""

    async def close(self) -> None:
        """Close the connection; ``ask`` opens it again."""


@dataclass
class DependencyCheck:
    """Repeated question to a dependency, and the age of its last answer.

    ``needed`` is False for a process that does its work without it for a time.
    """

    name: str
    dependency: Dependency
    patience_seconds: float
    needed: bool = True
    monotonic: Callable[[], float] = monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _answered_at: float | None = field(default=None, init=False)
    _was_available: bool | None = field(default=None, init=False)

    @property
    def available(self) -> bool:
        """Return whether the last answer is recent."""
        return self._answered_at is not None and self.monotonic() - self._answered_at <= self.patience_seconds

    def part(self) -> PartReadiness:
        """Return the readiness of the dependency."""
        if self._answered_at is None:
            detail = "has not answered yet"
        else:
            detail = f"answered {self.monotonic() - self._answered_at:.0f} s ago"
        return PartReadiness(name=self.name, ready=self.available, detail=detail, needed=self.needed)

    async def run(self) -> None:
        """Ask until cancelled."""
        telemetry.DEPENDENCY_AVAILABLE.labels(self.name).set_function(lambda: float(self.available))
        interval = self.patience_seconds / CHECKS_WITHIN_PATIENCE
        try:
            while True:
                await self._ask(within=2 * interval)
                await self.sleep(interval)
        finally:
            await self._close()

    async def _ask(self, *, within: float) -> None:
        try:
            async with asyncio.timeout(within):
                await self.dependency.ask()
        except Exception as error:  # noqa: BLE001 - whatever the reason, there was no answer
            await self._close()
            self._log_change(error)
        else:
            self._answered_at = self.monotonic()
            self._log_change(None)

    async def _close(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.dependency.close()
        except Exception as error:  # noqa: BLE001 - the next question opens another connection
            _log.debug("dependency.close_failed", dependency=self.name, error=type(error).__name__)

    def _log_change(self, error: Exception | None) -> None:
        """Log only when the availability changes: an outage is one line, not one for each question."""
        if self.available is self._was_available:
            return
        self._was_available = self.available
        if self.available:
            _log.info("dependency.answered", dependency=self.name)
        else:
            _log.warning("dependency.unavailable", dependency=self.name, error=type(error).__name__)


@dataclass(frozen=True)
class Dependencies:
    """The dependencies of one process."""

    database: DependencyCheck
    broker: DependencyCheck
    others: tuple[DependencyCheck, ...] = ()

    @property
    def _all(self) -> tuple[DependencyCheck, ...]:
        return (self.database, self.broker, *self.others)

    def parts(self) -> tuple[PartReadiness, ...]:
        """Return the readiness of each dependency."""
        return tuple(check.part() for check in self._all)

    async def run(self) -> None:
        """Check all of them until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for check in self._all:
                tasks.create_task(check.run())
