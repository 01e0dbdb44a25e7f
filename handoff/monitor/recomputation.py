"""Recomputation of the record's tree from the record alone: entries, each tag's chain, and the frontier."""

from collections.abc import Iterator, Sequence

from handoff.proof.log.checkpoint import TreeHead
from handoff.proof.log.entry import NO_PREVIOUS, LogEntry, case_tag, record_hash
from handoff.proof.log.frontier import Frontier
from handoff.proof.verify.bundle_checks import PARTITION
from handoff.record.kafka_record import KafkaRecord


class Recomputation:
    """Tree over the entries appended so far. It holds a few dozen bytes a case, and no entries."""

    def __init__(self) -> None:
        self._frontier = Frontier()
        self._last: dict[bytes, tuple[int, bytes]] = {}

    @property
    def size(self) -> int:
        """Number of entries."""
        return self._frontier.size

    @property
    def head(self) -> TreeHead:
        """Tree head: size and root."""
        return TreeHead(self._frontier.size, self._frontier.root)

    def take(self, entries: Sequence[KafkaRecord]) -> None:
        """Append the next entries, in the record's order."""
        self._frontier, _ = self._frontier.extended(self._leaves(entries))

    def _leaves(self, entries: Sequence[KafkaRecord]) -> Iterator[bytes]:
        for entry in entries:
            message = entry.message
            tag = case_tag(message.key)
            sequence, previous = self._last.get(tag, (0, NO_PREVIOUS))
            content = record_hash(message.key, message.value, message.headers)
            found = LogEntry(PARTITION, entry.offset, entry.appended_ms, content, tag, sequence + 1, previous)
            leaf = found.leaf_hash()
            self._last[tag] = (sequence + 1, leaf)
            yield leaf
