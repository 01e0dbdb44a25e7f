"""Topics, principals, rights and quotas of one jurisdiction, declared once.

The broker is set up from these rows, the AsyncAPI document is written from them and the access tests run over them.
"""

import re
from dataclasses import dataclass
from typing import Literal

EXCHANGE = "exchange"
PROJECTION = "projection"
MONITOR = "monitor"
AUDIT = "audit"

# Members that act on no referral themselves: nobody seals anything for them.
_WITHOUT_SEALED_TOPIC = frozenset({"coordination", AUDIT})

EVENT_LIMIT_BYTES = 16 * 1024
SEALED_LIMIT_BYTES = 320 * 1024
# What a record batch and the headers (signature, key id, verdict, times) add to a value.
_OVERHEAD_BYTES = 4 * 1024

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_MIB = 1024 * 1024

Operation = Literal["READ", "WRITE"]
ResourceType = Literal["topic", "group"]
Config = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of one partition, with who writes it and who reads it (principal ids)."""

    name: str
    config: Config
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    partitions: int = 1


@dataclass(frozen=True, slots=True)
class Principal:
    """One process's identity at the broker: its SCRAM user name and the consumer groups that are its own."""

    id: str
    user: str
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grant:
    """One literal right; WRITE and READ each imply DESCRIBE."""

    user: str
    operation: Operation
    resource_type: ResourceType
    resource: str


@dataclass(frozen=True, slots=True)
class Quota:
    """How many bytes a second one principal may send and fetch at each broker."""

    user: str
    producer_byte_rate: int
    consumer_byte_rate: int


def out_topic(jurisdiction: str, member: str) -> str:
    return f"{jurisdiction}.out.{member}"


def in_topic(jurisdiction: str, member: str) -> str:
    return f"{jurisdiction}.in.{member}"


def sealed_topic(jurisdiction: str, agency: str) -> str:
    return f"{jurisdiction}.sealed.{agency}"


def record_topic(jurisdiction: str) -> str:
    return f"{jurisdiction}.record"


def checkpoints_topic(jurisdiction: str) -> str:
    return f"{jurisdiction}.checkpoints"


def out_pattern(jurisdiction: str) -> str:
    """The expression by which the exchange hears every member, those admitted later included."""
    return rf"^{re.escape(jurisdiction)}\.out\.[a-z0-9_]+$"


def user_name(jurisdiction: str, principal: str) -> str:
    """The principal's user at the broker; one cluster carries many jurisdictions."""
    return f"{jurisdiction}-{principal}"


def agencies(members: tuple[str, ...]) -> tuple[str, ...]:
    """The members that source and target referrals."""
    return tuple(member for member in members if member not in _WITHOUT_SEALED_TOPIC)


def topics(jurisdiction: str, members: tuple[str, ...]) -> tuple[Topic, ...]:
    """Every topic of a jurisdiction with these members, in the order of the design's table."""
    sealing = agencies(members)
    return (
        *(Topic(out_topic(jurisdiction, m), _OUT, (m,), (EXCHANGE,)) for m in members),
        Topic(record_topic(jurisdiction), _RECORD, (EXCHANGE,), (EXCHANGE, PROJECTION, MONITOR)),
        *(Topic(in_topic(jurisdiction, m), _RECORD, (EXCHANGE,), (m,)) for m in members),
        *(Topic(sealed_topic(jurisdiction, a), _SEALED, (EXCHANGE,), (a,)) for a in sealing),
        Topic(
            checkpoints_topic(jurisdiction),
            _RECORD,
            (PROJECTION, MONITOR, *sealing),
            (EXCHANGE, PROJECTION, MONITOR, *members),
        ),
    )


def groups(jurisdiction: str, principal: str) -> tuple[str, ...]:
    """The consumer groups of a principal; the first carries its name."""
    own = f"{jurisdiction}.{principal}"
    # Intake is active on every exchange and routing on one, so they do not share a group's assignment.
    return (own, f"{own}.routing") if principal == EXCHANGE else (own,)


def principals(jurisdiction: str, members: tuple[str, ...]) -> tuple[Principal, ...]:
    """Everyone who may log in to the broker for this jurisdiction; the operator stands above it."""
    return tuple(
        Principal(p, user_name(jurisdiction, p), groups(jurisdiction, p))
        for p in (EXCHANGE, PROJECTION, MONITOR, *members)
    )


def grants(jurisdiction: str, members: tuple[str, ...]) -> tuple[Grant, ...]:
    """Every right that exists in a jurisdiction: what is not listed here is refused."""
    rights: list[Grant] = []
    for topic in topics(jurisdiction, members):
        rights += [Grant(user_name(jurisdiction, w), "WRITE", "topic", topic.name) for w in topic.writers]
        rights += [Grant(user_name(jurisdiction, r), "READ", "topic", topic.name) for r in topic.readers]
    for principal in principals(jurisdiction, members):
        rights += [Grant(principal.user, "READ", "group", group) for group in principal.groups]
    return tuple(rights)


def quotas(jurisdiction: str, members: tuple[str, ...]) -> tuple[Quota, ...]:
    """A member can flood neither the broker nor its neighbours; the two that carry everyone get more."""
    return tuple(_quota(p) for p in principals(jurisdiction, members))


def _quota(principal: Principal) -> Quota:
    if principal.id in {EXCHANGE, PROJECTION, MONITOR}:
        return Quota(principal.user, 64 * _MIB, 256 * _MIB)
    # A member says a few events a minute, yet refolds its whole inbox when it is rebuilt.
    return Quota(principal.user, 4 * _MIB, 64 * _MIB)


def _config(**settings: str | int) -> Config:
    return tuple((key.replace("_", "."), str(value)) for key, value in settings.items())


# max.message.bytes counts the batch as it was sent: uncompressed, so that no gzip bomb passes it.
_RECORD = _config(
    cleanup_policy="delete",
    retention_ms=-1,
    retention_bytes=-1,
    message_timestamp_type="LogAppendTime",
    compression_type="uncompressed",
    max_message_bytes=_MIB,
)
_OUT = _config(
    cleanup_policy="delete",
    retention_ms=3 * _DAY_MS,
    # The active segment is never deleted: a segment has to end well before its contents must be gone.
    segment_ms=12 * _HOUR_MS,
    message_timestamp_type="LogAppendTime",
    compression_type="uncompressed",
    max_message_bytes=SEALED_LIMIT_BYTES + _OVERHEAD_BYTES,
)
_SEALED = _config(
    cleanup_policy="compact,delete",
    retention_ms=30 * _DAY_MS,
    segment_ms=_HOUR_MS,
    delete_retention_ms=_DAY_MS,
    message_timestamp_type="LogAppendTime",
    compression_type="uncompressed",
    max_message_bytes=SEALED_LIMIT_BYTES + _OVERHEAD_BYTES,
)
