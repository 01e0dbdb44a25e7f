"""Topics of one jurisdiction: names, settings, writers and readers.

The broker is configured from these rows. The AsyncAPI document and the ACLs (``handoff.operations.setup.access``)
are derived from them, so that each is declared once.
"""

import re
from dataclasses import dataclass

EXCHANGE = "exchange"
PROJECTION = "projection"
MONITOR = "monitor"
AUDIT = "audit"

# These members are never the target of a referral, so no dossier is encrypted for them.
_WITHOUT_SEALED_TOPIC = frozenset({"coordination", AUDIT})

EVENT_LIMIT_BYTES = 16 * 1024
SEALED_LIMIT_BYTES = 320 * 1024
# Size of a record batch and of the headers (signature, key id, verdict, times) on top of a value.
_OVERHEAD_BYTES = 4 * 1024

CLIENT_SUFFIX = ".client"

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_MIB = 1024 * 1024

Config = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of one partition, with the ids of the principals that write it and read it."""

    name: str
    config: Config
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    partitions: int = 1


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


def verdicts_topic(jurisdiction: str) -> str:
    return f"{jurisdiction}.verdicts"


def out_pattern(jurisdiction: str) -> str:
    """Return the regular expression by which the exchange subscribes to every member's outgoing topic.

    A pattern also covers members that are admitted later.
    """
    return rf"^{re.escape(jurisdiction)}\.out\.[a-z0-9_]+$"


def agencies(members: tuple[str, ...]) -> tuple[str, ...]:
    """Return the members that can be the source or target of a referral."""
    return tuple(member for member in members if member not in _WITHOUT_SEALED_TOPIC)


def topics(jurisdiction: str, members: tuple[str, ...]) -> tuple[Topic, ...]:
    """Return every topic of a jurisdiction with these members."""
    recipients = agencies(members)
    return (
        *(Topic(out_topic(jurisdiction, m), _OUT, (m,), (EXCHANGE,)) for m in members),
        Topic(record_topic(jurisdiction), _RECORD, (EXCHANGE,), (EXCHANGE, PROJECTION, MONITOR)),
        *(Topic(in_topic(jurisdiction, m), _RECORD, (EXCHANGE,), (m,)) for m in members),
        *(Topic(sealed_topic(jurisdiction, a), _SEALED, (EXCHANGE,), (a,)) for a in recipients),
        Topic(
            checkpoints_topic(jurisdiction),
            _RECORD,
            (PROJECTION, MONITOR, *recipients),
            (EXCHANGE, PROJECTION, MONITOR, *members),
        ),
        Topic(verdicts_topic(jurisdiction), _RECORD, (MONITOR,), (PROJECTION, MONITOR, *members)),
    )


def groups(jurisdiction: str, principal: str) -> tuple[str, ...]:
    """Return the consumer groups of a principal; the first is named after it."""
    own = f"{jurisdiction}.{principal}"
    if principal == EXCHANGE:
        # Every exchange instance runs intake and one runs routing, so the two cannot share a group's assignment.
        return own, f"{own}.routing"
    return (own,) if principal in {PROJECTION, MONITOR} else (own, client_group(jurisdiction, principal))


def client_group(jurisdiction: str, member: str) -> str:
    """Return the consumer group of a Kafka client that a member runs beside its node.

    In the node's own group, such a client would take the node's partition.
    """
    return f"{jurisdiction}.{member}{CLIENT_SUFFIX}"


def is_client_group(group: str) -> bool:
    """Return whether a group is for a member's own client, which no operator can stop."""
    return group.count(".") == len("..") and group.endswith(CLIENT_SUFFIX)


def _config(**settings: str | int) -> Config:
    return tuple((key.replace("_", "."), str(value)) for key, value in settings.items())


# max.message.bytes applies to the batch as received, and again as it is stored. An uncompressed topic thus bounds what
# readers receive, because they never unfold anything. The broker unfolds a compressed batch before the second check:
# max.decompressed.message.bytes (Kafka 4.4) refuses a record of more bytes before any is allocated. No setting bounds
# the sum of a batch's records, which the broker holds in its heap. With the compression of the producer it would hold
# less for each of them, and every reader would have to bound what it unfolds: see ADR 50.
_RECORD = _config(
    cleanup_policy="delete",
    retention_ms=-1,
    retention_bytes=-1,
    message_timestamp_type="LogAppendTime",
    compression_type="uncompressed",
    max_message_bytes=_MIB,
    max_decompressed_message_bytes=_MIB,
)
_OUT = _config(
    cleanup_policy="delete",
    retention_ms=3 * _DAY_MS,
    # Retention never deletes the active segment, so it has to be rolled well before its contents expire.
    segment_ms=12 * _HOUR_MS,
    message_timestamp_type="LogAppendTime",
    compression_type="uncompressed",
    max_message_bytes=SEALED_LIMIT_BYTES + _OVERHEAD_BYTES,
    max_decompressed_message_bytes=SEALED_LIMIT_BYTES + _OVERHEAD_BYTES,
)
_SEALED = _config(
    cleanup_policy="compact,delete",
    retention_ms=30 * _DAY_MS,
    segment_ms=_HOUR_MS,
    delete_retention_ms=_DAY_MS,
    message_timestamp_type="LogAppendTime",
    compression_type="uncompressed",
    max_message_bytes=SEALED_LIMIT_BYTES + _OVERHEAD_BYTES,
    max_decompressed_message_bytes=SEALED_LIMIT_BYTES + _OVERHEAD_BYTES,
)
