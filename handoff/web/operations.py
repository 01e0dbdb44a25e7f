"""Routes for those who run the node: whether it lives, whether it is ready, its metrics, and what a problem means.

They need no token and tell nothing of any case.
"""

from http import HTTPStatus

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from handoff.node.commands.results import StoreUnavailable
from handoff.web.context import Context, InContext, Part
from handoff.web.problems import KINDS, unsuited


class Readiness(BaseModel):
    """Whether the node can do all of its work, part by part."""

    ready: bool
    parts: tuple[Part, ...]


class Explanation(BaseModel):
    """What a kind of problem means, and what the caller can do."""

    code: str
    status: int
    title: str
    remedy: str


async def live() -> dict[str, bool]:
    """The process answers."""
    return {"live": True}


async def ready(context: InContext, response: Response) -> Readiness:
    """Every part that is needed works; else 503. Each is named."""
    parts = (await _database(context), *context.parts())
    is_ready = all(part.ready for part in parts if part.needed)
    response.status_code = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
    return Readiness(ready=is_ready, parts=parts)


async def _database(context: Context) -> Part:
    try:
        backlog = await context.desk.pending()
    except StoreUnavailable:
        return Part(name="database", ready=False, detail="away")
    return Part(name="database", ready=True, detail=f"{backlog.unsent} unsent, {backlog.unechoed} without an echo")


async def metrics() -> Response:
    """What Prometheus collects."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def explain_problem(code: str) -> Explanation:
    """What a problem's `type` stands for."""
    kind = KINDS.get(code)
    if kind is None:
        raise unsuited("unknown_path")
    return Explanation(code=code, status=kind.status.value, title=kind.title, remedy=kind.remedy)


def add_operations(router: APIRouter) -> None:
    """The routes of this module."""
    router.get("/health/live", operation_id="isLive", tags=["operations"])(live)
    router.get(
        "/health/ready",
        operation_id="isReady",
        tags=["operations"],
        responses={503: {"model": Readiness, "description": "Some part does not work"}},
    )(ready)
    router.get(
        "/metrics",
        operation_id="readMetrics",
        tags=["operations"],
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )(metrics)
    router.get("/problems/{code}", operation_id="explainProblem", tags=["operations"])(explain_problem)
