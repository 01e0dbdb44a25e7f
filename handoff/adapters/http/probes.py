"""Health endpoints of every process, on a port of their own: liveness, readiness and metrics."""

from collections.abc import Callable
from http import HTTPStatus

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from handoff import telemetry
from handoff.adapters.http.server import http_server
from handoff.config import HealthSettings, HttpSettings
from handoff.readiness import Readiness


async def serve_probes(health: HealthSettings, member: str, readiness: Callable[[], Readiness]) -> None:
    """Serve /health/live, /health/ready and /metrics of the process of ``member`` until cancelled, if it has a port."""
    if health.port is not None:
        address = HttpSettings.model_validate(health.model_dump(exclude={"patience_seconds"}))
        await http_server(probes(member, readiness), address).serve()


def probes(member: str, readiness: Callable[[], Readiness]) -> Starlette:
    """Return the application of the endpoints. ``readiness`` does no I/O, so that a scrape never waits."""

    async def live(_request: Request) -> Response:
        return JSONResponse({"live": True})

    async def ready(_request: Request) -> Response:
        found = readiness()
        status = HTTPStatus.OK if found.ready else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse(found.model_dump(mode="json"), status_code=status)

    async def metrics(_request: Request) -> Response:
        return Response(telemetry.exposition(member), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[Route("/health/live", live), Route("/health/ready", ready), Route("/metrics", metrics)],
    )
