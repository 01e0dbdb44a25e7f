"""Publisher on a member's outgoing topic."""

from collections.abc import Sequence

from handoff.adapters.kafka.client import BrokerUnavailable, Sender
from handoff.node.ports import PublishingFailed
from handoff.record.message import Message


class OutgoingTopic:
    """``Publisher`` on Kafka."""

    def __init__(self, sender: Sender, topic: str) -> None:
        self._sender = sender
        self._topic = topic

    async def send(self, messages: Sequence[Message]) -> None:
        try:
            await self._sender.send(self._topic, messages)
        except BrokerUnavailable as error:
            raise PublishingFailed(str(error)) from error

    async def close(self) -> None:
        await self._sender.close()
