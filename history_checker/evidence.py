"""What is found in a jurisdiction's parts: the record, inboxes, databases, and what its agencies were answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Headers = tuple[tuple[str, bytes | None], ...]
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the record, as the broker holds it; the time is the broker's, in milliseconds."""

    offset: int
    appended_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Delivered:
    """One entry of an inbox topic, with what the exchange's headers say."""

    sequence: int
    record_ms: int
    outcome: str
    reason: str | None
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Decided:
    """One row of a node's outbox; ``outcome`` is None while its echo is awaited."""

    id: str
    position: int
    subject: str
    value: bytes
    outcome: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Node:
    """One institution's database: ``states`` are referrals by id as folded, ``work_list`` the same as derived."""

    outbox: tuple[Decided, ...] = ()
    inbox: tuple[Delivered, ...] = ()
    states: Mapping[str, Json] = field(default_factory=dict)
    work_list: Mapping[str, Json] = field(default_factory=dict)
    sequence: int = 0
    waiting: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exchange:
    """The exchange's database; ``waiting`` counts what it has yet to do, by name."""

    next_offset: int
    states: Mapping[str, Json] = field(default_factory=dict)
    given: Mapping[str, int] = field(default_factory=dict)
    waiting: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shown:
    """One row of the timeline."""

    offset: int
    appended_ms: int
    key: bytes | None
    value: bytes | None
    outcome: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """The projection's database; ``handoffs`` are referrals by id, ``states`` the same in its folded cases."""

    next_offset: int
    entries: tuple[Shown, ...] = ()
    states: Mapping[str, Json] = field(default_factory=dict)
    handoffs: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answered:
    """A command that an agency was answered with success, as it noted it itself."""

    member: str
    event: str
    subject: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything there is to judge a jurisdiction by."""

    jurisdiction: str
    generation: int
    genesis: str
    record: tuple[Entry, ...]
    inboxes: Mapping[str, tuple[Delivered, ...]]
    nodes: Mapping[str, Node]
    exchange: Exchange
    timeline: Timeline
    answered: tuple[Answered, ...] = ()
