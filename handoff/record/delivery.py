"""Inbox entries: the unchanged event, with headers by which the exchange adds its sequence, time, verdict and proof."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Self

from handoff.record.codes import RefusalCode
from handoff.record.message import Headers, Message
from handoff.record.redaction import Redaction

SEQUENCE_HEADER = "inbox-sequence"
RECORD_TIME_HEADER = "record-time"
VERDICT_HEADER = "verdict"
REASON_HEADER = "verdict-reason"
PROOF_HEADER = "delivery-proof"


class VerdictKind(StrEnum):
    """Result of judging an event at its position on the record."""

    EFFECTIVE = "effective"
    INEFFECTIVE = "ineffective"
    DUPLICATE = "duplicate"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Result of judging an event, with its reason if there is one: a state or a code."""

    kind: VerdictKind
    reason: str | None = None

    @property
    def is_effective(self) -> bool:
        """True if the event took effect."""
        return self.kind is VerdictKind.EFFECTIVE


EFFECTIVE = Verdict(VerdictKind.EFFECTIVE)
DUPLICATE = Verdict(VerdictKind.DUPLICATE)


def ineffective(reason: str) -> Verdict:
    """Return the verdict on an event that lost a race or was not allowed."""
    return Verdict(VerdictKind.INEFFECTIVE, reason)


def invalid(code: str) -> Verdict:
    """Return the verdict on an entry that is malformed, not authentic, an equivocation or redacted."""
    return Verdict(VerdictKind.INVALID, code)


EQUIVOCATION = invalid(RefusalCode.EQUIVOCATION)
"""Verdict on an authentic event that contradicts an earlier one with the same identity."""
REDACTED = invalid("redacted")
"""Verdict on a redacted entry, which has no effect any more."""


class DeliveryFault(StrEnum):
    """Code of the reason why an inbox cannot be trusted."""

    MALFORMED = "malformed"
    NOT_SIGNED = "not_signed"
    """The exchange did not sign this entry as the next one of this inbox."""
    CONTRADICTION = "contradiction"
    """The exchange signed two different entries under one sequence."""
    GAP = "gap"
    LOST = "lost"
    """The topic no longer has the last entry that was read from it: it was truncated, and may have grown again."""
    RULES_NOT_SUPPORTED = "rules_not_supported"
    """No fault of the exchange: this release does not have the rules that the entry puts into force."""


class BrokenDelivery(Exception):
    """An inbox record that the exchange did not deliver in this form: stop the inbox and raise an alarm."""

    def __init__(self, fault: DeliveryFault, what: str) -> None:
        super().__init__(what)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Delivery:
    """One inbox entry: dense sequence (1, 2, 3 …), record time (ms precision), original verdict and message.

    ``proof`` is the packed ``DeliveryProof``. An entry that is sent again is equal, with the proof of another batch.
    """

    sequence: int
    record_time: datetime
    verdict: Verdict
    message: Message
    proof: bytes = field(default=b"", compare=False)

    @property
    def is_redacted(self) -> bool:
        """True if a redaction stub replaced the value."""
        return Redaction.found(self.message.value) is not None

    @property
    def current_verdict(self) -> Verdict:
        """Verdict that counts: a redacted entry has no effect any more, and its statement stays as it was signed."""
        return REDACTED if self.is_redacted else self.verdict

    def to_message(self) -> Message:
        """Return the message with the exchange's headers after those of the emitter."""
        added: list[tuple[str, bytes]] = [
            (SEQUENCE_HEADER, str(self.sequence).encode()),
            (RECORD_TIME_HEADER, str(to_ms(self.record_time)).encode()),
            (VERDICT_HEADER, self.verdict.kind.value.encode()),
        ]
        if self.verdict.reason is not None:
            added.append((REASON_HEADER, self.verdict.reason.encode()))
        if self.proof:
            added.append((PROOF_HEADER, self.proof))
        return Message(self.message.key, self.message.value, self.message.headers + tuple(added))

    @classmethod
    def from_message(cls, message: Message) -> Self:
        """Return the entry of an inbox record. Raises ``BrokenDelivery``."""
        own = tuple(pair for pair in message.headers if pair[0] not in _ADDED)
        try:
            sequence, time = _number(message, SEQUENCE_HEADER), _number(message, RECORD_TIME_HEADER)
            kind = VerdictKind(_added(message, VERDICT_HEADER))
            reason = message.header(REASON_HEADER)
            verdict = Verdict(kind, None if reason is None else reason.decode())
            proof = message.header(PROOF_HEADER) or b""
            return cls(sequence, from_ms(time), verdict, Message(message.key, message.value, own), proof)
        except (ValueError, OverflowError, OSError) as error:
            raise BrokenDelivery(
                DeliveryFault.MALFORMED, "the exchange's headers of an inbox record are invalid"
            ) from error


_ADDED: frozenset[str] = frozenset({SEQUENCE_HEADER, RECORD_TIME_HEADER, VERDICT_HEADER, REASON_HEADER, PROOF_HEADER})


def _added(message: Message, name: str) -> str:
    value = message.header(name)
    if value is None:
        raise BrokenDelivery(DeliveryFault.MALFORMED, f"an inbox record lacks the exchange's header {name}")
    return value.decode()


def _number(message: Message, name: str) -> int:
    number = int(_added(message, name))
    if not 0 <= number < 1 << 64:
        raise ValueError(f"{name} is no unsigned number of 64 bits")
    return number


def to_ms(time: datetime) -> int:
    """Return milliseconds since 1970-01-01 UTC, the precision of Kafka's timestamps."""
    return round(time.timestamp() * 1000)


def from_ms(milliseconds: int) -> datetime:
    """Return the instant, in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


__all__ = [
    "DUPLICATE",
    "EFFECTIVE",
    "EQUIVOCATION",
    "REDACTED",
    "BrokenDelivery",
    "Delivery",
    "DeliveryFault",
    "Headers",
    "Verdict",
    "VerdictKind",
    "from_ms",
    "ineffective",
    "invalid",
    "to_ms",
]
