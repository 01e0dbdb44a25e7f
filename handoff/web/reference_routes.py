"""Routes that explain what the API and its events contain: codes, kinds of problem, and the schemas of events.

They need no token and contain nothing about any case.
"""

from collections.abc import Mapping
from functools import cache

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from handoff.package_data import schemas_path
from handoff.web.clock_rules import CLOCK_RULES, ClockRules
from handoff.web.code_list import CodeList, published_code_list
from handoff.web.context import InContext
from handoff.web.problems import UNKNOWN_PATH
from handoff.web.query_parameters import no_repeated_parameters
from handoff.web.reasons import MEANINGS, Reason

_SCHEMA_TYPE = "application/schema+json"


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


async def read_clock_rules() -> ClockRules:
    """The rules by which every deadline, wait and figure is counted, and their version."""
    return CLOCK_RULES


async def read_event_schema(file: str) -> Response:
    """The JSON Schema of one version of an event type, to which an event's `dataschema` refers."""
    content = _event_schemas().get(file)
    if content is None:
        raise UNKNOWN_PATH.error()
    return Response(content, media_type=_SCHEMA_TYPE, headers={"Cache-Control": "public, max-age=86400"})


@cache
def _event_schemas() -> Mapping[str, bytes]:
    return {path.name: path.read_bytes() for path in schemas_path("events").glob("*.json")}


def reference_router() -> APIRouter:
    """Return the routes of this module."""
    router = APIRouter(tags=["reference"], dependencies=[Depends(no_repeated_parameters)])
    router.get("/codes", operation_id="readCodes", response_model=CodeList)(read_codes)
    router.get("/clock", operation_id="readClockRules")(read_clock_rules)
    router.get(
        "/schemas/events/{file}",
        operation_id="readEventSchema",
        response_class=Response,
        responses={200: {"content": {_SCHEMA_TYPE: {"schema": {"type": "object"}}}}},
    )(read_event_schema)
    router.get("/problems/{code}", operation_id="explainProblem", response_model_exclude_none=True)(explain_problem)
    return router
