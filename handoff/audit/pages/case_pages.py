"""The timeline's pages: one case, at one moment, as a list, as swimlanes, raw, or as answers to an auditor."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from handoff.audit.i18n.translation import Words
from handoff.audit.pages.case_view import InCase, Replay
from handoff.audit.pages.entry_list import days
from handoff.audit.pages.formatting import facts, member_words, table, type_words
from handoff.audit.pages.integrity_status import strip
from handoff.audit.pages.page_route import PageRoute
from handoff.audit.pages.raw_entries import raw_items
from handoff.audit.pages.rendering import clock_words, page
from handoff.audit.pages.swimlanes import drawing
from handoff.audit.pages.time_slider import moments
from handoff.domain.case import Referral
from handoff.record.delivery import from_ms, to_ms
from handoff.views.replay.answer import Answer
from handoff.views.replay.diff import diff
from handoff.views.replay.questions import QUESTIONS, Question
from handoff.web.problems import NOT_VALID

LIST, LANES, QUESTIONS_TAB, CHANGES, RECORD = "", "/lanes", "/questions", "/changes", "/record"
TABS = (
    (LIST, "List"),
    (LANES, "Swimlanes"),
    (QUESTIONS_TAB, "Questions"),
    (CHANGES, "Changes"),
    (RECORD, "Raw record"),
)
EXPORTS = (
    ("bundle", "Bundle", "to verify offline, without trusting this page"),
    ("csv", "Table (CSV)", "one line for each entry"),
    ("xes", "Event log (XES)", "for process mining"),
    ("pdf", "Printed page (PDF)", "the list as it stands here"),
)

pages = APIRouter(route_class=PageRoute, include_in_schema=False)


@pages.get("/timelines/{case}")
async def show_list(asked: InCase) -> Response:
    """The compact list."""
    replay = await asked.replay()
    return _page(replay, "list.html", LIST, days=days(replay.said, replay.then, replay.chosen))


@pages.get("/timelines/{case}/lanes")
async def show_lanes(asked: InCase) -> Response:
    """Swimlanes by institution."""
    replay = await asked.replay()
    drawn = drawing(replay.said, replay.then, replay.moment.at, replay.chosen)
    return _page(replay, "lanes.html", LANES, drawing=drawn)


@pages.get("/timelines/{case}/record")
async def show_record(asked: InCase) -> Response:
    """The raw record."""
    replay = await asked.replay()
    chosen = {told.position for told in replay.entries}
    entries = await asked.audit.cases.raw(asked.case, to_ms(replay.moment.at))
    return _page(replay, "record.html", RECORD, entries=raw_items(e for e in entries if e.position in chosen))


@pages.get("/timelines/{case}/changes")
async def show_changes(asked: InCase, since: Annotated[int, Query(ge=0, le=1_000_000)] = 0) -> Response:
    """What changed since the ``since``-th moment; since before the first, unless one is named."""
    replay = await asked.replay()
    stood = moments(replay.then)
    since = min(since, len(stood))
    changed = diff(replay.told, stood[since - 1] if since else from_ms(0), replay.moment.at)
    return _page(
        replay,
        "changes.html",
        CHANGES,
        since=since,
        moments=[(number, clock_words(at)) for number, at in enumerate(stood, 1)],
        moved=table(replay.said, changed.of(replay.chosen.agency or None).moved),
        table=table(replay.said, changed.of(replay.chosen.agency or None).rows),
    )


@pages.get("/timelines/{case}/questions")
async def show_questions(asked: InCase) -> Response:
    """The auditor's questions, each with its answer in a line."""
    replay = await asked.replay()
    return _page(replay, "questions.html", QUESTIONS_TAB, questions=[_line(replay, q) for q in QUESTIONS.values()])


@pages.get("/timelines/{case}/questions/{name}")
async def show_answer(asked: InCase, name: str) -> Response:
    """One question, with all that answers it."""
    if name not in QUESTIONS:
        raise NOT_VALID.error()
    replay, question = await asked.replay(), QUESTIONS[name]
    answer = _answer(replay, question)
    return _page(
        replay,
        "question.html",
        QUESTIONS_TAB,
        below=f"{QUESTIONS_TAB}/{name}",
        asks=replay.said(question.asks),
        found=_found(replay.said, question, answer),
        notable=answer.notable_count,
        facts=facts(replay.said, answer),
        table=table(replay.said, answer.rows),
    )


def _page(replay: Replay, template: str, tab: str, *, below: str | None = None, **view: Any) -> Response:
    said, stands, told = replay.said, replay.moment, replay.told
    place = tab if below is None else below
    return page(
        replay.request,
        template,
        signed_in=True,
        case=str(told.case_id),
        short=str(told.case_id)[:8],
        opened=_opened(replay),
        referrals=[_chip(said, referral) for referral in replay.then.case.referrals.values()],
        strip=strip(said, told, stands.at),
        moment=stands,
        when=said("now, {time}", time=clock_words(stands.at)) if stands.is_now else clock_words(stands.at),
        spoken=_spoken(replay),
        here=f"/timelines/{told.case_id}{place}",
        earlier=replay.href(place, step=max(stands.step - 1, 1)),
        later=replay.href(place, step=min(stands.step + 1, stands.last)),
        chosen=replay.chosen,
        agencies=[(name, member_words(said, name)) for name in told.parties()],
        types=_types(replay),
        tabs=[_tab(replay, path, words, tab) for path, words in TABS],
        exports=[
            {"href": replay.href(f"/exports/{name}"), "words": said(words), "hint": said(hint)}
            for name, words, hint in EXPORTS
        ],
        list_href=replay.href(LIST),
        record_href=replay.href(RECORD),
        questions_href=replay.href(QUESTIONS_TAB),
        **view,
    )


def _tab(replay: Replay, path: str, words: str, current: str) -> dict[str, Any]:
    name = path.lstrip("/") or "list"
    return {"name": name, "href": replay.href(path), "words": replay.said(words), "current": path == current}


def _opened(replay: Replay) -> str:
    case, said = replay.then.case, replay.said
    if case.opener is None or case.opened_at is None:
        return said("Nobody had opened it at this moment.")
    who, when = member_words(said, case.opener), clock_words(case.opened_at)
    return said("Opened by {who}, {time}.", who=who, time=when)


def _chip(said: Words, referral: Referral) -> dict[str, str]:
    return {
        "service": said.code("CaseService", referral.service.value),
        "between": f"{member_words(said, referral.source)} → {member_words(said, referral.target)}",
        "state": referral.state.value,
        "words": said.code("State", referral.state.value),
    }


def _spoken(replay: Replay) -> str:
    said, stands, own = replay.said, replay.moment, replay.then.own
    where = said("moment {step} of {last}", step=stands.step, last=stands.last)
    count = said("Entries shown: {count}", count=len(replay.entries))
    if not own:
        return f"{where}. {count}"
    last = own[-1]
    what = type_words(said, last.decoded.event.type if last.decoded.event is not None else None)
    return f"{where}: {clock_words(stands.at)}. {member_words(said, last.emitter or '')}: {what}. {count}"


def _types(replay: Replay) -> list[tuple[str, str]]:
    found = dict.fromkeys(told.decoded.event.type for told in replay.told.own if told.decoded.event is not None)
    return sorted(((kind, type_words(replay.said, kind)) for kind in found), key=lambda pair: pair[1].casefold())


def _answer(replay: Replay, question: Question) -> Answer[Any]:
    return question.answer(replay.then, replay.moment.at).of(replay.chosen.agency or None)


def _line(replay: Replay, question: Question) -> dict[str, Any]:
    answer = _answer(replay, question)
    return {
        "href": replay.href(f"{QUESTIONS_TAB}/{question.name}"),
        "asks": replay.said(question.asks),
        "found": _found(replay.said, question, answer),
        "notable": answer.notable_count,
    }


def _found(said: Words, question: Question, answer: Answer[Any]) -> str:
    if not answer.rows:
        return said(question.nothing)
    return said(question.found, count=answer.count, notable=answer.notable_count)
