"""The topic `checkpoints`: requests to cosign by the log and its cosigners, with unlimited retention."""

from handoff.adapters.kafka.client import Sender
from handoff.adapters.kafka.record_reader import RecordReader
from handoff.config import KafkaSettings
from handoff.proof.log.checkpoint import Origin
from handoff.proof.log.witness import AddCheckpoint
from handoff.record.message import Message
from handoff.record.topics import checkpoints_topic


class CheckpointsTopic:
    """Reader and publisher of a jurisdiction's checkpoints topic. Not safe for concurrent tasks."""

    def __init__(self, settings: KafkaSettings, origin: Origin, *, client_id: str) -> None:
        self._origin = origin
        self._topic = checkpoints_topic(origin.jurisdiction)
        self._reader = RecordReader(settings, origin.jurisdiction, client_id=client_id, topic=self._topic)
        self._sender = Sender(settings, client_id=client_id)

    async def start(self, offset: int) -> None:
        """Read from ``offset`` on. Raises ``BrokerUnavailable``, and ``RecordBroken`` if the topic ends before it."""
        await self._reader.start(offset)

    async def end(self) -> int:
        """Return the offset of the next value. Raises ``BrokerUnavailable``."""
        return await self._reader.end()

    async def read(self, *, wait: float) -> tuple[tuple[int, bytes], ...]:
        """Return the next values with their offsets; empty after ``wait`` seconds without one.

        Includes values of other generations. Raises ``BrokerUnavailable`` (``start`` again) and ``RecordBroken``.
        """
        entries = await self._reader.read(wait=wait)
        return tuple((entry.offset, entry.message.value or b"") for entry in entries)

    async def publish(self, request: AddCheckpoint) -> None:
        """Publish and wait for the acknowledgement. Raises ``BrokerUnavailable``: the outcome is unknown, retry."""
        await self._sender.send(self._topic, [Message(str(self._origin).encode(), request.encode())])

    async def close(self) -> None:
        """Close the connections; ``start`` and ``publish`` reopen them."""
        await self._reader.close()
        await self._sender.close()
