"""Routes about the process itself: liveness, readiness and metrics.

They need no token and contain nothing about any case.
"""

from http import HTTPStatus

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST

from handoff import telemetry
from handoff.readiness import Readiness
from handoff.web.context import InContext
from handoff.web.query_parameters import no_repeated_parameters


async def live() -> dict[str, bool]:
    """The process responds."""
    return {"live": True}


async def ready(context: InContext, response: Response) -> Readiness:
    """Readiness of each part; 503 if a part that is needed does not work."""
    readiness = context.readiness()
    response.status_code = HTTPStatus.OK if readiness.ready else HTTPStatus.SERVICE_UNAVAILABLE
    return readiness


async def metrics(context: InContext) -> Response:
    """Metrics in the text format of Prometheus."""
    return Response(telemetry.exposition(context.member), media_type=CONTENT_TYPE_LATEST)


def system_router() -> APIRouter:
    """Return the routes of this module."""
    router = APIRouter(tags=["operations"], dependencies=[Depends(no_repeated_parameters)])
    router.get("/health/live", operation_id="isLive")(live)
    router.get(
        "/health/ready",
        operation_id="isReady",
        response_model_exclude_none=True,
        responses={503: {"model": Readiness, "description": "A part that is needed does not work"}},
    )(ready)
    router.get(
        "/metrics",
        operation_id="readMetrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )(metrics)
    return router
