"""Error handlers: one for each exception that ends a request, each mapped to a problem."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from handoff.node.commands.results import IdempotencyConflict, OwnKeyEnded, PreconditionFailed, StoreUnavailable
from handoff.web import problems
from handoff.web.problems import ProblemError, problem_response
from handoff.web.validation_errors import invalid_parameters

RETRY_AFTER_SECONDS = 2
"""PostgreSQL takes about this long to restart after a crash; a longer pause would only delay callers."""


def add_error_handlers(app: FastAPI) -> None:
    """Add a handler for every error that the node and the routes raise."""

    @app.exception_handler(ProblemError)
    async def _(_request: Request, error: ProblemError) -> Response:
        return problem_response(error.problem, error.headers)

    @app.exception_handler(RequestValidationError)
    async def _(_request: Request, error: RequestValidationError) -> Response:
        return problem_response(invalid_parameters(error.errors()).problem)

    @app.exception_handler(PreconditionFailed)
    async def _(_request: Request, error: PreconditionFailed) -> Response:
        headers = {} if error.seen is None else {"ETag": f'"{error.seen}"'}
        return problem_response(problems.PRECONDITION_FAILED.problem(state=error.state, seen=error.seen), headers)

    @app.exception_handler(IdempotencyConflict)
    async def _(_request: Request, _error: IdempotencyConflict) -> Response:
        return problem_response(problems.IDEMPOTENCY_KEY_REUSED.problem())

    @app.exception_handler(OwnKeyEnded)
    async def _(_request: Request, error: OwnKeyEnded) -> Response:
        return problem_response(problems.OWN_KEY_ENDED.problem(reason=error.status))

    @app.exception_handler(StoreUnavailable)
    async def _(_request: Request, _error: StoreUnavailable) -> Response:
        return problem_response(problems.UNAVAILABLE.problem(), {"Retry-After": str(RETRY_AFTER_SECONDS)})

    @app.exception_handler(HTTPException)
    async def _(_request: Request, error: HTTPException) -> Response:
        # Raised by the router alone.
        if error.status_code != 405:
            return problem_response(problems.UNKNOWN_PATH.problem())
        allowed = sorted((error.headers or {}).get("Allow", "").split(", "))
        if "GET" in allowed and "HEAD" not in allowed:
            allowed.append("HEAD")
        return problem_response(problems.METHOD_NOT_ALLOWED.problem(), {"Allow": ", ".join(allowed)})
