"""Events to bytes, once; bytes to events, strictly."""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, get_args

from pydantic import ValidationError

from handoff.record import strict_json
from handoff.record.codes import RefusalCode
from handoff.record.envelope import Event, schema_uri
from handoff.record.errors import NotAnEvent, UnknownEventType
from handoff.record.events import CATALOGUE, Body, Keying
from handoff.record.events.base import EventTypeName
from handoff.record.upcasting import UPCASTERS, Upcaster, upcast

AnyEvent = Event[Body]
_TYPE_PATTERN = re.compile(get_args(EventTypeName)[1].metadata[0].pattern)


def encode(event: Event[Any]) -> bytes:
    """The bytes of ``event``: made once, then signed, recorded, routed, stored and verified as they are."""
    return event.model_dump_json(exclude_none=True).encode()


def decode(
    raw: bytes,
    *,
    catalogue: Mapping[str, type[Body]] = CATALOGUE,
    upcasters: Mapping[str, Upcaster] = UPCASTERS,
) -> AnyEvent:
    """The event in ``raw``.

    Raises ``NotAnEvent`` (malformed, oversize or schema, with the field) and ``UnknownEventType`` for a newer type.
    """
    document = strict_json.parse(raw)
    _check_type(document.get("type"))
    current = upcast(document, upcasters)
    event_type: str = current["type"]
    body = catalogue.get(event_type)
    if body is None:
        raise UnknownEventType(event_type)
    text = raw if current is document else json.dumps(current).encode()
    try:
        event = _model(body).model_validate_json(text, strict=True)
    except ValidationError as error:
        raise _schema_error(error) from error
    _check_envelope(event)
    return event


def _check_type(event_type: object) -> None:
    if not isinstance(event_type, str) or _TYPE_PATTERN.fullmatch(event_type) is None:
        raise NotAnEvent(RefusalCode.SCHEMA, "type", "not the name of an event type")


@cache
def _model(body: type[Body]) -> type[AnyEvent]:
    return Event[body]  # type: ignore[valid-type]


def _schema_error(error: ValidationError) -> NotAnEvent:
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or "event"
    return NotAnEvent(RefusalCode.SCHEMA, field, first["msg"])


def _check_envelope(event: AnyEvent) -> None:
    about_a_case = len(event.subject) == 36 and "-" in event.subject
    if about_a_case is not (event.data.keying is Keying.CASE):
        raise NotAnEvent(RefusalCode.SCHEMA, "subject", f"not the id of a {event.data.keying.value}")
    if event.dataschema != schema_uri(event.type):
        raise NotAnEvent(RefusalCode.SCHEMA, "dataschema", f"not {schema_uri(event.type)}")
