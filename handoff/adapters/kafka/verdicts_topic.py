"""The topic `verdicts`: the monitor's signed digests of verdicts, with unlimited retention."""

from handoff.adapters.kafka.client import Sender
from handoff.adapters.kafka.record_reader import RecordReader
from handoff.config import KafkaSettings
from handoff.proof.log.checkpoint import Origin
from handoff.record.message import Message
from handoff.record.topics import verdicts_topic


class VerdictsTopic:
    """Reader and publisher of a jurisdiction's statements of verdicts. Not safe for concurrent tasks."""

    def __init__(self, settings: KafkaSettings, origin: Origin, *, client_id: str) -> None:
        self._key = str(origin).encode()
        self._topic = verdicts_topic(origin.jurisdiction)
        self._reader = RecordReader(settings, origin.jurisdiction, client_id=client_id, topic=self._topic)
        self._sender = Sender(settings, client_id=client_id)

    async def publish(self, statement: bytes) -> None:
        """Publish and wait for the acknowledgement. Raises ``BrokerUnavailable``: the outcome is unknown, retry."""
        await self._sender.send(self._topic, [Message(self._key, statement)])

    async def newest(self) -> bytes | None:
        """Return the newest statement; None without one about this generation of the record.

        Raises ``BrokerUnavailable`` and ``RecordBroken``.
        """
        end = await self._reader.end()
        if not end:
            return None
        message = (await self._reader.entry_at(end - 1)).message
        return message.value if message.key == self._key else None

    async def close(self) -> None:
        """Close the connections; the other methods reopen them."""
        await self._reader.close()
        await self._sender.close()
