"""Health endpoints of a process without an API: liveness, readiness and metrics."""

from collections.abc import Callable, Mapping

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from handoff.adapters.http.server import http_server
from handoff.config import HttpSettings

Checks = Callable[[], Mapping[str, bool]]
"""Name of a part → whether it works; the process is ready when all do."""


async def serve_probes(settings: HttpSettings, checks: Checks) -> None:
    """Serve /health/live, /health/ready and /metrics until cancelled."""
    await http_server(_app(checks), settings).serve()


def _app(checks: Checks) -> Starlette:
    async def live(_request: Request) -> Response:
        return JSONResponse({"live": True})

    async def ready(_request: Request) -> Response:
        found = checks()
        return JSONResponse(dict(found), status_code=200 if all(found.values()) else 503)

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[Route("/health/live", live), Route("/health/ready", ready), Route("/metrics", metrics)],
    )
