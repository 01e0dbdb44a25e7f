"""Set-up of structlog and of the standard library's log.

Log lines hold codes, event ids, counts and times only; never an event's body, personal data or a request's address.
"""

import json
import logging
import sys
import time
from typing import Literal, TextIO

import msgspec
import structlog

from handoff.release import RELEASE

QUIET_AFTER_LINES = 5
QUIET_WINDOW_SECONDS = 10.0
_CHATTY = ("aiokafka", "faust", "mode", "kafka", "uvicorn", "httpx")


def set_up_logging(
    *, process: str, level: str = "info", form: Literal["json", "console"] = "json", stream: TextIO = sys.stdout
) -> None:
    """Configure structlog and the standard library to write to ``stream``. Each line names process and release."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*_shared(process), *_rendering(form)],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        # Direct to the stream: through the standard library a line costs several times as much, and the exchange
        # writes two lines an event.
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_shared(process),
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(form)],
        )
    )
    handler.addFilter(Quieter())
    logging.captureWarnings(capture=True)
    logging.basicConfig(level=threshold, handlers=[handler], force=True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def _shared(process: str) -> list[structlog.types.Processor]:
    def named(_logger: object, _method: str, line: structlog.types.EventDict) -> structlog.types.EventDict:
        # Not a context variable: Faust's consumer logs from a thread of its own.
        line["process"], line["release"] = process, RELEASE
        return line

    return [
        named,
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _rendering(form: str) -> list[structlog.types.Processor]:
    if form == "console":
        return [structlog.dev.ConsoleRenderer(colors=False)]
    return [structlog.processors.format_exc_info, _as_json]


# The standard library's encoder takes half of the time of a line, and the exchange writes two for an event.
_ENCODER = msgspec.json.Encoder(enc_hook=repr)


def _as_json(_logger: object, _method: str, line: structlog.types.EventDict) -> str:
    try:
        return _ENCODER.encode(line).decode()
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError):
        # A lone surrogate, or keys that JSON does not have: a line is never lost.
        return json.dumps({str(name): value if isinstance(value, str) else repr(value) for name, value in line.items()})


class Quieter(logging.Filter):
    """Rate limit for a client library's log: in an outage it writes thousands of lines."""

    def __init__(self) -> None:
        super().__init__()
        self._windows: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        root = record.name.partition(".")[0]
        if root not in _CHATTY:
            return True
        now = time.monotonic()
        began, lines = self._windows.get(root, (now, 0))
        if now - began > QUIET_WINDOW_SECONDS:
            began, lines = now, 0
        self._windows[root] = (began, lines + 1)
        return lines < QUIET_AFTER_LINES
