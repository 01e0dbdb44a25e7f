"""No event can carry free text or a personal field: every leaf of every model is a code, an id, a time or a bound."""

import re
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

import pytest
from annotated_types import Ge, Le
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from handoff.record import codes
from handoff.record.envelope import Event
from handoff.record.events import CATALOGUE, Body, base, directory

NAMED_IDS: tuple[object, ...] = (
    base.MemberId,
    base.JurisdictionId,
    base.Sha256,
    base.KeyId,
    base.PublicKey,
    base.Signature,
    directory.ReadableType,
    directory.ZoneName,
)
ID_PATTERNS = {get_args(named)[1].metadata[0].pattern for named in NAMED_IDS}
ENVELOPE_PATTERNS = {Event.model_fields[name].metadata[0].pattern for name in ("source", "subject")}
PERSONAL = frozenset(
    re.findall(
        r"\w+",
        """name surname alias phone mobile email address street village birth birthday gender sex language ethnicity
        nationality religion income salary family household child children note notes comment text narrative
        description message remark plate passport""",
    )
)
CLOSED_TYPES = {NoneType, UUID, AwareDatetime, bool}


def offences(annotation: Any, metadata: tuple[Any, ...] = (), path: str = "") -> Iterator[str]:
    """Yield the path and type of each field that could hold more than a code, an id, a time or a bounded number."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *more = get_args(annotation)
        yield from offences(inner, (*metadata, *_constraints(more)), path)
    elif origin in {Union, UnionType} or (origin is tuple and get_args(annotation)[-1] is Ellipsis):
        for part in get_args(annotation):
            if part is not Ellipsis:
                yield from offences(part, metadata, path)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from model_offences(annotation, path)
    elif not is_closed(annotation, origin, metadata):
        yield f"{path}: {annotation}"


def _constraints(metadata: list[Any]) -> Iterator[Any]:
    for item in metadata:
        yield from getattr(item, "metadata", None) or [item]


def is_closed(annotation: Any, origin: Any, metadata: tuple[Any, ...]) -> bool:
    if annotation is str:
        return any(getattr(item, "pattern", None) in ID_PATTERNS for item in metadata)
    if annotation is int:
        return {Ge, Le} <= {type(item) for item in metadata}
    is_code = isinstance(annotation, type) and issubclass(annotation, StrEnum)
    return is_code or origin is Literal or annotation in CLOSED_TYPES


def model_offences(model: type[BaseModel], path: str = "") -> Iterator[str]:
    """The offences of a model's fields, its openness, and names that speak of a person."""
    if model.model_config.get("extra") != "forbid" or not model.model_config.get("frozen"):
        yield f"{path}: {model.__name__} is open or can change"
    for name, field in model.model_fields.items():
        where = f"{path}.{name}"
        if PERSONAL & set(name.split("_")):
            yield f"{where}: speaks of a person"
        yield from offences(field.annotation, tuple(_constraints(field.metadata)), where)


@pytest.mark.parametrize("body", CATALOGUE.values(), ids=CATALOGUE)
def test_no_event_can_carry_free_text_or_a_personal_field(body: type[Body]) -> None:
    assert list(model_offences(body)) == []


def test_the_envelope_carries_nothing_but_ids_times_and_what_its_type_decides() -> None:
    """``type`` and ``dataschema`` are decided by the catalogue, and ``data`` is what the other test walks."""
    decided = {"type", "dataschema", "data"}
    fields = {name: field for name, field in Event.model_fields.items() if name not in decided}
    closed_by_pattern = {"source", "subject"}
    assert {
        name
        for name, field in fields.items()
        if list(offences(field.annotation, tuple(_constraints(field.metadata)), name))
    } == closed_by_pattern


@pytest.mark.parametrize("pattern", sorted(ID_PATTERNS | ENVELOPE_PATTERNS))
def test_an_id_has_an_end_and_no_room_for_a_sentence(pattern: str) -> None:
    assert pattern.startswith("^")
    assert pattern.endswith("$")
    assert not re.search(r"[*+]|\{\d+,\}|\\s|\\w|\\S|\.(?<!\\\.)| ", pattern)


def test_no_code_mentions_income_or_mediation() -> None:
    """Legal aid is free regardless of economic status, and there is no mediation in domestic violence."""
    words = {
        word
        for vocabulary in vars(codes).values()
        if isinstance(vocabulary, type) and issubclass(vocabulary, StrEnum)
        for code in vocabulary
        for word in re.split(r"[._-]", code.value)
    }
    assert words.isdisjoint({"income", "salary", "poverty", "means", "mediation", "reconciliation"})


class _Open(BaseModel):
    model_config = ConfigDict(frozen=True)
    referral: UUID


class _Nested(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    story: Annotated[str, Field(max_length=200)]


PLANTED: dict[str, Any] = {
    "free text": str,
    "text of bounded length": Annotated[str, Field(max_length=10)],
    "a pattern of its own": Annotated[str, Field(pattern=r"^[a-z ]{1,80}$")],
    "bytes": bytes,
    "a number without bounds": int,
    "a number bounded on one side": Annotated[int, Field(ge=0)],
    "a fraction": float,
    "a time without a zone": datetime,
    "anything": Any,
    "a mapping": dict[str, str],
    "a list": list[str],
    "text among other things": UUID | str | None,
    "text in a tuple": tuple[str, ...],
    "a model that takes more fields": _Open,
    "text in a model within": _Nested,
}


@pytest.mark.parametrize("annotation", PLANTED.values(), ids=PLANTED)
def test_the_walk_finds_a_planted_offence(annotation: Any) -> None:
    planted = type("Planted", (Body,), {"__annotations__": {"planted": annotation}})
    assert list(model_offences(planted)) != []


def test_the_walk_finds_a_field_that_is_named_for_a_person() -> None:
    planted = type("Planted", (Body,), {"__annotations__": {"survivor_phone": UUID}})
    assert list(model_offences(planted)) == [".survivor_phone: speaks of a person"]
