"""The monitor process: reads the whole record and cosigns only roots that it recomputed.

At each start it reads from offset 0, because no database, its own included, is evidence about the tree. It reads up to
the next checkpoint's size, so that it holds only the tree's frontier and the last entry of each case.
"""

import asyncio
from dataclasses import dataclass, field
from time import monotonic

import asyncpg
import structlog

from handoff import telemetry
from handoff.adapters.http.probes import serve_probes
from handoff.adapters.kafka.checkpoint_watch import CheckpointWatch
from handoff.adapters.kafka.client import BrokerUnavailable
from handoff.adapters.kafka.record_reader import BATCH, RecordBroken, RecordReader
from handoff.config import HealthSettings
from handoff.monitor.recomputation import Recomputation
from handoff.node.attestation.witness import RootMismatch, WitnessHalted
from handoff.process import cancel_on_signals
from handoff.proof.log.checkpoint import TreeHead
from handoff.readiness import Dependencies, PartReadiness, Readiness
from handoff.record.topics import MONITOR

BROKEN_RECORD = 3
"""Exit code if the record lost entries or contradicts its log: nothing may be cosigned."""
# A head is signed after its entries are appended: a record without them after this time has lost them.
PATIENCE_SECONDS = 30.0
_READ_WAIT_SECONDS = 0.5

_log = structlog.get_logger()


class Examiner:
    """Recomputes the record up to a head and compares the root."""

    def __init__(self, reader: RecordReader, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._reader = reader
        self._patience_seconds = patience_seconds
        self._tree = Recomputation()
        self._started = False

    async def examine(self, head: TreeHead) -> None:
        """Return if the record gives ``head``; wait for the record if it is shorter.

        Raises ``RootMismatch``, ``WitnessHalted`` if the record stays shorter, and ``BrokerUnavailable`` (retry).
        """
        if head.size < self._tree.size:
            # The log went back. Of earlier entries only the frontier is kept, so recompute from the beginning.
            self._tree, self._started = Recomputation(), False
        try:
            await self._reach(head.size)
        except BrokerUnavailable:
            self._started = False
            raise
        except RecordBroken as error:
            _log.critical("record.broken", why=str(error))
            raise WitnessHalted("record_truncated") from error
        if self._tree.head != head:
            raise RootMismatch(f"the record has another root at size {head.size}")

    async def _reach(self, size: int) -> None:
        if not self._started:
            await self._reader.start(self._tree.size)
            self._started = True
        moved = monotonic()
        while self._tree.size < size:
            entries = await self._reader.read(wait=_READ_WAIT_SECONDS, limit=min(BATCH, size - self._tree.size))
            self._tree.append(entries)
            moved = monotonic() if entries else moved
            if monotonic() - moved > self._patience_seconds:
                raise RecordBroken(f"the record ends at {self._tree.size}, but a head of size {size} was signed")


@dataclass
class Monitor:
    """One monitor process over its database, the record and the topic of checkpoints."""

    pool: asyncpg.Pool
    """Opened when the monitor runs, closed at the end."""
    reader: RecordReader
    watch: CheckpointWatch
    dependencies: Dependencies
    health: HealthSettings
    _ready: bool = field(default=False, init=False)

    async def run(self) -> None:
        """Run until cancelled. Raises ``WitnessHalted`` (in a group)."""
        try:
            async with self.pool, asyncio.TaskGroup() as tasks:
                tasks.create_task(self.watch.run(self._set_ready))
                tasks.create_task(self.dependencies.run())
                tasks.create_task(serve_probes(self.health, MONITOR, self.readiness))
        finally:
            await self.reader.close()

    async def run_until_stopped(self) -> int:
        """Run until SIGTERM or SIGINT, or until the record is broken. Return the exit code."""
        code = 0
        try:
            await cancel_on_signals(self.run())
        except* asyncio.CancelledError:
            _log.info("monitor.stopped")
        except* WitnessHalted as halted:
            for why in (error.why for error in halted.exceptions if isinstance(error, WitnessHalted)):
                telemetry.WITNESS_ALARMS.labels(why).inc()
                _log.critical("monitor.halted", why=why)
            code = BROKEN_RECORD
        return code

    def readiness(self) -> Readiness:
        """Return the readiness."""
        return Readiness.of((*self.dependencies.parts(), PartReadiness(name="checkpoints", ready=self._ready)))

    def _set_ready(self) -> None:
        self._ready = True
