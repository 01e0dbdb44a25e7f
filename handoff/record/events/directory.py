"""What is said of the jurisdiction: who belongs to it, with which keys, under which deadlines and rules."""

from typing import Annotated, ClassVar

from pydantic import Field

from handoff.record.codes import (
    Calendar,
    CapacityBand,
    CapacityState,
    CapacityUnit,
    CaseService,
    DeadlineSource,
    DeadlineStep,
    KeyUse,
    MemberKind,
    RecipientClass,
    RefusalCode,
    Urgency,
)
from handoff.record.events.base import (
    Audience,
    DirectoryBody,
    Emitter,
    EventTypeName,
    Instant,
    KeyId,
    MemberId,
    PublicKey,
    Sha256,
    Signature,
    Terms,
)

RulesVersion = Annotated[int, Field(ge=1, le=10_000)]


class Deadline(Terms):
    """How long a step may take, in seconds, for which service and urgencies, and what that rests on."""

    step: DeadlineStep
    seconds: int = Field(ge=1, le=366 * 86_400)
    service: CaseService | None = None
    urgencies: tuple[Urgency, ...] = ()
    calendar: Calendar = Calendar.ALWAYS
    source: DeadlineSource


class Deadlines(Terms):
    """The deadlines that hold from here on; the first that fits a step counts."""

    deadlines: tuple[Deadline, ...]


class Admission(Terms):
    """A member, the services it offers and the classes of recipient it belongs to."""

    member: MemberId
    kind: MemberKind = MemberKind.AGENCY
    services: tuple[CaseService, ...] = ()
    classes: tuple[RecipientClass, ...] = ()


class Suspension(Terms):
    """A member that takes no new referrals."""

    member: MemberId


class KeyRegistration(Terms):
    """A member's key; ``possession`` is the key's own signature over its registration."""

    member: MemberId
    use: KeyUse = KeyUse.SIGNING
    public_key: PublicKey
    possession: Signature


class KeyEnd(Terms):
    """A key that ends."""

    key: KeyId


class RulesVersionTerms(Terms):
    """A version of the rules that judge."""

    version: RulesVersion


class Capabilities(Terms):
    """The event types, with their versions, that a member can read."""

    reads: tuple[EventTypeName, ...]


class Capacity(Terms):
    """How much of a service is free, as a band that expires."""

    service: CaseService
    unit: CapacityUnit
    band: CapacityBand
    state: CapacityState
    as_of: Instant
    valid_until: Instant


class JurisdictionFounded(Deadlines, DirectoryBody):
    """Offset 0 of a record: its hash is the trust anchor."""

    type: ClassVar = "jurisdiction.founded.v1"
    emitter: ClassVar = Emitter.COORDINATION
    audience: ClassVar = Audience.ALL

    coordinator: MemberId
    coordinator_key: PublicKey
    exchange_key: PublicKey
    rules: RulesVersion


class AgencyAdmitted(Admission, DirectoryBody):
    """A member joins, or its services and classes change."""

    type: ClassVar = "agency.admitted.v1"
    emitter: ClassVar = Emitter.COORDINATION
    audience: ClassVar = Audience.ALL


class AgencySuspended(Suspension, DirectoryBody):
    """A member takes no new referrals from here on."""

    type: ClassVar = "agency.suspended.v1"
    emitter: ClassVar = Emitter.COORDINATION
    audience: ClassVar = Audience.ALL


class DeadlinesPublished(Deadlines, DirectoryBody):
    """New deadlines hold for every step that begins from here on."""

    type: ClassVar = "deadlines.published.v1"
    emitter: ClassVar = Emitter.COORDINATION
    audience: ClassVar = Audience.ALL


class RulesActivated(RulesVersionTerms, DirectoryBody):
    """A version of the rules judges from here on."""

    type: ClassVar = "rules.activated.v1"
    emitter: ClassVar = Emitter.COORDINATION
    audience: ClassVar = Audience.ALL


class KeyRegistered(KeyRegistration, DirectoryBody):
    """A key is in force from here on."""

    type: ClassVar = "key.registered.v1"
    emitter: ClassVar = Emitter.KEY_AUTHORITY
    audience: ClassVar = Audience.ALL


class KeyRevoked(KeyEnd, DirectoryBody):
    """A key is void from this position on."""

    type: ClassVar = "key.revoked.v1"
    emitter: ClassVar = Emitter.COORDINATION
    audience: ClassVar = Audience.ALL


class KeyRetired(KeyEnd, DirectoryBody):
    """A member lays a key aside; what is under way still counts for a grace period."""

    type: ClassVar = "key.retired.v1"
    emitter: ClassVar = Emitter.MEMBER
    audience: ClassVar = Audience.ALL


class CapabilitiesPublished(Capabilities, DirectoryBody):
    """What a member can read from here on."""

    type: ClassVar = "capabilities.published.v1"
    emitter: ClassVar = Emitter.MEMBER
    audience: ClassVar = Audience.ALL


class CapacityPublished(Capacity, DirectoryBody):
    """A provider says how much is free."""

    type: ClassVar = "capacity.published.v1"
    emitter: ClassVar = Emitter.MEMBER
    audience: ClassVar = Audience.ALL


class SubmissionRefused(DirectoryBody):
    """Something that a member sent was not put on the record; nothing of it is kept but its hash."""

    type: ClassVar = "submission.refused.v1"
    emitter: ClassVar = Emitter.EXCHANGE
    audience: ClassVar = Audience.NAMED_MEMBER

    member: MemberId
    code: RefusalCode
    value_hash: Sha256
