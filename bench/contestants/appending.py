"""The table of the contestants that only append."""

import json
from typing import Any

from handoff.record.envelope import Event

COLUMNS = ("record_offset", "event_id", "source", "type", "subject", "time", "value")


def row_of_event(offset: int, event: Event[Any], value: bytes | None) -> tuple[Any, ...]:
    """The row of a strictly parsed event."""
    return offset, str(event.id), event.source, event.type, event.subject, event.time.isoformat(), value


def row_of_json(offset: int, value: bytes | None) -> tuple[Any, ...]:
    """The row of any JSON value."""
    parsed = json.loads(value or b"{}")
    return offset, parsed["id"], parsed["source"], parsed["type"], parsed["subject"], parsed["time"], value
