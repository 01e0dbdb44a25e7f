"""View *waits*: duration of each segment of each handoff, and the member that was waited for."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from handoff.domain.case import Referral
from handoff.domain.deadlines import responsible_member
from handoff.domain.handoff_clock import Segment, Span, segments
from handoff.record.codes import CaseService, DeadlineStep, Urgency
from handoff.views.handoffs import Handoff
from handoff.views.replay.answer import Answer, AnswerRow
from handoff.views.replay.history import History


class WaitRow(AnswerRow):
    """One segment of one handoff. ``waited_for`` is the member that had to act; None if only machines had to.

    ``ended`` is False if the wait lasts (then it is notable) or another event cut it short.
    """

    referral: UUID
    service: CaseService
    urgency: Urgency
    segment: Segment
    waiting: str
    waited_for: str | None
    since: datetime
    seconds: float
    ended: bool


class Waits(Answer[WaitRow]):
    """Waits of a case, by handoff."""


def waits(history: History, moment: datetime) -> Waits:
    """Return every segment begun by ``moment``; an open segment has its age as duration."""
    then = history.until(moment)
    rows = (row for handoff in then.handoffs for row in _rows(then, handoff, moment))
    return Waits(moment=moment, rows=tuple(rows))


def _rows(then: History, handoff: Handoff, moment: datetime) -> Iterator[WaitRow]:
    positions, referral = then.positions(handoff.referral), then.case.referrals[handoff.referral]
    for span in segments(handoff, moment):
        yield _row(handoff, span, positions, _waited_for(referral, span.segment))


def _row(handoff: Handoff, span: Span, positions: tuple[int, ...], waited_for: str | None) -> WaitRow:
    return WaitRow(
        agencies=(handoff.source, handoff.target),
        positions=positions,
        notable=handoff.is_open and not span.ended,
        referral=handoff.referral,
        service=handoff.service,
        urgency=handoff.urgency,
        segment=span.segment,
        waiting=handoff.source,
        waited_for=waited_for,
        since=span.since,
        seconds=span.lasted / timedelta(seconds=1),
        ended=span.ended,
    )


def _waited_for(referral: Referral, segment: Segment) -> str | None:
    if segment is Segment.TRANSPORT:
        return None
    if segment is Segment.ACTING and referral.service is CaseService.SHELTER:
        return responsible_member(referral, DeadlineStep.ARRIVAL)
    return referral.target
