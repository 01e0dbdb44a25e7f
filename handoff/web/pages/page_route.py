"""Routes of pages: every failure is answered with a page, in the language of the request."""

from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response

from handoff.node.commands.results import StoreUnavailable
from handoff.web.pages.rendering import page, translation_of
from handoff.web.pages.site import ProblemText, site_of
from handoff.web.pages.translation import gettext_noop
from handoff.web.problems import ProblemError
from handoff.web.query_parameters import no_repeated_parameters

SHARED_PROBLEMS: Mapping[str, ProblemText] = MappingProxyType(
    {
        "not_signed_in": ProblemText(
            gettext_noop("You are not signed in"),
            gettext_noop("Use a one-time sign-in link. The operator of this jurisdiction can create one for you."),
        ),
        "link_invalid": ProblemText(
            gettext_noop("This link has expired or was already used"), gettext_noop("Ask the operator for a new link.")
        ),
        "access-not-recorded": ProblemText(
            gettext_noop("The read could not be recorded, so nothing is shown"),
            gettext_noop("Try again in a few seconds."),
        ),
        "unavailable": ProblemText(
            gettext_noop("The record is temporarily unavailable"), gettext_noop("Try again in a few seconds.")
        ),
        "unknown_path": ProblemText(
            gettext_noop("This page does not exist"), gettext_noop("Check the address of the page.")
        ),
        "not_valid": ProblemText(
            gettext_noop("This request is not valid"),
            gettext_noop("A value in the address of the page is not valid. Check the address."),
        ),
        "other_site": ProblemText(
            gettext_noop("This form was sent from another site"),
            gettext_noop("Start again from a page of this site."),
        ),
    }
)
"""Code → text, for the problems that the page kit itself raises."""


class PageRoute(APIRoute):
    """A route that answers with pages only. A site adds its own failures by overriding ``failure_page``."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler, with failures turned into pages."""
        handle = super().get_route_handler()

        async def handle_with_pages(request: Request) -> Response:
            try:
                await no_repeated_parameters(request)
                return await handle(request)
            except Exception as error:
                answer = self.failure_page(request, error)
                if answer is None:
                    raise
            # htmx asked for a part of a page and could not show a full one: let the browser load the page itself.
            if "hx-request" in request.headers:
                answer.headers["HX-Redirect"] = address_of(request)
            return answer

        return handle_with_pages

    def failure_page(self, request: Request, error: Exception) -> Response | None:
        """Return the page for ``error``; None if it is not an expected failure and has to propagate."""
        match error:
            case ProblemError():
                return problem_page(request, error.problem.code, error.problem.status, error.headers)
            case RequestValidationError():
                return problem_page(request, "not_valid", HTTPStatus.UNPROCESSABLE_ENTITY)
            case StoreUnavailable():
                return problem_page(request, "unavailable", HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": "2"})
        return None


def add_unknown_page(app: FastAPI) -> None:
    """Let ``app`` answer a browser's request for an unknown path with a page; programs still get a problem."""
    answer_with_problem: Any = app.exception_handlers[HTTPException]

    async def answer(request: Request, error: HTTPException) -> Response:
        if "text/html" not in request.headers.get("accept", ""):
            return await answer_with_problem(request, error)  # type: ignore[no-any-return]
        return problem_page(request, "unknown_path", error.status_code, error.headers)

    app.add_exception_handler(HTTPException, answer)  # type: ignore[arg-type] # Starlette's type has any exception


def problem_page(request: Request, code: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Return the page that explains a problem."""
    tr, text = translation_of(request), {**SHARED_PROBLEMS, **site_of(request).problems}[code]
    answer = page(
        request, "problem.html", status, code=code, number=int(status), title=tr(text.title), remedy=tr(text.remedy)
    )
    answer.headers.update(headers or {})
    return answer


def address_of(request: Request) -> str:
    """Return the path and query of a request."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")
