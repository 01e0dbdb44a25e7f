"""The JSON Schema (2020-12) of the whole CloudEvents document of each event type."""

from collections.abc import Mapping
from typing import Any

from handoff.record.envelope import Event, schema_uri
from handoff.record.events import CATALOGUE, Body, Keying
from handoff.record.upcasting import UPCASTERS

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_CASE_ID = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
_JURISDICTION_ID = "^[a-z][a-z0-9]{1,29}$"
_STATUS_ID = "^[a-z][a-z0-9]{1,29}/status$"


SUPERSEDED: Mapping[str, type[Body]] = {event_type: upcaster.model for event_type, upcaster in UPCASTERS.items()}


def schemas(catalogue: Mapping[str, type[Body]] = {**CATALOGUE, **SUPERSEDED}) -> Mapping[str, Schema]:
    """Return event type → schema of its documents, superseded versions included."""
    return {event_type: event_schema(body) for event_type, body in catalogue.items()}


def event_schema(body: type[Body]) -> Schema:
    """Return the schema of one type's documents, including the checks that the codec makes outside the model."""
    schema = Event[body].model_json_schema()  # type: ignore[valid-type]
    properties = schema["properties"]
    properties["type"] = {"const": body.type}
    properties["dataschema"] = {"const": schema_uri(body.type)}
    properties["subject"] = _subject(body.keying)
    about = {"title": body.type, "description": body.__doc__}
    return {"$schema": DIALECT, "$id": schema_uri(body.type), **schema, **about}


def _subject(keying: Keying) -> Schema:
    if keying is Keying.CASE:
        return {"type": "string", "pattern": _CASE_ID, "description": "The case's id; also the Kafka key"}
    if keying is Keying.STATUS:
        about = "The jurisdiction's id with /status; also the Kafka key"
        return {"type": "string", "pattern": _STATUS_ID, "description": about}
    return {"type": "string", "pattern": _JURISDICTION_ID, "description": "The jurisdiction's id; also the Kafka key"}
