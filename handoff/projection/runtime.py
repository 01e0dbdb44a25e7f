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
from handoff.adapters.postgres.timeline_store import Founding, Position, Superseded, TimelineStore, open_timeline_store
from handoff.backoff import Backoff
from handoff.config import ProcessSettings
from handoff.process import cancel_on_signals
from handoff.projection.checkpoint_publisher import CheckpointPublisher
from handoff.projection.observability import record_batch, record_end
from handoff.projection.pipeline import ParserPool, Pipeline, confirm, run_concurrently
from handoff.projection.stall_detector import StallDetector
from handoff.views.timeline_fold import TimelineBatch

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
        self._publisher = CheckpointPublisher.of(settings)
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
        with ParserPool() as parsers:
            while True:
                try:
                    async with open_timeline_store(self._settings.postgres) as store:
                        position = await (self._stand_by(store) if stands_by else self._resume(store))
                        backoff = Backoff()
                        await self._write(store, position, parsers)
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

    async def _resume(self, store: TimelineStore) -> Position:
        """Return the position under the own epoch, at first under a new one. Raises ``Superseded``."""
        if self._epoch is None:
            return await store.take_over()
        position = await store.position()
        if position.epoch != self._epoch:
            raise Superseded
        return position

    async def _stand_by(self, store: TimelineStore) -> Position:
        """Wait until the timeline lags behind the record or its log is silent; then start a new epoch."""
        telemetry.PROJECTION_EPOCH.set(0)
        silence = self._silence()
        while True:
            seen = await store.position()
            behind = await self._reader.end() > seen.next_offset
            self._works = True
            await asyncio.sleep(self._patience)
            if behind or silence.is_too_long(seen.epoch, await store.last_due_ms(), clock.now().timestamp()):
                position = await store.take_over_stalled(seen)
                if position is not None:
                    return position

    def _silence(self) -> StallDetector:
        cadence = self._publisher.checkpoints.cadence_seconds if self._publisher is not None else math.inf
        return StallDetector(cadence, self._patience)

    async def _write(self, store: TimelineStore, position: Position, parsers: ParserPool) -> None:
        self._epoch, self._works = position.epoch, True
        telemetry.PROJECTION_EPOCH.set(position.epoch)
        _log.info("projection.leadership_acquired", epoch=position.epoch, offset=position.next_offset)
        await confirm(self._reader, store, position)
        fold = await store.load_fold(self._founding, position)
        pipeline = Pipeline(self._reader, store, fold, position)
        await run_concurrently(pipeline.run(parsers, self._stored), *self._seals(position.epoch))

    def _seals(self, epoch: int) -> Iterator[Coroutine[Any, Any, None]]:
        if self._publisher is not None:
            yield self._publisher.run(epoch)

    def _stored(self, batch: TimelineBatch) -> None:
        self._works = True
        record_batch(batch)


async def run(settings: ProcessSettings) -> int:
    """Run the projection until SIGTERM or SIGINT, or until the record is broken. Return the exit code."""
    code = 0
    try:
        await cancel_on_signals(Projection(settings).run())
    except* asyncio.CancelledError:
        _log.info("projection.stopped")
    except* (RecordBroken, HeadForked) as broken:
        for error in broken.exceptions:
            record_end(error)
        code = BROKEN_RECORD
    return code
