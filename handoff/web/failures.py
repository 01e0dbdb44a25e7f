"""Every failure as a problem: one handler for each error, typed by what the caller does next."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from handoff.node.commands.results import IdempotencyConflict, PreconditionFailed, StoreUnavailable
from handoff.web.faults import faults_in_parameters
from handoff.web.problems import Unsuited, answer, problem

RETRY_AFTER_SECONDS = 2
"""Longer than PostgreSQL takes to restart after a crash would only keep people waiting."""


async def _unsuited(_request: Request, error: Exception) -> Response:
    if not isinstance(error, Unsuited):
        raise error
    return answer(error.problem, error.headers)


async def _not_valid(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    details = error.errors()
    faults = faults_in_parameters(details)
    code = "header_malformed" if any(detail["loc"][0] == "header" for detail in details) else "not_valid"
    return answer(problem(code, f"{faults[0].field} {faults[0].problem}.", faults=faults))


async def _precondition_failed(_request: Request, error: Exception) -> Response:
    if not isinstance(error, PreconditionFailed):
        raise error
    headers = {} if error.seen is None else {"ETag": f'"{error.seen}"'}
    return answer(problem("precondition_failed", state=error.state, seen=error.seen), headers)


async def _key_reused(_request: Request, _error: Exception) -> Response:
    return answer(problem("idempotency_key_reused"))


async def _unavailable(_request: Request, _error: Exception) -> Response:
    return answer(problem("unavailable"), {"Retry-After": str(RETRY_AFTER_SECONDS)})


async def _from_routing(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    code = "method_not_allowed" if error.status_code == 405 else "unknown_path"
    return answer(problem(code), error.headers)


def add_failures(app: FastAPI) -> None:
    """The handlers of this module."""
    app.add_exception_handler(Unsuited, _unsuited)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(PreconditionFailed, _precondition_failed)
    app.add_exception_handler(IdempotencyConflict, _key_reused)
    app.add_exception_handler(StoreUnavailable, _unavailable)
    app.add_exception_handler(HTTPException, _from_routing)
