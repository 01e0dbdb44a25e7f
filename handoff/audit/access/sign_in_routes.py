"""The way in and out: a one-time link begins a session, a button ends it, and a purpose opens a case."""

from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from handoff.adapters.postgres.sessions import SESSION_LASTS, hashed
from handoff.audit.access.authentication import SESSION_COOKIE
from handoff.audit.context import InAudit, open_case, visitor_of
from handoff.audit.pages.page_route import PageRoute, turned_away
from handoff.audit.pages.rendering import HEADERS, is_secure, page
from handoff.record.codes import ReadPurpose


async def same_site(request: Request) -> None:
    """Lets no form pass that another site's page sent."""
    origin, sent_by = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    from_elsewhere = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if from_elsewhere or sent_by not in {None, "same-origin", "none"}:
        raise turned_away("elsewhere", HTTPStatus.FORBIDDEN)


doors = APIRouter(route_class=PageRoute, include_in_schema=False, dependencies=[Depends(same_site)])


@doors.get("/enter/{token}")
async def ask_to_enter(request: Request, token: str) -> Response:  # noqa: ARG001 - only the form that follows uses it up
    """A page with one button: whoever looks at links before people do uses none of them up."""
    return page(request, "enter.html")


@doors.post("/enter/{token}")
async def enter(request: Request, audit: InAudit, token: str) -> Response:
    """Begins a session, and uses the link up."""
    session = await audit.people.enter(token, audit.clock())
    if session is None:
        raise turned_away("link_used")
    answer = _to("/")
    lasts = int(SESSION_LASTS.total_seconds())
    answer.set_cookie(
        SESSION_COOKIE, session, max_age=lasts, httponly=True, samesite="strict", secure=is_secure(request)
    )
    return answer


@doors.post("/leave")
async def leave(request: Request, audit: InAudit) -> Response:
    """Ends the session."""
    token = request.cookies.get(SESSION_COOKIE)
    if token:
        await audit.people.leave(hashed(token), audit.clock())
    answer = _to("/")
    answer.delete_cookie(SESSION_COOKIE)
    return answer


@doors.get("/")
async def home(request: Request, audit: InAudit) -> Response:
    """Where a case is asked for by its id."""
    visitor = await visitor_of(audit, request)
    openings = await audit.people.openings(visitor.session)
    return page(request, "home.html", openings=openings, signed_in=True)


@doors.get("/timelines")
async def find(case: UUID) -> Response:
    """Leads to a case's page."""
    return _to(f"/timelines/{case}")


@doors.post("/timelines/{case}/purpose")
async def say_purpose(
    request: Request,
    audit: InAudit,
    case: UUID,
    purpose: Annotated[ReadPurpose, Form()],
    then: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Opens a case for a purpose; what was asked for follows."""
    await open_case(audit, await visitor_of(audit, request), case, purpose)
    below = f"/timelines/{case}"
    return _to(then if then == below or then.startswith((f"{below}/", f"{below}?")) else below)


def _to(path: str) -> RedirectResponse:
    return RedirectResponse(path, status_code=303, headers=HEADERS)
