"""Sign-in and sign-out: a one-time link starts a session, a button ends it."""

from http import HTTPStatus
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from handoff.node.ports import Clock
from handoff.web.pages.access.session_store import SESSION_COOKIE, SESSION_LIFETIME, SessionStore, token_hash
from handoff.web.pages.page_route import PageRoute
from handoff.web.pages.rendering import SECURITY_HEADERS, cookie_name, is_secure, page
from handoff.web.problems import ProblemKind

LINK_INVALID = ProblemKind(
    "link_invalid",
    HTTPStatus.UNAUTHORIZED,
    "This link has expired or was already used",
    "Ask the operator for a new link.",
)
OTHER_SITE = ProblemKind(
    "other_site",
    HTTPStatus.FORBIDDEN,
    "This form was sent from another site",
    "Start again from a page of this site.",
)


async def require_same_site(request: Request) -> None:
    """Refuse a request that a page of another site sent."""
    origin, sent_by = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    is_foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if is_foreign or sent_by not in {None, "same-origin", "none"}:
        raise OTHER_SITE.error()


def redirect(path: str) -> RedirectResponse:
    """Return the redirect after a form, with the headers of a page."""
    return RedirectResponse(path, status_code=HTTPStatus.SEE_OTHER.value, headers=SECURITY_HEADERS)


def sign_in_router(sessions: SessionStore, clock: Clock) -> APIRouter:
    """Return the routes that start and end the sessions of a site."""
    router = APIRouter(route_class=PageRoute, include_in_schema=False, dependencies=[Depends(require_same_site)])

    @router.get("/enter/{token}")
    async def show_sign_in(request: Request, token: str) -> Response:  # noqa: ARG001 - the form that follows uses it
        """Show the button that signs in. Programs that fetch links in advance do not use the link up."""
        return page(request, "enter.html")

    @router.post("/enter/{token}")
    async def sign_in(request: Request, token: str) -> Response:
        """Use the link up and start a session."""
        session = await sessions.start_session(token, clock())
        if session is None:
            raise LINK_INVALID.error()
        answer = redirect("/")
        answer.set_cookie(
            cookie_name(request, SESSION_COOKIE),
            session,
            max_age=int(SESSION_LIFETIME.total_seconds()),
            httponly=True,
            samesite="strict",
            secure=is_secure(request),
        )
        return answer

    @router.post("/leave")
    async def sign_out(request: Request) -> Response:
        """End the session."""
        token = request.cookies.get(cookie_name(request, SESSION_COOKIE))
        if token:
            await sessions.end_session(token_hash(token), clock())
        answer = redirect("/")
        answer.delete_cookie(cookie_name(request, SESSION_COOKIE), secure=is_secure(request), httponly=True)
        return answer

    return router
