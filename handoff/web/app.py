"""The HTTP API of a node, made over its desk. Nothing is connected or read from outside here."""

from typing import Literal

from fastapi import APIRouter, Depends, FastAPI

from handoff.node.ports import Reception
from handoff.web.context import Context, Parts, authorized, only_known_parameters
from handoff.web.description import describe
from handoff.web.failures import add_failures
from handoff.web.operations import add_operations
from handoff.web.queries import add_agency_queries, add_coordination_queries, add_shared_queries
from handoff.web.request_log import RequestLog
from handoff.web.submissions import AGENCY_PLACES, COORDINATION_PLACES, add_places

Routes = Literal["agency", "coordination", "audit"]

WAIT_LIMIT_SECONDS = 30.0
"""The longest that ``Prefer: wait`` holds an answer: shorter than the time-outs of common proxies."""


def create_app(
    desk: Reception,
    *,
    member: str,
    token: str,
    routes: Routes = "agency",
    parts: Parts = tuple,
    wait_limit: float = WAIT_LIMIT_SECONDS,
) -> FastAPI:
    """The API of ``member``'s node. ``parts`` tells the readiness of what the node rests on beside its database."""
    app = FastAPI(title="Handoff", docs_url=None, redoc_url=None, openapi_url="/openapi.json")
    app.state.context = Context(desk, member, token, parts, wait_limit)
    app.include_router(_for_the_member(routes))
    operations = APIRouter()
    add_operations(operations)
    app.include_router(operations)
    add_failures(app)
    app.add_middleware(RequestLog)
    describe(app, routes)
    return app


def _for_the_member(routes: Routes) -> APIRouter:
    router = APIRouter(dependencies=[Depends(authorized), Depends(only_known_parameters)])
    if routes == "agency":
        add_places(router, AGENCY_PLACES)
        add_agency_queries(router)
    elif routes == "coordination":
        add_places(router, COORDINATION_PLACES)
        add_coordination_queries(router)
    add_shared_queries(router)
    return router
