"""The directory: who belongs to the jurisdiction, with which keys and deadlines, as folded from the record."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct, field

from handoff.record.codes import CaseService, DeadlineStep, KeyUse, MemberKind, RecipientClass, Urgency
from handoff.record.events.base import Body
from handoff.record.events.directory import Capacity, Deadline

RETIREMENT_GRACE = timedelta(hours=24)
"""How long what was signed with a retired key still counts: longer than an outgoing row waits in an outage."""


class Member(Struct, frozen=True):
    """A member of the jurisdiction, in the order of admission."""

    id: str
    kind: MemberKind
    services: tuple[CaseService, ...]
    classes: tuple[RecipientClass, ...]
    suspended: bool = False
    reads: tuple[str, ...] = ()

    def can_read(self, event_type: str) -> bool:
        """Whether it said so; a member that never published its capabilities reads every first version."""
        return event_type in self.reads if self.reads else event_type.endswith(".v1")


class Key(Struct, frozen=True):
    """A key of a member. ``public_key`` is 32 bytes in hexadecimal."""

    id: str
    owner: str
    use: KeyUse
    public_key: str
    retired_at: datetime | None = None
    revoked: bool = False

    def is_in_force(self, at: datetime) -> bool:
        """Whether what it signed counts at record time ``at``."""
        if self.revoked or self.use is not KeyUse.SIGNING:
            return False
        return self.retired_at is None or at <= self.retired_at + RETIREMENT_GRACE


class Overdue(Struct, frozen=True):
    """What an escalation's opaque reference stands for; known only to who folds the case."""

    case: UUID
    step: DeadlineStep
    since: datetime
    referral: UUID | None
    basis: UUID | None


class Escalation(Struct, frozen=True):
    """A late step as the coordinator sees it: no case, no referral."""

    reference: UUID
    member: str
    service: CaseService | None
    step: DeadlineStep
    escalated_at: datetime
    age_seconds: int


class Directory(Struct, frozen=True):
    """Everything that was said of the jurisdiction up to a position of the record."""

    jurisdiction: str
    generation: int
    founded: bool = False
    coordinator: str = ""
    rules: int = 0
    members: Mapping[str, Member] = field(default_factory=dict)
    keys: Mapping[str, Key] = field(default_factory=dict)
    deadlines: tuple[Deadline, ...] = ()
    capacity: Mapping[str, Mapping[CaseService, Capacity]] = field(default_factory=dict)
    overdue: Mapping[UUID, Overdue] = field(default_factory=dict)
    escalations: Mapping[UUID, Escalation] = field(default_factory=dict)

    def deadline(self, step: DeadlineStep, service: CaseService, urgency: Urgency) -> Deadline | None:
        """The deadline in force for a step: the first that fits."""
        return next((row for row in self.deadlines if _fits(row, step, service, urgency)), None)

    def candidates(self, recipient_class: RecipientClass, service: CaseService) -> tuple[str, ...]:
        """Members of a class that offer a service and take requests, in the directory's order."""
        return tuple(
            member.id
            for member in self.members.values()
            if recipient_class in member.classes and service in member.services and not member.suspended
        )

    def signing_key(self, key_id: str, at: datetime) -> Key | None:
        """The key of that id, if it is in force at ``at``."""
        key = self.keys.get(key_id)
        return key if key is not None and key.is_in_force(at) else None

    def cannot_read(self, member: str, body: type[Body]) -> bool:
        """Whether a member has said that it cannot read events of this type."""
        known = self.members.get(member)
        return known is not None and not known.can_read(body.type)


def _fits(row: Deadline, step: DeadlineStep, service: CaseService, urgency: Urgency) -> bool:
    return row.step is step and row.service in (None, service) and (not row.urgencies or urgency in row.urgencies)
