"""The record's tree, recomputed from the record alone."""

from collections.abc import Sequence

from handoff.proof.log.checkpoint import TreeHead
from handoff.proof.log.frontier import Frontier
from handoff.proof.log.tag_chains import TagChains
from handoff.record.kafka_record import KafkaRecord


class Recomputation:
    """Tree over the entries that were appended so far. It keeps a few dozen bytes for each case, and no entry."""

    def __init__(self) -> None:
        self._frontier = Frontier()
        self._chains = TagChains()

    @property
    def size(self) -> int:
        """Number of entries."""
        return self._frontier.size

    @property
    def head(self) -> TreeHead:
        """Size and root."""
        return TreeHead(self._frontier.size, self._frontier.root)

    def append(self, records: Sequence[KafkaRecord]) -> None:
        """Append the next records, in the record's order."""
        self._frontier, _ = self._frontier.extended(self._chains.append(record)[1] for record in records)
