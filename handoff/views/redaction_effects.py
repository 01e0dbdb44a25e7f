"""Effects of a redaction: entries whose verdicts depend on the redacted ones."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from handoff.domain.directory import Directory
from handoff.domain.record_fold import RecordFold
from handoff.record.codes import RedactionReason
from handoff.record.delivery import Verdict
from handoff.record.kafka_record import ParsedRecord, parse
from handoff.record.message import Message
from handoff.record.redaction import Redaction


class DirectoryNotRedactable(Exception):
    """A directory entry was to be redacted. All members' keys are there, so it never is."""


def redacted(message: Message, reason: RedactionReason) -> Message:
    """Return ``message`` with a redaction stub as its value. Key and headers stay: the record hash covers them."""
    return replace(message, value=Redaction.of(message.value or b"", reason).stub)


def dependent_offsets(
    offsets: frozenset[int],
    records: Iterable[ParsedRecord],
    genesis_hash: str,
    empty: Directory,
    reason: RedactionReason,
) -> tuple[int, ...]:
    """Return the offsets whose verdicts change if only ``offsets`` are redacted.

    ``records`` has every entry of the directory and of the cases concerned, in the record's order, each with the record
    time at its position as its append time. Raises ``DirectoryNotRedactable``.
    """
    before = tuple(records)
    if any(record.offset in offsets and record.message.key == empty.jurisdiction.encode() for record in before):
        raise DirectoryNotRedactable
    after = [_redacted_record(record, reason) if record.offset in offsets else record for record in before]
    verdicts = (_verdicts(records, genesis_hash, empty) for records in (before, after))
    return tuple(
        record.offset
        for record, old, new in zip(before, *verdicts, strict=True)
        if record.offset not in offsets and old != new
    )


def _redacted_record(record: ParsedRecord, reason: RedactionReason) -> ParsedRecord:
    return parse(replace(record.kafka, message=redacted(record.message, reason)))


def _verdicts(records: Sequence[ParsedRecord], genesis_hash: str, empty: Directory) -> list[Verdict]:
    fold = RecordFold(genesis_hash, empty)
    return [fold.apply(record)[0].verdict for record in records]
