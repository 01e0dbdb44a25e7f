"""Parsing of an inbox entry: its event, or the reason why it cannot be decoded. Pure."""

from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from handoff.node.rows import InboxRow
from handoff.record import codec, strict_json
from handoff.record.delivery import Delivery
from handoff.record.envelope import Event
from handoff.record.errors import NotAnEvent, UnknownEventType
from handoff.record.kafka_record import KafkaRecord
from handoff.record.uuid_text import parse_uuid


@dataclass(frozen=True, slots=True)
class InboxEntry:
    """A parsed entry: its offset in the topic, and its event if this release can decode it.

    Otherwise ``objection`` is the code; for a newer event type, case and referral are set if the event names them.
    """

    offset: int
    delivery: Delivery
    event: Event[Any] | None = None
    objection: str | None = None
    case: UUID | None = None
    referral: UUID | None = None

    @classmethod
    def from_record(cls, record: KafkaRecord) -> Self:
        """Parse a record of the inbox topic. Raises ``BrokenDelivery``."""
        return cls.from_delivery(record.offset, Delivery.from_message(record.message))

    @classmethod
    def from_delivery(cls, offset: int, delivery: Delivery) -> Self:
        """Parse an entry that was stored before."""
        value = delivery.message.value or b""
        try:
            event = codec.decode(value)
            return cls(offset, delivery, event, case=event.case_id)
        except UnknownEventType:
            case, referral = _what_it_names(value)
            return cls(offset, delivery, case=case, referral=referral)
        except NotAnEvent as error:
            return cls(offset, delivery, objection=error.code.value)

    def row(self, me: str, chain: bytes, rules: int) -> InboxRow:
        """Return the row to store: ``chain`` is the hash of the exchange's statement, ``rules`` the rules in force."""
        own = self.event is not None and self.event.emitter == me
        return InboxRow(self.offset, self.delivery, own=own, chain=chain, rules=rules)


def _what_it_names(value: bytes) -> tuple[UUID | None, UUID | None]:
    document = strict_json.parse(value)
    body = document.get("data")
    referral = body.get("referral") if isinstance(body, dict) else None
    return _uuid(document.get("subject")), _uuid(referral)


def _uuid(text: object) -> UUID | None:
    try:
        return parse_uuid(text) if isinstance(text, str) else None
    except ValueError:
        return None
