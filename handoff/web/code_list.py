"""The published code list: the meaning of each code, and the codes that each service and role allow."""

from functools import cache
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from handoff.package_data import schemas_path
from handoff.record.codes import (
    CapacityUnit,
    CaseService,
    FailureCode,
    HoldCode,
    RejectionCode,
    ReleasePurpose,
    ServiceOutcome,
    StartKind,
    VoidCode,
)

Meanings = Annotated[
    dict[str, dict[str, str]], Field(description="Code → language (sq, sr-Latn, sr-Cyrl, en) → meaning")
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Vocabulary(_Part):
    """A closed list of codes, under its name in the schemas."""

    description: str
    codes: Meanings


class ServiceCodes(_Part):
    """Codes that the rules allow for a service."""

    purposes: tuple[ReleasePurpose, ...] = Field(description="Purposes of a release on which it can be requested")
    refusals: tuple[RejectionCode, ...]
    starts: tuple[StartKind, ...]
    holds: tuple[HoldCode, ...]
    capacity_units: tuple[CapacityUnit, ...]
    outcomes: tuple[ServiceOutcome, ...]


class RoleCodes(_Part):
    """Codes that the rules allow for the source or the target of a referral, for every service."""

    failures: tuple[FailureCode, ...]
    errors: tuple[VoidCode, ...]


class CodeList(_Part):
    """Every code that an event or a verdict can carry, and where it is allowed."""

    vocabularies: dict[str, Vocabulary]
    events: Meanings
    services: dict[CaseService, ServiceCodes]
    roles: dict[str, RoleCodes] = Field(description="`source` or `target` → codes")


_OF_THE_API = {
    "CommandStatus": {
        "stored": "stored here, and not judged yet",
        "effective": "on the record, and it changed the state",
        "duplicate": "the same event was on the record already",
    },
    "Side": {"source": "sent the referral", "target": "answers the referral"},
}
"""Codes that only the API has, so that no page translates them."""


@cache
def published_code_list() -> bytes:
    """Return the JSON document that the package contains."""
    return schemas_path("codes.json").read_bytes()


@cache
def english_meanings() -> dict[str, dict[str, str]]:
    """Return the English meanings for the OpenAPI documents: vocabulary → code → meaning."""
    content = CodeList.model_validate_json(published_code_list())
    return _OF_THE_API | {
        name: {code: meanings["en"] for code, meanings in vocabulary.codes.items()}
        for name, vocabulary in content.vocabularies.items()
    }
