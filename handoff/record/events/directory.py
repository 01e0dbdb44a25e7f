"""Events about the jurisdiction: members, keys, deadlines, rules, capacity."""

import re
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, ClassVar, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from handoff.record.codes import (
    Calendar,
    CapacityBand,
    CapacityState,
    CapacityUnit,
    CaseService,
    DeadlineSource,
    DeadlineStep,
    DeadlineUnit,
    HoldCode,
    KeyUse,
    MemberKind,
    RecipientClass,
    RedactionReason,
    RefusalCode,
    Urgency,
)
from handoff.record.events import case, deadline, referral
from handoff.record.events.base import (
    Audience,
    Body,
    DirectoryBody,
    Emitter,
    Instant,
    KeyId,
    MemberId,
    PublicKey,
    Sha256,
    Signature,
    StatusBody,
    Terms,
)

# With larger amounts, a due time could exceed the range of datetime.
_LONGEST = {DeadlineUnit.SECONDS: 366 * 86_400, DeadlineUnit.WORKING_DAYS: 366}

DEFAULT_ENDING_AGE_SECONDS = 30 * 86_400
_SLOTS = frozenset({CapacityUnit.CASE_SLOT, CapacityUnit.APPOINTMENT_SLOT})
_HOMES = frozenset({CapacityUnit.PLACE, CapacityUnit.FAMILY_ROOM})
CAPACITY_UNITS: Mapping[CaseService, frozenset[CapacityUnit]] = MappingProxyType(
    {
        CaseService.SHELTER: _HOMES,
        CaseService.HOUSING: _HOMES | {CapacityUnit.VACANCY},
        CaseService.VOCATIONAL_TRAINING: frozenset({CapacityUnit.COURSE_SEAT}),
        CaseService.EMPLOYMENT: frozenset({CapacityUnit.VACANCY, CapacityUnit.APPOINTMENT_SLOT}),
        CaseService.CASE_MANAGEMENT: _SLOTS,
        CaseService.CHILD_PROTECTION: _SLOTS,
        CaseService.PSYCHOSOCIAL: _SLOTS,
        CaseService.MEDICAL: _SLOTS,
        CaseService.POLICE_PROTECTION: _SLOTS,
        CaseService.LEGAL_AID: _SLOTS,
        CaseService.PROTECTION_ORDER: _SLOTS,
        CaseService.VICTIM_ADVOCACY: _SLOTS,
        CaseService.BENEFIT_CONTINUITY: _SLOTS,
        CaseService.REINTEGRATION_PLAN: _SLOTS,
        CaseService.FOLLOW_UP: _SLOTS,
    }
)
"""Service → units in which its capacity can be counted."""

RulesVersion = Annotated[int, Field(ge=1, le=10_000)]


class Deadline(Terms):
    """Time allowed for a step, by service and urgency, with its source.

    ``amount`` is in ``unit``. ``paused_by`` are the hold codes that stop the clock; a deadline by law has none.
    """

    step: DeadlineStep
    amount: int = Field(ge=1, le=_LONGEST[DeadlineUnit.SECONDS])
    unit: DeadlineUnit = DeadlineUnit.SECONDS
    service: CaseService | None = None
    urgencies: tuple[Urgency, ...] = ()
    calendar: Calendar = Calendar.ALWAYS
    paused_by: tuple[HoldCode, ...] = ()
    source: DeadlineSource

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.amount > _LONGEST[self.unit]:
            raise ValueError(f"amount is more than {_LONGEST[self.unit]} {self.unit.value}")
        if self.source is DeadlineSource.LAW and self.paused_by:
            raise ValueError("no hold stops the clock of a deadline by law")
        return self


class Deadlines(Terms):
    """Deadlines in force from this event on. The first that matches a step applies.

    ``ending_age_seconds``: for so long after its own service ended, a member's report that the survivor ends services
    still ends the requests of others.
    """

    deadlines: tuple[Deadline, ...]
    ending_age_seconds: int = Field(DEFAULT_ENDING_AGE_SECONDS, ge=0, le=_LONGEST[DeadlineUnit.SECONDS])


class Admission(Terms):
    """A member, its services and its recipient classes."""

    member: MemberId
    kind: MemberKind = MemberKind.AGENCY
    services: tuple[CaseService, ...] = ()
    classes: tuple[RecipientClass, ...] = ()


class Suspension(Terms):
    """A member that accepts no new referrals."""

    member: MemberId


class KeyRegistration(Terms):
    """A key of a member or of the exchange; ``possession`` is a signature by this key over the registration.

    The coordinator registers signing keys. A member registers its encryption keys itself.
    """

    member: MemberId
    use: KeyUse = KeyUse.SIGNING
    public_key: PublicKey
    possession: Signature


class KeyEnd(Terms):
    """A key whose validity ends."""

    key: KeyId


class RulesVersionTerms(Terms):
    """A version of the rules of judging."""

    version: RulesVersion


class RedactionTerms(Terms):
    """A value to remove: its offset on the record, the SHA-256 of its bytes, and the reason."""

    offset: int = Field(ge=0, le=2**53 - 1)
    value_hash: Sha256
    reason: RedactionReason


class Capacity(Terms):
    """Free capacity of a service, as a band that expires."""

    service: CaseService
    unit: CapacityUnit
    band: CapacityBand
    state: CapacityState
    as_of: Instant
    valid_until: Instant

    @field_validator("unit")
    @classmethod
    def _unit_fits_the_service(cls, unit: CapacityUnit, info: ValidationInfo) -> CapacityUnit:
        service = info.data.get("service")
        if service is not None and unit not in CAPACITY_UNITS[service]:
            allowed = ", ".join(fitting.value for fitting in CapacityUnit if fitting in CAPACITY_UNITS[service])
            raise ValueError(f"is not a unit of this service; use {allowed}")
        return unit

    @field_validator("valid_until")
    @classmethod
    def _expires_later(cls, valid_until: datetime, info: ValidationInfo) -> datetime:
        as_of = info.data.get("as_of")
        if as_of is not None and valid_until <= as_of:
            raise ValueError("is not after as_of")
        return valid_until


class JurisdictionFounded(Deadlines, DirectoryBody):
    """Foundation of the jurisdiction, at offset 0. Its hash is the trust anchor."""

    type: ClassVar = "jurisdiction.founded.v1"
    emitter: ClassVar = Emitter.COORDINATION
    audience: ClassVar = Audience.ALL

    coordinator: MemberId
    coordinator_key: PublicKey
    exchange_key: PublicKey
    rules: RulesVersion


class AgencyAdmitted(Admission, DirectoryBody):
    """A member was admitted, or its services and classes changed."""

    type: ClassVar = "agency.admitted.v1"
    emitter: ClassVar = Emitter.COORDINATION
    audience: ClassVar = Audience.ALL


class AgencySuspended(Suspension, DirectoryBody):
    """A member was suspended: it accepts no new referrals."""

    type: ClassVar = "agency.suspended.v1"
    emitter: ClassVar = Emitter.COORDINATION
    audience: ClassVar = Audience.ALL


class DeadlinesPublished(Deadlines, DirectoryBody):
    """New deadlines apply to every step that begins after this event."""

    type: ClassVar = "deadlines.published.v1"
    emitter: ClassVar = Emitter.COORDINATION
    audience: ClassVar = Audience.ALL


class RulesActivated(RulesVersionTerms, DirectoryBody):
    """A version of the rules is in force from this event on."""

    type: ClassVar = "rules.activated.v1"
    emitter: ClassVar = Emitter.COORDINATION
    audience: ClassVar = Audience.ALL


class KeyRegistered(KeyRegistration, DirectoryBody):
    """A key is in force from this event on."""

    type: ClassVar = "key.registered.v1"
    emitter: ClassVar = Emitter.KEY_AUTHORITY
    audience: ClassVar = Audience.ALL


class KeyRevoked(KeyEnd, DirectoryBody):
    """A key is void from this event on, and with a signing key the encryption keys that its owner registered itself."""

    type: ClassVar = "key.revoked.v1"
    emitter: ClassVar = Emitter.COORDINATION
    audience: ClassVar = Audience.ALL


class KeyRetired(KeyEnd, DirectoryBody):
    """The owner of a key or the coordinator retired it. Its signatures still count for a grace period."""

    type: ClassVar = "key.retired.v1"
    emitter: ClassVar = Emitter.KEY_AUTHORITY
    audience: ClassVar = Audience.ALL


class CapacityPublished(Capacity, StatusBody):
    """A provider published its free capacity."""

    type: ClassVar = "capacity.published.v1"
    emitter: ClassVar = Emitter.MEMBER
    audience: ClassVar = Audience.ALL


class ValueRedacted(RedactionTerms, DirectoryBody):
    """The coordinator ordered the removal of a value from the record. Without this event, a stub is tampering."""

    type: ClassVar = "value.redacted.v1"
    emitter: ClassVar = Emitter.COORDINATION
    audience: ClassVar = Audience.ALL


MAX_REFUSED = 200
"""Refused submissions that one event names. It stays below the size of an event."""


class SubmissionRefused(StatusBody):
    """Submissions of a member were refused for one reason and not recorded. Only their hashes are kept."""

    type: ClassVar = "submission.refused.v1"
    emitter: ClassVar = Emitter.EXCHANGE
    audience: ClassVar = Audience.NAMED_MEMBER

    member: MemberId
    code: RefusalCode
    value_hashes: Annotated[tuple[Sha256, ...], Field(min_length=1, max_length=MAX_REFUSED)]


_CAPABILITIES = "capabilities.published.v1"


def _event_names() -> Iterator[str]:
    """Yield the name of every event type, those of this module included."""
    for module in (case, deadline, referral, sys.modules[__name__]):
        for found in vars(module).values():
            if isinstance(found, type) and issubclass(found, Body) and hasattr(found, "type"):
                yield found.name()
    yield _CAPABILITIES.rpartition(".v")[0]


ReadableType = Annotated[
    str,
    Field(
        # The version is open, so that a member can declare one that the exchange does not know.
        pattern=rf"^({'|'.join(map(re.escape, sorted(set(_event_names()))))})\.v[0-9]{{1,3}}$",
        description="Event type with a known name, and any version",
    ),
]


class Capabilities(Terms):
    """Event types, with versions, that a member can read."""

    reads: tuple[ReadableType, ...]


class CapabilitiesPublished(Capabilities, StatusBody):
    """A member declared the event types that it can read."""

    type: ClassVar = _CAPABILITIES
    emitter: ClassVar = Emitter.MEMBER
    audience: ClassVar = Audience.ALL
