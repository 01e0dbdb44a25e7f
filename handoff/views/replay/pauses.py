"""Pauses of a referral: the periods in which it was on hold."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from handoff.views.replay.history import History


@dataclass(frozen=True, slots=True)
class Period:
    """A period of record time."""

    since: datetime
    until: datetime


def pauses(history: History, referral: UUID, moment: datetime) -> tuple[Period, ...]:
    """Return the pauses of a referral up to ``moment``, in order. A lasting pause ends there."""
    found, since = list[Period](), None
    for entry in history.until(moment).about.get(referral, ()):
        now = entry.referral.paused_at if entry.referral is not None else None
        if since is not None and now != since:
            found.append(Period(since, entry.at))
        since = now
    return (*found, Period(since, moment)) if since is not None else tuple(found)
