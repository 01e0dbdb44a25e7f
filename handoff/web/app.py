"""The HTTP API of a node. Creating the application connects to nothing and reads no settings."""

from collections.abc import Sequence

from fastapi import APIRouter, Depends, FastAPI
from fastapi.telemetry import TelemetryConfig
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from handoff.node.ports import NodeApi
from handoff.web.apis import AGENCY_API, ApiDefinition
from handoff.web.command_dispatch import CommandDispatch
from handoff.web.command_endpoint import command_endpoint
from handoff.web.context import ApiContext, require_token
from handoff.web.error_handlers import add_error_handlers
from handoff.web.http_rules import HttpRules
from handoff.web.openapi_document import describe
from handoff.web.query_parameters import only_known_parameters
from handoff.web.reference_routes import reference_router
from handoff.web.request_log import RequestLog
from handoff.web.waiting import WAIT_LIMIT_SECONDS

LOOPBACK = ("127.0.0.1", "::1")
"""The addresses of a proxy on the same machine."""


def create_app(
    desk: NodeApi,
    *,
    member: str,
    token: str,
    api: ApiDefinition = AGENCY_API,
    wait_limit: float = WAIT_LIMIT_SECONDS,
    trusted_proxies: Sequence[str] = LOOPBACK,
) -> FastAPI:
    """Return the API of ``member``'s node. A proxy of ``trusted_proxies`` states the scheme of a request."""
    # A span of OpenTelemetry would hold the URL of its request.
    no_telemetry: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
    app = FastAPI(title="Handoff", docs_url=None, redoc_url=None, openapi_url="/openapi.json", telemetry=no_telemetry)
    app.state.context = ApiContext(desk, member, token, wait_limit, {kind.code: kind for kind in api.problems})
    commands = [command_endpoint(route) for route in api.commands]
    app.router.routes.extend(commands)
    queries = APIRouter(dependencies=[Depends(require_token), Depends(only_known_parameters)])
    api.add_queries(queries)
    app.include_router(queries)
    app.include_router(reference_router())
    add_error_handlers(app)
    app.add_middleware(CommandDispatch, routes=commands, error_handlers=app.exception_handlers)
    app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(trusted_proxies))
    app.add_middleware(HttpRules)
    app.add_middleware(RequestLog)
    describe(app, api)
    return app
