"""The monitor process: reads the whole record and cosigns only roots that it recomputed.

It starts at its last snapshot, which counts only if it signed it itself: no database, its own included, is evidence
about the record. It reads up to the next checkpoint's size. After each head that the record gives, it publishes the
digest of its verdicts up to there.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

import asyncpg
import structlog

from handoff import telemetry
from handoff.adapters.http.probes import serve_probes
from handoff.adapters.kafka.checkpoint_watch import CheckpointWatch
from handoff.adapters.kafka.client import BrokerUnavailable
from handoff.adapters.kafka.record_reader import BATCH, RecordBroken, RecordReader
from handoff.adapters.kafka.verdicts_topic import VerdictsTopic
from handoff.backoff import Backoff
from handoff.config import HealthSettings
from handoff.domain.rules import UnsupportedRules
from handoff.judging.verdict_statement import VerdictStatement
from handoff.monitor.recomputation import Recomputation, SnapshotRejected
from handoff.node.attestation.witness import RootMismatch, WitnessHalted
from handoff.process import cancel_on_signals, require_upgrade
from handoff.proof.log.checkpoint import Origin, TreeHead
from handoff.readiness import Dependencies, PartReadiness, Readiness
from handoff.record.redaction import Redaction
from handoff.record.signing import SigningKey
from handoff.record.topics import MONITOR

BROKEN_RECORD = 3
"""Exit code if the record lost entries or contradicts its log: nothing may be cosigned."""
# A head is signed after its entries are appended: a record without them after this time has lost them.
PATIENCE_SECONDS = 30.0
_READ_WAIT_SECONDS = 0.5

_log = structlog.get_logger()


# Writing a snapshot costs time in proportion to the record, so the intervals grow with it.
_LEAST_GROWTH = 1000
_GROWTH_SHARE = 10


class SnapshotStorage(Protocol):
    """Storage of the monitor's snapshot. Every method may raise ``StoreUnavailable``."""

    async def load(self) -> bytes:
        """Return the stored snapshot; empty without one."""

    async def save(self, value: bytes) -> None:
        """Replace the stored snapshot."""


@dataclass(frozen=True, slots=True)
class MonitoredRecord:
    """The record that a monitor recomputes: its origin, the hash of its founding event, and the monitor's keys."""

    origin: Origin
    genesis_hash: str
    keys: tuple[SigningKey, ...]
    """The current private key and, during a rotation, the next."""


class Examiner:
    """Recomputes the record up to a head, compares the root, and judges every entry.

    ``on_judged`` is called with the statement of the verdicts up to each head that the record gives.
    """

    def __init__(
        self,
        reader: RecordReader,
        record: MonitoredRecord,
        snapshots: SnapshotStorage,
        on_judged: Callable[[VerdictStatement], None] = lambda _statement: None,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        least_growth: int = _LEAST_GROWTH,
    ) -> None:
        self._reader = reader
        self._record = record
        self._snapshots = snapshots
        self._on_judged = on_judged
        self._patience_seconds = patience_seconds
        self._least_growth = least_growth
        self._tree = self._empty()
        self._restored = self._started = False
        self._saved_size = 0

    def _empty(self) -> Recomputation:
        return Recomputation.empty(self._record.origin, self._record.genesis_hash)

    async def examine(self, head: TreeHead) -> None:
        """Return if the record gives ``head``; wait for the record if it is shorter.

        Raises ``RootMismatch``, ``WitnessHalted`` if the record stays shorter, ``UnsupportedRules``, and
        ``BrokerUnavailable`` and ``StoreUnavailable`` (retry).
        """
        try:
            if not self._restored:
                await self._restore()
            if head.size < self._tree.size:
                # The log went back. Of earlier entries only the frontier is kept, so recompute from the beginning.
                self._tree, self._started, self._saved_size = self._empty(), False, 0
            await self._save()
            await self._reach(head.size)
        except BrokerUnavailable:
            self._started = False
            raise
        except RecordBroken as error:
            _log.critical("record.broken", why=str(error))
            raise WitnessHalted("record_truncated") from error
        if self._tree.head != head:
            raise RootMismatch(f"the record has another root at size {head.size}")
        self._on_judged(self._tree.statement)

    async def _restore(self) -> None:
        """Start from the stored snapshot, unless it is not this monitor's or a redaction has made it obsolete."""
        raw = await self._snapshots.load()
        if raw:
            record = self._record
            try:
                tree = await asyncio.to_thread(
                    Recomputation.restored, raw, record.keys, record.origin, record.genesis_hash
                )
            except SnapshotRejected as error:
                telemetry.WITNESS_ALARMS.labels("snapshot_rejected").inc()
                _log.error("monitor.snapshot_rejected", why=str(error))
            else:
                if not await self._is_obsolete(tree):
                    self._tree, self._saved_size = tree, tree.size
        self._restored = True
        _log.info("monitor.started", offset=self._tree.size)

    async def _is_obsolete(self, tree: Recomputation) -> bool:
        """Return whether a value that was judged has been redacted since: the verdict on it is another one now."""
        for offset in tree.redactions:
            message = (await self._reader.entry_at(offset)).message
            if Redaction.found(message.value) is not None:
                return True
        return False

    async def _save(self) -> None:
        """Store a snapshot if the record has grown enough since the last one.

        The witness has stored the head at this position before, so that a restart never finds a snapshot beyond it.
        """
        grown = self._tree.size - self._saved_size
        if grown < max(self._least_growth, self._saved_size // _GROWTH_SHARE):
            return
        await self._snapshots.save(await asyncio.to_thread(self._tree.snapshot, self._record.keys[0]))
        self._saved_size = self._tree.size

    async def _reach(self, size: int) -> None:
        if not self._started:
            if self._tree.size:
                await self._reader.resume_after(self._tree.size - 1, self._tree.last_content)
            else:
                await self._reader.start(0)
            self._started = True
        moved = monotonic()
        while self._tree.size < size:
            entries = await self._reader.read(wait=_READ_WAIT_SECONDS, limit=min(BATCH, size - self._tree.size))
            await asyncio.to_thread(self._tree.append, entries)
            moved = monotonic() if entries else moved
            if monotonic() - moved > self._patience_seconds:
                raise RecordBroken(f"the record ends at {self._tree.size}, but a head of size {size} was signed")


class VerdictPublisher:
    """Publisher of the newest statement of verdicts."""

    def __init__(self, topic: VerdictsTopic, keys: tuple[SigningKey, ...]) -> None:
        self._topic = topic
        self._keys = keys
        self._judged: VerdictStatement | None = None
        self._is_new = asyncio.Event()

    def offer(self, statement: VerdictStatement) -> None:
        """Publish ``statement`` next, in place of an earlier one that is not published yet."""
        if statement.size:
            self._judged = statement
            self._is_new.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        backoff = Backoff()
        try:
            while True:
                await self._is_new.wait()
                self._is_new.clear()
                if (statement := self._judged) is not None:
                    await self._publish(statement, backoff)
        finally:
            await self._topic.close()

    async def _publish(self, statement: VerdictStatement, backoff: Backoff) -> None:
        try:
            await self._topic.publish(statement.signed(*self._keys))
        except BrokerUnavailable as error:
            _log.warning("monitor.verdicts_retry_scheduled", error=type(error).__name__)
            self._is_new.set()
            await asyncio.sleep(backoff.pause())
        else:
            backoff.reset()
            telemetry.VERDICTS_SIZE.set(statement.size)


@dataclass
class Monitor:
    """One monitor process over its database, the record, and the topics of checkpoints and of verdicts."""

    pool: asyncpg.Pool
    """Opened when the monitor runs, closed at the end."""
    reader: RecordReader
    watch: CheckpointWatch
    verdicts: VerdictPublisher
    dependencies: Dependencies
    health: HealthSettings
    _ready: bool = field(default=False, init=False)

    async def run(self) -> None:
        """Run until cancelled. Raises ``WitnessHalted`` (in a group)."""
        try:
            async with self.pool, asyncio.TaskGroup() as tasks:
                tasks.create_task(self.watch.run(self._set_ready))
                tasks.create_task(self.verdicts.run())
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
        except* UnsupportedRules as unsupported:
            code = require_upgrade(unsupported)
        return code

    def readiness(self) -> Readiness:
        """Return the readiness."""
        return Readiness.of((*self.dependencies.parts(), PartReadiness(name="checkpoints", ready=self._ready)))

    def _set_ready(self) -> None:
        self._ready = True
