"""The exchange process: intake always, routing while it leads, and the health probes."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

import asyncpg
import structlog

from handoff import telemetry
from handoff.adapters.http.probes import serve_probes
from handoff.adapters.kafka.record_reader import RecordBroken
from handoff.adapters.postgres.exchange_store import ExchangeStore
from handoff.adapters.postgres.pool import TRANSIENT
from handoff.backoff import retry
from handoff.config import HealthSettings
from handoff.domain.own_keys import KeyStatus
from handoff.domain.rules import UnsupportedRules
from handoff.exchange.intake import SubmissionIntake
from handoff.exchange.router import Router, RouterContext
from handoff.leadership import Leadership, LeadershipLost
from handoff.process import cancel_on_signals, require_upgrade
from handoff.readiness import Dependencies, PartReadiness, Readiness
from handoff.record.topics import EXCHANGE
from handoff.verification.verifier import SignatureVerifier

BROKEN_RECORD = 3
"""Exit code if the record lost entries: nothing may be built on it."""

_log = structlog.get_logger()


@dataclass
class Exchange:
    """One exchange process over its database and broker."""

    pool: asyncpg.Pool
    """Opened when the exchange runs, closed at the end."""
    store: ExchangeStore
    intake: SubmissionIntake
    context: RouterContext
    verifier: SignatureVerifier
    """Verifies for intake and router. Its process ends with the exchange."""
    leadership: Leadership
    dependencies: Dependencies
    health: HealthSettings
    _router: Router | None = field(default=None, init=False)

    async def run(self) -> None:
        """Run until cancelled. Raises ``RecordBroken`` (in a group)."""
        async with self.pool, self.verifier, asyncio.TaskGroup() as tasks:
            tasks.create_task(self.intake.run())
            tasks.create_task(self._lead())
            tasks.create_task(self._measure_backlog())
            tasks.create_task(self.dependencies.run())
            tasks.create_task(serve_probes(self.health, EXCHANGE, self.readiness))

    async def run_until_stopped(self) -> int:
        """Run until SIGTERM or SIGINT, or until the record is broken. Return the exit code."""
        code = 0
        try:
            await cancel_on_signals(self.run())
        except* asyncio.CancelledError:
            _log.info("exchange.stopped")
        except* RecordBroken as broken:
            telemetry.RECORD_ALARMS.labels("record_truncated", "").inc()
            _log.critical("record.broken", code="record_truncated", why=[str(error) for error in _leaves(broken)])
            code = BROKEN_RECORD
        except* UnsupportedRules as unsupported:
            code = require_upgrade(unsupported)
        return code

    def readiness(self) -> Readiness:
        """Return the readiness. A standby is ready if it could take over."""
        routes = self._router.routing if self._router is not None else self.leadership.standby
        return Readiness.of(
            (
                *self.dependencies.parts(),
                PartReadiness(name="intake", ready=self.intake.consuming),
                PartReadiness(name="routing", ready=routes),
                *self._key_readiness(),
            )
        )

    def _key_readiness(self) -> Iterator[PartReadiness]:
        if self._router is not None:
            status = self._router.key_status
            detail = f"{status}: {', '.join(self.context.keys.ids)}"
            yield PartReadiness(name="signing_key", ready=status is KeyStatus.IN_FORCE, detail=detail)

    async def _lead(self) -> None:
        while True:
            epoch = await self.leadership.acquire()
            telemetry.ROUTING_EPOCH.set(epoch)
            self._router = Router(self.context, self.leadership, epoch)
            try:
                await self._router.run()
            except* LeadershipLost:
                _log.warning("router.leadership_lost", epoch=epoch)
            finally:
                self._router = None
                telemetry.ROUTING_EPOCH.set(0)
                await self.leadership.release()

    async def _measure_backlog(self) -> None:
        while True:
            deliveries, own_events = await retry(self.store.backlog, self._log_unavailable, transient=TRANSIENT)
            telemetry.EXCHANGE_BACKLOG.labels("inboxes").set(deliveries)
            telemetry.EXCHANGE_BACKLOG.labels("own_outbox").set(own_events)
            await asyncio.sleep(5)

    def _log_unavailable(self, error: Exception) -> None:
        telemetry.DATABASE_RETRIES.inc()
        _log.warning("exchange.database_unavailable", error=type(error).__name__)


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    return [
        leaf
        for error in group.exceptions
        for leaf in (_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    ]
