"""An entry's bytes read by the published schemas alone, and checked for whose word they are."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from history_checker.evidence import Headers, Json

_ROOT = Path(__file__).parents[1]
# In a checkout, or in an installation beside this package.
_SCHEMAS = next((p for p in (_ROOT / "schemas", _ROOT / "handoff/data/schemas") if p.is_dir()), _ROOT) / "events"
_LIMIT = 16 * 1024
_PAYLOAD_TYPE = b"application/vnd.handoff.event+json; v=1"
_POSSESSION_TYPE = b"application/vnd.handoff.key-possession; v=1"


class Unreadable(Exception):
    """Bytes that are no event; ``code`` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Event:
    """An event as its JSON says; fields that it leaves out have the schema's defaults."""

    id: str
    emitter: str
    realm: tuple[str, int]
    type: str
    subject: str
    data: Json

    @property
    def is_about_a_case(self) -> bool:
        return len(self.subject) == 36

    @property
    def referral(self) -> str | None:
        """The referral that it is about, if it is about one."""
        found: str | None = self.data.get("referral")
        return found


def read(value: bytes | None) -> Event:
    """The event in ``value``. Raises Unreadable."""
    if value is None or len(value) > _LIMIT:
        raise Unreadable("oversize" if value else "malformed")
    said = _parsed(value)
    validator, defaults = _schema(said.get("type"))
    if not validator.is_valid(said):
        raise Unreadable("schema")
    _, jurisdiction, generation, emitter = said["source"].split("/")
    data = {**defaults, **said["data"]}
    return Event(said["id"], emitter, (jurisdiction, int(generation)), said["type"], said["subject"], data)


def _parsed(value: bytes) -> dict[str, Any]:
    try:
        said = json.loads(value.decode(), object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError):
        raise Unreadable("malformed") from None
    if not isinstance(said, dict):
        raise Unreadable("malformed")
    return said


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a name is said twice")
    return dict(pairs)


@cache
def _schema(event_type: str) -> tuple[Draft202012Validator, Json]:
    path = _SCHEMAS / f"{event_type}.json"
    if not path.is_file():
        raise Unreadable("schema")
    schema = json.loads(path.read_text())
    body = schema["$defs"][schema["properties"]["data"]["$ref"].rpartition("/")[2]]
    defaults = {name: field["default"] for name, field in body["properties"].items() if "default" in field}
    return Draft202012Validator(schema), defaults


def moment(text: str) -> datetime:
    """An RFC 3339 time."""
    return datetime.fromisoformat(text).astimezone(UTC)


def at_ms(milliseconds: int) -> datetime:
    """The instant of Kafka's clock."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def sha256(value: bytes) -> str:
    return hashlib.sha256(value).hexdigest()


# Whose word it is


@dataclass(slots=True)
class Key:
    """A key as the record registered it."""

    owner: str
    public: bytes
    use: str = "signing"
    retired_at: datetime | None = None
    revoked: bool = False

    def is_in_force(self, at: datetime) -> bool:
        """Whether what it signed counts at ``at``: a retired key has a day of grace."""
        if self.revoked or self.use != "signing":
            return False
        return self.retired_at is None or at <= self.retired_at + timedelta(hours=24)


def key_id(public: bytes) -> str:
    return sha256(b"\x01" + public)


def verifies(public: bytes, body: bytes, signature: bytes, kind: bytes = _PAYLOAD_TYPE) -> bool:
    """DSSE over the exact bytes, by PyNaCl."""
    signed = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(body), body)
    try:
        VerifyKey(public).verify(signed, signature)
    except (BadSignatureError, ValueError):
        return False
    return True


def proves_possession(jurisdiction: str, member: str, public: bytes, proof: bytes) -> bool:
    """Whether a key signed its own registration."""
    return verifies(public, f"{jurisdiction}\n{member}\n{public.hex()}\n".encode(), proof, _POSSESSION_TYPE)


def objection_to_signature(
    keys: Mapping[str, Key], event: Event, value: bytes, headers: Headers, at: datetime
) -> str | None:
    """Why an entry is not its emitter's own word at ``at``; None if it is."""
    given = dict(headers)
    hint, signature = given.get("key-id"), given.get("signature")
    if len(given) < len(headers) or hint is None or signature is None:
        return "signature"
    key = keys.get(hint.decode("ascii", "replace"))
    if key is None or not key.is_in_force(at):
        return "key_not_in_force"
    if key.owner != event.emitter:
        return "key_not_owner"
    return None if verifies(key.public, value, signature) else "signature"
