"""Timers: emit ``deadline.missed`` once for each step whose due time has passed."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from handoff.adapters.postgres.exchange_store import ExchangeStore
from handoff.adapters.postgres.exchange_transaction import ReadyTimer
from handoff.domain.case import Case, Situation
from handoff.domain.consequences import deadline_missed
from handoff.domain.deadlines import open_steps
from handoff.domain.directory import Directory
from handoff.record.envelope import Event

AT_ONCE = 200


async def say_what_is_late(store: ExchangeStore, epoch: int, directory: Directory, now: datetime) -> int:
    """Queue ``deadline.missed`` for every step late at ``now``. Return their number. Raises ``Superseded``.

    Judging at the event's position decides whether the step is still open.
    """
    if not await store.is_something_late(now):
        return 0
    async with store.between(epoch) as batch:
        ready = await batch.ready_timers(now, AT_ONCE)
        cases = await batch.cases({timer.case for timer in ready})
        late = [event for timer in ready for event in _late(timer, cases, directory)]
        await batch.say(late)
        for timer in ready:
            await batch.timer_said(timer)
    return len(late)


def _late(timer: ReadyTimer, cases: dict[UUID, Case], directory: Directory) -> Iterator[Event[Any]]:
    case = cases[timer.case]
    for holder, step in open_steps(case):
        if (holder.id, step.step, step.since) == (timer.holder, timer.step, timer.since):
            yield deadline_missed(Situation(directory, case), holder, step, timer.attempt)
