"""Events about the jurisdiction: members, keys, deadlines, rules, capacity."""

import re
import sys
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from itertools import pairwise
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Self

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
from handoff.record.events import board, case, deadline, referral
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

_MINUTES_A_DAY = 24 * 60
# Every member stores the directory and loads it for each command, so calendars are bounded.
_MOST_SHIFTS, _MOST_HOLIDAYS, _MOST_OFFSET_CHANGES = 7 * 6, 400, 60
OffsetMinutes = Annotated[int, Field(ge=-14 * 60, le=14 * 60, description="Minutes of local time ahead of UTC")]
ZoneName = Annotated[
    str, Field(pattern=r"^[A-Z][A-Za-z]{1,20}/[A-Z][A-Za-z_]{1,30}$", description="Name in the IANA database")
]
_USUAL: Any = object()
RulesVersion = Annotated[int, Field(ge=1, le=10_000)]


class Deadline(Terms):
    """Time allowed for a step, by service and urgency, with its source.

    ``amount`` is in ``unit``, counted by ``calendar``. ``paused_by`` are the hold codes that stop the clock: by
    default all of them, and none for a deadline by law.
    """

    step: DeadlineStep
    source: DeadlineSource
    amount: int = Field(ge=1, le=_LONGEST[DeadlineUnit.SECONDS])
    unit: DeadlineUnit = DeadlineUnit.SECONDS
    service: CaseService | None = None
    urgencies: tuple[Urgency, ...] = ()
    # The usual values depend on other fields, and are written out in the event.
    calendar: Calendar = Field(default_factory=lambda: _USUAL)
    paused_by: tuple[HoldCode, ...] = Field(default_factory=lambda: _USUAL)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        in_days = self.unit is DeadlineUnit.WORKING_DAYS
        by_hold = self.step in HOLD_STEPS and self.source is not DeadlineSource.LAW
        usual = {
            "calendar": Calendar.WORKING if in_days else Calendar.ALWAYS,
            "paused_by": tuple(HoldCode) if by_hold else (),
        }
        self.__dict__.update({name: value for name, value in usual.items() if getattr(self, name) is _USUAL})
        if self.amount > _LONGEST[self.unit]:
            raise ValueError(f"amount is more than {_LONGEST[self.unit]} {self.unit.value}")
        if in_days and self.calendar is Calendar.ALWAYS:
            raise ValueError("calendar: an amount in working days needs the calendar working")
        if self.paused_by and self.source is DeadlineSource.LAW:
            raise ValueError("paused_by: no hold stops the clock of a deadline by law")
        if self.paused_by and self.step not in HOLD_STEPS:
            raise ValueError(f"paused_by: no hold stops the clock of the step {self.step.value}")
        return self


HOLD_STEPS = frozenset(
    {
        DeadlineStep.FIRST_CONTACT,
        DeadlineStep.ARRIVAL,
        DeadlineStep.BENEFIT_DECIDED,
        DeadlineStep.ORDER_DECIDED,
        DeadlineStep.FOLLOW_UP,
    }
)
"""Steps of the service itself, which a hold can stop. An unanswered question is not stopped."""


class Deadlines(Terms):
    """Deadlines in force from this event on. The first that matches a step applies.

    ``ending_age_seconds``: for so long after its own service ended, a member's report that the survivor ends services
    still ends the requests of others.
    """

    deadlines: tuple[Deadline, ...]
    ending_age_seconds: int = Field(DEFAULT_ENDING_AGE_SECONDS, ge=0, le=_LONGEST[DeadlineUnit.SECONDS])


class Shift(Terms):
    """Working hours on one day of the week, 0 for Monday, in minutes of local time. A break separates two shifts."""

    weekday: int = Field(ge=0, le=6)
    from_minute: int = Field(ge=0, le=_MINUTES_A_DAY - 1)
    to_minute: int = Field(ge=1, le=_MINUTES_A_DAY)

    @field_validator("to_minute")
    @classmethod
    def _ends_later(cls, to_minute: int, info: ValidationInfo) -> int:
        if to_minute <= info.data.get("from_minute", -1):
            raise ValueError("is not after from_minute")
        return to_minute


class WorkingHours(Terms):
    """Working hours of some members; without members, those of all members that no other row names.

    ``on_holidays``: they work on holidays too.
    """

    members: tuple[MemberId, ...] = ()
    shifts: tuple[Shift, ...] = Field(min_length=1, max_length=_MOST_SHIFTS)
    on_holidays: bool = False

    @field_validator("shifts")
    @classmethod
    def _do_not_overlap(cls, shifts: tuple[Shift, ...]) -> tuple[Shift, ...]:
        in_order = sorted(shifts, key=lambda shift: (shift.weekday, shift.from_minute))
        for earlier, later in pairwise(in_order):
            if earlier.weekday == later.weekday and later.from_minute < earlier.to_minute:
                raise ValueError(f"two shifts of weekday {later.weekday} overlap")
        return shifts


class Holiday(Terms):
    """A day without working hours. ``estimated``: the date of a movable feast that the coordinator did not confirm."""

    year: int = Field(ge=2000, le=2199)
    month: int = Field(ge=1, le=12)
    day: int = Field(ge=1, le=31)
    estimated: bool = False

    @model_validator(mode="after")
    def _is_a_date(self) -> Self:
        date(self.year, self.month, self.day)
        return self

    @property
    def as_date(self) -> date:
        """The date."""
        return date(self.year, self.month, self.day)


class OffsetChange(Terms):
    """A change of the local clock: the offset from UTC that applies from this time on."""

    at: Instant
    offset_minutes: OffsetMinutes


class Calendars(Terms):
    """Working hours of the members, holidays, and the local clock, in force for steps that begin after this event.

    The offsets are data, so that no reader of the record needs a database of time zones: two versions of it would give
    two verdicts. ``zone`` names their origin.
    """

    zone: ZoneName
    offset_minutes: OffsetMinutes
    offset_changes: tuple[OffsetChange, ...] = Field((), max_length=_MOST_OFFSET_CHANGES)
    holidays: tuple[Holiday, ...] = Field((), max_length=_MOST_HOLIDAYS)
    hours: tuple[WorkingHours, ...] = Field(min_length=1)
    source: DeadlineSource

    @field_validator("offset_changes")
    @classmethod
    def _are_in_order(cls, changes: tuple[OffsetChange, ...]) -> tuple[OffsetChange, ...]:
        if any(later.at <= earlier.at for earlier, later in pairwise(changes)):
            raise ValueError("are not in the order of time")
        return changes

    @field_validator("hours")
    @classmethod
    def _name_each_member_once(cls, hours: tuple[WorkingHours, ...]) -> tuple[WorkingHours, ...]:
        if sum(not row.members for row in hours) != 1:
            raise ValueError("need exactly one row without members, for all others")
        named = [member for row in hours for member in row.members]
        if twice := sorted({member for member in named if named.count(member) > 1}):
            raise ValueError(f"name the member {twice[0]} twice")
        return hours


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


class CalendarsPublished(Calendars, DirectoryBody):
    """New calendars apply to every step that begins after this event."""

    type: ClassVar = "calendars.published.v1"
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
    for module in (board, case, deadline, referral, sys.modules[__name__]):
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
