"""The projection process: writes the timeline while it leads, else is a standby."""

import asyncio
import math
from dataclasses import dataclass, field

import structlog

from handoff import telemetry
from handoff.adapters.http.probes import serve_probes
from handoff.adapters.kafka.client import BrokerUnavailable
from handoff.adapters.kafka.record_reader import RecordBroken, RecordReader
from handoff.adapters.postgres.checkpoint_store import HeadForked
from handoff.adapters.postgres.pool import TRANSIENT
from handoff.adapters.postgres.timeline_store import Founding, TimelinePosition, TimelineStore, open_timeline_store
from handoff.backoff import Backoff
from handoff.config import HealthSettings, PostgresSettings
from handoff.domain.rules import UnsupportedRules
from handoff.leadership import Leadership, LeadershipLost
from handoff.node.ports import Clock
from handoff.process import cancel_on_signals, require_upgrade
from handoff.projection.checkpoint_publisher import CheckpointPublisher
from handoff.projection.observability import record_batch, record_end
from handoff.projection.pipeline import Pipeline, confirm, run_concurrently
from handoff.projection.stall_detector import StallDetector, TimelineLeadership
from handoff.readiness import Dependencies, PartReadiness, Readiness
from handoff.record.topics import PROJECTION
from handoff.verification.verifier import SignatureVerifier, VerifierLost
from handoff.views.board.references import BoardReferences
from handoff.views.timeline_fold import TimelineBatch

POLLS = 5
"""Observations of the leader by a standby within its patience."""
BROKEN_RECORD = 3
"""Exit code if the record lost entries: nothing may be built on it."""

# The database, the broker or the verification process is or was unavailable: restart from the stored position.
_UNAVAILABLE: tuple[type[Exception], ...] = (*TRANSIENT, BrokerUnavailable, VerifierLost)

_log = structlog.get_logger()


@dataclass
class Projection:
    """One projection process over its database and the record."""

    postgres: PostgresSettings
    founding: Founding
    reader: RecordReader
    patience_seconds: float
    """A standby takes over if the timeline does not advance for this time while the record does."""
    publisher: CheckpointPublisher | None
    clock: Clock
    instance: str
    """Name of this process in log events."""
    dependencies: Dependencies
    health: HealthSettings
    references: BoardReferences | None = None
    """Makes the references of handoffs for the coordinator's board."""
    verifier: SignatureVerifier = field(default_factory=SignatureVerifier)
    _epoch: int | None = field(default=None, init=False)
    _ready: bool = field(default=False, init=False)
    _standby: Leadership | None = field(default=None, init=False)

    async def run(self) -> None:
        """Run until cancelled. Raises ``RecordBroken`` and ``HeadForked`` (in a group)."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._lead_or_stand_by())
            tasks.create_task(self.dependencies.run())
            tasks.create_task(serve_probes(self.health, PROJECTION, self.readiness))

    async def run_until_stopped(self) -> int:
        """Run until SIGTERM or SIGINT, or until the record is broken. Return the exit code."""
        code = 0
        try:
            await cancel_on_signals(self.run())
        except* asyncio.CancelledError:
            _log.info("projection.stopped")
        except* (RecordBroken, HeadForked) as broken:
            for error in broken.exceptions:
                record_end(error)
            code = BROKEN_RECORD
        except* UnsupportedRules as unsupported:
            code = require_upgrade(unsupported)
        return code

    def readiness(self) -> Readiness:
        """Return the readiness. A standby is ready if it could take over."""
        works = self._ready or (self._standby is not None and self._standby.standby)
        return Readiness.of((*self.dependencies.parts(), PartReadiness(name="timeline", ready=works)))

    async def _lead_or_stand_by(self) -> None:
        """Take over first, because the process started last is meant to write; then write or stand by in turn."""
        backoff, is_standby = Backoff(), False
        async with self.verifier:
            while True:
                try:
                    async with open_timeline_store(self.postgres, references=self.references) as store:
                        if is_standby:
                            await self._stand_by(store)
                            is_standby = False
                        position = await self._resume(store)
                        backoff.reset()
                        await self._write(store, position)
                except LeadershipLost:
                    _log.warning("projection.leadership_lost", epoch=self._epoch)
                    self._epoch, is_standby = None, True
                except _UNAVAILABLE as error:
                    self._ready = False
                    telemetry.PROJECTION_RETRIES.inc()
                    _log.warning("projection.restarted", error=type(error).__name__)
                    await asyncio.sleep(backoff.pause())
                finally:
                    await self.reader.close()

    async def _resume(self, store: TimelineStore) -> TimelinePosition:
        """Return the position under the own epoch, at first under a new one. Raises ``LeadershipLost``."""
        if self._epoch is None:
            return await store.take_over()
        position = await store.position()
        if position.epoch != self._epoch:
            raise LeadershipLost(f"epoch {self._epoch} is over: another projection writes")
        return position

    async def _stand_by(self, store: TimelineStore) -> None:
        """Start a new epoch once the leader is suspected."""
        telemetry.PROJECTION_EPOCH.set(0)
        cadence = self.publisher.cadence_seconds if self.publisher is not None else math.inf
        self._standby = Leadership(
            TimelineLeadership(store, self.reader),
            self.instance,
            StallDetector(cadence, self.patience_seconds, self.clock),
            # An error needs another connection, which the caller opens.
            unavailable=(),
            poll_seconds=self.patience_seconds / POLLS,
        )
        try:
            self._epoch = await self._standby.acquire()
        finally:
            self._standby = None

    async def _write(self, store: TimelineStore, position: TimelinePosition) -> None:
        self._epoch, self._ready = position.epoch, True
        telemetry.PROJECTION_EPOCH.set(position.epoch)
        _log.info("projection.leadership_acquired", epoch=position.epoch, offset=position.next_offset)
        await confirm(self.reader, store, position)
        fold = await store.load_fold(self.founding, position)
        pipeline = Pipeline(self.reader, store, fold, position)
        publishing = [] if self.publisher is None else [self.publisher.run(position.epoch)]
        await run_concurrently(pipeline.run(self.verifier, self._on_stored), *publishing)

    def _on_stored(self, batch: TimelineBatch) -> None:
        self._ready = True
        record_batch(batch)
