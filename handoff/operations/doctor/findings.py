"""Findings of the doctor, and checks that one unreadable file does not end."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import asyncpg

from handoff.config import ConfigurationError
from handoff.node.commands.results import StoreUnavailable

Health = Literal["ok", "slow", "bad", "unchecked"]
UNREACHABLE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, StoreUnavailable)
"""Errors of a database that is not available or refuses the login."""
_UNREADABLE = (ConfigurationError, OSError, ValueError, LookupError, TypeError)
"""Errors of a file that is missing, closed to this user or malformed."""


@dataclass(frozen=True, slots=True)
class DoctorFinding:
    """Result of one check; ``advice`` is empty if no action is needed."""

    part: str
    state: Health
    finding: str
    advice: str = ""


def is_healthy(findings: Sequence[DoctorFinding]) -> bool:
    """Return whether no finding requires an action."""
    return all(finding.state in ("ok", "unchecked") for finding in findings)


def start_advice(part: str) -> str:
    """Return the advice to start a part."""
    return f"start {part}; a running `handoff up` starts it again and prints why it ended"


async def examined(part: str, check: Callable[[], Awaitable[Iterable[DoctorFinding]]]) -> tuple[DoctorFinding, ...]:
    """Return the findings of a check. A file that it cannot read is a finding too, and ends only this check."""
    try:
        return tuple(await check())
    except _UNREADABLE as error:
        return (_unreadable(part, error),)


def collected(part: str, check: Iterator[DoctorFinding]) -> Iterator[DoctorFinding]:
    """Yield the findings of a check, as ``examined`` does."""
    try:
        yield from check
    except _UNREADABLE as error:
        yield _unreadable(part, error)


def _unreadable(part: str, error: Exception) -> DoctorFinding:
    described = str(error) if isinstance(error, ConfigurationError) else f"{type(error).__name__}: {error}"
    return DoctorFinding(part, "bad", f"cannot be checked: {described}", "correct or restore the file")
