"""Routes that explain the API's own codes: the code list, and the explanation of each kind of problem.

They need no token and contain nothing about any case.
"""

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from handoff.web.code_list import CodeList, published_code_list
from handoff.web.context import InContext
from handoff.web.problems import UNKNOWN_PATH
from handoff.web.query_parameters import no_repeated_parameters
from handoff.web.reasons import MEANINGS, Reason


class ReasonExplanation(BaseModel):
    """A reason of a problem, and its meaning."""

    reason: Reason
    meaning: str


class ProblemExplanation(BaseModel):
    """The meaning of a kind of problem, and what the caller can do."""

    code: str
    status: int
    title: str
    remedy: str
    reasons: tuple[ReasonExplanation, ...] | None = Field(None, description="The reasons that this kind can have")


async def explain_problem(context: InContext, code: str) -> ProblemExplanation:
    """The explanation that a problem's `type` refers to."""
    kind = context.problems.get(code)
    if kind is None:
        raise UNKNOWN_PATH.error()
    reasons = tuple(ReasonExplanation(reason=reason, meaning=MEANINGS[reason]) for reason in kind.reasons)
    return ProblemExplanation(
        code=code, status=kind.status.value, title=kind.title, remedy=kind.remedy, reasons=reasons or None
    )


async def read_codes() -> Response:
    """Every code with its meaning in four languages, and the codes that each service and role allow."""
    return Response(published_code_list(), media_type="application/json")


def reference_router() -> APIRouter:
    """Return the routes of this module."""
    router = APIRouter(tags=["reference"], dependencies=[Depends(no_repeated_parameters)])
    router.get("/codes", operation_id="readCodes", response_model=CodeList)(read_codes)
    router.get("/problems/{code}", operation_id="explainProblem", response_model_exclude_none=True)(explain_problem)
    return router
