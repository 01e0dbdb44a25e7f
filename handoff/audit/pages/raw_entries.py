"""Raw entries as they are shown: the value's own bytes, laid out if they are JSON, and its headers."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from handoff.audit.cases import RawEntry
from handoff.record import strict_json
from handoff.record.errors import NotAnEvent


@dataclass(frozen=True, slots=True)
class RawItem:
    """One entry of the raw record."""

    position: int
    sequence: int
    appended_at: datetime
    type: str
    record_hash: str
    leaf: str
    headers: tuple[tuple[str, str], ...]
    text: str


def raw_items(entries: Iterable[RawEntry]) -> tuple[RawItem, ...]:
    """The entries as they are shown."""
    return tuple(_item(entry) for entry in entries)


def _item(entry: RawEntry) -> RawItem:
    kind, text = _value(entry.value)
    return RawItem(
        position=entry.position,
        sequence=entry.sequence,
        appended_at=entry.appended_at,
        type=kind,
        record_hash=entry.record_hash,
        leaf=entry.leaf,
        headers=tuple((name, _header(value)) for name, value in entry.headers),
        text=text,
    )


def _value(value: bytes | None) -> tuple[str, str]:
    try:
        document: dict[str, Any] = strict_json.parse(value or b"")
    except NotAnEvent:
        # Bytes that are no event may be anything: only their hexadecimal form can do no harm.
        return "", (value or b"").hex(" ")
    return str(document.get("type", "")), json.dumps(document, indent=2, ensure_ascii=False)


def _header(value: bytes | None) -> str:
    if value is None:
        return ""
    return value.decode() if value.isascii() and value.decode().isprintable() else value.hex()
