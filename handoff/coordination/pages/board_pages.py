"""Pages of the board: the institutions that have to act now, the ageing chart, and the figures of a quarter."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path, Query, Request
from starlette.responses import Response, StreamingResponse

from handoff.coordination.board_access import BoardContext, InBoard
from handoff.coordination.pages.charts import HEIGHT, WIDTH, ageing_chart, curve
from handoff.coordination.period import end_of, following, preceding, quarter_of
from handoff.domain.commands import AcknowledgeEscalation
from handoff.domain.decide import About
from handoff.domain.directory import Directory
from handoff.domain.handoff_clock import CLOCK_VERSION, StepClock
from handoff.node.commands.results import Refused
from handoff.record.codes import AcknowledgementAction, BoardAccess
from handoff.record.uuid_text import Id
from handoff.views.board.ageing import PERCENTILES, ageing
from handoff.views.board.debts import Debt, debts
from handoff.views.board.flows import Outcome, RefusalGroup, flows
from handoff.views.figures.period import Quarter
from handoff.web.context import ApiContext
from handoff.web.pages.access.sign_in_routes import redirect, require_same_site
from handoff.web.pages.names import member_name
from handoff.web.pages.page_route import PageRoute
from handoff.web.pages.rendering import SECURITY_HEADERS, page, translation_of
from handoff.web.pages.translation import Translation, gettext_noop
from handoff.web.problems import NOT_VALID

MOST_ROWS = 200
"""Rows of *Now*; the sums of each institution count all."""
HISTORY = timedelta(days=180)
"""Finished handoffs that the bands of the ageing chart rest on: those requested in this time."""
POLL_SECONDS, STREAM_SECONDS = 1.0, 25.0
"""Interval at which a stream of changes reads the position, and its longest duration: the browser then reconnects."""
NOW, AGEING, FIGURES = "/", "/ageing", "/figures"
TABS = ((NOW, gettext_noop("Now")), (AGEING, gettext_noop("Ageing")), (FIGURES, gettext_noop("Figures")))


@dataclass(frozen=True, slots=True)
class DebtRow:
    """One row of *Now*, formatted. ``step`` and ``left`` are of the first deadline."""

    reference: str
    owes: str
    waits: str
    service: str
    urgency: str
    urgency_name: str
    segment: str
    segment_name: str
    age: str
    step: str
    left: str
    reason: str
    is_late: bool
    is_estimated: bool
    phone: str
    hours: str
    escalation: str


async def show_now(
    request: Request, board: InBoard, institution: Annotated[str | None, Query(max_length=40)] = None
) -> Response:
    """Show the institutions that have to act, and those that wait, by danger and then by age."""
    await board.record_read(request, BoardAccess.NOW)
    tr, now = translation_of(request), board.clock()
    institution = institution or None
    directory, escalations = await asyncio.gather(board.desk.directory(), board.desk.escalations())
    handoffs, sums, of_handoff = await asyncio.gather(
        board.reader.waiting(MOST_ROWS, institution),
        board.reader.institutions(),
        board.reader.handoff_of(escalation.reference for escalation in escalations),
    )
    found = debts(handoffs, of_handoff, directory, now)
    shown = {debt.escalation for debt in found}
    total = sum(one.open for one in sums)
    return await _page(
        request,
        board,
        "now.html",
        NOW,
        rows=[_row(tr, board, debt) for debt in found],
        institutions=[
            {
                "id": one.member,
                "name": member_name(tr, one.member),
                "open": one.open,
                "late": one.late,
                "unseen": one.unseen,
                "accepted": one.accepted,
                "oldest": tr.duration(max(now.timestamp() - one.oldest_ms / 1000, 0)),
                "duty": board.duty.get(one.member),
            }
            for one in sums
        ],
        others=[
            {
                "reference": str(escalation.reference),
                "member": member_name(tr, escalation.member),
                "step": tr.code("DeadlineStep", escalation.step.value),
                "service": tr.code("CaseService", escalation.service.value) if escalation.service else "",
                "age": tr.duration((now - escalation.escalated_at).total_seconds() + escalation.age_seconds),
                "duty": board.duty.get(escalation.member),
            }
            for escalation in escalations
            if escalation.reference not in shown
        ],
        capacity=_capacity(tr, directory, now),
        actions=tuple(AcknowledgementAction),
        institution=institution or "",
        total=total,
        more=max(total - len(found), 0) if institution is None else 0,
    )


async def show_ageing(request: Request, board: InBoard, day: Annotated[date | None, Query()] = None) -> Response:
    """Show the open handoffs by segment and age, now or at the end of a past day."""
    now, tr = board.clock(), translation_of(request)
    today = now.astimezone(tr.time_zone).date()
    if day is not None and day > today:
        raise NOT_VALID.error()
    is_past = day is not None and day < today
    await board.record_read(request, BoardAccess.PAST_DAY if is_past else BoardAccess.NOW)
    at = end_of(day, tr.time_zone) if day is not None and is_past else now
    recent, open_now = await asyncio.gather(board.reader.requested(at - HISTORY, at), board.reader.open_handoffs())
    handoffs = {handoff.reference: handoff for handoff in (*open_now, *recent)}
    chart = ageing(handoffs.values(), at, is_past=is_past)
    names = {handoff.target: member_name(tr, handoff.target) for handoff in handoffs.values()}
    return await _page(
        request,
        board,
        "ageing.html",
        AGEING,
        chart=ageing_chart(tr, chart, names),
        width=WIDTH,
        height=HEIGHT,
        day=(day or today).isoformat(),
        today=today.isoformat(),
        is_past=is_past,
        open=chart.open,
        suppressed=chart.suppressed,
        percentiles=[f"p{part * 100:.0f}" for part in PERCENTILES],
        bands=[
            {
                "segment": tr.code("Segment", band.segment.value),
                "finished": band.finished if band.finished == 0 or band.finished >= 5 else None,
                "ages": [tr.duration(seconds) if seconds is not None else None for seconds in band.seconds],
            }
            for band in chart.bands
        ],
        dots=[
            {
                "reference": str(dot.reference)[:8],
                "segment": tr.code("Segment", dot.segment.value),
                "owes": names[dot.owes],
                "urgency": tr.code("Urgency", dot.urgency.value),
                "age": tr.duration(dot.seconds),
            }
            for dot in sorted(chart.dots, key=lambda dot: -dot.seconds)
        ],
        bins=[
            {
                "segment": tr.code("Segment", one.segment.value),
                "from": tr.duration(one.seconds),
                "until": tr.duration(one.until),
                "count": one.count,
            }
            for one in chart.bins
        ],
    )


async def show_figures(request: Request, board: InBoard, quarter: Annotated[str, Query(max_length=8)] = "") -> Response:
    """Show the figures of the requests of one quarter."""
    now, tr = board.clock(), translation_of(request)
    current = quarter_of(now.astimezone(tr.time_zone).date(), tr.time_zone)
    try:
        chosen = Quarter.parse(quarter, tr.time_zone) if quarter else current
    except ValueError:
        raise NOT_VALID.error() from None
    await board.record_read(request, BoardAccess.FIGURES)
    handoffs = await board.reader.requested(chosen.since, chosen.until)
    found = flows(handoffs, now)

    def duration(seconds: float | None) -> str | None:
        return tr.duration(seconds) if seconds is not None else None

    return await _page(
        request,
        board,
        "figures.html",
        FIGURES,
        quarter=str(chosen),
        earlier=str(preceding(chosen)),
        later=str(following(chosen)) if chosen != current else "",
        width=WIDTH,
        height=HEIGHT,
        outcomes=[tr.code("Outcome", one.value) for one in Outcome],
        groups=[tr.code("RefusalGroup", one.value) for one in RefusalGroup],
        pairs=[
            {
                "source": member_name(tr, row.source),
                "target": member_name(tr, row.target),
                "total": row.total,
                "outcomes": list(row.outcomes.values()),
                "p50": duration(row.p50),
                "p90": duration(row.p90),
            }
            for row in found.pairs
        ],
        services=[
            {
                "service": tr.code("CaseService", row.service.value),
                "waits": [
                    {
                        "count": one.count,
                        "open": one.open,
                        "p50": duration(one.p50),
                        "p90": duration(one.p90),
                        "naive": duration(one.naive_p50),
                    }
                    for one in (row.until_answered, row.until_accepted)
                ],
            }
            for row in found.services
        ],
        refusals=[
            {
                "service": tr.code("CaseService", service.value),
                "counts": [found.refusals.cells[service, group] for group in RefusalGroup],
                "total": total,
            }
            for service, total in found.refusals.totals.items()
        ],
        curves=[
            {
                "service": tr.code("CaseService", service.value),
                "curve": curve(tr, waits),
                "open": sum(not wait.ended for wait in waits),
                "count": len(waits),
            }
            for service, waits in found.waits.items()
        ],
        suppressed=found.suppressed,
    )


async def acknowledge(
    request: Request, board: InBoard, reference: Annotated[Id, Path()], action: Annotated[AcknowledgementAction, Form()]
) -> Response:
    """Acknowledge an escalation with a coded action. One that is no longer open changes nothing."""
    person = await board.authenticated(request)
    await board.record_acknowledgement(person, reference)
    try:
        await board.desk.submit(AcknowledgeEscalation(action=action), About(escalation=reference))
    except Refused:
        # Another person was faster, or the step is done: the board shows what is true now.
        return redirect(NOW)
    return redirect(NOW)


async def stream_changes(request: Request, board: InBoard) -> Response:
    """Send an event whenever the timeline has new entries, so that an open page refreshes itself."""
    await board.authenticated(request)
    context: ApiContext = request.app.state.context
    headers = {**SECURITY_HEADERS, "X-Accel-Buffering": "no"}
    return StreamingResponse(_changes(board, context.shutdown), media_type="text/event-stream", headers=headers)


async def _changes(board: BoardContext, shutdown: asyncio.Event) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    last, ends = -1, asyncio.get_running_loop().time() + STREAM_SECONDS
    while not shutdown.is_set() and asyncio.get_running_loop().time() < ends:
        position = (await board.reader.position()).next_offset
        if position != last:
            last = position
            yield f"data: {position}\n\n"
        try:
            await asyncio.wait_for(shutdown.wait(), POLL_SECONDS)
        except TimeoutError:
            continue


def board_page_router() -> APIRouter:
    """Return the routes of this module."""
    router = APIRouter(route_class=PageRoute, include_in_schema=False, dependencies=[Depends(require_same_site)])
    router.get(NOW)(show_now)
    router.get(AGEING)(show_ageing)
    router.get(FIGURES)(show_figures)
    router.get("/changes")(stream_changes)
    router.post("/acknowledgements/{reference}")(acknowledge)
    return router


async def _page(request: Request, board: BoardContext, template: str, tab: str, **content: Any) -> Response:
    tr, position = translation_of(request), await board.reader.position()
    lag = max((board.clock() - position.record_time).total_seconds(), 0)
    return page(
        request,
        template,
        signed_in=True,
        tabs=[{"href": href, "title": tr(title), "current": href == tab} for href, title in TABS],
        record_time=tr.time(position.record_time),
        entries=position.next_offset,
        lag=tr.duration(lag),
        now=tr.time(board.clock()),
        clock_version=CLOCK_VERSION,
        rules_version=position.rules,
        **content,
    )


def _row(tr: Translation, board: BoardContext, debt: Debt) -> DebtRow:
    duty, step = board.duty.get(debt.owes), debt.deadline
    return DebtRow(
        reference=str(debt.reference)[:8],
        owes=member_name(tr, debt.owes),
        waits=member_name(tr, debt.waits),
        service=tr.code("CaseService", debt.service.value),
        urgency=debt.urgency.value,
        urgency_name=tr.code("Urgency", debt.urgency.value),
        segment=debt.segment.value if debt.segment is not None else "",
        segment_name=tr.code("Segment", debt.segment.value) if debt.segment is not None else tr("ended"),
        age=tr.duration(debt.age.total_seconds()),
        step=tr.code("DeadlineStep", step.step.value) if step is not None else "",
        left=_left(tr, step),
        reason=tr.code("ClockReason", debt.reason.value),
        is_late=debt.is_late,
        is_estimated=step is not None and step.estimated,
        phone=duty.phone if duty is not None else "",
        hours=duty.hours if duty is not None else "",
        escalation=str(debt.escalation) if debt.escalation is not None else "",
    )


def _left(tr: Translation, step: StepClock | None) -> str:
    if step is None:
        return ""
    duration = tr.duration(abs(step.remaining.total_seconds()))
    return tr("late by {duration}", duration=duration) if step.remaining.total_seconds() < 0 else duration


def _capacity(tr: Translation, directory: Directory, now: datetime) -> Iterable[dict[str, Any]]:
    return [
        {
            "member": member_name(tr, member),
            "service": tr.code("CaseService", service.value),
            "band": tr.code("CapacityBand", one.band.value),
            "state": tr.code("CapacityState", one.state.value),
            "age": tr.duration(max((now - one.as_of).total_seconds(), 0)),
            "expired": one.valid_until < now,
        }
        for member, services in sorted(directory.capacity.items())
        for service, one in sorted(services.items(), key=lambda pair: pair[0].value)
    ]
