"""Read answered commands from a node's log after its database is lost."""

import json
from uuid import UUID

from handoff.adapters.files.answered_commands import AnsweredCommand, answered_commands

ONE, OTHER = UUID(int=1), UUID(int=2)


def request(*stored: UUID, **more: object) -> str:
    named = {"stored": [str(event) for event in stored]} if stored else {}
    line = {
        "event": "web.request_answered",
        "timestamp": "2026-11-01T08:00:00Z",
        "route": "/cases",
        "request_id": "r",
        **named,
    }
    return json.dumps(line | more)


def sent(event: UUID) -> str:
    return json.dumps({"event": "relay.event_published", "event_id": str(event), "timestamp": "2026-11-01T08:00:01Z"})


def test_each_stored_event_is_named_once_with_whether_it_was_sent() -> None:
    """An answer that was given again under its key names the same event."""
    found = answered_commands([request(ONE), request(OTHER), sent(OTHER), request(ONE, request_id="again")])
    at = "2026-11-01T08:00:00Z"
    assert found == (
        AnsweredCommand(ONE, at, "/cases", "r", sent=False),
        AnsweredCommand(OTHER, at, "/cases", "r", sent=True),
    )


def test_log_lines_without_a_command_are_skipped() -> None:
    """Questions, other lines, lines that are no JSON, and one that a crash has cut short."""
    cut = request(ONE)[:-5]
    assert answered_commands([request(), '{"event": "node.starts"}', "Traceback", '"stored"', cut]) == ()
