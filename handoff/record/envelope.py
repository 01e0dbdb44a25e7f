"""The CloudEvents 1.0 envelope: id, source, type, subject and claimed time of an event."""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Annotated, Generic, Literal, NamedTuple, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny

from handoff.record.codes import RefusalCode
from handoff.record.errors import NotAnEvent
from handoff.record.events.base import Body, Instant, Keying
from handoff.record.uuid_text import UUID_PATTERN, Id

CONTENT_TYPE = "application/cloudevents+json; charset=UTF-8"
EXCHANGE = "exchange"
COORDINATION = "coordination"

_SOURCE = re.compile(r"^/([a-z][a-z0-9]{1,29})/([1-9][0-9]{0,8})/([a-z][a-z0-9_]{1,39})$")
SourceText = Annotated[str, Field(pattern=_SOURCE.pattern)]
BodyT = TypeVar("BodyT", bound=Body)


@dataclass(frozen=True, slots=True)
class Source:
    """Emitter of an event: a member, or the exchange, in one generation of a jurisdiction's record."""

    jurisdiction: str
    generation: int
    member: str

    def __str__(self) -> str:
        return f"/{self.jurisdiction}/{self.generation}/{self.member}"

    @classmethod
    def parse(cls, text: str) -> "Source":
        """Return the source in ``text``. Raises ``NotAnEvent`` for the field ``source``."""
        return _parsed(text)


# A jurisdiction has few sources, and the source of each event is parsed several times.
@lru_cache(maxsize=1024)
def _parsed(text: str) -> Source:
    match = _SOURCE.match(text)
    if match is None:
        raise NotAnEvent(RefusalCode.SCHEMA, "source", "not /jurisdiction/generation/member")
    return Source(match[1], int(match[2]), match[3])


class Identity(NamedTuple):
    """Identity of an event on the record. The first valid entry with it counts, for all readers.

    The source is a part of it, so that no member can use an id of another member's event.
    """

    subject: str
    source: str
    event_id: Id


class Event(BaseModel, Generic[BodyT]):
    """One event. ``time`` is claimed by the emitter; only the record time decides.

    ``subject`` is a case id (canonical lower-case UUID), the jurisdiction's id, or that id with ``/status``. It is also
    the Kafka key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    specversion: Literal["1.0"]
    id: Id
    source: SourceText
    type: str
    subject: Annotated[str, Field(pattern=rf"^([a-z][a-z0-9]{{1,29}}(/status)?|{UUID_PATTERN})$")]
    time: Instant
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: str
    data: SerializeAsAny[BodyT]

    @property
    def emitter(self) -> str:
        """Member part of the source."""
        return self.source.rpartition("/")[2]

    @property
    def identity(self) -> Identity:
        """Identity on the record."""
        return Identity(self.subject, self.source, self.id)

    @cached_property
    def case_id(self) -> UUID | None:
        """Id of the case; None for an event about the jurisdiction."""
        return UUID(self.subject) if self.data.keying is Keying.CASE else None


def compose(*, id: UUID, source: Source, subject: UUID | str, time: datetime, body: BodyT) -> Event[BodyT]:  # noqa: A002 - CloudEvents' own name
    """Return an event with ``body``. The other attributes follow from the type."""
    return Event(
        specversion="1.0",
        id=id,
        source=str(source),
        type=body.type,
        subject=str(subject),
        time=time,
        dataschema=schema_uri(body.type),
        data=body,
    )


def schema_uri(event_type: str) -> str:
    """Return the path of a type's JSON Schema, relative to the root of the published files."""
    return f"/schemas/events/{event_type}.json"
