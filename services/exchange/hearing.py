"""Whether every member is heard: that some exchange reads each outgoing topic.

A broker gives an exchange that comes back within its session the topics that it had before, without asking anybody. A
member that was admitted in between is then in nobody's hands, for as long as nothing else changes in the group.
"""

import re
from dataclasses import dataclass, field
from time import monotonic

from aiokafka import AIOKafkaConsumer, TopicPartition


class Unheard(Exception):
    """Entries wait in topics that nobody reads: join the group anew, as somebody whom it does not know."""


@dataclass
class Hearing:
    """Watches the topics that match ``pattern`` and belong to another exchange, or to nobody."""

    pattern: str
    patience_seconds: float
    interval_seconds: float = 3.0
    _looked_at: float = field(default_factory=monotonic)
    _waiting: dict[TopicPartition, tuple[int, float]] = field(default_factory=dict)

    async def watch(self, consumer: AIOKafkaConsumer) -> None:
        """Looks now and then. Raises Unheard where the same entries have waited longer than the patience."""
        now = monotonic()
        if now - self._looked_at < self.interval_seconds:
            return
        self._looked_at = now
        waiting = await self._unread(consumer)
        self._waiting = {topic: (committed, self._since(topic, committed, now)) for topic, committed in waiting.items()}
        unheard = sorted(t.topic for t, (_, since) in self._waiting.items() if now - since > self.patience_seconds)
        if unheard:
            raise Unheard(", ".join(unheard))

    def _since(self, topic: TopicPartition, committed: int, now: float) -> float:
        before = self._waiting.get(topic)
        return before[1] if before is not None and before[0] == committed else now

    async def _unread(self, consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
        """Topics that are not this exchange's and hold entries behind the group's position."""
        names = {name for name in await consumer.topics() if re.match(self.pattern, name)}
        others = [topic for topic in (TopicPartition(name, 0) for name in names) if topic not in consumer.assignment()]
        ends = await consumer.end_offsets(others) if others else {}
        positions = {topic: await consumer.committed(topic) or 0 for topic in others}
        return {topic: position for topic, position in positions.items() if ends[topic] > position}
