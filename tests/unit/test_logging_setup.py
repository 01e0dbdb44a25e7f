"""Log lines: each is one JSON object, also with values that JSON does not have."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
import structlog

from handoff import logging_setup
from handoff.record.codes import State


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    handlers, level = list(logging.root.handlers), logging.root.level
    written = io.StringIO()
    logging_setup.set_up_logging(process="exchange", stream=written)
    yield written
    structlog.reset_defaults()
    logging.root.handlers, logging.root.level = handlers, level
    logging.captureWarnings(capture=False)


class _Opaque:
    def __repr__(self) -> str:
        return "<opaque>"


VALUES = {
    "text": 'two\nlines "quoted" č',
    "none": None,
    "number": 3,
    "id": UUID(int=1),
    "at": datetime(2026, 1, 1, tzinfo=UTC),
    "state": State.REQUESTED,
    "names": ["a", "b"],
    "object": _Opaque(),
}


def test_a_line_is_one_object_with_the_fields_of_every_line(stream: io.StringIO) -> None:
    """A value without a JSON form is its representation."""
    structlog.get_logger().info("relay.started", **VALUES)
    (text,) = stream.getvalue().splitlines()
    line = json.loads(text)
    assert {key: line[key] for key in ("event", "level", "process")} == {
        "event": "relay.started",
        "level": "info",
        "process": "exchange",
    }
    assert {key: line[key] for key in VALUES} == VALUES | {
        "id": str(VALUES["id"]),
        "at": "2026-01-01T00:00:00Z",
        "state": "requested",
        "object": "<opaque>",
    }
    assert datetime.fromisoformat(line["timestamp"]).tzinfo is not None


@pytest.mark.parametrize("value", ["\ud800", {1.5: {object(): 1}}, 2**80])
def test_no_value_loses_a_line(stream: io.StringIO, value: object) -> None:
    """An operator finds the line also where a value cannot be encoded."""
    structlog.get_logger().warning("relay.send_retried", error=value)
    (text,) = stream.getvalue().splitlines()
    assert json.loads(text)["event"] == "relay.send_retried"


def test_an_exception_and_a_library_s_line_are_objects_too(stream: io.StringIO) -> None:
    """The traceback is one field."""
    structlog.get_logger().error("process.crashed", exc_info=ValueError("a reason"))
    logging.getLogger("asyncpg").warning("a %s line", "foreign")
    ours, foreign = map(json.loads, stream.getvalue().splitlines())
    assert "ValueError: a reason" in ours["exception"]
    assert (foreign["event"], foreign["level"], foreign["process"]) == ("a foreign line", "warning", "exchange")
