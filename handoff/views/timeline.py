"""Timeline of a case: its entries in the record's order, each with its verdict."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from handoff.record.delivery import Verdict
from handoff.views.replay.history import DecodedEntry

Detail = tuple[str, str]

_SHOWN_ELSEWHERE = frozenset({"referral", "seen"})
# Keys, hashes and signatures are of no use to a reader.
_FOR_MACHINES = re.compile(r"[0-9a-f]{64,}")


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


def timeline_entry(decoded: DecodedEntry) -> TimelineEntry:
    """Build the row of an entry."""
    event = decoded.event
    if event is None:
        return TimelineEntry(decoded.position, decoded.record_time, decoded.verdict)
    return TimelineEntry(
        position=decoded.position,
        record_time=decoded.record_time,
        verdict=decoded.verdict,
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
