"""Answered commands in a node's log, which survives the loss of the node's database."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class AnsweredCommand:
    """An event of a successfully answered command: time, route and request id.

    ``sent`` is True if the log also shows its publication; it may then still reach the record.
    """

    event: UUID
    at: str
    route: str
    request: str
    sent: bool


def answered_commands(lines: Iterable[str]) -> tuple[AnsweredCommand, ...]:
    """Return each event that these log lines report as stored for a caller, once, in order."""
    stored: dict[str, dict[str, Any]] = {}
    sent: set[str] = set()
    for line in _documents(lines):
        if line.get("event") == "relay.event_published":
            sent.add(line["event_id"])
        for event in line.get("stored", ()):
            stored.setdefault(event, line)
    return tuple(
        AnsweredCommand(UUID(event), line["timestamp"], line["route"], line["request_id"], event in sent)
        for event, line in stored.items()
    )


def _documents(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if '"stored"' not in line and '"relay.event_published"' not in line:
            continue
        try:
            document = json.loads(line)
        except ValueError:
            # A line truncated by the crash.
            continue
        if isinstance(document, dict) and document.get("event") in ("web.request_answered", "relay.event_published"):
            yield document
