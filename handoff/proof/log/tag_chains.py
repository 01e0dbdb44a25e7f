"""Hash chain of each case tag: the log entry that the next record becomes, and its leaf hash."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

from handoff.proof.log.entry import NO_PREVIOUS, PARTITION, LogEntry, case_tag, record_hash
from handoff.record.kafka_record import KafkaRecord


class ChainHead(NamedTuple):
    """Last entry of a tag: its sequence and its leaf hash."""

    sequence: int
    leaf: bytes


_NO_HEAD: Final = ChainHead(0, NO_PREVIOUS)
# Each tag is needed twice, to load its head and to append, and recurs with every entry of its case.
_tag = lru_cache(4096)(case_tag)


@dataclass(slots=True)
class TagChains:
    """Head of each tag's chain. A tag that is missing counts as new."""

    heads: dict[bytes, ChainHead] = field(default_factory=dict)

    def append(self, record: KafkaRecord) -> tuple[LogEntry, bytes]:
        """Append the record to its tag's chain. Return its log entry and leaf hash."""
        message = record.message
        tag = _tag(message.key)
        head = self.heads.get(tag, _NO_HEAD)
        entry = LogEntry(
            partition=PARTITION,
            offset=record.offset,
            appended_ms=record.appended_ms,
            record_hash=record_hash(message.key, message.value, message.headers),
            case_tag=tag,
            sequence=head.sequence + 1,
            previous_leaf=head.leaf,
        )
        leaf = entry.leaf_hash()
        self.heads[tag] = ChainHead(entry.sequence, leaf)
        return entry, leaf

    def missing(self, records: Iterable[KafkaRecord]) -> frozenset[bytes]:
        """Return the tags of ``records`` that have no head here."""
        return frozenset(_tag(record.message.key) for record in records) - self.heads.keys()
