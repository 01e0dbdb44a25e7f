"""The monitor process: reads the whole record and cosigns only roots that it recomputed.

At each start it reads from offset 0, because no database, its own included, is evidence about the tree. It reads up to
the next checkpoint's size, so that it holds only the tree's frontier and the last entry of each case.
"""

import asyncio
from collections.abc import Mapping
from time import monotonic

import structlog

from handoff import clock, telemetry
from handoff.adapters.files.trust_file import trusted
from handoff.adapters.http.probes import serve_probes
from handoff.adapters.kafka.checkpoint_watch import CheckpointWatch
from handoff.adapters.kafka.checkpoints_topic import CheckpointsTopic
from handoff.adapters.kafka.client import BrokerUnavailable
from handoff.adapters.kafka.record_reader import BATCH, RecordBroken, RecordReader
from handoff.adapters.node_attestation import witness_of
from handoff.adapters.postgres.pool import open_pool
from handoff.config import ConfigurationError, ProcessSettings
from handoff.monitor.recomputation import Recomputation
from handoff.node.attestation.witness import Differs, Halted
from handoff.process import cancel_on_signals
from handoff.proof.log.checkpoint import Origin, TreeHead

BROKEN_RECORD = 3
"""The exit code where the record is not what the log says, or not what it was: nothing may be cosigned."""
# A head is signed after its entries are appended: a record without them after this time has lost them.
PATIENCE_SECONDS = 30.0
_READ_WAIT_SECONDS = 0.5

_log = structlog.get_logger()


class Examiner:
    """Recomputes the record up to a head and compares the root."""

    def __init__(self, reader: RecordReader, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._reader = reader
        self._patience = patience_seconds
        self._found = Recomputation()
        self._reads = False

    async def examine(self, head: TreeHead) -> None:
        """Return if the record gives ``head``; wait for the record if it is shorter.

        Raises ``Differs``, ``Halted`` if the record stays shorter, and ``BrokerUnavailable`` (retry).
        """
        if head.size < self._found.size:
            # The log went back. Of earlier entries only the frontier is kept, so recompute from the beginning.
            self._found, self._reads = Recomputation(), False
        try:
            await self._reach(head.size)
        except BrokerUnavailable:
            self._reads = False
            raise
        except RecordBroken as error:
            _log.critical("record.broken", why=str(error))
            raise Halted("record_truncated") from error
        if self._found.head != head:
            raise Differs(f"the record has another root at size {head.size}")

    async def _reach(self, size: int) -> None:
        if not self._reads:
            await self._reader.start(self._found.size)
            self._reads = True
        moved = monotonic()
        while self._found.size < size:
            entries = await self._reader.read(wait=_READ_WAIT_SECONDS, limit=min(BATCH, size - self._found.size))
            self._found.append(entries)
            moved = monotonic() if entries else moved
            if monotonic() - moved > self._patience:
                raise RecordBroken(f"the record ends at {self._found.size}, but a head of size {size} was signed")


class Monitor:
    """One monitor process over its database, the record and the topic of checkpoints."""

    def __init__(self, settings: ProcessSettings) -> None:
        if settings.checkpoints is None or settings.checkpoints.witness_key_file is None:
            raise ConfigurationError("checkpoints.witness_key_file: required: a monitor cosigns checkpoints")
        self._settings = settings
        origin = Origin(settings.jurisdiction, settings.generation)
        self._pool = open_pool(settings.postgres, max_size=2)
        self._reader = RecordReader(settings.kafka, settings.jurisdiction, client_id=settings.member)
        topic = CheckpointsTopic(settings.kafka, origin, client_id=f"{settings.member}-checkpoints")
        witness = witness_of(
            settings,
            settings.checkpoints.witness_key_file,
            topic,
            log_key=trusted(settings.checkpoints, origin).logs[str(origin)].key,
            pool=self._pool,
            clock=clock.now,
            examine=Examiner(self._reader).examine,
        )
        self._watch = CheckpointWatch(topic, witness)
        self._watches = False

    async def run(self) -> None:
        """Run until cancelled. Raises ``Halted`` (in a group)."""
        try:
            async with self._pool, asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch.run(self._began))
                if self._settings.http is not None:
                    tasks.create_task(serve_probes(self._settings.http, self.checks))
        finally:
            await self._reader.close()

    def checks(self) -> Mapping[str, bool]:
        """Return the readiness checks."""
        return {"checkpoints": self._watches}

    def _began(self) -> None:
        self._watches = True


async def run(settings: ProcessSettings) -> int:
    """Run the monitor until SIGTERM or SIGINT, or until the record is broken. Return the exit code."""
    code = 0
    try:
        await cancel_on_signals(Monitor(settings).run())
    except* asyncio.CancelledError:
        _log.info("monitor.stopped")
    except* Halted as halted:
        for why in (error.why for error in halted.exceptions if isinstance(error, Halted)):
            telemetry.WITNESS_ALARMS.labels(why).inc()
            _log.critical("monitor.halted", why=why)
        code = BROKEN_RECORD
    return code
