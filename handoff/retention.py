"""Retention: a process deletes rows of its own database that it no longer needs, some at a time, at intervals."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from handoff import telemetry

log = structlog.get_logger(__name__)

BATCH_ROWS = 1_000
"""Rows of one transaction, so that no clean-up holds locks for long, also after years without one."""

INTERVAL_SECONDS = 3_600.0


class DeleteExpired(Protocol):
    """Deletion of rows that expired before a time, at most ``limit`` of them, in one transaction."""

    async def __call__(self, before: datetime, limit: int) -> int:
        """Return the number of deleted rows. Safe to repeat."""


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """Rows of one kind, named ``kind``, and the time for which they are kept after they expired."""

    kind: str
    keep: timedelta
    delete: DeleteExpired


@dataclass(frozen=True)
class Retention:
    """Applies rules at intervals. ``failures`` are errors of the database, which the next interval may not meet.

    Two processes may apply the same rule at the same time: a row is deleted once, and no other work depends on it.
    """

    rules: Sequence[RetentionRule]
    failures: tuple[type[Exception], ...]
    clock: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    batch_rows: int = BATCH_ROWS
    interval_seconds: float = INTERVAL_SECONDS

    async def run(self) -> None:
        """Apply the rules until cancelled."""
        while True:
            await self.apply()
            await self.sleep(self.interval_seconds)

    async def apply(self) -> None:
        """Delete all rows that the rules no longer keep. A failure of one rule does not stop the others."""
        for rule in self.rules:
            try:
                deleted = await self._delete_all(rule)
            except self.failures as error:
                telemetry.RETENTION_FAILURES.labels(rule.kind).inc()
                log.warning("retention.cleanup_failed", kind=rule.kind, error=type(error).__name__)
            else:
                if deleted:
                    log.info("retention.rows_deleted", kind=rule.kind, rows=deleted)

    async def _delete_all(self, rule: RetentionRule) -> int:
        before, total = self.clock() - rule.keep, 0
        while True:
            deleted = await rule.delete(before, self.batch_rows)
            telemetry.RETENTION_DELETED.labels(rule.kind).inc(deleted)
            total += deleted
            if deleted < self.batch_rows:
                return total
