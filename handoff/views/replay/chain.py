"""View *chain*: requests, refusals, redirects, and the gaps in which no request was open."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from handoff.domain.case import Case
from handoff.domain.deadlines import STEP_STARTS
from handoff.record.codes import CaseService, DeadlineStep, OfferAnswer, State
from handoff.record.events.case import CaseOpened
from handoff.views.handoffs import Handoff
from handoff.views.latency import until_answered
from handoff.views.replay.answer import Answer, AnswerPart, AnswerRow, seconds, seconds_or_none
from handoff.views.replay.history import History


class HopRow(AnswerRow):
    """One request of a chain of redirects that began with ``root``.

    ``gap_seconds``: time between the end of the previous request and this one. ``idle_seconds``: time since the refusal
    of this request, while a next request is due and missing. ``chain_seconds``: time since the first request.
    """

    root: UUID
    hop: int
    referral: UUID
    source: str
    target: str
    service: CaseService
    asked_at: datetime
    state: State
    code: str | None
    answer_seconds: float
    answered: bool
    gap_seconds: float | None
    idle_seconds: float | None
    chain_seconds: float


class OfferThen(AnswerPart):
    """A service offered to the survivor at case opening, and the time until it was first requested."""

    service: CaseService
    answer: OfferAnswer
    seconds_until_asked: float | None


class Chains(Answer[HopRow]):
    """Chains of requests, one row a request. A refusal without a next request is notable."""

    offers: tuple[OfferThen, ...]


def chain(history: History, moment: datetime) -> Chains:
    """Return the chains of a case at ``moment``."""
    then = history.until(moment)
    by_id = {handoff.referral: handoff for handoff in then.handoffs}
    in_order = sorted(by_id.values(), key=lambda h: (by_id[h.root].requested_at, h.root, h.hop, h.requested_at))
    rows = tuple(_row(then, by_id, handoff, moment) for handoff in in_order)
    return Chains(moment=moment, rows=rows, offers=tuple(_offers(then)))


def _row(then: History, by_id: dict[UUID, Handoff], handoff: Handoff, moment: datetime) -> HopRow:
    wait, earlier = until_answered(handoff, moment), _asked_before(then.case, by_id, handoff)
    idle = seconds_or_none(_idle_since(then.case, handoff), moment)
    return HopRow(
        agencies=(handoff.source, handoff.target),
        positions=then.positions(handoff.referral),
        notable=idle is not None,
        root=handoff.root,
        hop=handoff.hop,
        referral=handoff.referral,
        source=handoff.source,
        target=handoff.target,
        service=handoff.service,
        asked_at=handoff.requested_at,
        state=handoff.state,
        code=then.case.referrals[handoff.referral].code,
        answer_seconds=wait.seconds,
        answered=wait.ended,
        gap_seconds=seconds_or_none(earlier.closed_at, handoff.requested_at) if earlier is not None else None,
        idle_seconds=idle,
        chain_seconds=seconds(by_id[handoff.root].requested_at, handoff.answered_at or handoff.closed_at or moment),
    )


def _asked_before(case: Case, by_id: dict[UUID, Handoff], handoff: Handoff) -> Handoff | None:
    return next((by_id[r.id] for r in case.referrals.values() if r.next == handoff.referral), None)


def _idle_since(case: Case, handoff: Handoff) -> datetime | None:
    return STEP_STARTS[DeadlineStep.NEXT_REFERRAL](case.referrals[handoff.referral])


def _offers(then: History) -> Iterator[OfferThen]:
    asked: dict[CaseService, datetime] = {}
    for handoff in then.handoffs:
        asked.setdefault(handoff.service, handoff.requested_at)
    for entry in then.saying(CaseOpened):
        for offer in entry.body.offered:
            after = seconds_or_none(entry.at, asked.get(offer.service))
            yield OfferThen(service=offer.service, answer=offer.answer, seconds_until_asked=after)
