"""Publisher of the record's checkpoints: a checkpoint at a fixed cadence, receipts, and collected cosignatures.

The cadence is fixed, whether or not the record has grown: a checkpoint for each batch would reveal the pace of other
members.
"""

import asyncio
from dataclasses import dataclass

from handoff.adapters.files.trust_file import TrustFile
from handoff.adapters.kafka.checkpoints_topic import CheckpointsTopic
from handoff.adapters.kafka.client import BrokerUnavailable
from handoff.adapters.kafka.record_reader import RecordBroken, RecordReader
from handoff.adapters.postgres.checkpoint_store import CheckpointStore, HeadForked, checkpoint_connection
from handoff.adapters.postgres.pool import TRANSIENT
from handoff.adapters.postgres.timeline_store import TimelineStore
from handoff.backoff import Backoff
from handoff.config import PostgresSettings
from handoff.node.ports import Clock
from handoff.projection import observability
from handoff.projection.pipeline import confirm
from handoff.proof.log.checkpoint import NotSignedByLog
from handoff.proof.log.cosignatures import PublishedCheckpoint, read_published_checkpoint
from handoff.proof.log.note import InvalidSignature, MalformedNote
from handoff.proof.log.signer import LogSigner
from handoff.record.delivery import to_ms

# Batch size of signing receipts on a thread: some tens of milliseconds.
_RECEIPTS = 500
# Maximum wait for the topic, and between checks whether earlier heads have been folded again.
_READ_WAIT_SECONDS = 1.0
_FOLD_WAIT_SECONDS = 0.2

# The database or the broker is or was unavailable: restart from the stored position.
_UNAVAILABLE: tuple[type[Exception], ...] = (*TRANSIENT, BrokerUnavailable)


@dataclass(frozen=True)
class CheckpointPublisher:
    """Publisher of one record's checkpoints: log keys, trust file, checkpoints topic and record."""

    postgres: PostgresSettings
    cadence_seconds: float
    log: LogSigner
    trust: TrustFile
    topic: CheckpointsTopic
    record: RecordReader
    clock: Clock

    async def run(self, epoch: int) -> None:
        """Run for one epoch. Raises ``LeadershipLost``, ``RecordBroken`` and ``HeadForked``."""
        backoff = Backoff()
        while True:
            try:
                async with checkpoint_connection(self.postgres) as connection:
                    store = CheckpointStore(connection, self.log, epoch)
                    await _PublishingSession(self, store, TimelineStore(connection)).run()
            except _UNAVAILABLE as error:
                observability.record_publisher_restart(error)
                await asyncio.sleep(backoff.pause())
            finally:
                await self.topic.close()
                await self.record.close()


@dataclass
class _PublishingSession:
    """Work over one set of connections. After a failure a new one starts from the stored state."""

    publisher: CheckpointPublisher
    store: CheckpointStore
    timeline: TimelineStore
    _offset: int = 0

    async def run(self) -> None:
        """Run. Nothing is signed before every published checkpoint has been read."""
        end = await self._seek()
        while self._offset < end:
            await self._collect(_READ_WAIT_SECONDS)
        await self._publish()
        # A checkpoint due during a failover is published late, so that no reader waits for a whole cadence.
        await self._sign(self._last_due())
        while True:
            due = self._last_due() + self._cadence_ms
            while (left := (due - to_ms(self.publisher.clock())) / 1000) > 0:
                signed = await self._sign_receipts()
                await self._collect(0 if signed else min(left, _READ_WAIT_SECONDS))
            await self._sign(due)

    async def _seek(self) -> int:
        """Seek to the stored offset of the topic. Return the topic's end."""
        topic = self.publisher.topic
        self._offset = await self.store.next_offset()
        try:
            await topic.start(self._offset)
        except RecordBroken:
            # The topic lost its content. It can be published again from the stored checkpoints.
            observability.record_checkpoint_alarm("checkpoints_lost", offset=self._offset)
            await self.store.reset_publication()
            self._offset = 0
            await topic.start(0)
        return await topic.end()

    @property
    def _cadence_ms(self) -> int:
        return round(self.publisher.cadence_seconds * 1000)

    def _last_due(self) -> int:
        return to_ms(self.publisher.clock()) // self._cadence_ms * self._cadence_ms

    async def _sign(self, due: int) -> None:
        """Sign only what the record still holds, and publish only what is stored."""
        await confirm(self.publisher.record, self.timeline, await self.timeline.position())
        if await self.store.store_due(due) is not None:
            await self._publish()

    async def _publish(self) -> None:
        while checkpoints := await self.store.unpublished():
            for checkpoint in checkpoints:
                await self.publisher.topic.publish(checkpoint.request)
                await self.store.mark_published(checkpoint)
                observability.record_checkpoint(checkpoint.head.size, checkpoint.due_ms)

    async def _sign_receipts(self) -> bool:
        """Sign the next due receipts. Return whether there were any."""
        due = await self.store.due_receipts(_RECEIPTS)
        if due is None:
            return False
        log = self.publisher.log
        notes = await asyncio.to_thread(lambda: [str(log.receipt(due.size, entry)) for entry in due.entries])
        await self.store.store_receipts(due, notes)
        observability.record_receipts(len(notes))
        return True

    async def _collect(self, wait: float) -> None:
        """Read the topic and store the cosignatures."""
        try:
            values = await self.publisher.topic.read(wait=wait)
        except RecordBroken as error:
            # The topic was truncated while being read: the restart detects that and publishes again.
            raise BrokerUnavailable(str(error)) from error
        if values:
            # Each signature costs some tens of microseconds.
            collected = await asyncio.to_thread(lambda: [*filter(None, (self._parsed(*value) for value in values))])
            for found in collected:
                await self._compare(found)
            self._offset = values[-1][0] + 1
            await self.store.store_cosignatures(collected, self._offset)
            newest = await self.store.newest()
            witnesses = self.publisher.trust.current().witnesses
            names = await self.store.cosigners(newest.head.size)
            observability.record_cosigners(len({witnesses[name].name for name in names if name in witnesses}))

    def _parsed(self, offset: int, body: bytes) -> PublishedCheckpoint | None:
        """Parse a value of the topic; None if it does not concern this record."""
        try:
            trust = self.publisher.trust
            return read_published_checkpoint(body, trust, trust.current().witnesses)
        except (MalformedNote, NotSignedByLog, InvalidSignature) as error:
            observability.record_checkpoint_alarm("checkpoint_not_genuine", offset=offset, error=type(error).__name__)
            return None

    async def _compare(self, found: PublishedCheckpoint) -> None:
        """Wait until the stored tree reaches a head signed earlier. Raises ``HeadForked`` and ``RecordBroken``."""
        head = found.head
        while (await self.store.tree_head()).size < head.size:
            # A restored database folds the record again, if the record still reaches that far.
            await self.publisher.record.confirm_whole(head.size)
            await asyncio.sleep(_FOLD_WAIT_SECONDS)
        if await self.store.root(head.size) != head.root:
            raise HeadForked(f"this log signed a checkpoint of size {head.size} with another root")
        await self.store.restore(found)
