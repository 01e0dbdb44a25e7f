"""Reason of a process's end: its exit code or signal, and the last line of its log that reports a problem."""

import json
import re
import signal
from collections.abc import Iterable

_LONGEST = 300
_COMMON_FIELDS = frozenset({"event", "level", "process", "release", "timestamp"})
_ROUTINE_LEVELS = frozenset({"debug", "info", "warning"})
# Kafka: "2026-01-01T12:00:00,000 INFO KafkaRaftServer - …". PostgreSQL: "2026-01-01 12:00:00.000 UTC [17] LOG:  …".
_ROUTINE = re.compile(r"^\S+ (TRACE|DEBUG|INFO|WARN) |^\S+ \S+ \S+ \[\d+\] (LOG|HINT|DETAIL|STATEMENT|WARNING): ")


def end_reason(exit_code: int | None, log: Iterable[str]) -> str:
    """Return how a process ended and, if its log names a problem, that line.

    ``log`` has the lines of this run alone. Continuations of a stack trace are indented and left out.
    """
    ended = _ending(exit_code)
    lines = [line for line in log if line.strip() and not line[0].isspace()]
    problems = [found for line in lines if (found := _problem(line)) is not None]
    return f"{ended}; the last problem in its log: {problems[-1][:_LONGEST]}" if problems else ended


def _ending(exit_code: int | None) -> str:
    if exit_code is None:
        return "ended"
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    try:
        return f"was ended by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"was ended by signal {-exit_code}"


def _problem(line: str) -> str | None:
    """Return the line in plain text, unless it is routine. A line without a known level counts as a problem."""
    entry = _json_entry(line)
    if entry is None:
        return None if _ROUTINE.match(line) else line.strip()
    if entry.get("level") in _ROUTINE_LEVELS:
        return None
    fields = {key: value for key, value in entry.items() if key not in _COMMON_FIELDS}
    described = " ".join(f"{key}={_last_line(value)}" for key, value in fields.items())
    return f"{entry.get('event', '')} {described}".strip()


def _json_entry(line: str) -> dict[str, object] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _last_line(value: object) -> str:
    """Return the last line of a value: the error itself, if the value is a traceback."""
    return str(value).strip().rpartition("\n")[2]
