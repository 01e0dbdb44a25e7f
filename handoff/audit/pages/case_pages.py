"""The pages of a case: list, swimlanes, questions, changes and raw record, at the time of the slider."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from handoff.audit.pages.audit_site import CasePageRoute
from handoff.audit.pages.entry_list import entries_by_day
from handoff.audit.pages.formatting import event_name, facts, table
from handoff.audit.pages.integrity_status import integrity_status
from handoff.audit.pages.paging import list_page
from handoff.audit.pages.raw_entries import raw_items
from handoff.audit.pages.replay_view import InCase, ReplayView
from handoff.audit.pages.swimlanes import drawing
from handoff.record.delivery import from_ms
from handoff.views.replay.answer import Answer
from handoff.views.replay.diff import diff
from handoff.views.replay.questions import QUESTIONS, Question
from handoff.web.pages.names import member_name
from handoff.web.pages.rendering import page
from handoff.web.pages.translation import Translation, gettext_noop
from handoff.web.problems import NOT_VALID

LIST, LANES, QUESTIONS_TAB, CHANGES, RECORD = "", "/lanes", "/questions", "/changes", "/record"
TABS = (
    (LIST, gettext_noop("List")),
    (LANES, gettext_noop("Swimlanes")),
    (QUESTIONS_TAB, gettext_noop("Questions")),
    (CHANGES, gettext_noop("Changes")),
    (RECORD, gettext_noop("Raw record")),
)
EXPORTS = (
    ("bundle", gettext_noop("Bundle"), gettext_noop("verified offline, without trusting this page")),
    ("csv", gettext_noop("Table (CSV)"), gettext_noop("one line for each entry")),
    ("xes", gettext_noop("Event log (XES)"), gettext_noop("for process mining")),
    ("pdf", gettext_noop("Printable list (PDF)"), gettext_noop("the list as shown here")),
)


async def show_list(request: InCase) -> Response:
    """Show the list."""
    view = await request.view()
    return _page(view, "list.html", LIST, days=entries_by_day(view), list_page=view.entries_page)


async def show_swimlanes(request: InCase) -> Response:
    """Show the swimlanes by institution."""
    view = await request.view()
    return _page(view, "lanes.html", LANES, drawing=drawing(view))


async def show_raw_record(request: InCase) -> Response:
    """Show the raw entries."""
    view = await request.view()
    shown = view.entries_page
    entries = await request.context.cases.raw_entries([entry.position for entry in shown.items])
    return _page(view, "record.html", RECORD, entries=raw_items(entries), list_page=shown)


async def show_changes(request: InCase, since: Annotated[int, Query(ge=0, le=1_000_000)] = 0) -> Response:
    """Show the changes after the ``since``-th record time; 0 is the time before the first."""
    view = await request.view()
    times = view.times
    since = min(since, len(times))
    changes = diff(view.history, times[since - 1] if since else from_ms(0), view.position.at)
    changes = changes.of(view.filter.agency or None)
    return _page(
        view,
        "changes.html",
        CHANGES,
        since=since,
        times=[(number, view.tr.time(at)) for number, at in enumerate(times, 1)],
        moved=table(view.tr, changes.moved),
        table=table(view.tr, (shown := list_page(changes.rows, view.page)).items),
        list_page=shown,
        page_parameters={"since": since},
    )


async def show_questions(request: InCase) -> Response:
    """Show every question with its answer in one line; those with an answer to inspect come first."""
    view = await request.view()
    flagged_first = sorted((_summary(view, q) for q in QUESTIONS.values()), key=lambda shown: not shown["notable"])
    return _page(view, "questions.html", QUESTIONS_TAB, questions=flagged_first)


async def show_answer(request: InCase, name: str) -> Response:
    """Show the full answer to one question."""
    if name not in QUESTIONS:
        raise NOT_VALID.error()
    view, question = await request.view(), QUESTIONS[name]
    answer = _answer(view, question)
    shown = list_page(answer.rows, view.page)
    return _page(
        view,
        "question.html",
        QUESTIONS_TAB,
        path=f"{QUESTIONS_TAB}/{name}",
        asks=view.tr(question.asks),
        found=_headline(view.tr, question, answer),
        notable=answer.notable_count,
        facts=facts(view.tr, answer),
        table=table(view.tr, shown.items),
        list_page=shown,
    )


def case_page_router() -> APIRouter:
    """Return the routes of this module."""
    router = APIRouter(route_class=CasePageRoute, include_in_schema=False)
    for path, endpoint in (
        (LIST, show_list),
        (LANES, show_swimlanes),
        (RECORD, show_raw_record),
        (CHANGES, show_changes),
        (QUESTIONS_TAB, show_questions),
        (f"{QUESTIONS_TAB}/{{name}}", show_answer),
    ):
        router.get(f"/timelines/{{case}}{path}")(endpoint)
    return router


def _page(
    view: ReplayView,
    template: str,
    tab: str,
    *,
    path: str | None = None,
    page_parameters: Mapping[str, object] | None = None,
    **content: Any,
) -> Response:
    tr, position, history = view.tr, view.position, view.history
    path = tab if path is None else path
    time = tr.time(position.at)
    return page(
        view.request,
        template,
        signed_in=True,
        case=str(history.case_id),
        short=str(history.case_id)[:8],
        opened=_opened(view),
        referrals=[
            {
                "service": tr.code("CaseService", referral.service.value),
                "parties": f"{member_name(tr, referral.source)} → {member_name(tr, referral.target)}",
                "state": referral.state.value,
                "state_name": tr.code("State", referral.state.value),
            }
            for referral in view.history_then.case.referrals.values()
        ],
        integrity=integrity_status(tr, history, position.at),
        is_altered=bool(history.differences),
        position=position,
        when=tr("now, {time}", time=time) if position.is_now else time,
        announcement=_announcement(view),
        here=f"/timelines/{history.case_id}{path}",
        earlier=view.href(path, step=max(position.step - 1, 1)),
        later=view.href(path, step=min(position.step + 1, position.last)),
        filter=view.filter,
        filtered=_filtered(view),
        unfiltered_href=view.href(path, agency=None, type=None, ineffective=None),
        agencies=[(name, member_name(tr, name)) for name in history.parties()],
        types=_types(view),
        tabs=[
            {
                "name": tab_path.lstrip("/") or "list",
                "href": view.href(tab_path),
                "title": tr(title),
                "current": tab_path == tab,
            }
            for tab_path, title in TABS
        ],
        exports=[
            {"href": view.href(f"/exports/{name}"), "title": tr(title), "hint": tr(hint)}
            for name, title, hint in EXPORTS
        ],
        list_href=lambda position: view.entry_href(LIST, position),
        record_href=lambda position: view.entry_href(RECORD, position),
        page_href=lambda number: view.href(path, page=number, **(page_parameters or {})),
        questions_href=view.href(QUESTIONS_TAB),
        **content,
    )


def _opened(view: ReplayView) -> str:
    case, tr = view.history_then.case, view.tr
    if case.opener is None or case.opened_at is None:
        return tr("Not opened at this time.")
    return tr("Opened by {who}, {time}.", who=member_name(tr, case.opener), time=tr.time(case.opened_at))


def _filtered(view: ReplayView) -> str:
    """Return the filters that restrict the view, as text; an empty string if none does."""
    tr, chosen = view.tr, view.filter
    return " · ".join(
        text
        for text in (
            member_name(tr, chosen.agency) if chosen.agency else "",
            event_name(tr, chosen.type) if chosen.type else "",
            tr("ineffective entries only") if chosen.ineffective else "",
        )
        if text
    )


def _announcement(view: ReplayView) -> str:
    """Return the text that a screen reader reads out when the slider moves: time, newest entry, number of entries."""
    tr, position, entries = view.tr, view.position, view.history_then.own
    step = tr("step {step} of {last}", step=position.step, last=position.last)
    count = tr("Entries shown: {count}", count=len(view.entries))
    if not entries:
        return f"{step}. {count}"
    newest = entries[-1]
    event = f"{member_name(tr, newest.emitter or '')}: {event_name(tr, newest.event_type)}"
    return f"{step}: {tr.time(position.at)}. {event}. {count}"


def _types(view: ReplayView) -> list[tuple[str, str]]:
    types = dict.fromkeys(entry.event_type for entry in view.history.own if entry.event_type is not None)
    return sorted(((name, event_name(view.tr, name)) for name in types), key=lambda pair: pair[1].casefold())


def _answer(view: ReplayView, question: Question) -> Answer[Any]:
    return question.answer(view.history_then, view.position.at).of(view.filter.agency or None)


def _summary(view: ReplayView, question: Question) -> dict[str, Any]:
    answer = _answer(view, question)
    return {
        "href": view.href(f"{QUESTIONS_TAB}/{question.name}"),
        "asks": view.tr(question.asks),
        "found": _headline(view.tr, question, answer),
        "notable": answer.notable_count,
    }


def _headline(tr: Translation, question: Question, answer: Answer[Any]) -> str:
    if not answer.rows:
        return tr(question.nothing)
    return tr(question.found, count=answer.count, notable=answer.notable_count)
