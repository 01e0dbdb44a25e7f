"""The topic `checkpoints`: requests to cosign, as the log and its cosigners publish them, kept for ever."""

from handoff.adapters.kafka.client import Sender
from handoff.adapters.kafka.record_reader import RecordReader
from handoff.config import KafkaSettings
from handoff.proof.log.checkpoint import Origin
from handoff.proof.log.witness import AddCheckpoint
from handoff.record.message import Message
from handoff.record.topics import checkpoints_topic


class CheckpointsTopic:
    """Reads the topic of a record's jurisdiction from an offset on, and publishes on it. One task at a time may."""

    def __init__(self, settings: KafkaSettings, origin: Origin, *, client_id: str) -> None:
        self._origin = origin
        self._topic = checkpoints_topic(origin.jurisdiction)
        self._reader = RecordReader(settings, origin.jurisdiction, client_id=client_id, topic=self._topic)
        self._sender = Sender(settings, client_id=client_id)

    async def start(self, offset: int) -> None:
        """Reads from ``offset`` on. Raises BrokerUnavailable, and RecordBroken where the topic ends before it."""
        await self._reader.start(offset)

    async def end(self) -> int:
        """The offset of the next value. Raises BrokerUnavailable."""
        return await self._reader.end()

    async def read(self, *, wait: float) -> tuple[tuple[int, bytes], ...]:
        """The next values, each with its offset; none if there are none within ``wait`` seconds.

        Values of other generations are among them. Raises BrokerUnavailable (``start`` again) and RecordBroken.
        """
        entries = await self._reader.read(wait=wait)
        return tuple((entry.offset, entry.message.value or b"") for entry in entries)

    async def publish(self, request: AddCheckpoint) -> None:
        """Returns when it is acknowledged. Raises BrokerUnavailable: it may be there; publish the same again."""
        await self._sender.send(self._topic, [Message(str(self._origin).encode(), request.encode())])

    async def close(self) -> None:
        """Drops the connections; ``start`` and ``publish`` open them again."""
        await self._reader.close()
        await self._sender.close()
