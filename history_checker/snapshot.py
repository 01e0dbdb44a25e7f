"""Snapshot of an installation: record, inboxes, databases, and the commands that its agencies saw answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Headers = tuple[tuple[str, bytes | None], ...]
Json = Mapping[str, Any]


class ReferralKey(NamedTuple):
    """Identity of a referral: the same referral id in another case is another referral."""

    case: str
    referral: str

    def __str__(self) -> str:
        return f"{self.case}/{self.referral}"


@dataclass(frozen=True, slots=True)
class RecordEntry:
    """Entry of the record topic; ``broker_ms`` is the broker's timestamp in milliseconds."""

    offset: int
    broker_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()

    @property
    def appended_ms(self) -> int:
        """Timestamp as it counts: at most five minutes after the time that the exchange stamped in a header."""
        stamps = [value or b"" for name, value in self.headers if name == "exchange-time"]
        if len(stamps) != 1 or not stamps[0].isdigit() or len(stamps[0]) > 15:
            return self.broker_ms
        return min(self.broker_ms, int(stamps[0]) + 300_000)


@dataclass(frozen=True, slots=True)
class ObservedInboxEntry:
    """Entry of an inbox. The first four fields come from the exchange's headers; ``headers`` are the emitter's."""

    sequence: int
    record_ms: int
    outcome: str
    reason: str | None
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class ObservedOutboxRow:
    """Row of a node's outbox; ``outcome`` is None until the event's echo has arrived."""

    id: str
    position: int
    subject: str
    value: bytes
    outcome: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class NodeSnapshot:
    """Database of a node: referrals in the folded cases (``states``) and in the table ``work_list``."""

    outbox: tuple[ObservedOutboxRow, ...] = ()
    inbox: tuple[ObservedInboxEntry, ...] = ()
    states: Mapping[ReferralKey, Json] = field(default_factory=dict)
    work_list: Mapping[ReferralKey, Json] = field(default_factory=dict)
    sequence: int = 0
    pending: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExchangeSnapshot:
    """Database of the exchange; ``routed`` counts the inbox entries of each member, ``pending`` unfinished work."""

    next_offset: int
    states: Mapping[ReferralKey, Json] = field(default_factory=dict)
    routed: Mapping[str, int] = field(default_factory=dict)
    pending: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ObservedTimelineRow:
    """Row of the table ``timeline.entries``."""

    offset: int
    appended_ms: int
    key: bytes | None
    value: bytes | None
    outcome: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class ProjectionSnapshot:
    """Database of the projection: referrals in the folded cases (``states``) and in ``handoffs``."""

    next_offset: int
    entries: tuple[ObservedTimelineRow, ...] = ()
    states: Mapping[ReferralKey, Json] = field(default_factory=dict)
    handoffs: Mapping[ReferralKey, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ObservedCommand:
    """One event of a command that was answered with success, as the client logged it."""

    member: str
    event: str
    subject: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that the checks read."""

    jurisdiction: str
    generation: int
    genesis: str
    record: tuple[RecordEntry, ...]
    inboxes: Mapping[str, tuple[ObservedInboxEntry, ...]]
    nodes: Mapping[str, NodeSnapshot]
    exchange: ExchangeSnapshot
    projection: ProjectionSnapshot
    answered: tuple[ObservedCommand, ...] = ()
