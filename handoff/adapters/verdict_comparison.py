"""Comparison of the timeline's stored verdicts with the monitor's signed digest of its own."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import structlog

from handoff import telemetry
from handoff.adapters.kafka.client import BrokerUnavailable
from handoff.adapters.kafka.record_reader import RecordBroken
from handoff.adapters.kafka.verdicts_topic import VerdictsTopic
from handoff.adapters.postgres.pool import TRANSIENT
from handoff.adapters.postgres.verdict_rows import stored_verdicts
from handoff.backoff import Backoff
from handoff.judging.verdict_statement import (
    ComparedVerdicts,
    NotAStatement,
    RunningVerdicts,
    VerdictComparison,
    VerdictStatement,
)
from handoff.node.ports import Clock
from handoff.proof.log.checkpoint import Origin, cosigner_name
from handoff.proof.log.verifiers import NoteVerifier
from handoff.proof.verify.trust import TrustPolicy
from handoff.record.topics import MONITOR

_PAUSE_SECONDS: Final = 10.0
_WHOLE_AFTER: Final = timedelta(hours=1)
"""Interval at which every entry is read again: between two of them, only those since the last comparison."""

_UNAVAILABLE: Final[tuple[type[Exception], ...]] = (BrokerUnavailable, *TRANSIENT)

_log = structlog.get_logger()


@dataclass
class VerdictComparer:
    """Comparer of one timeline with the newest statement on the topic. ``result`` is None before the first one."""

    topic: VerdictsTopic
    timeline: asyncpg.Pool
    origin: Origin
    trust: Callable[[], TrustPolicy]
    clock: Clock
    result: ComparedVerdicts | None = field(default=None, init=False)
    _known: RunningVerdicts = field(default_factory=RunningVerdicts, init=False)
    _whole_at: datetime | None = field(default=None, init=False)

    async def run(self) -> None:
        """Compare until cancelled, and alarm each difference once. A broker or database that fails is asked again."""
        backoff = Backoff(longest=_PAUSE_SECONDS)
        try:
            while True:
                try:
                    await self._compare_and_report()
                    backoff.reset()
                    pause = _PAUSE_SECONDS
                except _UNAVAILABLE as error:
                    _log.warning("verdicts.retry_scheduled", error=type(error).__name__)
                    pause = backoff.pause()
                await asyncio.sleep(pause)
        finally:
            await self.topic.close()

    async def _compare_and_report(self) -> None:
        before = self.result
        try:
            found = await self.compare()
        except (NotAStatement, RecordBroken) as error:
            telemetry.VERDICT_ALARMS.labels("not_signed").inc()
            _log.error("verdicts.statement_rejected", why=str(error))
            return
        if found is None or found == before:
            return
        telemetry.VERDICTS_SIZE.set(found.size)
        if found.comparison is not VerdictComparison.SAME:
            telemetry.VERDICT_ALARMS.labels(found.comparison.value).inc()
            report = _log.critical if found.is_alarming else _log.warning
            report("verdicts.comparison_failed", result=found.comparison.value, size=found.size, rules=found.rules)

    def _monitor(self) -> NoteVerifier:
        name = cosigner_name(self.origin.jurisdiction, MONITOR)
        monitor = self.trust().cosigner(name)
        if monitor is None:
            raise NotAStatement(f"the trust file has no key of {name}")
        return monitor

    async def compare(self) -> ComparedVerdicts | None:
        """Compare with the newest statement; None without one, or as long as the timeline is behind it.

        Raises ``NotAStatement``, ``BrokerUnavailable``, ``RecordBroken`` and the database's errors.
        """
        raw = await self.topic.newest()
        if raw is None:
            return None
        theirs = VerdictStatement.open(raw, self._monitor())
        now = self.clock()
        is_whole = self._whole_at is None or now - self._whole_at >= _WHOLE_AFTER or self._known.size > theirs.size
        own = await stored_verdicts(self.timeline, theirs.size, RunningVerdicts() if is_whole else self._known)
        if own is None:
            return None
        comparison = own.statement(str(self.origin)).compared_with(theirs)
        if is_whole:
            self._whole_at = now
        if comparison is VerdictComparison.SAME:
            self._known = own
        self.result = ComparedVerdicts(comparison, theirs.size, theirs.rules)
        return self.result
