"""Events from an entry's bytes, by the published JSON Schemas alone."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jsonschema import Draft202012Validator

from history_checker.snapshot import Json

_ROOT = Path(__file__).parents[1]
# In a checkout, or in an installation beside this package.
_SCHEMAS = next((p for p in (_ROOT / "schemas", _ROOT / "handoff/data/schemas") if p.is_dir()), _ROOT) / "events"
_MAX_BYTES = 16 * 1024
_CASE_ID_LENGTH = 36


class InvalidEvent(Exception):
    """Bytes that are no event; ``code`` is the reason of the verdict."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Identity(NamedTuple):
    """Identity of an event on one record: its subject, the member in its source, and its id."""

    subject: str
    emitter: str
    event_id: str


@dataclass(frozen=True, slots=True)
class Event:
    """Event with the schema's defaults for the fields that its JSON leaves out."""

    id: str
    emitter: str
    realm: tuple[str, int]
    type: str
    subject: str
    data: Json

    @property
    def is_about_a_case(self) -> bool:
        """Return whether the subject is a case; otherwise it is the jurisdiction or its status."""
        return len(self.subject) == _CASE_ID_LENGTH

    @property
    def identity(self) -> Identity:
        """Identity on the record. Only the first event with it counts."""
        return Identity(self.subject, self.emitter, self.id)

    @property
    def referral(self) -> str | None:
        """Referral that the event is about, if any."""
        referral: str | None = self.data.get("referral")
        return referral


def parse_event(value: bytes | None) -> Event:
    """Parse an entry's value. Raises InvalidEvent."""
    if value is None or len(value) > _MAX_BYTES:
        raise InvalidEvent("oversize" if value else "malformed")
    envelope = _parse_object(value)
    validator, defaults = _load_schema(envelope.get("type"))
    if not validator.is_valid(envelope):
        raise InvalidEvent("schema")
    _, jurisdiction, generation, emitter = envelope["source"].split("/")
    return Event(
        id=envelope["id"],
        emitter=emitter,
        realm=(jurisdiction, int(generation)),
        type=envelope["type"],
        subject=envelope["subject"],
        data={**defaults, **envelope["data"]},
    )


def _parse_object(value: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(value.decode(), object_pairs_hook=_refuse_repeated_names)
    except (ValueError, RecursionError):
        raise InvalidEvent("malformed") from None
    if not isinstance(parsed, dict):
        raise InvalidEvent("malformed")
    return parsed


def _refuse_repeated_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("an object has two members of the same name")
    return dict(pairs)


@cache
def _load_schema(event_type: str) -> tuple[Draft202012Validator, Json]:
    path = _SCHEMAS / f"{event_type}.json"
    if not path.is_file():
        raise InvalidEvent("schema")
    schema = json.loads(path.read_text(encoding="utf-8"))
    body = schema["$defs"][schema["properties"]["data"]["$ref"].rpartition("/")[2]]
    defaults = {name: field["default"] for name, field in body["properties"].items() if "default" in field}
    return Draft202012Validator(schema), defaults


def parse_time(text: str) -> datetime:
    """Parse an RFC 3339 time."""
    return datetime.fromisoformat(text).astimezone(UTC)


def time_from_ms(milliseconds: int) -> datetime:
    """Convert a Kafka timestamp."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def sha256(value: bytes) -> str:
    """Return the SHA-256 of ``value`` in hexadecimal."""
    return hashlib.sha256(value).hexdigest()
