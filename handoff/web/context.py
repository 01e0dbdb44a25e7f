"""What every route works with, and who may call it."""

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict

from handoff.node.ports import Reception
from handoff.web.problems import Fault, Unsuited, problem, unsuited


class Part(BaseModel):
    """A part that the node rests on, and whether it works; without one that is not ``needed`` it goes on exchanging."""

    model_config = ConfigDict(frozen=True)

    name: str
    ready: bool
    detail: str = ""
    needed: bool = True


Parts = Callable[[], Sequence[Part]]
"""Tells how the node's parts are at this moment; called for each readiness question, so it does no I/O."""


@dataclass(frozen=True)
class Context:
    """The node behind an API, its member's token, and the longest wait that a caller may ask for, in seconds."""

    desk: Reception
    member: str
    token: str
    parts: Parts
    wait_limit: float


async def context_of(request: Request) -> Context:
    """The context that the application was made with."""
    context: Context = request.app.state.context
    return context


InContext = Annotated[Context, Depends(context_of)]

BEARER = HTTPBearer(auto_error=False, scheme_name="bearer", description="The member's own token")


async def authorized(
    context: InContext, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)]
) -> None:
    """Lets only a caller with the member's token pass."""
    given = credentials.credentials if credentials is not None else ""
    # Compared without a hint, by its duration, of how much was right.
    if not secrets.compare_digest(given.encode(), context.token.encode()):
        raise Unsuited(problem("unauthorized"), {"WWW-Authenticate": 'Bearer realm="handoff"'})


async def only_known_parameters(request: Request) -> None:
    """Lets no query parameter pass that the route does not have: a filter that is mistyped would be none."""
    route = request.scope["route"]
    known = tuple(field.alias for field in route.dependant.query_params) if isinstance(route, APIRoute) else ()
    strange = [name for name in request.query_params if name not in known]
    if strange:
        faults = (Fault(field=strange[0], problem="is not a parameter here", allowed=known),)
        raise unsuited("not_valid", f"{strange[0]} is not a parameter here.", faults=faults)


_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?([0-9]{1,6})\"?\s*(?=$|[,;])", re.IGNORECASE)


def wait_in(prefer: str | None, limit: float) -> float | None:
    """The seconds that ``Prefer: wait=N`` asks for (RFC 7240), at most ``limit``; preferences may be ignored."""
    match = _WAIT.search(prefer or "")
    return min(float(match[1]), limit) if match is not None else None
