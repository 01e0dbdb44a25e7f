"""Pages' routes: whatever goes wrong is told on a page, in the visitor's language."""

from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import Response

from handoff.audit.access.read_recording import PurposeNeeded
from handoff.audit.pages.rendering import language, page
from handoff.node.commands.results import StoreUnavailable
from handoff.record.codes import ReadPurpose
from handoff.web.problems import Problem, ProblemError

SENTENCES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "not_signed_in": (
            "Nobody is signed in",
            "Come in by a one-time link. Whoever runs this jurisdiction can give you one.",
        ),
        "link_used": ("This link lets nobody in any more", "It was used, or it is too old. Ask for a new one."),
        "case_not_recorded": ("Nothing about such a case stands on the record", "Check the case's id."),
        "access-not-recorded": (
            "The read could not be recorded, so nothing is shown",
            "Try again in a moment.",
        ),
        "not_proven_yet": (
            "No checkpoint that enough have cosigned covers the case yet",
            "Ask again after the next checkpoint.",
        ),
        "unavailable": ("The record cannot be read at the moment", "Try again in a moment."),
        "not_valid": ("This cannot be asked", "Something in the address is not as it should be."),
        "elsewhere": ("This came from another site", "Begin again from this site's own pages."),
    }
)
"""Code of a problem → its title and what the visitor can do, in English."""


class PageRoute(APIRoute):
    """A route that answers with pages alone."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, with failures told on a page."""
        handle = super().get_route_handler()

        async def told(request: Request) -> Response:
            try:
                return await handle(request)
            except ProblemError as error:
                answer = problem_page(request, error.problem.code, error.problem.status, error.headers)
            except RequestValidationError:
                answer = problem_page(request, "not_valid", 422)
            except PurposeNeeded:
                answer = _ask_purpose(request)
            except StoreUnavailable:
                answer = problem_page(request, "unavailable", 503, {"Retry-After": "2"})
            # A script that asked for a part of a page could not show it: the browser asks for the whole.
            if "hx-request" in request.headers:
                answer.headers["HX-Redirect"] = _here(request)
            return answer

        return told


def problem_page(request: Request, code: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """The page that tells of a problem."""
    said = language(request)
    title, remedy = SENTENCES[code]
    answer = page(request, "problem.html", status, code=code, number=status, title=said(title), remedy=said(remedy))
    answer.headers.update(headers or {})
    return answer


def _ask_purpose(request: Request) -> Response:
    case = request.path_params["case"]
    status = HTTPStatus.PRECONDITION_REQUIRED
    return page(
        request, "purpose.html", status, case=case, purposes=tuple(ReadPurpose), then=_here(request), signed_in=True
    )


def _here(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def turned_away(code: str, status: HTTPStatus = HTTPStatus.UNAUTHORIZED) -> ProblemError:
    """The problem of a link that lets nobody in, or of a form that did not come from here."""
    title, remedy = SENTENCES[code]
    return ProblemError(Problem(type=f"/problems/{code}", code=code, title=title, status=status.value, detail=remedy))
