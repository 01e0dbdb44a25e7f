"""A record as Kafka holds it, and the same record parsed."""

from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from msgspec import Struct
from msgspec.structs import force_setattr

from handoff.record import codec
from handoff.record.codes import RefusalCode
from handoff.record.envelope import Event, Identity
from handoff.record.errors import NotAnEvent
from handoff.record.events.base import Body
from handoff.record.message import Message
from handoff.record.record_time import counted_ms, skew_ms
from handoff.record.redaction import Redaction, original_hash


@dataclass(frozen=True, slots=True)
class KafkaRecord:
    """Record of a topic with one partition: offset, append time in milliseconds since 1970-01-01 UTC, message."""

    offset: int
    appended_ms: int
    message: Message

    @property
    def counted_ms(self) -> int:
        """Append time as it counts for record time: bounded by the exchange's stamp."""
        return counted_ms(self.appended_ms, self.message.headers)

    @property
    def skew_ms(self) -> int:
        """Difference of the broker's clock to the exchange's when the entry was appended."""
        return skew_ms(self.appended_ms, self.message.headers)


class ParsedValue(NamedTuple):
    """Event in a record's value, or the code of the reason why there is none, and the value's SHA-256 (hex).

    Of a redacted value, the hash is that of the original value.
    """

    event: Event[Any] | RefusalCode
    value_hash: str


class CheckedSignature(NamedTuple):
    """Result of checking a record's signature with ``public_key`` before the record is judged."""

    public_key: bytes
    is_valid: bool


class ParsedRecord(Struct, frozen=True):
    """A record with its event, or the code of the reason why it has none, and the SHA-256 (hex) of its value.

    ``checked_signature`` is set if the signature was checked ahead. ``identity`` and ``case_id`` follow from the event:
    the identity of the event, None without one, and the case that it is about, if any.
    """

    kafka: KafkaRecord
    event: Event[Any] | RefusalCode
    value_hash: str
    checked_signature: CheckedSignature | None = None
    identity: Identity | None = None
    case_id: UUID | None = None

    def __post_init__(self) -> None:
        # Each is needed several times, and a UUID that is parsed again costs a microsecond.
        if isinstance(self.event, Event):
            force_setattr(self, "identity", self.event.identity)
            force_setattr(self, "case_id", self.event.case_id)

    @property
    def offset(self) -> int:
        """Offset in the topic."""
        return self.kafka.offset

    @property
    def message(self) -> Message:
        """Key, value bytes and headers."""
        return self.kafka.message

    @property
    def escalation(self) -> UUID | None:
        """Reference of the escalation that the event is about, if any."""
        body: Body | None = self.event.data if isinstance(self.event, Event) else None
        return getattr(body, "reference", None) if body is not None and _has_reference(type(body)) else None

    @property
    def is_redacted(self) -> bool:
        """True if a redaction stub replaced the value."""
        return Redaction.found(self.kafka.message.value) is not None


@cache
def _has_reference(body: type[Body]) -> bool:
    # To read a field that a model lacks takes four microseconds.
    return "reference" in body.model_fields


def parse_value(value: bytes) -> ParsedValue:
    """Parse a record's value. Needs nothing but the bytes: any order, any thread. Never raises on any bytes."""
    event: Event[Any] | RefusalCode
    try:
        event = codec.decode(value)
    except NotAnEvent as error:
        event = error.code
    return ParsedValue(event, original_hash(value).hex())


def parse(record: KafkaRecord) -> ParsedRecord:
    """Parse ``record``. Never raises on any bytes."""
    return ParsedRecord(record, *parse_value(record.message.value or b""))
