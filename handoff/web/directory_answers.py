"""What the API answers about the jurisdiction: its members, keys, deadlines, and the coordinator's escalations."""

from datetime import datetime
from typing import Self
from uuid import UUID

from handoff.domain.directory import Directory
from handoff.record.codes import CaseService, DeadlineStep, KeyUse, MemberKind, RecipientClass
from handoff.record.events.directory import Capacity, Deadline
from handoff.web.answers import Answer


class DirectoryMember(Answer):
    """A member of the jurisdiction and what it says of its capacity."""

    id: str
    kind: MemberKind
    services: tuple[CaseService, ...]
    classes: tuple[RecipientClass, ...]
    suspended: bool
    capacity: tuple[Capacity, ...] = ()


class DirectoryKey(Answer):
    """A key of a member."""

    id: str
    owner: str
    use: KeyUse
    public_key: str
    retired_at: datetime | None = None
    revoked: bool


class DirectoryState(Answer):
    """The jurisdiction as the record says: members in the order of their admission, keys, deadlines and rules."""

    jurisdiction: str
    generation: int
    founded: bool
    rules: int
    members: tuple[DirectoryMember, ...] = ()
    keys: tuple[DirectoryKey, ...] = ()
    deadlines: tuple[Deadline, ...] = ()

    @classmethod
    def of(cls, directory: Directory) -> Self:
        """The directory, without what only the coordinator or the exchange may know."""
        return cls(
            jurisdiction=directory.jurisdiction,
            generation=directory.generation,
            founded=directory.founded,
            rules=directory.rules,
            members=_members(directory),
            keys=tuple(DirectoryKey.model_validate(key) for key in directory.keys.values()),
            deadlines=directory.deadlines,
        )


def _members(directory: Directory) -> tuple[DirectoryMember, ...]:
    return tuple(
        DirectoryMember(
            id=member.id,
            kind=member.kind,
            services=member.services,
            classes=member.classes,
            suspended=member.suspended,
            capacity=tuple(directory.capacity.get(member.id, {}).values()),
        )
        for member in directory.members.values()
    )


class EscalationState(Answer):
    """A late step as the coordinator sees it: who is late with what, and no case."""

    reference: UUID
    member: str
    service: CaseService | None = None
    step: DeadlineStep
    escalated_at: datetime
    age_seconds: int


class Escalations(Answer):
    """The open escalations, the oldest first."""

    escalations: tuple[EscalationState, ...]
