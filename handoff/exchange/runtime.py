"""The exchange process: intake always, routing while it leads, and the health probes."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import structlog

from handoff import clock, telemetry
from handoff.adapters.files.signing_keys import signing_key
from handoff.adapters.http.probes import serve_probes
from handoff.adapters.kafka.record_reader import RecordBroken
from handoff.adapters.postgres.exchange_store import ExchangeStore, Position, Superseded
from handoff.adapters.postgres.pool import TRANSIENT, open_pool
from handoff.backoff import retry
from handoff.config import ProcessSettings
from handoff.domain.directory import Directory
from handoff.exchange.intake import Intake
from handoff.exchange.router import Router, RouterContext
from handoff.exchange.validation import SubmissionValidator
from handoff.process import cancel_on_signals, instance_name

# The leader writes a heartbeat twice a second. After this silence a standby takes over.
SILENCE_SECONDS = 2.5
LOOK_SECONDS = 0.25
BROKEN_RECORD = 3
"""Exit code of an exchange that may build nothing more on the record that it finds."""

_log = structlog.get_logger()


class Exchange:
    """One exchange process over its database and broker."""

    def __init__(self, settings: ProcessSettings, store: ExchangeStore) -> None:
        key = signing_key(settings.signing_key_file)
        grace = timedelta(seconds=settings.exchange.grace_seconds)
        empty = Directory(settings.jurisdiction, settings.generation)
        validator = SubmissionValidator(settings.genesis_sha256, key)
        self._settings = settings
        self._store = store
        self._intake = Intake(settings.kafka, store, validator, empty, instance=instance_name(settings))
        self._context = RouterContext(
            settings.kafka,
            store,
            key,
            settings.genesis_sha256,
            empty,
            clock.now,
            grace,
        )
        self._router: Router | None = None
        self._reached_database = False

    async def run(self) -> None:
        """Run until cancelled. Raises ``RecordBroken`` (in a group)."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._intake.run())
            tasks.create_task(self._take_turns())
            tasks.create_task(self._watch())
            if self._settings.http is not None:
                tasks.create_task(serve_probes(self._settings.http, self.checks))

    def checks(self) -> Mapping[str, bool]:
        """Return the readiness checks. A standby is ready if it could take over."""
        return {
            "intake": self._intake.consuming,
            "routing": self._router.routing if self._router is not None else self._reached_database,
        }

    async def _take_turns(self) -> None:
        while True:
            position = await retry(
                lambda: self._store.take_over(SILENCE_SECONDS), self._missed_database, transient=TRANSIENT
            )
            self._reached_database = True
            if position is None:
                await asyncio.sleep(LOOK_SECONDS)
            else:
                await self._route(position)

    async def _route(self, position: Position) -> None:
        _log.info("router.leadership_acquired", epoch=position.epoch, offset=position.next_offset)
        telemetry.ROUTING_EPOCH.set(position.epoch)
        self._router = Router(self._context, position)
        try:
            await self._router.run()
        except* Superseded:
            _log.warning("router.leadership_lost", epoch=position.epoch)
        finally:
            self._router = None
            telemetry.ROUTING_EPOCH.set(0)
            await self._lay_down(position.epoch)

    async def _lay_down(self, epoch: int) -> None:
        try:
            await asyncio.wait_for(self._store.lay_down(epoch), 0.5)
        except TRANSIENT as error:
            self._missed_database(error)

    async def _watch(self) -> None:
        while True:
            deliveries, own_events = await retry(self._store.backlog, self._missed_database, transient=TRANSIENT)
            telemetry.EXCHANGE_BACKLOG.labels("inboxes").set(deliveries)
            telemetry.EXCHANGE_BACKLOG.labels("own_outbox").set(own_events)
            await asyncio.sleep(5)

    def _missed_database(self, error: Exception) -> None:
        self._reached_database = False
        telemetry.DATABASE_RETRIES.inc()
        _log.warning("exchange.database_unavailable", error=type(error).__name__)


async def run(settings: ProcessSettings) -> int:
    """Run the exchange until SIGTERM or SIGINT, or until the record is broken. Return the exit code."""
    code = 0
    async with open_pool(settings.postgres, max_size=8) as pool:
        try:
            await cancel_on_signals(Exchange(settings, ExchangeStore(pool)).run())
        except* asyncio.CancelledError:
            _log.info("exchange.stopped")
        except* RecordBroken as broken:
            _log.critical("record.broken", why=[str(error) for error in _leaves(broken)])
            code = BROKEN_RECORD
    return code


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    return [
        leaf
        for error in group.exceptions
        for leaf in (_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    ]
