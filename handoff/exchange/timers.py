"""Timers: emit ``deadline.missed`` for a late step, and ``referral.revoked`` for a request whose basis expired."""

from datetime import datetime

from handoff.adapters.postgres.exchange_store import ExchangeStore
from handoff.domain.case import Situation
from handoff.domain.directory import Directory
from handoff.domain.timers import event_at
from handoff.record.events.deadline import DeadlineMissed

BATCH = 200


async def queue_due_events(store: ExchangeStore, epoch: int, directory: Directory, now: datetime) -> int:
    """Queue the event of every timer that is due at ``now``. Return the number of late steps.

    Raises ``LeadershipLost``. Judging at the event's position decides whether it still applies.
    """
    if not await store.has_ready_timers(now):
        return 0
    async with store.between(epoch) as transaction:
        ready = await transaction.ready_timers(now, BATCH)
        cases = await transaction.cases({timer.case for timer in ready})
        found = (
            event_at(Situation(directory, cases[timer.case]), timer.holder, timer.name, timer.since, timer.attempt)
            for timer in ready
        )
        due = [event for event in found if event is not None]
        await transaction.queue_own_events(due)
        for timer in ready:
            await transaction.mark_timer_queued(timer)
    return sum(isinstance(event.data, DeadlineMissed) for event in due)
