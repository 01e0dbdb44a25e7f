"""Raw entries as a page shows them: the bytes of the value, indented if they are JSON, and the headers."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from handoff.adapters.postgres.case_reader import RawEntry
from handoff.record import strict_json
from handoff.record.errors import NotAnEvent


@dataclass(frozen=True, slots=True)
class RawItem:
    """One raw entry, as text."""

    position: int
    sequence: int
    appended_at: datetime
    type: str
    record_hash: str
    leaf: str
    headers: tuple[tuple[str, str], ...]
    text: str


def raw_items(entries: Iterable[RawEntry]) -> tuple[RawItem, ...]:
    """Return the entries as text."""
    return tuple(_item(entry) for entry in entries)


def _item(entry: RawEntry) -> RawItem:
    value = entry.value or b""
    try:
        document: dict[str, Any] = strict_json.parse(value)
        event_type, text = str(document.get("type", "")), json.dumps(document, indent=2, ensure_ascii=False)
    except NotAnEvent:
        # Bytes that are not an event can be anything, so they are shown in hexadecimal only.
        event_type, text = "", value.hex(" ")
    return RawItem(
        position=entry.position,
        sequence=entry.sequence,
        appended_at=entry.appended_at,
        type=event_type,
        record_hash=entry.record_hash,
        leaf=entry.leaf,
        headers=tuple((name, _header(value)) for name, value in entry.headers),
        text=text,
    )


def _header(value: bytes | None) -> str:
    if value is None:
        return ""
    return value.decode() if value.isascii() and value.decode().isprintable() else value.hex()
