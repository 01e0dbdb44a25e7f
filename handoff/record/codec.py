"""Encoding and strict decoding of events. An event is encoded once."""

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
    """Serialise ``event``. The same bytes are signed, recorded, routed, stored and verified."""
    return event.model_dump_json(exclude_none=True).encode()


def decode(
    raw: bytes,
    *,
    catalogue: Mapping[str, type[Body]] = CATALOGUE,
    upcasters: Mapping[str, Upcaster] = UPCASTERS,
) -> AnyEvent:
    """Return the event in ``raw``, in the current version of its type.

    Raises ``NotAnEvent`` (malformed, oversize or schema, with the field) and ``UnknownEventType`` for a newer type.
    """
    event_type = strict_json.parse(raw).get("type")
    if not isinstance(event_type, str) or _TYPE_PATTERN.fullmatch(event_type) is None:
        raise NotAnEvent(RefusalCode.SCHEMA, "type", "not the name of an event type")
    superseded = upcasters.get(event_type)
    body = superseded.model if superseded is not None else catalogue.get(event_type)
    if body is None:
        raise UnknownEventType(event_type)
    try:
        event = _model(body).model_validate_json(raw, strict=True)
    except ValidationError as error:
        raise _schema_error(error) from error
    _check_envelope(event)
    return upcast(event, upcasters)


@cache
def _model(body: type[Body]) -> type[AnyEvent]:
    return Event[body]  # type: ignore[valid-type]


def _schema_error(error: ValidationError) -> NotAnEvent:
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or "event"
    return NotAnEvent(RefusalCode.SCHEMA, field, first["msg"])


def _check_envelope(event: AnyEvent) -> None:
    if Keying.of(event.subject) is not event.data.keying:
        raise NotAnEvent(RefusalCode.SCHEMA, "subject", f"not the id of a {event.data.keying.value}")
    if event.dataschema != schema_uri(event.type):
        raise NotAnEvent(RefusalCode.SCHEMA, "dataschema", f"not {schema_uri(event.type)}")
