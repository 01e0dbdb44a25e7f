"""Publisher of the record's checkpoints: a checkpoint at a fixed cadence, receipts, and collected cosignatures.

The cadence is fixed, whether or not the record has grown: a checkpoint for each batch would reveal the pace of other
members.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from handoff import clock
from handoff.adapters.files.signing_keys import signing_key
from handoff.adapters.files.trust_file import trusted
from handoff.adapters.kafka.checkpoints_topic import CheckpointsTopic
from handoff.adapters.kafka.client import BrokerUnavailable
from handoff.adapters.kafka.record_reader import RecordBroken, RecordReader
from handoff.adapters.postgres.checkpoint_store import HeadForked, LogBook, Owed, sealing_connection
from handoff.adapters.postgres.pool import TRANSIENT
from handoff.adapters.postgres.timeline_store import Ledger
from handoff.backoff import Backoff
from handoff.config import CheckpointSettings, ConfigurationError, ProcessSettings
from handoff.projection import observability
from handoff.projection.pipeline import confirm
from handoff.proof.log.checkpoint import NotSignedByLog, Origin
from handoff.proof.log.cosignatures import PublishedCheckpoint, read_published_checkpoint
from handoff.proof.log.note import InvalidSignature, MalformedNote
from handoff.proof.log.signer import LogSigner
from handoff.proof.verify.trust import TrustPolicy
from handoff.record.delivery import to_ms

# Batch size of signing receipts on a thread: some tens of milliseconds.
_RECEIPTS = 500
# Maximum wait for the topic, and between checks whether earlier heads have been folded again.
_READ_WAIT_SECONDS = 1.0
_FOLD_WAIT_SECONDS = 0.2

# The database or the broker is or was unavailable: restart from the stored position.
_AWAY: tuple[type[Exception], ...] = (*TRANSIENT, BrokerUnavailable)

Value = tuple[int, bytes]


@dataclass(frozen=True)
class Sealing:
    """The log with its record, its topic and its trust policy."""

    settings: ProcessSettings
    checkpoints: CheckpointSettings
    log: LogSigner
    trust: TrustPolicy
    topic: CheckpointsTopic
    record: RecordReader

    @classmethod
    def of(cls, settings: ProcessSettings) -> "Sealing | None":
        """Build it from settings; None if they configure no checkpoints. Raises ``ConfigurationError``."""
        if settings.checkpoints is None:
            return None
        origin = Origin(settings.jurisdiction, settings.generation)
        log = LogSigner(origin, signing_key(settings.signing_key_file))
        trust = trusted(settings.checkpoints, origin)
        if trust.logs[str(origin)].key != log.public_key:
            raise ConfigurationError("signing_key_file: the trust file names another key for this record's log")
        name = f"{settings.member}-log"
        topic = CheckpointsTopic(settings.kafka, origin, client_id=name)
        record = RecordReader(settings.kafka, settings.jurisdiction, client_id=name)
        return cls(settings, settings.checkpoints, log, trust, topic, record)

    async def run(self, epoch: int) -> None:
        """Run for one epoch. Raises ``Superseded``, ``RecordBroken`` and ``HeadForked``."""
        backoff = Backoff()
        while True:
            try:
                async with sealing_connection(self.settings.postgres) as connection:
                    book = LogBook(connection, self.log, epoch)
                    await _Round(self, book, Ledger(connection), self.trust).run()
            except _AWAY as error:
                observability.tell_of_pause(error)
                await asyncio.sleep(backoff.pause())
            finally:
                await self.topic.close()
                await self.record.close()


@dataclass
class _Round:
    """Work over one set of connections. After a failure a new one starts from the stored state."""

    sealing: Sealing
    book: LogBook
    ledger: Ledger
    trust: TrustPolicy
    _offset: int = 0

    async def run(self) -> None:
        """Run. Nothing is signed before every published checkpoint has been read."""
        end = await self._begin()
        while self._offset < end:
            await self._collect(_READ_WAIT_SECONDS)
        await self._publish()
        # A checkpoint due during a failover is published late, so that no reader waits for a whole cadence.
        await self._state(self._last_due())
        while True:
            due = self._last_due() + self._cadence_ms
            while (left := (due - to_ms(clock.now())) / 1000) > 0:
                gave = await self._give_receipts()
                await self._collect(0 if gave else min(left, _READ_WAIT_SECONDS))
            await self._state(due)

    async def _begin(self) -> int:
        """Seek to the stored offset of the topic. Return the topic's end."""
        topic = self.sealing.topic
        self._offset = await self.book.next_collected()
        try:
            await topic.start(self._offset)
        except RecordBroken:
            # The topic lost its content. It can be published again from the stored checkpoints.
            observability.alarm("checkpoints_lost", offset=self._offset)
            await self.book.publish_again()
            self._offset = 0
            await topic.start(0)
        return await topic.end()

    @property
    def _cadence_ms(self) -> int:
        return round(self.sealing.checkpoints.cadence_seconds * 1000)

    def _last_due(self) -> int:
        return to_ms(clock.now()) // self._cadence_ms * self._cadence_ms

    async def _state(self, due: int) -> None:
        """Sign only what the record still holds; publish only what is stored."""
        await confirm(self.sealing.record, self.ledger, await self.ledger.position())
        if await self.book.state(due) is not None:
            await self._publish()
        self._renew_trust()

    def _renew_trust(self) -> None:
        """Reload the trust file: new witnesses count without a restart. An invalid file is ignored."""
        try:
            self.trust = trusted(self.sealing.checkpoints, self.sealing.log.origin)
        except ConfigurationError as error:
            observability.alarm("trust_file", error=str(error))

    async def _publish(self) -> None:
        while stated := await self.book.unpublished():
            for checkpoint in stated:
                await self.sealing.topic.publish(checkpoint.request)
                await self.book.published(checkpoint)
                observability.tell_of_checkpoint(checkpoint.head.size, checkpoint.due_ms)

    async def _give_receipts(self) -> bool:
        owed = await self.book.owed(_RECEIPTS)
        if owed is None:
            return False
        notes = await asyncio.to_thread(_signed, self.sealing.log, owed)
        await self.book.give(owed, notes)
        observability.tell_of_receipts(len(notes))
        return True

    async def _collect(self, wait: float) -> None:
        values = await self._read(wait)
        if values:
            collected = await asyncio.to_thread(self._understood, values)
            for found in collected:
                await self._compare(found)
            self._offset = values[-1][0] + 1
            await self.book.keep(collected, self._offset)
            last = await self.book.last()
            observability.tell_of_cosigners(len(await self.book.cosigners(last.head.size)))

    async def _read(self, wait: float) -> Sequence[Value]:
        try:
            return await self.sealing.topic.read(wait=wait)
        except RecordBroken as error:
            # The topic was truncated while being read: the restart detects that and publishes again.
            raise BrokerUnavailable(str(error)) from error

    def _understood(self, values: Sequence[Value]) -> list[PublishedCheckpoint]:
        """Parse the values that concern this record; each signature costs some tens of microseconds."""
        found = (self._collected(offset, body) for offset, body in values)
        return [collected for collected in found if collected is not None]

    def _collected(self, offset: int, body: bytes) -> PublishedCheckpoint | None:
        try:
            return read_published_checkpoint(body, self.sealing.log.public_key, self.trust.witnesses)
        except (MalformedNote, NotSignedByLog, InvalidSignature) as error:
            observability.alarm("checkpoint_not_genuine", offset=offset, error=type(error).__name__)
            return None

    async def _compare(self, found: PublishedCheckpoint) -> None:
        """Wait until the stored tree reaches a head signed earlier. Raises ``HeadForked`` and ``RecordBroken``."""
        head = found.head
        while (await self.book.standing()).size < head.size:
            # A restored database folds the record again, if the record still reaches that far.
            await self.sealing.record.confirm_whole(head.size)
            await asyncio.sleep(_FOLD_WAIT_SECONDS)
        if await self.book.root(head.size) != head.root:
            raise HeadForked(f"this log signed a checkpoint of size {head.size} with another root")
        await self.book.adopt(found)


def _signed(log: LogSigner, owed: Owed) -> list[str]:
    return [str(log.receipt(owed.size, record_hash)) for _, record_hash in owed.entries]
