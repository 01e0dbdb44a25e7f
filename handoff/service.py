"""The definition of an institution's node, the resources that its extension may use, and the node's run loop."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

import asyncpg
import structlog
import uvicorn
from fastapi import FastAPI

from handoff import telemetry
from handoff.adapters.http.probes import serve_probes
from handoff.backoff import retry
from handoff.config import HealthSettings, ProcessSettings
from handoff.domain.own_keys import KeyStatus
from handoff.domain.policies import Policy
from handoff.leadership import Leadership
from handoff.node.commands.desk import Desk
from handoff.node.commands.results import Backlog, StoreUnavailable
from handoff.node.inbox.intake import InboxIntake
from handoff.node.outbox.relay import OutboxRelay
from handoff.node.record_clock import TOLERANCE
from handoff.readiness import Dependencies, PartReadiness, Readiness
from handoff.record.delivery import BrokenDelivery
from handoff.retention import Retention, RetentionRule
from handoff.web.apis import AGENCY_API, ApiDefinition

log = structlog.get_logger(__name__)

AddedTask = Callable[[], Coroutine[Any, Any, None]]
"""Task of a service itself, which runs until it is cancelled."""
BACKLOG_SECONDS = 5.0
"""Interval at which the outbox is measured."""


@dataclass(frozen=True)
class NodeResources:
    """The resources of a node that its extension's routes may use."""

    settings: ProcessSettings
    desk: Desk
    pool: asyncpg.Pool


@dataclass(frozen=True)
class Extension:
    """Additions of a service to its node: routes, connection pools, retention rules and tasks that run beside it."""

    add_to: Callable[[FastAPI], None]
    pools: tuple[asyncpg.Pool, ...] = ()
    retention: tuple[RetentionRule, ...] = ()
    tasks: tuple[AddedTask, ...] = ()


@dataclass(frozen=True)
class ServiceDefinition:
    """One institution's node: its name, its policies, its API, and its extension if it has one."""

    name: str
    policies: Sequence[Policy]
    api: ApiDefinition = AGENCY_API
    extension: Callable[[NodeResources], Extension] | None = None


class InboxConsumer(Protocol):
    """The consumer of the member's inbox topic."""

    @property
    def running(self) -> bool:
        """True while it consumes."""

    async def run(self) -> None:
        """Consume until cancelled. Raises if the process has to be restarted."""


class Attestation(Protocol):
    """The node's witness and receipts. A failure there does not stop the node."""

    @property
    def failures(self) -> Mapping[str, str]:
        """The parts that failed, each with the cause."""

    async def run(self) -> None:
        """Run until cancelled."""


class Notifications(Protocol):
    """Wake-ups for entries that another process of the node stored. A standby needs them too."""

    async def run(self) -> None:
        """Run until cancelled."""


@dataclass
class Node:
    """One institution's process: API, relay and inbox over one database and one broker."""

    leadership: Leadership
    relay: OutboxRelay
    intake: InboxIntake
    refold_parked: Callable[[], Awaitable[None]]
    """Folds the inbox again if referrals are parked."""
    inbox: InboxConsumer
    attestation: Attestation | None
    dependencies: Dependencies
    health: HealthSettings
    member: str
    measure_backlog: Callable[[], Awaitable[Backlog]]
    pools: Sequence[asyncpg.Pool]
    """Opened before anything else starts, closed at the end."""
    server: uvicorn.Server
    retention: Retention
    notifications: Notifications
    added_tasks: Sequence[AddedTask] = ()
    _backlog: Backlog | None = field(default=None, init=False)

    async def run(self) -> int:
        """Run until SIGTERM, SIGINT or a failure, and return the exit code."""
        stop_requested = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop_requested.set)
        code = 0
        async with AsyncExitStack() as opened:
            for pool in self.pools:
                await opened.enter_async_context(pool)
            log.info("node.started", port=self.server.config.port)
            serving = asyncio.create_task(self.server.serve())
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self.notifications.run())
                    tasks.create_task(self._lead(tasks))
                    tasks.create_task(self.dependencies.run())
                    tasks.create_task(serve_probes(self.health, self.member, self.readiness))
                    tasks.create_task(self._measure_backlog())
                    for added in self.added_tasks:
                        tasks.create_task(added())
                    tasks.create_task(self._stop_when(stop_requested, serving))
            except* _StopRequested:
                log.info("node.stopped")
            except* Exception as crashed:
                code = 1
                log.exception("node.crashed", errors=[type(error).__name__ for error in crashed.exceptions])
            # Requests under way are answered in either case, so that each caller learns the result of its command.
            self.server.should_exit = True
            await asyncio.wait([serving])
        return code

    async def _lead(self, tasks: asyncio.TaskGroup) -> None:
        """Start the tasks of which a member needs exactly one, once this process is the leader."""
        telemetry.NODE_EPOCH.set(await self.leadership.acquire())
        tasks.create_task(self.leadership.keep())
        tasks.create_task(self.relay.run())
        tasks.create_task(self._consume())
        tasks.create_task(self.retention.run())
        if self.attestation is not None:
            tasks.create_task(self.attestation.run())

    async def _consume(self) -> None:
        """Fold the inbox. An entry that cannot be trusted stops the inbox and no other part of the node."""
        try:
            await retry(self.refold_parked, _log_retry, transient=(StoreUnavailable,))
            await self.inbox.run()
        except* BrokenDelivery as broken:
            self.intake.stop(first_of(broken))

    async def _stop_when(self, stop_requested: asyncio.Event, serving: "asyncio.Task[None]") -> None:
        await asyncio.wait([asyncio.create_task(stop_requested.wait()), serving], return_when=asyncio.FIRST_COMPLETED)
        # The other tasks run on while the last requests are answered: some of them wait for an echo.
        self.server.should_exit = True
        await serving
        raise _StopRequested

    async def _measure_backlog(self) -> None:
        while True:
            self._backlog = await retry(self.measure_backlog, _log_retry, transient=(StoreUnavailable,))
            await asyncio.sleep(BACKLOG_SECONDS)

    def readiness(self) -> Readiness:
        """Return the readiness. A standby is ready if it could take over.

        A node takes commands while the broker is unavailable, so it needs no part then that reads from the broker.
        """
        parts = self.dependencies.parts()
        if self.leadership.epoch is None:
            return Readiness.of((*parts, PartReadiness(name="leadership", ready=self.leadership.standby)))
        reads, failures = self.dependencies.broker.available, self.attestation.failures if self.attestation else {}
        return Readiness.of(
            (
                *parts,
                PartReadiness(
                    name="inbox",
                    ready=self.inbox.running,
                    needed=reads or bool(self.intake.stopped),
                    detail=self.intake.stopped,
                ),
                PartReadiness(name="fold", ready=self.intake.caught_up, needed=reads),
                PartReadiness(
                    name="signing_key",
                    ready=self.relay.key_status is KeyStatus.IN_FORCE,
                    detail=f"{self.relay.key_status}: {', '.join(self.relay.keys.ids)}",
                ),
                self._clock_part(),
                PartReadiness(name="outbox", ready=True, detail=self._outbox(), needed=False),
                *(PartReadiness(name=part, ready=False, detail=why, needed=False) for part, why in failures.items()),
            )
        )

    def _clock_part(self) -> PartReadiness:
        offset = timedelta(milliseconds=self._backlog.clock_offset_ms if self._backlog is not None else 0)
        direction = "ahead of" if offset > timedelta(0) else "behind"
        detail = f"{abs(offset).total_seconds():.0f} s {direction} record time" if abs(offset) > TOLERANCE else ""
        return PartReadiness(name="clock", ready=not detail, detail=detail, needed=False)

    def _outbox(self) -> str:
        found = self._backlog
        return f"{found.unsent} unsent, {found.unechoed} without an echo" if found is not None else "not measured yet"


def first_of(group: BaseExceptionGroup[BrokenDelivery]) -> BrokenDelivery:
    """Return the first error of a group, whose groups may be nested."""
    first = group.exceptions[0]
    return first_of(first) if isinstance(first, BaseExceptionGroup) else first


def _log_retry(error: Exception) -> None:
    telemetry.DATABASE_RETRIES.inc()
    log.warning("database.unavailable", error=str(error))


class _StopRequested(Exception):
    """A signal asked the process to stop, or its HTTP server ended."""
