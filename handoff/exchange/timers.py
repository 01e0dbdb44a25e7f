"""Timers: emit ``deadline.missed`` once for each step whose due time has passed."""

from datetime import datetime
from typing import Any

from handoff.adapters.postgres.exchange_store import ExchangeStore
from handoff.domain.case import Situation
from handoff.domain.consequences import deadline_missed
from handoff.domain.deadlines import open_steps
from handoff.domain.directory import Directory
from handoff.record.envelope import Event

BATCH = 200


async def queue_missed_deadlines(store: ExchangeStore, epoch: int, directory: Directory, now: datetime) -> int:
    """Queue ``deadline.missed`` for every step late at ``now``. Return their number. Raises ``LeadershipLost``.

    Judging at the event's position decides whether the step is still open.
    """
    if not await store.has_ready_timers(now):
        return 0
    async with store.between(epoch) as transaction:
        ready = await transaction.ready_timers(now, BATCH)
        cases = await transaction.cases({timer.case for timer in ready})
        missed: list[Event[Any]] = []
        for timer in ready:
            case = cases[timer.case]
            missed += [
                deadline_missed(Situation(directory, case), holder, step, timer.attempt)
                for holder, step in open_steps(case)
                if (holder.id, step.step, step.since) == (timer.holder, timer.step, timer.since)
            ]
        await transaction.queue_own_events(missed)
        for timer in ready:
            await transaction.mark_timer_queued(timer)
    return len(missed)
