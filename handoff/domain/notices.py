"""Notices to the member that owes a step: a share of the allowed time is used up.

They are local. The clock computes them, so they are neither events nor entries of the inbox, and no cursor counts them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from handoff.domain import calendars
from handoff.domain.case import Case, Referral
from handoff.domain.deadlines import allowed_time, notify_at
from handoff.domain.directory import Directory
from handoff.domain.handoff_clock import StepClock, step_clock
from handoff.record.codes import Urgency

SHARES = (50, 80)
"""Shares of the allowed time, in per cent, at which the member that owes a step gets a notice."""

_NOTICES = UUID("5c8a1c9e-4d3b-5b6f-8d0a-2f6e7b1c0d44")


@dataclass(frozen=True, slots=True)
class Notice:
    """Notice that ``share`` per cent of the time for a step are used up since ``at``.

    ``id`` is the same in each answer. No page or alarm before ``notify_at``, the next working hour except in an
    emergency.
    """

    id: UUID
    case: UUID
    referral: UUID
    urgency: Urgency
    share: int
    at: datetime
    notify_at: datetime
    clock: StepClock


def notices(cases: Iterable[Case], member: str, directory: Directory, now: datetime) -> tuple[Notice, ...]:
    """Return the notices to ``member`` at ``now``, the oldest first. A step that is late or on hold has none."""
    found = (
        notice
        for case in cases
        for referral in case.referrals.values()
        for notice in _of_referral(case.id, referral, member, directory, now)
    )
    return tuple(sorted(found, key=lambda notice: (notice.at, notice.id)))


def _of_referral(case: UUID, referral: Referral, member: str, directory: Directory, now: datetime) -> Iterator[Notice]:
    for step in referral.steps:
        clock = step_clock(referral, step, directory, now)
        if clock.owes != member or not step.is_pending or now >= step.due_at:
            continue
        allowed = allowed_time(referral, step, directory)
        for share in SHARES:
            due = calendars.due(allowed.counting, allowed.since, allowed.amount * share / 100, allowed.pauses)
            if due.at <= now:
                name = f"{case}/{referral.id}/{step.step}/{step.since.isoformat()}/{share}"
                quiet_until = notify_at(member, referral.urgency, directory, due.at)
                yield Notice(
                    uuid5(_NOTICES, name), case, referral.id, referral.urgency, share, due.at, quiet_until, clock
                )
