"""Principals, ACLs and client quotas of one jurisdiction at the broker, derived from its topics."""

from dataclasses import dataclass
from typing import Literal

from handoff.record.topics import EXCHANGE, MONITOR, PROJECTION, groups, topics

_MIB = 1024 * 1024

Operation = Literal["READ", "WRITE"]
ResourceType = Literal["topic", "group"]


@dataclass(frozen=True, slots=True)
class Principal:
    """Identity of one process at the broker: its SCRAM user name and its consumer groups."""

    id: str
    user: str
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grant:
    """An ACL on one literally named resource; WRITE and READ each imply DESCRIBE."""

    user: str
    operation: Operation
    resource_type: ResourceType
    resource: str


@dataclass(frozen=True, slots=True)
class Quota:
    """Bytes per second that one principal may produce and fetch at each broker, and its share of request time.

    A byte rate counts a batch as it was compressed; request time counts what it costs the broker to unfold it. 100 is
    one thread of the broker.
    """

    user: str
    producer_byte_rate: int
    consumer_byte_rate: int
    request_percentage: int


def user_name(jurisdiction: str, principal: str) -> str:
    """Return the principal's user at the broker. One cluster serves many jurisdictions."""
    return f"{jurisdiction}-{principal}"


def principals(jurisdiction: str, members: tuple[str, ...]) -> tuple[Principal, ...]:
    """Return every principal that may log in to the broker for this jurisdiction, except the operator."""
    return tuple(
        Principal(p, user_name(jurisdiction, p), groups(jurisdiction, p))
        for p in (EXCHANGE, PROJECTION, MONITOR, *members)
    )


def grants(jurisdiction: str, members: tuple[str, ...]) -> tuple[Grant, ...]:
    """Return every ACL of a jurisdiction. The broker denies everything else."""
    acls: list[Grant] = []
    for topic in topics(jurisdiction, members):
        acls += [Grant(user_name(jurisdiction, w), "WRITE", "topic", topic.name) for w in topic.writers]
        acls += [Grant(user_name(jurisdiction, r), "READ", "topic", topic.name) for r in topic.readers]
    for principal in principals(jurisdiction, members):
        acls += [Grant(principal.user, "READ", "group", group) for group in principal.groups]
    return tuple(acls)


def quotas(jurisdiction: str, members: tuple[str, ...]) -> tuple[Quota, ...]:
    """Return the quota of each principal, so that no member can flood the broker or the other members.

    Exchange, projection and monitor carry the traffic of all members and get more. A member produces a few events a
    minute, but refolds its whole inbox when it is rebuilt. The broker averages over some seconds, so a relay publishes
    an outage's backlog in bursts. The rate also bounds the notes that a member writes to the topic of checkpoints,
    which every node reads.
    """
    shared = {EXCHANGE, PROJECTION, MONITOR}
    return tuple(
        Quota(p.user, 64 * _MIB, 256 * _MIB, 400) if p.id in shared else Quota(p.user, _MIB // 4, 64 * _MIB, 50)
        for p in principals(jurisdiction, members)
    )
