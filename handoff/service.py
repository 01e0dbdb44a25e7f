"""The definition of an institution's node, the resources that its extension may use, and the node's run loop."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Protocol

import asyncpg
import structlog
import uvicorn
from fastapi import FastAPI

from handoff import telemetry
from handoff.backoff import retry
from handoff.config import ProcessSettings
from handoff.domain.policies import Policy
from handoff.leadership import Leadership
from handoff.node.commands.desk import Desk
from handoff.node.commands.results import StoreUnavailable
from handoff.node.inbox.intake import InboxIntake
from handoff.node.outbox.relay import OutboxRelay
from handoff.retention import Retention, RetentionRule
from handoff.web.apis import AGENCY_API, ApiDefinition
from handoff.web.context import PartReadiness

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class NodeResources:
    """The resources of a node that its extension's routes may use."""

    settings: ProcessSettings
    desk: Desk
    pool: asyncpg.Pool


@dataclass(frozen=True)
class Extension:
    """Routes and retention rules that a service adds to its node, and connection pools that are open while it runs."""

    add_to: Callable[[FastAPI], None]
    pools: tuple[asyncpg.Pool, ...] = ()
    retention: tuple[RetentionRule, ...] = ()


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


@dataclass(frozen=True)
class Node:
    """One institution's process: API, relay and inbox over one database and one broker."""

    leadership: Leadership
    relay: OutboxRelay
    intake: InboxIntake
    refold_parked: Callable[[], Awaitable[None]]
    """Folds the inbox again if referrals are parked."""
    inbox: InboxConsumer
    attestation: Attestation | None
    pools: Sequence[asyncpg.Pool]
    """Opened before anything else starts, closed at the end."""
    server: uvicorn.Server
    retention: Retention

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
                    tasks.create_task(self._lead(tasks))
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
        await retry(self.refold_parked, _log_retry, transient=(StoreUnavailable,))
        await self.inbox.run()

    async def _stop_when(self, stop_requested: asyncio.Event, serving: "asyncio.Task[None]") -> None:
        await asyncio.wait([asyncio.create_task(stop_requested.wait()), serving], return_when=asyncio.FIRST_COMPLETED)
        # The other tasks run on while the last requests are answered: some of them wait for an echo.
        self.server.should_exit = True
        await serving
        raise _StopRequested

    def readiness(self) -> Sequence[PartReadiness]:
        """Return the readiness of every part other than the database. A standby is ready if it could take over."""
        if self.leadership.epoch is None:
            return (PartReadiness(name="leadership", ready=self.leadership.standby),)
        failures = self.attestation.failures if self.attestation is not None else {}
        return (
            PartReadiness(name="inbox", ready=self.inbox.running),
            PartReadiness(name="fold", ready=self.intake.caught_up),
            PartReadiness(name="admission", ready=self.relay.admitted),
            *(PartReadiness(name=part, ready=False, detail=cause, needed=False) for part, cause in failures.items()),
        )


def _log_retry(error: Exception) -> None:
    telemetry.DATABASE_RETRIES.inc()
    log.warning("database.unavailable", error=str(error))


class _StopRequested(Exception):
    """A signal asked the process to stop, or its HTTP server ended."""
