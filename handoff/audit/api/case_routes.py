"""The audit's API about a case: its timeline, and one route for each question of an auditor."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from handoff.audit.api.case_timeline import CaseTimeline, case_timeline
from handoff.audit.context import InAudit, OpenedCase
from handoff.audit.pages.time_slider import not_answered, parsed
from handoff.record.events.base import MemberId
from handoff.views.replay.answer import Answer
from handoff.views.replay.diff import Diff, diff
from handoff.views.replay.questions import QUESTIONS, Question, ask
from handoff.views.replay.refused import QuestionRefused
from handoff.web.context import only_known_parameters

AsOf = Annotated[
    str,
    Query(max_length=40, description="The moment, by the record's clock: RFC 3339 with a zone, or `now`"),
]
Agency = Annotated[MemberId | None, Query(description="Only what concerns this member")]


async def read_timeline(audit: InAudit, case: OpenedCase, as_of: AsOf = "now") -> CaseTimeline:
    """What stands on the record about the case, in the record's order."""
    told = await audit.cases.history(case)
    return case_timeline(told, parsed(as_of, audit.clock()))


async def read_diff(
    audit: InAudit,
    case: OpenedCase,
    since: Annotated[str, Query(alias="from", max_length=40, description="The earlier moment, as `as_of`")],
    to: AsOf = "now",
    agency: Agency = None,
) -> Diff:
    """What changed in the case after one moment and up to another."""
    told, now = await audit.cases.history(case), audit.clock()
    try:
        return diff(told, parsed(since, now, "from"), parsed(to, now, "to")).of(agency)
    except QuestionRefused as refused:
        raise not_answered(refused) from None


def _answering(question: Question) -> Callable[..., Awaitable[Answer[Any]]]:
    async def answer(audit: InAudit, case: OpenedCase, as_of: AsOf = "now", agency: Agency = None) -> Answer[Any]:
        told = await audit.cases.history(case)
        try:
            return ask(told, question.name, parsed(as_of, audit.clock()), agency)
        except QuestionRefused as refused:
            raise not_answered(refused) from None

    return answer


def add_case_routes(router: APIRouter) -> None:
    """The routes of this module."""
    router.get("/cases/{case}/timeline", operation_id="readTimeline", tags=["cases"])(read_timeline)
    router.get("/cases/{case}/diff", operation_id="readDiff", tags=["replay"])(read_diff)
    for question in QUESTIONS.values():
        router.add_api_route(
            f"/cases/{{case}}/replay/{question.name}",
            _answering(question),
            operation_id=f"replay_{question.name}",
            summary=question.asks,
            tags=["replay"],
            response_model=question.model,
        )


def case_router() -> APIRouter:
    """The API about cases, for auditors."""
    router = APIRouter(dependencies=[Depends(only_known_parameters)])
    add_case_routes(router)
    return router
