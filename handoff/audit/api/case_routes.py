"""The audit's API about a case: its timeline, its changes, and one route for each question of an auditor."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from handoff.audit.access.case_access import InAudit, OpenedCase
from handoff.audit.api.case_timeline import CaseTimeline, case_timeline
from handoff.audit.as_of_parameter import parse_as_of, question_problem
from handoff.record.events.base import MemberId
from handoff.views.replay.answer import Answer
from handoff.views.replay.diff import Diff, diff
from handoff.views.replay.questions import QUESTIONS, Question, ask
from handoff.views.replay.refused import QuestionRefused
from handoff.web.query_parameters import only_known_parameters

AsOf = Annotated[
    str,
    Query(max_length=40, description="Time by the record's clock: RFC 3339 with a zone, or `now`"),
]
Agency = Annotated[MemberId | None, Query(description="Restrict the answer to this member")]


async def read_timeline(context: InAudit, case: OpenedCase, as_of: AsOf = "now") -> CaseTimeline:
    """List the entries of the record about the case, in the record's order."""
    history = await context.cases.history(case)
    return case_timeline(history, parse_as_of(as_of, context.clock()))


async def read_diff(
    context: InAudit,
    case: OpenedCase,
    since: Annotated[str, Query(alias="from", max_length=40, description="The earlier time, in the form of `as_of`")],
    to: AsOf = "now",
    agency: Agency = None,
) -> Diff:
    """List the changes of the case after one time and up to another."""
    history, now = await context.cases.history(case), context.clock()
    try:
        return diff(history, parse_as_of(since, now, "from"), parse_as_of(to, now, "to")).of(agency)
    except QuestionRefused as refused:
        raise question_problem(refused) from None


def _answering(question: Question) -> Callable[..., Awaitable[Answer[Any]]]:
    async def answer(context: InAudit, case: OpenedCase, as_of: AsOf = "now", agency: Agency = None) -> Answer[Any]:
        history = await context.cases.history(case)
        try:
            return ask(history, question.name, parse_as_of(as_of, context.clock()), agency)
        except QuestionRefused as refused:
            raise question_problem(refused) from None

    return answer


def case_router() -> APIRouter:
    """Return the routes of this module."""
    router = APIRouter(dependencies=[Depends(only_known_parameters)])
    router.get("/cases/{case}/timeline", operation_id="readTimeline", tags=["cases"], response_model_exclude_none=True)(
        read_timeline
    )
    router.get("/cases/{case}/diff", operation_id="readDiff", tags=["replay"], response_model_exclude_none=True)(
        read_diff
    )
    for question in QUESTIONS.values():
        router.add_api_route(
            f"/cases/{{case}}/replay/{question.name}",
            _answering(question),
            operation_id=f"replay_{question.name}",
            summary=question.asks,
            tags=["replay"],
            response_model=question.model,
            response_model_exclude_none=True,
        )
    return router
