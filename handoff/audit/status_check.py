"""Completeness of the strand about the jurisdiction's status, checked while the audit runs."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from handoff import telemetry
from handoff.judging.timeline_check import TimelineDifference
from handoff.node.commands.results import StoreUnavailable

_PAUSE_SECONDS: Final = 3600.0
_RETRY_SECONDS: Final = 30.0
_REASON: Final = "status_strand"

_log = structlog.get_logger()


class StatusCheck:
    """Check of the whole strand: at the start, and once an hour. ``differences`` are those of the last check.

    A case shows the entries about its own escalations alone, so that the case cannot show that one is missing.
    """

    def __init__(self, read: Callable[[], Awaitable[tuple[TimelineDifference, ...]]]) -> None:
        self._read = read
        self.differences: tuple[TimelineDifference, ...] = ()

    async def run(self) -> None:
        """Check until cancelled. A database that fails is asked again."""
        while True:
            try:
                await self.check()
                pause = _PAUSE_SECONDS
            except StoreUnavailable as error:
                _log.warning("status_check.retry_scheduled", error=str(error))
                pause = _RETRY_SECONDS
            await asyncio.sleep(pause)

    async def check(self) -> None:
        """Check once. Alarm differences that the check before did not have. Raises ``StoreUnavailable``."""
        before, self.differences = self.differences, await self._read()
        if self.differences and self.differences != before:
            telemetry.VERDICT_ALARMS.labels(_REASON).inc()
            _log.critical(
                "status_check.failed",
                positions=sorted({one.position for one in self.differences})[:20],
                columns=sorted({one.column for one in self.differences}),
            )
