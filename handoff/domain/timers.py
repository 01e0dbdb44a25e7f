"""Times at which the exchange emits an event: due times of open steps, and expiries of unanswered requests."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from handoff.domain.case import Case, Situation
from handoff.domain.consequences import basis_expired, deadline_missed
from handoff.domain.deadlines import open_steps
from handoff.record.codes import State
from handoff.record.envelope import Event
from handoff.record.events.base import Body
from handoff.record.events.deadline import DeadlineMissed
from handoff.record.events.referral import ReferralRevoked

EXPIRY = "basis_expiry"
"""Name of the timer that ends a request whose basis expires. The other names are those of the steps."""


class Timer(Struct, frozen=True):
    """A time in a case. (holder, name, ``since``) identifies it; ``due_at`` is an attribute."""

    holder: UUID
    name: str
    since: datetime
    due_at: datetime


def timers(case: Case) -> Iterator[Timer]:
    """Yield the timers of a case. A request has none for steps that are due only after its basis has expired."""
    expiries = {r.id: r.basis_expires_at for r in case.referrals.values() if r.state is State.REQUESTED}
    for holder, step in open_steps(case):
        if holder.id not in expiries or step.due_at < expiries[holder.id]:
            yield Timer(holder.id, step.step.value, step.since, step.due_at)
    for referral, expires_at in expiries.items():
        yield Timer(referral, EXPIRY, case.referrals[referral].requested_at, expires_at)


def event_at(known: Situation, holder: UUID, name: str, since: datetime, attempt: int) -> Event[Any] | None:
    """Return the event that the exchange emits at the timer of this identity; None if the case has it no more.

    ``attempt`` counts earlier events that were too early.
    """
    if known.case is None or not any((t.holder, t.name, t.since) == (holder, name, since) for t in timers(known.case)):
        return None
    if name == EXPIRY:
        return basis_expired(known, known.case.referrals[holder], attempt)
    steps = ((h, s) for h, s in open_steps(known.case) if (h.id, s.step.value, s.since) == (holder, name, since))
    return next((deadline_missed(known, found, step, attempt) for found, step in steps), None)


def timers_of(case: Case, body: Body) -> Iterator[Timer]:
    """Yield the timer at which the exchange emits an event with this body."""
    if isinstance(body, DeadlineMissed):
        identity = body.referral or body.basis, body.step.value, body.since
        yield from (timer for timer in timers(case) if (timer.holder, timer.name, timer.since) == identity)
    elif isinstance(body, ReferralRevoked):
        yield from (timer for timer in timers(case) if (timer.holder, timer.name) == (body.referral, EXPIRY))
