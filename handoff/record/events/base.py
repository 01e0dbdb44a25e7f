"""Base of all event bodies: frozen, closed to unknown fields, with emitter and audience declared beside the type."""

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from handoff.record.uuid_text import Id

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)


def _rfc_3339(written: object) -> object:
    # pydantic also accepts seconds since 1970 and any number of digits; other readers of the bytes do not.
    if not isinstance(written, str):
        return written
    if _RFC_3339.fullmatch(written) is None:
        raise ValueError("not an RFC 3339 time with a zone and at most six fractional digits")
    return datetime.fromisoformat(written)


class NamesMember:
    """Marker of a field that has the id of a member."""


MemberId = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9_]{1,39}$", description="Id of a member in the directory"), NamesMember()
]
JurisdictionId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{1,29}$", description="Id of a jurisdiction")]
StatusSubject = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9]{1,29}/status$", description="Subject of events about a jurisdiction's status")
]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256, lower-case hexadecimal")]
KeyId = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of key type and public key")]
PublicKey = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="32-byte public key, hexadecimal")]
Signature = Annotated[str, Field(pattern=r"^[0-9a-f]{128}$", description="64-byte signature, hexadecimal")]
EventTypeName = Annotated[str, Field(pattern=r"^[a-z][a-z-]{1,30}\.[a-z-]{2,20}\.v[0-9]{1,3}$")]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
Instant = Annotated[
    AwareDatetime,
    # Far from the limits of datetime, so that adding a deadline cannot overflow.
    Field(
        ge=datetime(2000, 1, 1, tzinfo=UTC),
        lt=datetime(2200, 1, 1, tzinfo=UTC),
        description="RFC 3339, 2000 to 2199",
    ),
    BeforeValidator(_rfc_3339),
]


class Emitter(StrEnum):
    """Permitted emitter of an event type, relative to the subject of the event."""

    ANY_AGENCY = "any agency"
    CASE_PARTY = "the case's opener or an agency with an effective referral in it"
    BASIS_OWNER = "the basis' owner"
    SOURCE = "source"
    TARGET = "target"
    EITHER_PARTY = "source or target"
    EXCHANGE = "exchange"
    COORDINATION = "coordination"
    MEMBER = "the member itself"
    KEY_AUTHORITY = "coordination, or the member with a key in force"


class Audience(StrEnum):
    """Recipients of an event type, besides the emitter."""

    EMITTER_ONLY = "the emitter only"
    TARGET = "target"
    SOURCE = "source"
    OTHER_PARTY = "the other of source and target"
    BOTH_PARTIES = "source and target"
    BASIS_OWNER = "the basis' owner"
    STEP_PARTIES = "the waiting and the responsible member of the step"
    COORDINATION = "coordination"
    NAMED_MEMBER = "the member that the event names"
    ALL = "all members"


_CASE_ID_LENGTH = 36
_STATUS_SUFFIX = "/status"


class Keying(StrEnum):
    """Kind of an event's subject, which is also its Kafka key."""

    CASE = "case"
    JURISDICTION = "jurisdiction"
    """The directory: everything that judging the events of a case reads. It is complete in every bundle."""
    STATUS = "status of the jurisdiction"
    """The rest about the jurisdiction. No verdict on a case's event depends on it, so it may be redacted."""

    @classmethod
    def of(cls, subject: str) -> "Keying":
        """Return the kind of ``subject``."""
        if len(subject) == _CASE_ID_LENGTH and "-" in subject:
            return cls.CASE
        return cls.STATUS if subject.endswith(_STATUS_SUFFIX) else cls.JURISDICTION

    def subject(self, jurisdiction: str, case: UUID | None = None) -> str:
        """Return the subject of an event of this kind. Raises ``LookupError`` without the case that it needs."""
        if self is not Keying.CASE:
            return jurisdiction if self is Keying.JURISDICTION else jurisdiction + _STATUS_SUFFIX
        if case is None:
            raise LookupError("an event about a case needs its case")
        return str(case)


class Body(BaseModel):
    """Data of an event: codes, ids and times only."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_timedelta="iso8601")

    type: ClassVar[str]
    emitter: ClassVar[Emitter]
    audience: ClassVar[Audience]
    keying: ClassVar[Keying] = Keying.CASE

    @classmethod
    def name(cls) -> str:
        """Return the name of the event type without its version."""
        return cls.type.rpartition(".v")[0]


class ReferralBody(Body):
    """Data of an event about one referral.

    ``seen`` is the number of events of this referral that the emitter had folded. It is evidence; verdicts ignore it.
    """

    referral: Id
    seen: Count = 0


class DirectoryBody(Body):
    """Data of a directory event."""

    keying: ClassVar[Keying] = Keying.JURISDICTION


class StatusBody(Body):
    """Data of an event about the jurisdiction that no verdict on a case's event depends on."""

    keying: ClassVar[Keying] = Keying.STATUS


class Terms(BaseModel):
    """Fields that a command and its event have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid")
