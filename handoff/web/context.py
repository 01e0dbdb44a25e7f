"""Parts that every route uses: the node behind the API, and authorization."""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer

from handoff.node.ports import NodeApi
from handoff.web.problems import UNAUTHORIZED, ProblemKind


@dataclass(frozen=True)
class ApiContext:
    """The node behind an API, its member's token, and the API's kinds of problem.

    ``wait_limit`` is the longest wait in seconds that a caller may ask for. ``shutdown`` is set when the server stops.
    """

    desk: NodeApi
    member: str
    token: str
    wait_limit: float
    problems: Mapping[str, ProblemKind]
    shutdown: asyncio.Event = field(default_factory=asyncio.Event)


async def context_of(request: Request) -> ApiContext:
    """Return the context that the application was created with."""
    context: ApiContext = request.app.state.context
    return context


InContext = Annotated[ApiContext, Depends(context_of)]

BEARER = HTTPBearer(auto_error=False, scheme_name="bearer", description="The member's own token")


async def require_token(request: Request, _bearer: Annotated[object, Security(BEARER)] = None) -> None:
    """Admit only requests that carry the member's token. The scheme is a parameter so that OpenAPI describes it."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    context: ApiContext = request.app.state.context
    # The comparison takes the same time whichever part of the token is wrong.
    is_right = secrets.compare_digest(given.strip().encode(), context.token.encode())
    if scheme.lower() != "bearer" or not is_right:
        raise UNAUTHORIZED.error(headers={"WWW-Authenticate": 'Bearer realm="handoff"'})
