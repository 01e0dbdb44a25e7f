"""The one table of those that only append."""

import json
from typing import Any

from handoff.record.envelope import Event

COLUMNS = ("record_offset", "event_id", "source", "type", "subject", "time", "value")


def row_of_event(offset: int, event: Event[Any], value: bytes | None) -> tuple[Any, ...]:
    """The row of an event that was read strictly."""
    return offset, str(event.id), event.source, event.type, event.subject, event.time.isoformat(), value


def row_of_json(offset: int, value: bytes | None) -> tuple[Any, ...]:
    """The row of whatever JSON there is."""
    told = json.loads(value or b"{}")
    return offset, told["id"], told["source"], told["type"], told["subject"], told["time"], value
