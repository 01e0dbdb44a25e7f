"""The reason of an end, from exit codes and from the logs of services, Kafka and PostgreSQL."""

import json
import signal

import pytest

from handoff.trial.end_reason import end_reason

ROUTINE = json.dumps({"event": "relay.started", "level": "info", "process": "police", "timestamp": "2026-01-01"})


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (0, "ended with exit code 0"),
        (1, "ended with exit code 1"),
        (-signal.SIGKILL, "was ended by SIGKILL"),
        (-signal.SIGSEGV, "was ended by SIGSEGV"),
        (-99, "was ended by signal 99"),
    ],
)
def test_without_a_problem_in_the_log_the_code_is_the_reason(code: int, expected: str) -> None:
    assert end_reason(code, [ROUTINE]) == expected


@pytest.mark.parametrize(
    ("log", "problem"),
    [
        (["police.toml: kafka.username: Field required"], "police.toml: kafka.username: Field required"),
        (
            [ROUTINE, "Traceback (most recent call last):", '  File "x.py", line 1', "ValueError: no key", ROUTINE],
            "ValueError: no key",
        ),
        (
            [json.dumps({"event": "node.failed", "level": "error", "exception": "Traceback\n  x\nOSError: disk full"})],
            "node.failed exception=OSError: disk full",
        ),
        (
            [
                "2026-01-01T12:00:00,000 INFO KafkaRaftServer - starting",
                "2026-01-01T12:00:00,000 ERROR KafkaRaftServer - disk error",
                "\tat kafka.Server.start(Server.scala)",
                "2026-01-01T12:00:00,000 INFO KafkaRaftServer - shutting down",
            ],
            "2026-01-01T12:00:00,000 ERROR KafkaRaftServer - disk error",
        ),
        (
            [
                "2026-01-01 12:00:00.000 UTC [17] LOG:  starting PostgreSQL 18",
                "2026-01-01 12:00:00.000 UTC [17] PANIC:  could not write: No space left on device",
                "2026-01-01 12:00:00.000 UTC [17] HINT:  free some space",
            ],
            "2026-01-01 12:00:00.000 UTC [17] PANIC:  could not write: No space left on device",
        ),
    ],
    ids=["configuration", "traceback", "json", "kafka", "postgres"],
)
def test_the_last_problem_in_the_log_is_named(log: list[str], problem: str) -> None:
    assert end_reason(1, log) == f"ended with exit code 1; the last problem in its log: {problem}"


def test_a_huge_line_is_cut() -> None:
    assert len(end_reason(1, ["x" * 100_000])) < 500
