"""Hash chain of each record key: the log entry that the next record becomes, and its leaf hash."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from handoff.proof.log.entry import NO_PREVIOUS, PARTITION, LogEntry, case_tag, record_hash_of
from handoff.record.header_codec import pack_headers
from handoff.record.kafka_record import KafkaRecord
from handoff.record.redaction import original_hash


class ChainHead(NamedTuple):
    """The tag of a record key, and the sequence and leaf hash of its last entry."""

    tag: bytes
    sequence: int
    leaf: bytes


@dataclass(slots=True)
class TagChains:
    """Head of the chain of each record key. A key that is missing counts as new: its next record salts its tag."""

    heads: dict[bytes, ChainHead] = field(default_factory=dict)

    def append(self, record: KafkaRecord) -> tuple[LogEntry, bytes]:
        """Append the record to the chain of its key. Return its log entry and leaf hash."""
        message = record.message
        return self.append_hashed(record, original_hash(message.value), pack_headers(message.headers))

    def append_hashed(self, record: KafkaRecord, value_hash: bytes, packed_headers: bytes) -> tuple[LogEntry, bytes]:
        """Append a record whose value hash and packed headers are known already."""
        message = record.message
        key = message.key or b""
        head = self.heads.get(key)
        if head is None:
            head = ChainHead(case_tag(key, value_hash), 0, NO_PREVIOUS)
        entry = LogEntry(
            partition=PARTITION,
            offset=record.offset,
            appended_ms=record.counted_ms,
            record_hash=record_hash_of(message.key, value_hash, packed_headers),
            case_tag=head.tag,
            sequence=head.sequence + 1,
            previous_leaf=head.leaf,
        )
        leaf = entry.leaf_hash()
        self.heads[key] = ChainHead(head.tag, entry.sequence, leaf)
        return entry, leaf

    def missing(self, records: Iterable[KafkaRecord]) -> frozenset[bytes]:
        """Return the keys of ``records`` that have no head here."""
        return frozenset(record.message.key or b"" for record in records) - self.heads.keys()
