"""The projection process: writes the timeline while it leads, else is a standby."""

import asyncio
import math
from collections.abc import Coroutine, Iterator, Mapping
from typing import Any

import structlog

from handoff import clock, telemetry
from handoff.adapters.http.probes import serve_probes
from handoff.adapters.kafka.client import BrokerUnavailable
from handoff.adapters.kafka.record_reader import RecordBroken, RecordReader
from handoff.adapters.postgres.checkpoint_store import HeadForked
from handoff.adapters.postgres.pool import TRANSIENT
from handoff.adapters.postgres.timeline_store import Founding, Ledger, Position, Superseded, ledger
from handoff.backoff import Backoff
from handoff.config import ProcessSettings
from handoff.process import cancel_on_signals
from handoff.projection.checkpoint_publisher import Sealing
from handoff.projection.observability import tell, tell_of_the_end
from handoff.projection.pipeline import Checker, Projecting, confirm, together
from handoff.projection.stall_detector import Silence
from handoff.views.timeline_fold import Page

BROKEN_RECORD = 3
"""The exit code where the record does not hold what it held: nothing may be built on it."""

# The database or the broker is or was unavailable: restart from the stored position.
_AWAY: tuple[type[Exception], ...] = (*TRANSIENT, BrokerUnavailable)

_log = structlog.get_logger()


class Projection:
    """One projection process over its database and the record."""

    def __init__(self, settings: ProcessSettings) -> None:
        self._settings = settings
        self._founding = Founding(settings.jurisdiction, settings.generation, settings.genesis_sha256)
        self._reader = RecordReader(settings.kafka, settings.jurisdiction, client_id=settings.member)
        self._patience = settings.projection.patience_seconds
        self._sealing = Sealing.of(settings)
        self._epoch: int | None = None
        self._works = False

    async def run(self) -> None:
        """Run until cancelled. Raises ``RecordBroken`` and ``HeadForked`` (in a group)."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_on())
            if self._settings.http is not None:
                tasks.create_task(serve_probes(self._settings.http, self.checks))

    def checks(self) -> Mapping[str, bool]:
        """Return the readiness checks. A standby is ready if it could take over."""
        return {"timeline": self._works}

    async def _keep_on(self) -> None:
        """Take over first, because the process started last is meant to write; then write or stand by in turn."""
        backoff, stands_by = Backoff(), False
        with Checker() as checker:
            while True:
                try:
                    async with ledger(self._settings.postgres) as books:
                        position = await (self._stand_by(books) if stands_by else self._resume(books))
                        backoff = Backoff()
                        await self._write(books, position, checker)
                except Superseded:
                    _log.warning("projection.leadership_lost", epoch=self._epoch)
                    self._epoch, stands_by = None, True
                except _AWAY as error:
                    self._works = False
                    telemetry.PROJECTION_RETRIES.inc()
                    _log.warning("projection.restarted", error=type(error).__name__)
                    stands_by = self._epoch is None and stands_by
                    await asyncio.sleep(backoff.pause())
                finally:
                    await self._reader.close()

    async def _resume(self, books: Ledger) -> Position:
        """Return the position under the own epoch, at first under a new one. Raises ``Superseded``."""
        if self._epoch is None:
            return await books.take_over()
        position = await books.position()
        if position.epoch != self._epoch:
            raise Superseded
        return position

    async def _stand_by(self, books: Ledger) -> Position:
        """Wait until the timeline lags behind the record or its log is silent; then start a new epoch."""
        telemetry.PROJECTION_EPOCH.set(0)
        silence = self._silence()
        while True:
            seen = await books.position()
            behind = await self._reader.end() > seen.next_offset
            self._works = True
            await asyncio.sleep(self._patience)
            if behind or silence.is_too_long(seen.epoch, await books.last_due_ms(), clock.now().timestamp()):
                position = await books.take_over_stalled(seen)
                if position is not None:
                    return position

    def _silence(self) -> Silence:
        cadence = self._sealing.checkpoints.cadence_seconds if self._sealing is not None else math.inf
        return Silence(cadence, self._patience)

    async def _write(self, books: Ledger, position: Position, checker: Checker) -> None:
        self._epoch, self._works = position.epoch, True
        telemetry.PROJECTION_EPOCH.set(position.epoch)
        _log.info("projection.leadership_acquired", epoch=position.epoch, offset=position.next_offset)
        await confirm(self._reader, books, position)
        chronicle = await books.chronicle(self._founding, position)
        projecting = Projecting(self._reader, books, chronicle, position)
        await together(projecting.run(checker, self._stored), *self._seals(position.epoch))

    def _seals(self, epoch: int) -> Iterator[Coroutine[Any, Any, None]]:
        if self._sealing is not None:
            yield self._sealing.run(epoch)

    def _stored(self, page: Page) -> None:
        self._works = True
        tell(page)


async def run(settings: ProcessSettings) -> int:
    """Run the projection until SIGTERM or SIGINT, or until the record is broken. Return the exit code."""
    code = 0
    try:
        await cancel_on_signals(Projection(settings).run())
    except* asyncio.CancelledError:
        _log.info("projection.stopped")
    except* (RecordBroken, HeadForked) as broken:
        for error in broken.exceptions:
            tell_of_the_end(error)
        code = BROKEN_RECORD
    return code
