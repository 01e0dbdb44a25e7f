"""Timeline of a case: its entries in the record's order, each with its verdict."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from handoff.record import codec
from handoff.record.delivery import Verdict, VerdictKind, from_ms
from handoff.record.errors import NotAnEvent

Detail = tuple[str, str]

_SHOWN_ELSEWHERE = frozenset({"referral", "seen"})
# Keys, hashes and signatures are of no use to a reader.
_FOR_MACHINES = re.compile(r"[0-9a-f]{64,}")


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry as the projection stores it. Times are milliseconds since 1970-01-01 UTC."""

    offset: int
    record_ms: int
    value: bytes | None
    verdict: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One row of a case's timeline.

    ``record_time`` is authoritative; ``claimed_time`` is the emitter's. Emitter, type and claimed time are None if the
    value cannot be decoded.
    """

    position: int
    record_time: datetime
    verdict: Verdict
    claimed_time: datetime | None = None
    emitter: str | None = None
    type: str | None = None
    referral: UUID | None = None
    details: tuple[Detail, ...] = ()


def timeline_entry(stored: StoredEntry) -> TimelineEntry:
    """Build the row of a stored entry. Never raises, whatever the bytes."""
    verdict = Verdict(VerdictKind(stored.verdict), stored.reason)
    blank = TimelineEntry(stored.offset, from_ms(stored.record_ms), verdict)
    try:
        event = codec.decode(stored.value or b"")
    except NotAnEvent:
        return blank
    return TimelineEntry(
        position=blank.position,
        record_time=blank.record_time,
        verdict=verdict,
        claimed_time=event.time,
        emitter=event.emitter,
        type=event.type,
        referral=getattr(event.data, "referral", None),
        details=tuple(_details(event.data.model_dump(mode="json", exclude_none=True))),
    )


def _details(body: Mapping[str, Any]) -> Iterator[Detail]:
    """Yield the codes, ids and times of an event as text."""
    for name, value in body.items():
        if name not in _SHOWN_ELSEWHERE and (words := _words(value)):
            yield name, words


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(filter(None, map(_words, value.values())))
    if isinstance(value, list):
        return ", ".join(filter(None, map(_words, value)))
    return "" if isinstance(value, str) and _FOR_MACHINES.fullmatch(value) else str(value)
