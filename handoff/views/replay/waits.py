"""The view waits: which part of each handoff took how long, and whose wait it was."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from handoff.domain.case import Referral
from handoff.domain.deadlines import owed_by
from handoff.record.codes import CaseService, DeadlineStep, Urgency
from handoff.views.handoffs import Handoff
from handoff.views.latency import Segment, Span, spans
from handoff.views.replay.answer import Answer, Row
from handoff.views.replay.history import History


class WaitRow(Row):
    """One segment of one handoff. ``waited_for`` had to act; None where only machines had.

    ``ended`` is False where the wait lasts (then it is notable) or something else cut it short.
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
    """The waits of a case, handoff by handoff."""


def waits(history: History, moment: datetime) -> Waits:
    """Every segment of every handoff that had begun by ``moment``; an open one with its age."""
    then = history.until(moment)
    rows = (row for handoff in then.handoffs for row in _rows(then, handoff, moment))
    return Waits(moment=moment, rows=tuple(rows))


def _rows(then: History, handoff: Handoff, moment: datetime) -> Iterator[WaitRow]:
    positions, referral = then.positions(handoff.referral), then.case.referrals[handoff.referral]
    for span in spans(handoff, moment):
        yield _row(handoff, span, positions, _waited_for(referral, span.segment))


def _row(handoff: Handoff, span: Span, positions: tuple[int, ...], waited_for: str | None) -> WaitRow:
    return WaitRow(
        agencies=(handoff.source, handoff.target),
        positions=positions,
        notable=handoff.is_open and not span.wait.ended,
        referral=handoff.referral,
        service=handoff.service,
        urgency=handoff.urgency,
        segment=span.segment,
        waiting=handoff.source,
        waited_for=waited_for,
        since=span.since,
        seconds=span.wait.seconds,
        ended=span.wait.ended,
    )


def _waited_for(referral: Referral, segment: Segment) -> str | None:
    if segment is Segment.TRANSPORT:
        return None
    if segment is Segment.ACTING and referral.service is CaseService.SHELTER:
        return owed_by(referral, DeadlineStep.ARRIVAL)
    return referral.target
