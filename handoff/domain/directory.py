"""The directory of a jurisdiction, folded from the record: members, keys, deadlines, rules and capacity."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct, field

from handoff.record.codes import CaseService, DeadlineStep, KeyUse, MemberKind, RecipientClass, Urgency
from handoff.record.events.base import Body
from handoff.record.events.directory import Calendars, Capacity, Deadline

MAX_KEYS_IN_FORCE = 4
"""Keys of one use that an owner may have in force: every node loads the directory. A rotation needs two."""
MAX_OWN_REGISTRATIONS = 8
"""Keys that an owner may register itself within the period: ended keys stay in the directory."""
REGISTRATION_PERIOD = timedelta(days=30)
RETIREMENT_GRACE = timedelta(hours=24)
"""Time for which signatures by a retired key still count. It exceeds the wait of an outbox row in an outage."""

_FIRST_CONTRACT = {"deadline.escalated": 2}
"""Type → its version at release 0.2.0, if it is not the first. Every release reads these versions."""


def _name_and_version(event_type: str) -> tuple[str, int]:
    name, _, version = event_type.rpartition(".v")
    return name, int(version)


class Member(Struct, frozen=True):
    """A member of the jurisdiction."""

    id: str
    kind: MemberKind
    services: tuple[CaseService, ...]
    classes: tuple[RecipientClass, ...]
    suspended: bool = False
    reads: tuple[str, ...] = ()

    def can_read(self, event_type: str) -> bool:
        """Return whether it declared this type in this version or a later one, which includes the earlier ones.

        Without a declaration, it reads every version that existed when release 0.2.0 closed the first contract.
        """
        name, version = _name_and_version(event_type)
        if not self.reads:
            return version <= _FIRST_CONTRACT.get(name, 1)
        return any(n == name and version <= v for n, v in map(_name_and_version, self.reads))


class Key(Struct, frozen=True):
    """A key of a member or of the exchange. ``public_key`` is 32 bytes in hexadecimal.

    ``self_registered`` is True if the owner registered it itself, and not the coordinator.
    """

    id: str
    owner: str
    use: KeyUse
    public_key: str
    self_registered: bool = False
    registered_at: datetime | None = None
    retired_at: datetime | None = None
    revoked: bool = False

    def is_in_force(self, at: datetime) -> bool:
        """Return whether the key is in use at record time ``at``."""
        return not self.revoked and (self.retired_at is None or at <= self.retired_at + RETIREMENT_GRACE)


class Directory(Struct, frozen=True):
    """State of the jurisdiction at a position of the record. ``members`` are in the order of admission.

    ``calendars`` has every publication in order: a step keeps the calendar under which it began.
    """

    jurisdiction: str
    generation: int
    founded: bool = False
    coordinator: str = ""
    rules: int = 0
    members: Mapping[str, Member] = field(default_factory=dict)
    keys: Mapping[str, Key] = field(default_factory=dict)
    deadlines: tuple[Deadline, ...] = ()
    ending_age_seconds: int = 0
    calendars: tuple[Calendars, ...] = ()
    capacity: Mapping[str, Mapping[CaseService, Capacity]] = field(default_factory=dict)

    def deadline(self, step: DeadlineStep, service: CaseService | None, urgency: Urgency | None) -> Deadline | None:
        """Return the deadline in force for a step, the first that matches; None if none does."""
        return next((row for row in self.deadlines if _fits(row, step, service, urgency)), None)

    def candidates(self, recipient_class: RecipientClass, service: CaseService) -> tuple[str, ...]:
        """Return the members of a class that offer a service and are not suspended, in the order of admission."""
        return tuple(
            member.id
            for member in self.members.values()
            if recipient_class in member.classes and service in member.services and not member.suspended
        )

    def signing_key(self, key_id: str, at: datetime) -> Key | None:
        """Return the signing key of this id if it is in force at ``at``."""
        key = self.keys.get(key_id)
        return key if key is not None and key.use is KeyUse.SIGNING and key.is_in_force(at) else None

    def keys_in_force(self, owner: str, use: KeyUse, at: datetime) -> int:
        """Return the number of an owner's keys of one use that are in force at ``at``."""
        return sum(key.owner == owner and key.use is use and key.is_in_force(at) for key in self.keys.values())

    def own_registrations(self, owner: str, since: datetime) -> int:
        """Return the number of keys that an owner has registered itself after ``since``."""
        own = (key for key in self.keys.values() if key.owner == owner and key.self_registered)
        return sum(key.registered_at is not None and key.registered_at > since for key in own)

    def cannot_read(self, member: str, body: type[Body]) -> bool:
        """Return whether a known member cannot read events of this type."""
        known = self.members.get(member)
        return known is not None and not known.can_read(body.type)


def _fits(row: Deadline, step: DeadlineStep, service: CaseService | None, urgency: Urgency | None) -> bool:
    return row.step is step and row.service in (None, service) and (not row.urgencies or urgency in row.urgencies)
