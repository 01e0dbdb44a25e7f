"""What a node's own log says of the commands that it stored: it outlives the database that stored them."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Said:
    """An event of a command that was answered with success: when, and by which route and request.

    ``sent`` is whether the log also says that it was handed to the broker, from where it may still reach the record.
    """

    event: UUID
    at: str
    route: str
    request: str
    sent: bool


def said_in(lines: Iterable[str]) -> tuple[Said, ...]:
    """Every event that these lines name as stored for a caller, each once, in their order."""
    stored: dict[str, dict[str, Any]] = {}
    sent: set[str] = set()
    for line in _documents(lines):
        if line.get("event") == "outbox.sent":
            sent.add(line["event_id"])
        for event in line.get("stored", ()):
            stored.setdefault(event, line)
    return tuple(
        Said(UUID(event), line["timestamp"], line["route"], line["request_id"], event in sent)
        for event, line in stored.items()
    )


def _documents(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if '"stored"' not in line and '"outbox.sent"' not in line:
            continue
        try:
            document = json.loads(line)
        except ValueError:
            # A line that was cut short by the crash.
            continue
        if isinstance(document, dict) and document.get("event") in ("web.request_answered", "outbox.sent"):
            yield document
