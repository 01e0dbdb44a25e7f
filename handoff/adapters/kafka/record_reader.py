"""Reader of the record, in order from an offset."""

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from handoff.adapters.kafka.client import BrokerUnavailable, kafka_record, security
from handoff.config import KafkaSettings
from handoff.proof.log.entry import content_hash
from handoff.record.kafka_record import KafkaRecord
from handoff.record.topics import record_topic

BATCH = 2000
"""Maximum number of entries read, and so committed, together."""


_ONE_ENTRY_WAIT_SECONDS = 1.0


class RecordBroken(Exception):
    """The record lost entries it had: stop and raise an alarm. Nothing may be derived from it."""


class RecordReader:
    """Reader of every entry from an offset on, without gaps. Not safe for concurrent tasks."""

    def __init__(self, settings: KafkaSettings, jurisdiction: str, *, client_id: str, topic: str | None = None) -> None:
        """Read the record of ``jurisdiction``, or another ``topic`` with unlimited retention."""
        self._settings = settings
        self._client_id = client_id
        self._partition = TopicPartition(topic or record_topic(jurisdiction), 0)
        self._consumer: AIOKafkaConsumer | None = None
        self._next = 0

    async def start(self, offset: int) -> None:
        """Read from ``offset`` on; also seeks backwards. Raises ``BrokerUnavailable`` and ``RecordBroken``."""
        self._next = offset
        try:
            consumer = await self._connected()
            end = (await consumer.end_offsets([self._partition]))[self._partition]
            consumer.seek(self._partition, offset)
        except (KafkaError, OSError, TimeoutError) as error:
            await self.close()
            raise BrokerUnavailable(f"{type(error).__name__}: {error}") from error
        if offset > end:
            raise RecordBroken(f"the record ends at {end}, before the stored offset {offset}")

    async def entry_at(self, offset: int) -> KafkaRecord:
        """Return the entry at ``offset`` and continue after it. Raises ``BrokerUnavailable`` and ``RecordBroken``."""
        await self.start(offset)
        found: tuple[KafkaRecord, ...] = ()
        while not found:
            found = await self.read(wait=_ONE_ENTRY_WAIT_SECONDS, limit=1)
        return found[0]

    async def resume_after(self, offset: int, content: bytes) -> None:
        """Read on after ``offset``, if the record still has the entry there with the record hash ``content``.

        A record that lost entries and grew again has others at the offsets that were read before: reading on would skip
        them. Raises ``BrokerUnavailable`` and ``RecordBroken``.
        """
        if content_hash((await self.entry_at(offset)).message) != content:
            raise RecordBroken(f"the record's entry at offset {offset} is not the one that was read there before")

    async def end(self) -> int:
        """Return the offset of the next entry to be appended. Raises ``BrokerUnavailable``."""
        _, end = await self._bounds()
        return end

    async def confirm_whole(self, size: int) -> None:
        """Check that the offsets from 0 to ``size`` are retained. Raises ``BrokerUnavailable`` and ``RecordBroken``."""
        first, end = await self._bounds()
        if first > 0:
            raise RecordBroken(f"the record no longer begins at 0, but at {first}")
        if end < size:
            raise RecordBroken(f"the record ends at {end}, before {size}, which was reached earlier")

    async def _bounds(self) -> tuple[int, int]:
        try:
            consumer = await self._connected()
            first = (await consumer.beginning_offsets([self._partition]))[self._partition]
            end = (await consumer.end_offsets([self._partition]))[self._partition]
        except (KafkaError, OSError, TimeoutError) as error:
            await self.close()
            raise BrokerUnavailable(f"{type(error).__name__}: {error}") from error
        return first, end

    async def read(self, *, wait: float, limit: int = BATCH) -> tuple[KafkaRecord, ...]:
        """Return up to ``limit`` next entries; empty after ``wait`` seconds without one.

        Raises ``BrokerUnavailable`` (``start`` again) and ``RecordBroken``.
        """
        try:
            consumer = await self._connected()
            fetched = await consumer.getmany(self._partition, timeout_ms=round(wait * 1000), max_records=limit)
        except OffsetOutOfRangeError as error:
            raise RecordBroken(f"the record does not hold offset {self._next}") from error
        except (KafkaError, OSError, TimeoutError) as error:
            await self.close()
            raise BrokerUnavailable(f"{type(error).__name__}: {error}") from error
        entries = tuple(kafka_record(record) for record in fetched.get(self._partition, ()))
        self._check(entries)
        return entries

    def _check(self, entries: tuple[KafkaRecord, ...]) -> None:
        for entry in entries:
            if entry.offset != self._next:
                raise RecordBroken(f"the record goes from offset {self._next} to {entry.offset}")
            self._next += 1

    async def close(self) -> None:
        """Close the connection; ``start`` reopens it."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    async def _connected(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            # ``earliest`` would skip deleted entries without an error.
            consumer = AIOKafkaConsumer(
                **security(self._settings),
                client_id=self._client_id,
                enable_auto_commit=False,
                auto_offset_reset="none",
                max_partition_fetch_bytes=4 * 1024 * 1024,
                fetch_max_wait_ms=500,
            )
            self._consumer = consumer
            await consumer.start()
            consumer.assign([self._partition])
            consumer.seek(self._partition, self._next)
        return self._consumer
